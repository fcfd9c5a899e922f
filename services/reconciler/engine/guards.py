"""What must not be written, and what must be true of every intent."""

import datetime
import hashlib
from collections.abc import Sequence
from typing import Final

from proto.base import Instant
from proto.connector import WriteKind
from proto.fields import Address, Field, FieldKind, Fields, Item, Value
from proto.reconciler import Side
from services.reconciler.engine import canon
from services.reconciler.engine.model import Cause, Intent, Link, Pair, Reason
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

_DATES: Final = (FieldKind.DATE, FieldKind.MONTH_DAY)


def reason_against(field: Field, value: Value) -> Reason | None:
    """Say why a field cannot take a value, or None if it can."""
    if value is None:
        return None
    if isinstance(value, tuple):
        if not field.is_multiple:
            return Reason.BAD_VALUE
        reasons = (_against_item(field, item) for item in value)
        return next((reason for reason in reasons if reason is not None), None)
    if field.is_multiple or isinstance(value, bool) is not (
        field.kind is FieldKind.BOOLEAN
    ):
        return Reason.BAD_VALUE
    if isinstance(value, bool):
        return None
    return _against_text(field, value)


def clears_too_much(fields: Fields, seen: Fields) -> bool:
    """Say whether a write would empty more fields than one edit does."""
    cleared = [
        field_id
        for field_id, value in fields.items()
        if value is None and seen.get(field_id)
    ]
    return len(cleared) > CLEARED_FIELDS_MAX


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
    if any(value is None and seen.get(i) for i, value in fields.items()):
        return True
    had = {act.key for act in link.acts}
    acts = acting.acts if acting is not None else ()
    return any(act.key == DELETION and act.key not in had for act in acts)


def oscillates(
    link: Link, mapping_id: str, *, fields: Fields, side: Side, now: Instant
) -> bool:
    """Say whether a write would bring back a value once too often (hazard 54)."""
    since, form = now - datetime.timedelta(seconds=OSCILLATION_S), form_of(fields)
    returns = sum(
        step.at > since
        and step.form == form
        and step.side is side
        and step.mapping_id == mapping_id
        for step in link.trail
    )
    return returns >= RETURNS_MAX


def form_of(fields: Fields) -> str:
    """Return a short digest of some values, equal for equal ones."""
    data = repr(sorted(fields.items())).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def check_own(intent: Intent, pairs: Sequence[Pair]) -> None:
    """Assert that an intent does only what the mappings allow."""
    ends = [pair.end(intent.side) for pair in pairs]
    allowed = {i for end in ends if end.is_written for i in end.ids}
    # What a rule sets was checked when the rule was saved.
    allowed |= {each.field_id for each in intent.changes if each.cause is Cause.RULE}
    assert intent.fields.keys() <= allowed, "an intent writes a field nobody mapped"
    assert (intent.record_id is None) is (intent.kind is WriteKind.CREATE)


def _against_item(field: Field, item: Item) -> Reason | None:
    if isinstance(item.value, Address) is not (field.kind is FieldKind.ADDRESS):
        return Reason.BAD_VALUE
    if isinstance(item.value, str):
        return _against_text(field, item.value)
    part = item.value
    for text in (part.street, part.city, part.region, part.postal_code, part.country):
        reason = _against_characters(text, field.length_max)
        if reason is not None:
            return reason
    return None


def _against_text(field: Field, value: str) -> Reason | None:
    if field.kind is FieldKind.CHOICE:
        is_option = any(value == option.option_id for option in field.options)
        return None if is_option else Reason.NOT_AN_OPTION
    if field.kind in _DATES:
        parts = canon.date_parts(value)
        if parts is None or not _takes_year(field, has_year=bool(parts[0])):
            return Reason.BAD_VALUE
    if field.kind is FieldKind.EMAIL and canon.email(value) is None:
        return Reason.BAD_VALUE
    return _against_characters(value, field.length_max)


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
