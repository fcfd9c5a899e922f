"""What must not be written, and what must be true of every intent."""

import datetime
import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from proto.base import Instant
from proto.connector import WriteKind
from proto.fields import Field, FieldKind, Fields, Item, Value
from proto.ids import FieldId
from proto.reconciler import Side
from services.reconciler.engine import canon
from services.reconciler.engine.model import Act, Cause, Intent, Link, Pair, Reason
from services.reconciler.engine.rules import DELETION, Acting

CLEARED_FIELDS_MAX: Final = 5
"""One write may empty this many fields; more looks like an accident."""

DESTRUCTIVE_MIN: Final = 10
DESTRUCTIVE_SHARE: Final = 20
"""An hour may undo that many things, or one in so many contacts."""
ABSENT_SHARE: Final = 5
"""One scan may miss one in so many contacts."""
DESTRUCTIVE_WINDOW_S: Final = 3600
APPROVAL_S: Final = 3600

OSCILLATION_S: Final = 24 * 3600
RETURNS_MAX: Final = 3
"""How often one value may be written to a field within that time."""


class Turn(NamedTuple):
    """A value, by its form, that a mapping wrote to a side."""

    mapping_id: str
    side: Side
    form: str


_CHOICE: Final = FieldKind.CHOICE
_BOOLEAN: Final = FieldKind.BOOLEAN
_ADDRESS: Final = FieldKind.ADDRESS


def reason_against(field: Field, value: Value) -> Reason | None:
    """Say why a field cannot take a value, or None if it can."""
    if value is None:
        return None
    if isinstance(value, str):
        if field.is_multiple or field.kind is _BOOLEAN:
            return Reason.BAD_VALUE
        return _against_text(field, value)
    if isinstance(value, tuple):
        if not field.is_multiple:
            return Reason.BAD_VALUE
        for item in value:
            reason = _against_item(field, item)
            if reason is not None:
                return reason
        return None
    return Reason.BAD_VALUE if field.is_multiple or field.kind is not _BOOLEAN else None


def clears_too_much(fields: Fields, seen: Fields) -> bool:
    """Say whether a write would empty more fields than one edit does."""
    if len(fields) <= CLEARED_FIELDS_MAX:
        return False
    return len(_cleared(fields, seen)) > CLEARED_FIELDS_MAX


def _cleared(fields: Fields, seen: Fields) -> list[FieldId]:
    """Return the fields that a write would empty."""
    return [i for i, value in fields.items() if value is None and seen.get(i)]


def destructive_max(linked: int) -> int:
    """Return how much may be undone on one side within an hour."""
    return max(DESTRUCTIVE_MIN, linked // DESTRUCTIVE_SHARE)


def misses_too_many(*, unseen: int, live: int) -> bool:
    """Say whether a scan that shows so few of an account's records can be right."""
    return unseen > DESTRUCTIVE_MIN and unseen * ABSENT_SHARE > live


def is_destructive(
    link: Link, acting: Acting | None, *, fields: Fields, seen: Fields
) -> bool:
    """Say whether a write counts for the guard against mass changes (hazard 71)."""
    if _cleared(fields, seen):
        return True
    return acting is not None and _tags(acting.acts) and not _tags(link.acts)


def _tags(acts: tuple[Act, ...]) -> bool:
    """Say whether the counterpart of a deleted contact was tagged."""
    return DELETION in [act.key for act in acts]


def tired(link: Link, *, now: Instant) -> frozenset[Turn]:
    """Return what was written too often within a day to be written again (hazard 54).

    Nearly every link has none, and then nothing else is to be looked at.
    """
    since = now - datetime.timedelta(seconds=OSCILLATION_S)
    counted = Counter(
        Turn(step.mapping_id, step.side, step.form)
        for step in link.trail
        if step.at > since
    )
    return frozenset(turn for turn, count in counted.items() if count >= RETURNS_MAX)


def form_of(fields: Fields) -> str:
    """Return a short digest of some values, equal for equal ones."""
    data = repr(sorted(fields.items())).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def check_own(intent: Intent, pairs: Sequence[Pair]) -> None:
    """Assert that an intent does only what the mappings allow."""
    mapped: set[FieldId] = set()
    for pair in pairs:
        end = pair.end(intent.side)
        if end.is_written:
            mapped.update(end.ids)
    others = intent.fields.keys() - mapped
    if others:
        # What a rule sets was checked when the rule was saved.
        others -= {each.field_id for each in intent.changes if each.cause is Cause.RULE}
    assert not others, "an intent writes a field nobody mapped"
    assert (intent.record_id is None) is (intent.kind is WriteKind.CREATE)


def _against_item(field: Field, item: Item) -> Reason | None:
    if isinstance(item.value, str):
        if field.kind is _ADDRESS:
            return Reason.BAD_VALUE
        return _against_text(field, item.value)
    if field.kind is not _ADDRESS:
        return Reason.BAD_VALUE
    part = item.value
    for text in (part.street, part.city, part.region, part.postal_code, part.country):
        reason = _against_characters(text, field.length_max)
        if reason is not None:
            return reason
    return None


def _against_text(field: Field, value: str) -> Reason | None:
    if field.kind is _CHOICE:
        return _against_option(field, value)
    against = _AGAINST.get(field.kind)
    reason = against(field, value) if against is not None else None
    return reason or _against_characters(value, field.length_max)


def _against_option(field: Field, value: str) -> Reason | None:
    is_option = any(value == option.option_id for option in field.options)
    return None if is_option else Reason.NOT_AN_OPTION


def _against_date(field: Field, value: str) -> Reason | None:
    parts = canon.date_parts(value)
    if parts is None or not _takes_year(field, has_year=bool(parts[0])):
        return Reason.BAD_VALUE
    return None


def _against_email(_field: Field, value: str) -> Reason | None:
    return Reason.BAD_VALUE if canon.email(value) is None else None


def _against_number(_field: Field, value: str) -> Reason | None:
    return None if canon.is_number(value) else Reason.BAD_VALUE


def _against_moment(_field: Field, value: str) -> Reason | None:
    return Reason.BAD_VALUE if canon.moment_parts(value) is None else None


_AGAINST: Final = {
    FieldKind.NUMBER: _against_number,
    FieldKind.DATETIME: _against_moment,
    FieldKind.DATE: _against_date,
    FieldKind.MONTH_DAY: _against_date,
    FieldKind.EMAIL: _against_email,
}
"""What is against a text in a field of one of these kinds."""


def _takes_year(field: Field, *, has_year: bool) -> bool:
    if field.kind is FieldKind.MONTH_DAY:
        return not has_year
    return has_year or field.is_year_optional


def _against_characters(value: str, length_max: int) -> Reason | None:
    if length_max and len(value) > length_max:
        return Reason.TOO_LONG
    if "\0" in value:
        return Reason.BAD_TEXT
    if not value.isascii() and any("\ud800" <= char <= "\udfff" for char in value):
        return Reason.BAD_TEXT
    return None
