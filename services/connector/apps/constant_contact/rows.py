"""Who can be a row of an import, and what the row says. Pure.

A row is flat and says little: numbers and addresses in no order, custom fields by name.
Whoever it cannot carry exactly as they are has none.
"""

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

from proto.fields import Address, Item, Value
from proto.ids import FieldId
from proto.record import Consent, Record
from services.connector.apps.constant_contact import custom, fields
from services.connector.port import NewRecord

Row: TypeAlias = Mapping[str, str | int]

EMAIL_LENGTH_MAX: Final = 50
"""Thirty less than a contact may have."""
TEXT_LENGTH_MAX: Final = 50
STREET_LENGTH_MAX: Final = 255
CUSTOM_FIELDS_MAX: Final = 25
LISTS_MAX: Final = 50

_PLAIN_TYPES: Final = ("string", "text_area")
"""Custom fields whose text is the value; of the others a column's form is not told."""
_NUMBER: Final = re.compile(r"\d{3}-\d{3}-\d{4}\Z|\d{10}\Z", re.ASCII)
"""The forms of the contract's examples: numbers from abroad are not imported."""
_PARTS: Final = {
    "street": "street",
    "city": "city",
    "state": "region",
    "zip": "postal_code",
    "country": "country",
}


def email_of(new: NewRecord) -> str:
    """Return the address of somebody to be created; empty if there is none."""
    email = new.fields.get(fields.EMAIL)
    return email if isinstance(email, str) else ""


def row_of(new: NewRecord, definitions: custom.Definitions) -> Row | None:
    """Return somebody as a row; None if they have to be created by themselves.

    An import makes everybody ``implicit`` and puts everybody on a list. So it is for
    those alone who are known to have agreed, and who are to be on one.
    """
    if new.consent is not Consent.SUBSCRIBED or new.tags:
        return None
    if not 1 <= len(new.containers) <= LISTS_MAX or not email_of(new):
        return None
    row: dict[str, str | int] = {}
    for field_id, value in _given(new).items():
        columns = _columns(field_id, value, definitions=definitions)
        if columns is None:
            return None
        row |= columns
    named = [column for column in row if column.startswith("cf:")]
    return row if len(named) <= CUSTOM_FIELDS_MAX else None


def is_shown(new: NewRecord, record: Record) -> bool:
    """Tell whether a contact shows all that its row has said."""
    return set(new.containers) <= set(record.containers) and all(
        record.fields.get(field_id) == _comparable(field_id, value)
        for field_id, value in _given(new).items()
    )


def _given(new: NewRecord) -> dict[FieldId, Value]:
    return {
        field_id: value
        for field_id, value in new.fields.items()
        if value not in (None, "", ())
    }


def _columns(
    field_id: FieldId, value: Value, *, definitions: custom.Definitions
) -> dict[str, str | int] | None:
    if field_id == fields.EMAIL:
        return _email(value)
    if field_id in fields.TEXTS or field_id == fields.ANNIVERSARY:
        return _text(field_id, value, length_max=TEXT_LENGTH_MAX)
    if field_id == fields.BIRTHDAY:
        parts = fields.write(field_id, value)
        return parts if isinstance(parts, dict) else None  # type: ignore[return-value]
    if field_id == fields.PHONES:
        return _phone(value)
    if field_id == fields.ADDRESSES:
        return _address(value)
    definition = definitions.get(field_id.removeprefix(custom.ID_PREFIX))
    if definition is None or definition.type not in _PLAIN_TYPES:
        return None
    if not definition.name:
        return None
    return _text(f"cf:{definition.name}", value, length_max=custom.LENGTH_MAX)


def _email(value: Value) -> dict[str, str | int] | None:
    """Return an address of which we know who has it already.

    Of one with letters beyond ASCII nobody tells which spellings are the same to the
    vendor, and an import writes over whoever has another one.
    """
    if not isinstance(value, str) or not value.isascii() or "xn--" in value.lower():
        return None
    return _text("email", value, length_max=EMAIL_LENGTH_MAX)


def _phone(value: Value) -> dict[str, str | int] | None:
    item = _only(value)
    if item is None or not isinstance(item.value, str):
        return None
    column = f"{_kind(item, fields.PHONE_LABELS)}_phone"
    return {column: item.value} if _NUMBER.match(item.value) else None


def _address(value: Value) -> dict[str, str | int] | None:
    item = _only(value)
    if item is None or not isinstance(item.value, Address):
        return None
    kind = _kind(item, fields.ADDRESS_LABELS)
    if kind == "home" and item.value.country:
        # The contract spells this column with a blank, unlike all others.
        return None
    found: dict[str, str | int] = {}
    for column, name in _PARTS.items():
        if part := getattr(item.value, name):
            is_street = column == "street"
            length_max = STREET_LENGTH_MAX if is_street else TEXT_LENGTH_MAX
            text = _text(f"{kind}_{column}", part, length_max=length_max)
            if text is None:
                return None
            found |= text
    return found or None


def _only(value: Value) -> Item | None:
    """Return the one item of a value; None if there are more: columns have no order."""
    return value[0] if isinstance(value, tuple) and len(value) == 1 else None


def _kind(item: Item, labels: tuple[str, ...]) -> str:
    return item.label if item.label in labels else labels[-1]


def _text(column: str, value: Value, *, length_max: int) -> dict[str, str | int] | None:
    """Return a text that no importer would trim or part; None if it might."""
    if not isinstance(value, str) or not 0 < len(value) <= length_max:
        return None
    if value != value.strip() or not value.isprintable():
        return None
    return {column: value}


def _comparable(field_id: FieldId, value: Value) -> Value:
    """Return a value with the kind that an item without one of the vendor's gets."""
    if not isinstance(value, tuple):
        return value
    is_phone = field_id == fields.PHONES
    labels = fields.PHONE_LABELS if is_phone else fields.ADDRESS_LABELS
    return tuple(Item(value=item.value, label=_kind(item, labels)) for item in value)
