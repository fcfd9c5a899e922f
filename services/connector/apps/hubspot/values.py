"""Values of single properties: their kinds, and both directions side by side.

Every value is text at the vendor. How a property is read is worked out once for each,
because contacts have many.
"""

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from msgspec import UNSET, UnsetType

from proto.fields import FieldKind, Item, Role, Value
from services.connector.apps.hubspot import dates, wire

Reader: TypeAlias = Callable[[str], Value | UnsetType]
"""Reads a text that is not empty; ``UNSET`` if it is not of the property's type."""

STANDARD: Final = {
    "email": (FieldKind.EMAIL, Role.EMAIL),
    "firstname": (FieldKind.TEXT, Role.NAME_GIVEN),
    "lastname": (FieldKind.TEXT, Role.NAME_FAMILY),
    "phone": (FieldKind.PHONE, Role.PHONE),
    "mobilephone": (FieldKind.PHONE, Role.PHONE_MOBILE),
    "company": (FieldKind.TEXT, Role.COMPANY),
    "jobtitle": (FieldKind.TEXT, Role.JOB_TITLE),
    "website": (FieldKind.URL, Role.WEBSITE),
}
"""Kinds and roles of the vendor's own properties of text."""
_BIRTHDAY: Final = "date_of_birth"
"""Plays its role only where it is a date: it may be any text."""
KINDS: Final = {
    "string": FieldKind.TEXT,
    "phone_number": FieldKind.PHONE,
    "number": FieldKind.NUMBER,
    "bool": FieldKind.BOOLEAN,
    "date": FieldKind.DATE,
    "datetime": FieldKind.DATETIME,
    "enumeration": FieldKind.CHOICE,
}
_SEVERAL: Final = "checkbox"
_YES_OR_NO: Final = "booleancheckbox"
_DECIMAL = re.compile(r"-?\d+(\.\d+)?\Z", re.ASCII)
_BOOLEANS: Final = {"true": True, "false": False}


def kind_and_role(one: wire.Property) -> tuple[FieldKind, Role]:
    """Return the kind of a property's values, and the part that it plays."""
    if one.type in ("string", "phone_number") and one.name in STANDARD:
        return STANDARD[one.name]
    if one.field_type == _YES_OR_NO:
        return FieldKind.BOOLEAN, Role.UNKNOWN
    kind = KINDS.get(one.type, FieldKind.TEXT)
    is_birthday = one.name == _BIRTHDAY and kind is FieldKind.DATE
    return kind, Role.BIRTHDAY if is_birthday else Role.UNKNOWN


def is_several(one: wire.Property) -> bool:
    """Say whether a property holds several options."""
    return one.field_type == _SEVERAL


def reader_of(one: wire.Property) -> Reader | None:
    """Return how a property's texts are read; None: they are the values."""
    if is_several(one):
        return _options
    return _READERS.get(kind_and_role(one)[0])


def write(one: wire.Property, value: Value) -> str | None:
    """Return the text of a value, which is empty for none; None if it has no form."""
    if value is None or value in ("", ()):
        return ""
    if isinstance(value, tuple):
        texts = [item.value for item in value if isinstance(item.value, str)]
        is_told = len(texts) == len(value) and not any(";" in text for text in texts)
        return ";".join(texts) if is_several(one) and is_told else None
    if is_several(one):
        return None
    if isinstance(value, bool) != (kind_and_role(one)[0] is FieldKind.BOOLEAN):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def _options(text: str) -> Value:
    return tuple(Item(value=each) for each in text.split(";") if each) or None


def _boolean(text: str) -> Value | UnsetType:
    return _BOOLEANS.get(text.lower(), UNSET)


def _number(text: str) -> Value | UnsetType:
    return text if _DECIMAL.match(text) else UNSET


def _date(text: str) -> Value | UnsetType:
    day = dates.read_day(text)
    return day.isoformat() if day else UNSET


def _datetime(text: str) -> Value | UnsetType:
    moment = dates.read_moment(text)
    return dates.write_moment(moment) if moment else UNSET


_READERS: Final = {
    FieldKind.BOOLEAN: _boolean,
    FieldKind.NUMBER: _number,
    FieldKind.DATE: _date,
    FieldKind.DATETIME: _datetime,
}
