"""Values of merge fields: their kinds, and both directions side by side.

What is empty is an empty text, whatever the type.
"""

import datetime
import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from proto import codec
from proto.fields import Address, FieldKind, Item, Value
from services.connector.apps.mailchimp import wire

Written: TypeAlias = str | dict[str, str] | msgspec.Raw
"""A value as the vendor's JSON."""

KINDS: Final = {
    "text": FieldKind.TEXT,
    "zip": FieldKind.TEXT,
    "number": FieldKind.NUMBER,
    "address": FieldKind.ADDRESS,
    "phone": FieldKind.PHONE,
    "date": FieldKind.DATE,
    "birthday": FieldKind.MONTH_DAY,
    "url": FieldKind.URL,
    "imageurl": FieldKind.URL,
    "radio": FieldKind.CHOICE,
    "dropdown": FieldKind.CHOICE,
}
_EMPTY: Final = ""
_DECIMAL = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?\Z", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MONTH_DAY = re.compile(r"(\d\d)/(\d\d)\Z", re.ASCII)
_WRITTEN_MONTH_DAY = re.compile(r"--(\d\d)-(\d\d)\Z", re.ASCII)


class _Street(msgspec.Struct, frozen=True, kw_only=True):
    """An address; both lines of the street are one text here."""

    addr1: str = ""
    addr2: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    country: str = ""


_Told: TypeAlias = str | float | _Street | None
_TOLD: Final[Any] = _Told


def kind_of(one: wire.MergeField) -> FieldKind:
    """Return the kind of a merge field's values; a new type is text."""
    return KINDS.get(one.type, FieldKind.TEXT)


def read(raw: msgspec.Raw, kind: FieldKind) -> Value | UnsetType:
    """Return a value; ``UNSET`` if it is not of its kind."""
    body = bytes(raw)
    try:
        told: _Told = codec.decode(body, _TOLD)
    except codec.Undecodable:
        # Bytes that no text has are found as late as here.
        return UNSET
    if isinstance(told, _Street):
        return _read_address(told) if kind is FieldKind.ADDRESS else UNSET
    if isinstance(told, float):
        # A number keeps the figures that it came with.
        text = body.decode()
        return text if _DECIMAL.match(text) and kind in _FIGURES else UNSET
    return _READERS[kind](told) if told else None


def write(value: Value, one: wire.MergeField) -> Written | UnsetType:
    """Return a value's JSON; ``UNSET`` if it has no form."""
    kind = kind_of(one)
    if value is None or value in ("", ()):
        return _EMPTY
    if kind is FieldKind.ADDRESS:
        return _write_address(value)
    if not isinstance(value, str):
        return UNSET
    match kind:
        case FieldKind.NUMBER:
            is_number = _DECIMAL.match(value)
            return msgspec.Raw(value.encode()) if is_number else UNSET
        case FieldKind.MONTH_DAY:
            found = _WRITTEN_MONTH_DAY.match(value)
            return f"{found[1]}/{found[2]}" if found else UNSET
        case FieldKind.CHOICE:
            return value if value in one.options.choices else UNSET
    return value


def _read_address(street: _Street) -> Value:
    address = Address(
        street="\n".join(filter(None, (street.addr1, street.addr2))),
        city=street.city,
        region=street.state,
        postal_code=street.zip,
        country=street.country,
    )
    return (Item(value=address),) if address != Address() else None


def _write_address(value: Value) -> Written | UnsetType:
    if not isinstance(value, tuple) or len(value) > 1:
        return UNSET
    address = value[0].value
    if not isinstance(address, Address):
        return UNSET
    first, _, second = address.street.partition("\n")
    return {
        "addr1": first,
        "addr2": second.replace("\n", ", "),
        "city": address.city,
        "state": address.region,
        "zip": address.postal_code,
        "country": address.country,
    }


def _text(text: str) -> Value | UnsetType:
    return text


def _number(text: str) -> Value | UnsetType:
    return text if _DECIMAL.match(text) else UNSET


def _date(text: str) -> Value | UnsetType:
    found = _DAY.match(text)
    if found is None:
        return UNSET
    try:
        return datetime.date.fromisoformat(found[0]).isoformat()
    except ValueError:
        return UNSET


def _month_day(text: str) -> Value | UnsetType:
    found = _MONTH_DAY.match(text)
    return f"--{found[1]}-{found[2]}" if found else UNSET


def _no_text(_text: str) -> Value | UnsetType:
    return UNSET


_READERS: Final[dict[FieldKind, Callable[[str], Value | UnsetType]]] = {
    FieldKind.TEXT: _text,
    FieldKind.PHONE: _text,
    FieldKind.URL: _text,
    FieldKind.CHOICE: _text,
    FieldKind.NUMBER: _number,
    FieldKind.DATE: _date,
    FieldKind.MONTH_DAY: _month_day,
    FieldKind.ADDRESS: _no_text,
}
_FIGURES: Final = (FieldKind.NUMBER, FieldKind.TEXT, FieldKind.PHONE)
