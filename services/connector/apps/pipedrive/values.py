"""Values of custom fields: their kinds, and both directions side by side.

Numbers are read and written as the vendor's own text, to the digit.
"""

import datetime
import decimal
import re
from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from proto import codec
from proto.fields import FieldKind, Item, Value
from services.connector.apps.pipedrive import wire

Json: TypeAlias = None | bool | int | str | list[int] | msgspec.Raw
NUMBERS: Final = ("double", "int")
SEVERAL: Final = "set"
KINDS: Final = {
    "varchar": FieldKind.TEXT,
    "varchar_auto": FieldKind.TEXT,
    "text": FieldKind.TEXT,
    "phone": FieldKind.PHONE,
    "double": FieldKind.NUMBER,
    "int": FieldKind.NUMBER,
    "boolean": FieldKind.BOOLEAN,
    "date": FieldKind.DATE,
    "enum": FieldKind.CHOICE,
    SEVERAL: FieldKind.CHOICE,
}
"""Types that are written."""
SHOWN: Final = {"monetary": FieldKind.NUMBER, "address": FieldKind.TEXT}
"""Types that are objects, of which the value is read: to write one, its currency or its
place on the map would have to be known."""
LENGTHS: Final = {"varchar": 255, "varchar_auto": 255, "phone": 255, "text": 65_000}
_DECIMAL = re.compile(r"-?\d{1,300}(\.\d{1,300})?\Z", re.ASCII)
_EXPONENT_MAX: Final = 300


class _Whole(msgspec.Struct, frozen=True):
    value: msgspec.Raw = msgspec.Raw(b"null")


def read(one: wire.Definition, raw: msgspec.Raw | None) -> Value | UnsetType:
    """Return a field's value; ``UNSET`` if it is not of the field's type."""
    if raw is None or bytes(raw) == b"null":
        return None
    try:
        if one.field_type in SHOWN:
            raw = codec.decode(bytes(raw), _Whole).value
            if bytes(raw) == b"null":
                return None
            kind = SHOWN[one.field_type]
        else:
            kind = KINDS[one.field_type]
        return _READERS[kind](one, bytes(raw))
    except codec.Undecodable:
        return UNSET


def write(one: wire.Definition, value: Value) -> Json | UnsetType:
    """Return the JSON of a value; ``UNSET`` if it has no form."""
    kind = KINDS.get(one.field_type)
    if kind is None:
        return UNSET
    if value is None or value in ("", ()):
        # An empty list is refused where a null empties.
        return None
    if isinstance(value, tuple):
        return _write_several(one, value)
    if isinstance(value, bool):
        return value if kind is FieldKind.BOOLEAN else UNSET
    return _write_text(one, value, kind=kind)


def _write_several(
    one: wire.Definition, value: tuple[Item, ...]
) -> list[int] | UnsetType:
    if one.field_type != SEVERAL:
        return UNSET
    ids = [_option_id(one, item.value) for item in value]
    known = [each for each in ids if each is not None]
    return known if len(known) == len(ids) else UNSET


def _write_text(
    one: wire.Definition, text: str, *, kind: FieldKind
) -> Json | UnsetType:
    match kind:
        case FieldKind.NUMBER:
            is_whole = one.field_type != "int" or "." not in text
            if not _DECIMAL.match(text) or not is_whole:
                return UNSET
            # JSON has no zeros in front.
            return msgspec.Raw(format(decimal.Decimal(text), "f").encode())
        case FieldKind.DATE:
            return text if _is_day(text) else UNSET
        case FieldKind.CHOICE:
            found = None if one.field_type == SEVERAL else _option_id(one, text)
            return UNSET if found is None else found
        case FieldKind.BOOLEAN:
            return UNSET
    return text if len(text) <= LENGTHS[one.field_type] else UNSET


def _option_id(one: wire.Definition, text: object) -> int | None:
    ids = {str(option.id): option.id for option in one.options or ()}
    found = ids.get(str(text))
    return found if isinstance(found, int) else None


def _read_text(_one: wire.Definition, raw: bytes) -> Value | UnsetType:
    return codec.decode(raw, str) or None


def _read_number(_one: wire.Definition, raw: bytes) -> Value | UnsetType:
    told = codec.decode(raw, decimal.Decimal)
    exponent = told.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > _EXPONENT_MAX:
        return UNSET
    return format(told, "f")


def _read_boolean(_one: wire.Definition, raw: bytes) -> Value | UnsetType:
    return codec.decode(raw, bool)


def _read_date(_one: wire.Definition, raw: bytes) -> Value | UnsetType:
    text = codec.decode(raw, str)[:10]
    return text if _is_day(text) else UNSET


def _read_options(one: wire.Definition, raw: bytes) -> Value | UnsetType:
    if one.field_type != SEVERAL:
        return str(codec.decode(raw, int))
    ids = codec.decode(raw, tuple[int, ...])
    return tuple(Item(value=str(each)) for each in ids) or None


def _is_day(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


_READERS: Final[
    dict[FieldKind, Callable[[wire.Definition, bytes], Value | UnsetType]]
] = {
    FieldKind.TEXT: _read_text,
    FieldKind.PHONE: _read_text,
    FieldKind.NUMBER: _read_number,
    FieldKind.BOOLEAN: _read_boolean,
    FieldKind.DATE: _read_date,
    FieldKind.CHOICE: _read_options,
}
