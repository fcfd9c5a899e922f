"""Custom fields: definitions become fields; values are read and written by type."""

import re
from collections.abc import Mapping

from msgspec import UNSET, UnsetType

from proto.fields import Field, FieldKind, Item, Option, Value
from proto.ids import FieldId
from services.connector import vendors
from services.connector.apps.constant_contact import dates, wire

ID_PREFIX = "custom_field."
LENGTH_MAX = 255

Definitions = Mapping[str, wire.CustomField]
"""By the vendor's id, without our prefix."""

_KINDS = {
    "string": FieldKind.TEXT,
    "text_area": FieldKind.TEXT,
    "date": FieldKind.DATE,
    "datetime": FieldKind.DATETIME,
    "number": FieldKind.NUMBER,
    "currency": FieldKind.NUMBER,
    "boolean": FieldKind.BOOLEAN,
    "single_select": FieldKind.CHOICE,
    "multi_select": FieldKind.CHOICE,
}
_DECIMAL = re.compile(r"-?\d+(\.\d+)?\Z", re.ASCII)
_BOOLEANS = {"true": True, "false": False}


def field_id(definition: wire.CustomField) -> FieldId:
    """Return the id under which the field is known outside this folder."""
    return FieldId(ID_PREFIX + definition.custom_field_id)


def describe(definition: wire.CustomField) -> Field:
    """Return a definition as a field; an unknown type is text that is not written."""
    kind = _KINDS.get(definition.type, FieldKind.TEXT)
    return Field(
        field_id=field_id(definition),
        label=definition.label,
        kind=kind,
        is_multiple=definition.type == "multi_select",
        is_writable=definition.type in _KINDS,
        length_max=LENGTH_MAX if kind is FieldKind.TEXT else 0,
        options=tuple(
            Option(option_id=str(choice.choice_id), label=choice.choice_label)
            for choice in definition.choices or ()
            if choice.deleted_at is None
        ),
    )


def read(
    definition: wire.CustomField, entry: wire.CustomValue | None
) -> Value | UnsetType:
    """Return a contact's value; ``UNSET`` if it is not of the field's type."""
    if entry is None:
        return None
    if definition.type in ("multi_select", "single_select"):
        choices = [str(choice) for choice in entry.choice_ids or ()]
        if definition.type == "multi_select":
            return tuple(Item(value=choice) for choice in choices) or None
        return choices[0] if choices else None
    return _read_text(_KINDS.get(definition.type), entry.value) if entry.value else None


def _read_text(kind: FieldKind | None, text: str) -> Value | UnsetType:
    if kind is FieldKind.DATE:
        day = dates.read_day(text)
        return day.isoformat() if day else UNSET
    if kind is FieldKind.DATETIME:
        moment = vendors.read_moment(text)
        return dates.write_moment(moment) if moment else UNSET
    if kind is FieldKind.NUMBER:
        return text if _DECIMAL.match(text) else UNSET
    if kind is FieldKind.BOOLEAN:
        return _BOOLEANS.get(text.lower(), UNSET)
    return text


def write(
    definition: wire.CustomField, value: Value
) -> dict[str, object] | None | UnsetType:
    """Return a value as an entry, None to have none; ``UNSET`` if it has no form."""
    entry: dict[str, object] = {"custom_field_id": definition.custom_field_id}
    if value is None or value in ("", ()):
        return None
    if isinstance(value, tuple):
        choices = [item.value for item in value]
        if definition.type != "multi_select":
            return UNSET
        if not all(isinstance(choice, str) for choice in choices):
            return UNSET
        return entry | {"choice_ids": choices}
    if isinstance(value, bool):
        if definition.type != "boolean":
            return UNSET
        return entry | {"value": "true" if value else "false"}
    if definition.type in ("multi_select", "boolean") or definition.type not in _KINDS:
        return UNSET
    if definition.type == "single_select":
        return entry | {"choice_ids": [value]}
    return entry | {"value": value}
