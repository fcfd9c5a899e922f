"""What must not be written, and what must be true of every intent."""

import datetime
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from proto.base import Instant
from proto.connector import WriteKind
from proto.fields import Address, Field, FieldKind, Fields, Item, Value
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
    """A value, by its form, that a mapping or a rule wrote to a side."""

    mapping_id: str
    side: Side
    form: str


_NONE_TIRED: Final[frozenset[Turn]] = frozenset()

_BOOLEAN: Final = FieldKind.BOOLEAN
_ADDRESS: Final = FieldKind.ADDRESS


def reason_against(field: Field, value: Value) -> Reason | None:
    """Say why a field cannot take a value, or None if it can."""
    if isinstance(value, str):
        if field.is_multiple or field.kind is _BOOLEAN:
            return Reason.BAD_VALUE
        return _AGAINST[field.kind](field, value)
    if value is None:
        return None
    if isinstance(value, tuple):
        return _against_items(field, value) if field.is_multiple else Reason.BAD_VALUE
    return Reason.BAD_VALUE if field.is_multiple or field.kind is not _BOOLEAN else None


def clears_too_much(fields: Fields, seen: Fields) -> bool:
    """Say whether a write would empty more fields than one edit does."""
    if len(fields) <= CLEARED_FIELDS_MAX:
        return False
    return len(_cleared(fields, seen)) > CLEARED_FIELDS_MAX


def _cleared(fields: Fields, seen: Fields) -> list[FieldId]:
    """Return the fields that a write would empty."""
    if None not in fields.values():
        return []
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
    for act in acts:  # noqa: SIM110
        # Without a generator for each write.
        if act.key == DELETION:
            return True
    return False


def tired(link: Link, *, now: Instant) -> frozenset[Turn]:
    """Return what was written too often within a day to be written again (hazard 54).

    Nearly every link has none, and then nothing else is to be looked at.
    """
    if not link.trail:
        return _NONE_TIRED
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


def _against_items(field: Field, items: tuple[Item, ...]) -> Reason | None:
    against, is_address = _AGAINST[field.kind], field.kind is _ADDRESS
    for item in items:
        value = item.value
        if isinstance(value, str):
            reason = Reason.BAD_VALUE if is_address else against(field, value)
        else:
            reason = _against_address(field, value) if is_address else Reason.BAD_VALUE
        if reason is not None:
            return reason
    return None


def _against_address(field: Field, part: Address) -> Reason | None:
    for text in (part.street, part.city, part.region, part.postal_code, part.country):
        reason = _against_text(field, text)
        if reason is not None:
            return reason
    return None


def _against_text(field: Field, value: str) -> Reason | None:
    if field.length_max and len(value) > field.length_max:
        return Reason.TOO_LONG
    if value.isprintable():
        return None
    if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
        return Reason.BAD_TEXT
    return None


def _against_option(field: Field, value: str) -> Reason | None:
    is_option = any(value == option.option_id for option in field.options)
    return None if is_option else Reason.NOT_AN_OPTION


def _against_date(field: Field, value: str) -> Reason | None:
    parts = canon.date_parts(value)
    if parts is None or not _takes_year(field, has_year=bool(parts[0])):
        return Reason.BAD_VALUE
    return _against_text(field, value)


def _against_email(field: Field, value: str) -> Reason | None:
    if canon.email(value) is None:
        return Reason.BAD_VALUE
    return _against_text(field, value)


def _against_number(field: Field, value: str) -> Reason | None:
    return _against_text(field, value) if canon.is_number(value) else Reason.BAD_VALUE


def _against_moment(field: Field, value: str) -> Reason | None:
    if canon.moment_parts(value) is None:
        return Reason.BAD_VALUE
    return _against_text(field, value)


_AGAINST: Final[Mapping[FieldKind, Callable[[Field, str], Reason | None]]] = {
    **dict.fromkeys(FieldKind, _against_text),
    FieldKind.CHOICE: _against_option,
    FieldKind.NUMBER: _against_number,
    FieldKind.DATETIME: _against_moment,
    FieldKind.DATE: _against_date,
    FieldKind.MONTH_DAY: _against_date,
    FieldKind.EMAIL: _against_email,
}
"""What is against a text in a field, by the field's kind."""


def _takes_year(field: Field, *, has_year: bool) -> bool:
    if field.kind is FieldKind.MONTH_DAY:
        return not has_year
    return has_year or field.is_year_optional
