"""What of rules, deletions and unsubscribes cannot be, with two apps as they are.

Checked when settings are saved. An app may lose an ability afterwards; what asks for
it then does nothing.
"""

import enum
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from proto.fields import Field, FieldKind
from proto.ids import ContainerId
from proto.reconciler import Direction, Offers, Side
from proto.rules import Leaving, Unsubscribes
from services.reconciler.engine import consent, guards, rules
from services.reconciler.engine.config import Config
from services.reconciler.engine.model import Reason
from services.reconciler.engine.refusals import Refusal

TAG_LENGTH_MAX: Final = 255

Containers = Mapping[Side, frozenset[ContainerId]]
"""The containers that each account lists; none where it does not tell."""


class Objection(enum.StrEnum):
    """Why a setting is refused."""

    MISSING = "missing"
    """Something has to be given here."""
    UNUSED = "unused"
    """Nothing may be given here: it would have no effect."""
    TAKEN = "taken"
    TOO_LONG = "too_long"
    TOO_MANY = "too_many"
    BAD_TEXT = "bad_text"
    UNKNOWN_WORD = "unknown_word"
    """It is none of the words that can stand here."""
    UNKNOWN_FIELD = "unknown_field"
    UNKNOWN_CONTAINER = "unknown_container"
    WRONG_KIND = "wrong_kind"
    """The operator does not go with the field's kind."""
    WRONG_VALUE = "wrong_value"
    """The field cannot hold the value."""
    NOT_AN_OPTION = "not_an_option"
    NOT_OFFERED = "not_offered"
    """An app cannot do it."""
    READ_ONLY = "read_only"
    SEVERAL_VALUES = "several_values"
    MAPPED = "mapped"
    """A field mapping keeps the field already."""


_OF_TEXT: Final = {
    Reason.TOO_LONG: Objection.TOO_LONG,
    Reason.BAD_TEXT: Objection.BAD_TEXT,
}


def refusals(config: Config, *, containers: Containers) -> tuple[Refusal, ...]:
    """Return all that cannot be, in the order of the settings."""
    ...
