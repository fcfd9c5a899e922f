"""Whether a text can be a tag, a container or a field's value, and why not.

Pointers are empty: only the text itself is looked at.
"""

import datetime
from collections.abc import Iterator
from typing import Final

from proto.fields import Field, FieldKind
from proto.ids import ContainerId, FieldId
from services.reconciler.engine import conditions, guards, refusals
from services.reconciler.engine.model import Reason
from services.reconciler.engine.refusals import Objection, Refusal

VALUE_LENGTH_MAX: Final = 1_000
"""Of what a condition compares with, or an action sets."""
TAG_LENGTH_MAX: Final = 255

_TRUTHS: Final = ("true", "false")
_NOT_WHOLE: Final = (FieldKind.UNKNOWN, FieldKind.ADDRESS)
"""Kinds whose values are no single text."""

_OBJECTIONS: Final = {
    Reason.TOO_LONG: Objection.TOO_LONG,
    Reason.BAD_TEXT: Objection.BAD_TEXT,
    Reason.NOT_AN_OPTION: Objection.NOT_AN_OPTION,
}
_SENTENCES: Final = {
    Objection.TOO_LONG: "This is too long. Shorten it.",
    Objection.BAD_TEXT: "This has a character that cannot be stored. Take it out.",
    Objection.NOT_AN_OPTION: "This is none of the field's options. Give the id of one.",
}
_HINTS: Final = {
    FieldKind.BOOLEAN: "Give `true` or `false`.",
    FieldKind.NUMBER: "Give a number, such as -12.50.",
    FieldKind.DATE: "Give a day, as YYYY-MM-DD.",
    FieldKind.MONTH_DAY: "Give a day without its year, as --MM-DD.",
    FieldKind.DATETIME: "Give a time in UTC, as 2026-01-31T12:00:00Z.",
    FieldKind.EMAIL: "Give an email address.",
}


def of_tag(tag: str) -> Iterator[Refusal]:
    """Return why a text cannot be a tag."""
    return of_text(tag, what="a tag", length_max=TAG_LENGTH_MAX)


def of_container(given: str, listed: frozenset[ContainerId]) -> Iterator[Refusal]:
    """Return why a text is none of the containers that an account lists."""
    if not given:
        yield refusals.of(Objection.MISSING, "Give a container's id.")
    elif listed and given not in listed:
        sentence = "The account has no such container. Give one that it lists."
        yield refusals.of(Objection.UNKNOWN_CONTAINER, sentence)


def of_text(given: str, *, what: str, length_max: int) -> Iterator[Refusal]:
    """Return why a text cannot be stored as ``what``."""
    if not given.strip():
        sentence = f"Give {what} of 1 to {length_max} characters."
        yield refusals.of(Objection.MISSING, sentence)
        return
    plain = Field(
        field_id=FieldId(""), label="", kind=FieldKind.TEXT, length_max=length_max
    )
    yield from of_value(given, plain)


def of_value(given: str, field: Field) -> Iterator[Refusal]:
    """Return why a field cannot hold a text."""
    objection = _objection_to(given, field)
    if objection is not None:
        other = f"This is not what the field can hold. {_HINTS.get(field.kind, '')}"
        yield refusals.of(objection, _SENTENCES.get(objection, other.strip()))


def _objection_to(given: str, field: Field) -> Objection | None:
    if field.kind is FieldKind.BOOLEAN:
        return None if given in _TRUTHS else Objection.WRONG_VALUE
    if len(given) > VALUE_LENGTH_MAX:
        return Objection.TOO_LONG
    is_odd = (
        field.kind in _NOT_WHOLE
        or (field.kind is FieldKind.NUMBER and conditions.decimal(given) is None)
        or (field.kind is FieldKind.DATETIME and not _is_instant(given))
    )
    if is_odd:
        return Objection.WRONG_VALUE
    reason = guards.reason_against(field, given)
    return None if reason is None else _OBJECTIONS.get(reason, Objection.WRONG_VALUE)


def _is_instant(given: str) -> bool:
    try:
        datetime.datetime.fromisoformat(given)
    except ValueError:
        return False
    return "T" in given and given.endswith("Z")
