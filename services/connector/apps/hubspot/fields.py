"""HubSpot's fields; contacts and records, both directions side by side.

Every property is text. The parts of the postal address are properties of their own,
and one field here.
"""

import re
from collections.abc import Mapping

from msgspec import UNSET, UnsetType

from proto.fields import Address, Field, FieldKind, Item, Option, Role, Value
from proto.ids import FieldId, RecordId
from proto.record import Consent, Presence, Record
from services.connector.apps.hubspot import dates, wire
from services.connector.apps.hubspot.catalogue import (
    MERGED_IDS,
    OPTED_OUT,
    Definitions,
)

EMAIL = FieldId("email")
ADDRESS = FieldId("address.postal")
"""With a dot, which no property's name has."""
PARTS = {
    "address": "street",
    "city": "city",
    "state": "region",
    "zip": "postal_code",
    "country": "country",
}
"""What each property is in an address."""

_STANDARD = {
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
_BIRTHDAY = "date_of_birth"
"""Plays its role only where it is a date: it may be any text."""
_KINDS = {
    "string": FieldKind.TEXT,
    "phone_number": FieldKind.PHONE,
    "number": FieldKind.NUMBER,
    "bool": FieldKind.BOOLEAN,
    "date": FieldKind.DATE,
    "datetime": FieldKind.DATETIME,
    "enumeration": FieldKind.CHOICE,
}
_SEVERAL = "checkbox"
_YES_OR_NO = "booleancheckbox"
_DECIMAL = re.compile(r"-?\d+(\.\d+)?\Z", re.ASCII)
_BOOLEANS = {"true": True, "false": False}
_TIGHT = (Consent.UNSUBSCRIBED, Consent.SUPPRESSED)


def describe(definitions: Definitions) -> tuple[Field, ...]:
    """Return the fields of an account, the vendor's own first."""
    names = sorted(definitions, key=lambda name: name not in _STANDARD)
    found = [_field(definitions[name]) for name in names if name not in PARTS]
    if not PARTS.keys().isdisjoint(definitions):
        found.append(
            Field(
                field_id=ADDRESS,
                label="Postal address",
                kind=FieldKind.ADDRESS,
                role=Role.ADDRESS,
                is_multiple=True,
                count_max=1,
            )
        )
    return tuple(found)


def read(contact: wire.Contact, definitions: Definitions) -> Record:
    """Return a contact as a record."""
    shown = contact.properties
    fields = {
        FieldId(name): value
        for name, one in definitions.items()
        if name not in PARTS and (value := _read(one, shown.get(name))) is not UNSET
    }
    if not PARTS.keys().isdisjoint(definitions):
        fields[ADDRESS] = _read_address(shown)
    moment = contact.archived_at if contact.archived else contact.updated_at
    return Record(
        record_id=RecordId(contact.id),
        modified_at=dates.read_moment(moment),
        created_at=dates.read_moment(contact.created_at),
        presence=Presence.DELETED if contact.archived else Presence.LIVE,
        fields=fields,
        consent=read_consent(contact),
    )


def write(
    field_id: FieldId, value: Value, *, definitions: Definitions
) -> dict[str, str] | UnsetType:
    """Return the properties that set a field; ``UNSET`` if the value has no form."""
    if field_id == ADDRESS:
        return _write_address(value)
    definition = definitions.get(field_id)
    if definition is None:
        return UNSET
    text = _write(definition, value)
    return UNSET if text is None else {field_id: text}


def read_consent(contact: wire.Contact) -> Consent:
    """Return what the contact's opting out of all mail means.

    Whoever did not opt out of everything has not agreed to anything by that either.
    """
    is_out = contact.properties.get(OPTED_OUT) == "true"
    return Consent.UNSUBSCRIBED if is_out else Consent.UNKNOWN


def is_tight(consent: Consent) -> bool:
    """Say whether somebody may not be mailed."""
    return consent in _TIGHT


def merged_ids(contact: wire.Contact) -> tuple[RecordId, ...]:
    """Return the ids of those who were merged into a contact."""
    found = (contact.properties.get(MERGED_IDS) or "").split(";")
    return tuple(
        RecordId(each) for each in map(str.strip, found) if each and each != contact.id
    )


def field_of(name: str) -> FieldId:
    """Return the field that a property belongs to."""
    return ADDRESS if name in PARTS else FieldId(name)


def _field(one: wire.Property) -> Field:
    kind, role = _kind_and_role(one)
    return Field(
        field_id=FieldId(one.name),
        label=one.label or one.name,
        kind=kind,
        role=role,
        is_multiple=one.field_type == _SEVERAL,
        is_writable=one.is_writable and one.type in _KINDS,
        options=tuple(
            Option(option_id=option.value, label=option.label)
            for option in one.options
            if kind is FieldKind.CHOICE
        ),
    )


def _kind_and_role(one: wire.Property) -> tuple[FieldKind, Role]:
    if one.type in ("string", "phone_number") and one.name in _STANDARD:
        return _STANDARD[one.name]
    if one.field_type == _YES_OR_NO:
        return FieldKind.BOOLEAN, Role.UNKNOWN
    kind = _KINDS.get(one.type, FieldKind.TEXT)
    is_birthday = one.name == _BIRTHDAY and kind is FieldKind.DATE
    return kind, Role.BIRTHDAY if is_birthday else Role.UNKNOWN


def _read(one: wire.Property, text: str | None) -> Value | UnsetType:
    """Return a value; ``UNSET`` if it is not of the property's type."""
    if not text:
        return None
    if one.field_type == _SEVERAL:
        return tuple(Item(value=each) for each in text.split(";") if each) or None
    match _kind_and_role(one)[0]:
        case FieldKind.BOOLEAN:
            return _BOOLEANS.get(text.lower(), UNSET)
        case FieldKind.NUMBER:
            return text if _DECIMAL.match(text) else UNSET
        case FieldKind.DATE:
            day = dates.read_day(text)
            return day.isoformat() if day else UNSET
        case FieldKind.DATETIME:
            moment = dates.read_moment(text)
            return dates.write_moment(moment) if moment else UNSET
    return text


def _write(one: wire.Property, value: Value) -> str | None:
    """Return the text of a value, which is empty for none; None if it has no form."""
    if value is None or value in ("", ()):
        return ""
    if isinstance(value, tuple):
        texts = [item.value for item in value if isinstance(item.value, str)]
        is_told = len(texts) == len(value) and not any(";" in text for text in texts)
        return ";".join(texts) if one.field_type == _SEVERAL and is_told else None
    if one.field_type == _SEVERAL:
        return None
    if isinstance(value, bool) != (_kind_and_role(one)[0] is FieldKind.BOOLEAN):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value


def _read_address(shown: Mapping[str, str | None]) -> Value:
    parts = {part: shown.get(name) or "" for name, part in PARTS.items()}
    address = Address(**parts)
    return (Item(value=address),) if address != Address() else None


def _write_address(value: Value) -> dict[str, str] | UnsetType:
    if value is None or value == ():
        return dict.fromkeys(PARTS, "")
    if not isinstance(value, tuple) or len(value) > 1:
        return UNSET
    address = value[0].value
    if not isinstance(address, Address):
        return UNSET
    return {name: getattr(address, part) for name, part in PARTS.items()}
