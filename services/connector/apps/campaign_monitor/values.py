"""Values of custom fields: their kinds, and both directions side by side.

Every value is text at the vendor, and so is every option.
"""

import datetime
import re
from collections.abc import Sequence
from typing import Final, TypeAlias

from msgspec import UNSET, UnsetType

from proto.fields import FieldKind, Item, Value
from services.connector.apps.campaign_monitor import wire

LENGTH_MAX: Final = 250
SEVERAL: Final = "MultiSelectMany"
DATE: Final = "Date"
KINDS: Final = {
    "Text": FieldKind.TEXT,
    "Number": FieldKind.NUMBER,
    DATE: FieldKind.DATE,
    "MultiSelectOne": FieldKind.CHOICE,
    SEVERAL: FieldKind.CHOICE,
}
"""Types that are written. Countries and states have lists of their own, with names that
no other app has, and are read as text."""
NO_DATE: Final = "0000-00-00"
"""What empties a date, as the reference says; and what may stand for none."""
DATES: Final = (datetime.date(1900, 1, 1), datetime.date(2076, 6, 6))
"""Others are ignored without a word."""
_DECIMAL = re.compile(r"-?\d+(\.\d+)?\Z", re.ASCII)
_DATE = re.compile(r"(\d{4})[-/](\d\d)[-/](\d\d)", re.ASCII)

Entry: TypeAlias = dict[str, str | bool]


def read(one: wire.Definition, texts: Sequence[str]) -> Value | UnsetType:
    """Return a field's value; ``UNSET`` if it is not of the field's type."""
    told = [text for text in texts if text]
    if one.data_type == SEVERAL:
        return tuple(Item(value=text) for text in told) or None
    text = told[0] if told else ""
    if not text:
        return None
    kind = KINDS.get(one.data_type)
    if kind is FieldKind.NUMBER:
        return text if _DECIMAL.match(text) else UNSET
    if kind is FieldKind.DATE:
        return _read_date(text)
    return text


def write(
    one: wire.Definition, value: Value, *, before: Sequence[str] = ()
) -> list[Entry] | None:
    """Return the entries that set a field; None if the value has no form.

    Args:
        before: What it holds: whether options that are not named go is not documented,
            so that those are taken away by name.
    """
    if one.data_type not in KINDS:
        return None
    if value is None or value in ("", ()):
        return [_emptied(one)]
    if one.data_type == SEVERAL:
        return _write_several(one, value, before=before)
    if not isinstance(value, str) or not _is_of_type(one, value):
        return None
    return [_entry(one, value)]


def _write_several(
    one: wire.Definition, value: Value, *, before: Sequence[str]
) -> list[Entry] | None:
    if not isinstance(value, tuple):
        return None
    texts = [item.value for item in value]
    if not all(text in one.field_options for text in texts):
        return None
    gone = [text for text in before if text and text not in texts]
    return [
        *(_entry(one, text) | {"Clear": True} for text in gone),
        *(_entry(one, str(text)) for text in texts),
    ]


def _is_of_type(one: wire.Definition, text: str) -> bool:
    match KINDS[one.data_type]:
        case FieldKind.NUMBER:
            return _DECIMAL.match(text) is not None and len(text) <= LENGTH_MAX
        case FieldKind.DATE:
            day = _day(text)
            return day is not None and DATES[0] <= day <= DATES[1]
        case FieldKind.CHOICE:
            return text in one.field_options
    return len(text) <= LENGTH_MAX


def _entry(one: wire.Definition, text: str) -> Entry:
    return {"Key": one.key, "Value": text}


def _emptied(one: wire.Definition) -> Entry:
    if one.data_type == DATE:
        return _entry(one, NO_DATE)
    return _entry(one, "") | {"Clear": True}


def _read_date(text: str) -> Value | UnsetType:
    if text.startswith(NO_DATE):
        return None
    day = _day(text)
    return day.isoformat() if day else UNSET


def _day(text: str) -> datetime.date | None:
    found = _DATE.match(text)
    if found is None:
        return None
    try:
        return datetime.date(*map(int, found.groups()))
    except ValueError:
        return None
