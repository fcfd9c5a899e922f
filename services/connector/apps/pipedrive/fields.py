"""The fields of persons; vendor JSON <-> Record, both directions side by side."""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import UNSET

from proto.fields import Address, Field, FieldKind, Fields, Item, Option, Role, Value
from proto.ids import FieldId, RecordId
from proto.record import Consent, Presence, Record
from services.connector import vendors
from services.connector.apps.pipedrive import values, wire
from services.connector.apps.pipedrive.catalogue import MARKETING, Definitions

NAME = FieldId("name")
EMAILS = FieldId("emails")
PHONES = FieldId("phones")
UNSUBSCRIBED: Final = "unsubscribed"
OTHER: Final = "other"
_CONSENTS: Final = {
    "subscribed": Consent.SUBSCRIBED,
    UNSUBSCRIBED: Consent.UNSUBSCRIBED,
}
_TIGHT: Final = (Consent.UNSUBSCRIBED, Consent.SUPPRESSED)
_STANDARD: Final = (
    Field(field_id=NAME, label="Name", kind=FieldKind.TEXT, role=Role.NAME_FULL),
    Field(
        field_id=EMAILS,
        label="Emails",
        kind=FieldKind.EMAIL,
        role=Role.EMAIL,
        is_multiple=True,
        labels=("work", "home", OTHER),
    ),
    Field(
        field_id=PHONES,
        label="Phones",
        kind=FieldKind.PHONE,
        role=Role.PHONE,
        is_multiple=True,
        labels=("work", "home", "mobile", OTHER),
    ),
)
_SYNCED: Final = {
    "job_title": Field(
        field_id=FieldId("job_title"),
        label="Job title",
        kind=FieldKind.TEXT,
        role=Role.JOB_TITLE,
        is_writable=False,
    ),
    "birthday": Field(
        field_id=FieldId("birthday"),
        label="Birthday",
        kind=FieldKind.DATE,
        role=Role.BIRTHDAY,
        is_writable=False,
    ),
    "notes": Field(
        field_id=FieldId("notes"),
        label="Notes",
        kind=FieldKind.TEXT,
        role=Role.NOTE,
        is_writable=False,
    ),
    "postal_address": Field(
        field_id=FieldId("postal_address"),
        label="Postal address",
        kind=FieldKind.ADDRESS,
        role=Role.ADDRESS,
        is_multiple=True,
        count_max=1,
        is_writable=False,
    ),
}


def describe(definitions: Definitions) -> tuple[Field, ...]:
    """Return the fields of an account, the vendor's own first."""
    synced = tuple(_SYNCED[code] for code in definitions.synced)
    custom = (_field(one) for one in definitions.custom.values())
    return (*_STANDARD, *synced, *custom)


def read(person: wire.Person, definitions: Definitions) -> Record:
    """Return a person as a record."""
    found: Fields = {
        NAME: person.name or None,
        EMAILS: _read_entries(person.emails),
        PHONES: _read_entries(person.phones),
    }
    for code in definitions.synced:
        told = getattr(person, code)
        is_address = code == "postal_address"
        found[FieldId(code)] = _read_address(told) if is_address else told or None
    shown = person.custom_fields or {}
    for field_id, one in definitions.custom.items():
        value = values.read(one, shown.get(field_id))
        if value is not UNSET:
            found[field_id] = value
    # No version: times have whole seconds, and hide a second edit in one of them.
    return Record(
        record_id=RecordId(str(person.id)),
        modified_at=vendors.read_moment(person.update_time),
        created_at=vendors.read_moment(person.add_time),
        presence=Presence.DELETED if person.is_deleted else Presence.LIVE,
        fields=found,
        tags=_read_labels(person, definitions),
        consent=read_consent(person),
    )


def write(asked: Fields, definitions: Definitions) -> dict[str, Any] | FieldId:
    """Return the properties that set these fields, or the field that has no form."""
    body: dict[str, Any] = {}
    custom: dict[str, Any] = {}
    for field_id, value in asked.items():
        if field_id == NAME:
            if not isinstance(value, str | None):
                return field_id
            body[NAME] = value or ""
        elif field_id in (EMAILS, PHONES):
            entries = _write_entries(value)
            if entries is None:
                return field_id
            body[field_id] = entries
        else:
            one = definitions.custom.get(field_id)
            told = UNSET if one is None else values.write(one, value)
            if told is UNSET:
                return field_id
            custom[field_id] = told
    return body | ({"custom_fields": custom} if custom else {})


def read_consent(person: wire.Person) -> Consent:
    """Return what the marketing status means.

    Who has not consented has not said no either; who is archived gets no mail, and may
    be subscribed again.
    """
    return _CONSENTS.get(person.marketing_status or "", Consent.UNKNOWN)


def is_tight(consent: Consent) -> bool:
    """Say whether somebody may not be mailed."""
    return consent in _TIGHT


def no(definitions: Definitions) -> dict[str, str]:
    """Return the property that takes somebody off all marketing mail."""
    return {MARKETING: UNSUBSCRIBED} if definitions.has_campaigns else {}


def emails_of(person: wire.Person) -> set[str]:
    """Return a person's addresses in comparable form."""
    return {(one.value or "").strip().lower() for one in person.emails or ()}


def _field(one: wire.Definition) -> Field:
    kind = values.KINDS.get(one.field_type) or values.SHOWN[one.field_type]
    return Field(
        field_id=FieldId(one.field_code),
        label=one.field_name or one.field_code,
        kind=kind,
        is_multiple=one.field_type == values.SEVERAL,
        is_writable=one.field_type in values.KINDS,
        length_max=values.LENGTHS.get(one.field_type, 0),
        options=tuple(
            Option(option_id=str(option.id), label=option.label)
            for option in one.options or ()
            if kind is FieldKind.CHOICE
        ),
    )


def _read_labels(person: wire.Person, definitions: Definitions) -> tuple[str, ...]:
    names = (definitions.labels.get(each, "") for each in person.label_ids or ())
    return tuple(dict.fromkeys(name for name in names if name))


def _read_entries(entries: Sequence[wire.Entry] | None) -> Value:
    """Return the values of a field of several, the primary one first."""
    told = [one for one in entries or () if one.value]
    told.sort(key=lambda one: not one.primary)
    return (
        tuple(
            Item(value=one.value or "", label=(one.label or "").lower()) for one in told
        )
        or None
    )


def _write_entries(value: Value) -> list[dict[str, Any]] | None:
    """Return all values of a field of several, since they are replaced together.

    The first one is the primary one, as it is read.
    """
    if value is None:
        return []
    if not isinstance(value, tuple):
        return None
    if not all(isinstance(item.value, str) and item.value for item in value):
        return None
    return [
        {"value": item.value, "primary": not place, "label": item.label or OTHER}
        for place, item in enumerate(value)
    ]


def _read_address(postal: wire.Postal | None) -> Value:
    if postal is None:
        return None
    street = " ".join(
        part for part in (postal.route, postal.street_number, postal.subpremise) if part
    )
    address = Address(
        street=street or postal.value or "",
        city=postal.locality or "",
        region=postal.admin_area_level_1 or "",
        postal_code=postal.postal_code or "",
        country=postal.country or "",
    )
    return None if address == Address() else (Item(value=address),)
