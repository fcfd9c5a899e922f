"""What is wrong with settings, and where, in words that a person can act on."""

import enum
from collections.abc import Iterable, Iterator

import msgspec


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in the settings that cannot be as it is."""

    pointer: str
    """Where it is: a JSON pointer into the settings."""
    reason: str
    """For programs: a member of an enum, such as ``Objection``."""
    detail: str
    """What to do, for a person. Repeats nothing that was given."""


class Objection(enum.StrEnum):
    """Why a rule or an option is refused."""

    MISSING = "missing"
    """Something has to be given here."""
    UNUSED = "unused"
    """Nothing may be given here: it would have no effect."""
    TAKEN = "taken"
    TOO_LONG = "too_long"
    TOO_MANY = "too_many"
    BAD_TEXT = "bad_text"
    """It has a character that cannot be stored."""
    UNKNOWN_WORD = "unknown_word"
    """It is none of the words that can stand here."""
    UNKNOWN_FIELD = "unknown_field"
    UNKNOWN_CONTAINER = "unknown_container"
    WRONG_KIND = "wrong_kind"
    """The operator does not go with fields of this kind."""
    WRONG_VALUE = "wrong_value"
    """It is not what a field of this kind can hold."""
    NOT_AN_OPTION = "not_an_option"
    NOT_OFFERED = "not_offered"
    """The apps cannot do it."""
    READ_ONLY = "read_only"
    SEVERAL_VALUES = "several_values"
    MAPPED = "mapped"
    """A field mapping keeps the field already."""


def of(reason: Objection, detail: str, *, at: str = "") -> Refusal:
    """Refuse what is looked at, or something inside of it."""
    return Refusal(pointer=at, reason=reason, detail=detail)


def under(place: str, found: Iterable[Refusal]) -> Iterator[Refusal]:
    """Say where something is that has refusals of its own."""
    for each in found:
        yield msgspec.structs.replace(each, pointer=place + each.pointer)
