"""HubSpot's fields; contacts and records, both directions side by side.

The parts of the postal address are properties of their own, and one field here.
"""

from collections.abc import Mapping

from msgspec import UNSET, UnsetType

from proto.fields import Address, Field, FieldKind, Fields, Item, Option, Role, Value
from proto.ids import ContainerId, FieldId, RecordId
from proto.record import Consent, Presence, Record
from services.connector.apps.hubspot import dates, values, wire
from services.connector.apps.hubspot.catalogue import (
    MERGED_IDS,
    OPTED_OUT,
    PARTS,
    Definitions,
)

EMAIL = FieldId("email")
ADDRESS = FieldId("address.postal")
"""With a dot, which no property's name has."""
_TIGHT = (Consent.UNSUBSCRIBED, Consent.SUPPRESSED)


def describe(definitions: Definitions) -> tuple[Field, ...]:
    """Return the fields of an account, the vendor's own first."""
    known = definitions.by_name
    names = sorted(known, key=lambda name: name not in values.STANDARD)
    found = [_field(known[name]) for name in names if name not in PARTS]
    if definitions.has_address:
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


def read(
    contact: wire.Contact,
    definitions: Definitions,
    *,
    containers: tuple[ContainerId, ...] = (),
) -> Record:
    """Return a contact as a record, with the lists that are told of elsewhere."""
    shown = contact.properties
    found: Fields = {name: shown.get(name) or None for name in definitions.texts}
    for name, reader in definitions.readers:
        text = shown.get(name)
        value = reader(text) if text else None
        if value is not UNSET:
            found[name] = value
    if definitions.has_address:
        found[ADDRESS] = _read_address(shown)
    moment = contact.archived_at if contact.archived else contact.updated_at
    return Record(
        record_id=RecordId(contact.id),
        modified_at=dates.read_moment(moment),
        created_at=dates.read_moment(contact.created_at),
        presence=Presence.DELETED if contact.archived else Presence.LIVE,
        fields=found,
        containers=containers,
        consent=read_consent(contact),
    )


def write(
    field_id: FieldId, value: Value, *, definitions: Definitions
) -> dict[str, str] | UnsetType:
    """Return the properties that set a field; ``UNSET`` if the value has no form."""
    if field_id == ADDRESS:
        return _write_address(value)
    definition = definitions.by_name.get(field_id)
    if definition is None:
        return UNSET
    text = values.write(definition, value)
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
    kind, role = values.kind_and_role(one)
    return Field(
        field_id=FieldId(one.name),
        label=one.label or one.name,
        kind=kind,
        role=role,
        is_multiple=values.is_several(one),
        is_writable=one.is_writable and one.type in values.KINDS,
        options=tuple(
            Option(option_id=option.value, label=option.label)
            for option in one.options
            if kind is FieldKind.CHOICE
        ),
    )


def _read_address(shown: Mapping[str, str | None]) -> Value:
    parts = {part: text for name, part in PARTS.items() if (text := shown.get(name))}
    return (Item(value=Address(**parts)),) if parts else None


def _write_address(value: Value) -> dict[str, str] | UnsetType:
    if value is None or value == ():
        return dict.fromkeys(PARTS, "")
    if not isinstance(value, tuple) or len(value) > 1:
        return UNSET
    address = value[0].value
    if not isinstance(address, Address):
        return UNSET
    return {name: getattr(address, part) for name, part in PARTS.items()}
