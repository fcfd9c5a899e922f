"""Values of custom fields, all texts at the vendor; both directions side by side."""

import datetime
import re
from typing import Final

from msgspec import UNSET, UnsetType

from proto.fields import FieldKind, Item, Value
from services.connector import vendors

KINDS: Final = {
    "date": FieldKind.DATE,
    "datetime": FieldKind.DATETIME,
    "dropdown": FieldKind.CHOICE,
    "radio": FieldKind.CHOICE,
    "checkbox": FieldKind.CHOICE,
    "listbox": FieldKind.CHOICE,
}
"""Kinds by type; all others are text."""
SEVERAL: Final = ("checkbox", "listbox")
_SEPARATOR: Final = "||"
_DAY = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
_NO_DAY: Final = "0000-00-00"


def kind_of(type_: str) -> FieldKind:
    """Return the kind of a field's values."""
    return KINDS.get(type_, FieldKind.TEXT)


def read(text: str, type_: str) -> Value | UnsetType:
    """Return a value; ``UNSET`` if it is not of its type."""
    if not text or text.startswith(_NO_DAY):
        return None
    if type_ in SEVERAL:
        chosen = filter(None, text.split(_SEPARATOR))
        return tuple(Item(value=each) for each in chosen) or None
    match kind_of(type_):
        case FieldKind.DATE:
            return _day(text)
        case FieldKind.DATETIME:
            moment = vendors.read_moment(text)
            return UNSET if moment is None else vendors.write_moment(moment)
    return text


def write(value: Value, type_: str, *, options: frozenset[str]) -> str | UnsetType:
    """Return a value's text, which is empty for none; ``UNSET`` if it has no form."""
    if value is None or value in ("", ()):
        return ""
    if type_ in SEVERAL:
        items = value if isinstance(value, tuple) else ()
        texts = [item.value for item in items if isinstance(item.value, str)]
        if len(texts) != len(items) or not texts or not options.issuperset(texts):
            return UNSET
        return f"{_SEPARATOR}{_SEPARATOR.join(texts)}{_SEPARATOR}"
    if not isinstance(value, str):
        return UNSET
    match kind_of(type_):
        case FieldKind.CHOICE:
            return value if value in options else UNSET
        case FieldKind.DATE:
            return value if _day(value) is not UNSET else UNSET
        case FieldKind.DATETIME:
            return value if vendors.read_moment(value) else UNSET
    return value


def _day(text: str) -> Value | UnsetType:
    if not _DAY.match(text):
        return UNSET
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        return UNSET
