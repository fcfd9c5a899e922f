"""Fields of contacts; contacts and records, both directions side by side."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from msgspec import UNSET

from proto.fields import Field, FieldKind, Fields, Option, Role
from proto.ids import ContainerId, FieldId, RecordId
from proto.record import Consent, Record
from services.connector import vendors
from services.connector.apps.activecampaign import people, values, wire
from services.connector.apps.activecampaign.people import Person

EMAIL: Final = FieldId("email")
STANDARD: Final = {
    EMAIL: ("email", "Email", FieldKind.EMAIL, Role.EMAIL),
    FieldId("firstName"): ("first_name", "First name", FieldKind.TEXT, Role.NAME_GIVEN),
    FieldId("lastName"): ("last_name", "Last name", FieldKind.TEXT, Role.NAME_FAMILY),
    FieldId("phone"): ("phone", "Phone", FieldKind.PHONE, Role.PHONE),
}
_CUSTOM: Final = "field."
_TIGHT: Final = (Consent.UNSUBSCRIBED, Consent.SUPPRESSED)


class Definition(NamedTuple):
    """A custom field."""

    number: str
    label: str
    type: str
    options: tuple[wire.FieldOption, ...]


Definitions = Mapping[FieldId, Definition]


def field_id_of(number: str) -> FieldId:
    """Return the id of a custom field."""
    return FieldId(f"{_CUSTOM}{number}")


def describe(definitions: Definitions) -> tuple[Field, ...]:
    """Return the vendor's own fields, and those that users defined."""
    return (
        *(
            Field(field_id=field_id, label=label, kind=kind, role=role)
            for field_id, (_, label, kind, role) in STANDARD.items()
        ),
        *(_field(field_id, one) for field_id, one in definitions.items()),
    )


def read(person: Person, definitions: Definitions) -> Record:
    """Return a contact as a record."""
    contact = person.contact
    found: Fields = {
        field_id: getattr(contact, name) or None
        for field_id, (name, *_) in STANDARD.items()
    }
    for field_id, one in definitions.items():
        value = values.read(person.values.get(one.number, ""), one.type)
        if value is not UNSET:
            found[field_id] = value
    return Record(
        record_id=RecordId(person.contact_id),
        modified_at=vendors.read_moment(contact.udate),
        created_at=vendors.read_moment(contact.cdate),
        fields=found,
        containers=tuple(ContainerId(list_id) for list_id in person.lists),
        tags=tuple(person.tags),
        consent=consent_of(person),
    )


def write(
    asked: Fields, definitions: Definitions, *, is_new: bool
) -> dict[str, Any] | FieldId:
    """Return the body that sets fields, or the first that cannot be set so."""
    body: dict[str, Any] = {}
    custom: list[dict[str, str]] = []
    for field_id, value in asked.items():
        if field_id in STANDARD:
            if not isinstance(value, str | None) or (field_id == EMAIL and not value):
                return field_id
            if value or not is_new:
                body[field_id] = value or ""
            continue
        one = definitions.get(field_id)
        if one is None:
            return field_id
        options = frozenset(option.value for option in one.options)
        text = values.write(value, one.type, options=options)
        if text is UNSET:
            return field_id
        # Nothing is to be emptied in a contact that does not exist yet.
        if text or not is_new:
            custom.append({"field": one.number, "value": text})
    return body | ({"fieldValues": custom} if custom else {})


def consent_of(person: Person) -> Consent:
    """Return what the statuses on all lists mean together.

    Who left one list and is on another has neither agreed to everything nor refused
    it: that is no consent, and no withdrawal to be carried elsewhere.
    """
    statuses = set(person.lists.values())
    bounces = str(person.contact.hard_bounces or "0")
    if bounces != "0" or people.BOUNCED in statuses:
        return Consent.SUPPRESSED
    if people.UNSUBSCRIBED in statuses:
        is_out = people.ACTIVE not in statuses
        return Consent.UNSUBSCRIBED if is_out else Consent.UNKNOWN
    return Consent.SUBSCRIBED if people.ACTIVE in statuses else Consent.UNKNOWN


def is_tight(consent: Consent) -> bool:
    """Say whether somebody may not be mailed."""
    return consent in _TIGHT


def _field(field_id: FieldId, one: Definition) -> Field:
    return Field(
        field_id=field_id,
        label=one.label,
        kind=values.kind_of(one.type),
        is_multiple=one.type in values.SEVERAL,
        options=tuple(
            Option(option_id=option.value, label=option.label or option.value)
            for option in one.options
        ),
    )
