"""The fields of a contact; vendor JSON <-> Record, both directions side by side."""

import datetime
import re

from msgspec import UNSET, UnsetType

from proto.fields import Address, Field, FieldKind, Fields, Item, Role, Value
from proto.ids import ContainerId, FieldId, RecordId
from proto.record import Consent, Presence, Record
from services.connector import vendors
from services.connector.apps.constant_contact import custom, dates, wire
from services.connector.apps.constant_contact.tags import Names

EMAIL = FieldId("email")
BIRTHDAY = FieldId("birthday")
ANNIVERSARY = FieldId("anniversary")
PHONES = FieldId("phone_numbers")
ADDRESSES = FieldId("street_addresses")

TEXTS = {
    FieldId("first_name"): ("First name", Role.NAME_GIVEN),
    FieldId("last_name"): ("Last name", Role.NAME_FAMILY),
    FieldId("job_title"): ("Job title", Role.JOB_TITLE),
    FieldId("company_name"): ("Company", Role.COMPANY),
}
"""Core properties that are plain text, under the vendor's names."""

PHONE_LABELS = ("home", "work", "mobile", "other")
ADDRESS_LABELS = ("home", "work", "other")

CORE = (
    Field(
        field_id=EMAIL,
        label="Email",
        kind=FieldKind.EMAIL,
        role=Role.EMAIL,
        length_max=80,
    ),
    *(
        Field(
            field_id=field_id,
            label=label,
            kind=FieldKind.TEXT,
            role=role,
            length_max=50,
        )
        for field_id, (label, role) in TEXTS.items()
    ),
    Field(
        field_id=BIRTHDAY,
        label="Birthday",
        kind=FieldKind.MONTH_DAY,
        role=Role.BIRTHDAY,
    ),
    Field(
        field_id=ANNIVERSARY,
        label="Anniversary",
        kind=FieldKind.DATE,
        role=Role.ANNIVERSARY,
    ),
    Field(
        field_id=PHONES,
        label="Phone numbers",
        kind=FieldKind.PHONE,
        role=Role.PHONE,
        is_multiple=True,
        length_max=25,
        count_max=3,
        labels=PHONE_LABELS,
    ),
    # The street takes 255 characters and every other part 50; a field has one limit,
    # and a city that is too long is refused by the vendor, not cut.
    Field(
        field_id=ADDRESSES,
        label="Addresses",
        kind=FieldKind.ADDRESS,
        role=Role.ADDRESS,
        is_multiple=True,
        length_max=255,
        count_max=3,
        labels=ADDRESS_LABELS,
    ),
)

_CONSENTS = {
    "explicit": Consent.SUBSCRIBED,
    "implicit": Consent.SUBSCRIBED,
    "unsubscribed": Consent.UNSUBSCRIBED,
}
"""The others (not_set, pending_confirmation, temp_hold) may not be mailed now and
have not refused either: nothing is known that could be passed on."""

_PERMISSIONS = {
    # What another app says is no evidence of this person's own act, so not explicit.
    Consent.SUBSCRIBED: "implicit",
    Consent.UNSUBSCRIBED: "unsubscribed",
    Consent.SUPPRESSED: "unsubscribed",
}
WEAKEST_PERMISSION = "not_set"
UNSUBSCRIBED = "unsubscribed"
_TIGHT = (Consent.UNSUBSCRIBED, Consent.SUPPRESSED)

_MONTH_DAY = re.compile(r"--(\d\d)-(\d\d)\Z", re.ASCII)


def read(
    contact: wire.Contact, definitions: custom.Definitions, *, tags: Names
) -> Record:
    """Return a contact as a record; a tag without a name is none."""
    is_deleted = contact.deleted_at is not None
    return Record(
        record_id=RecordId(contact.contact_id),
        modified_at=changed_at(contact),
        created_at=_created_at(contact),
        presence=Presence.DELETED if is_deleted else Presence.LIVE,
        fields=_read_fields(contact, definitions),
        containers=tuple(ContainerId(one) for one in contact.list_memberships or ()),
        tags=tuple(tags[each] for each in contact.taggings or () if each in tags),
        consent=_read_consent(contact),
    )


def _read_fields(contact: wire.Contact, definitions: custom.Definitions) -> Fields:
    email = contact.email_address
    found: Fields = {EMAIL: (email.address or None) if email else None}
    for field_id in TEXTS:
        found[field_id] = getattr(contact, field_id) or None
    found[BIRTHDAY] = _read_birthday(contact)
    if not contact.anniversary:
        found[ANNIVERSARY] = None
    elif day := dates.read_day(contact.anniversary):
        found[ANNIVERSARY] = day.isoformat()
    if contact.phone_numbers is not UNSET:
        found[PHONES] = _read_phones(contact.phone_numbers or ())
    if contact.street_addresses is not UNSET:
        found[ADDRESSES] = _read_addresses(contact.street_addresses or ())
    if contact.custom_fields is not UNSET:
        entries = {
            entry.custom_field_id: entry for entry in contact.custom_fields or ()
        }
        for number, definition in definitions.items():
            value = custom.read(definition, entries.get(number))
            if value is not UNSET:
                found[custom.field_id(definition)] = value
    return found


def write(
    field_id: FieldId, value: Value, *, known: wire.Contact | None = None
) -> dict[str, object] | UnsetType:
    """Return the properties that set a core field but the email; ``UNSET``: no form.

    ``known`` is the contact as it is, whose numbers and addresses keep their ids.
    """
    if field_id in TEXTS or field_id == ANNIVERSARY:
        is_text = value is None or isinstance(value, str)
        return {field_id: value or None} if is_text else UNSET
    if field_id == BIRTHDAY:
        return _write_birthday(value)
    if field_id in (PHONES, ADDRESSES):
        if value is not None and not isinstance(value, tuple):
            return UNSET
        if field_id == PHONES:
            return _write_phones(value or (), known.phone_numbers if known else ())
        return _write_addresses(value or (), known.street_addresses if known else ())
    return UNSET


def write_consent(consent: Consent) -> str:
    """Return the permission for a new contact."""
    return _PERMISSIONS.get(consent, WEAKEST_PERMISSION)


def tightened(permission: str | None, consent: Consent) -> str | None:
    """Return a permission as it is, or the one that forbids where consent does.

    There is only one that is tight, so that nothing here can ever loosen one.
    """
    return UNSUBSCRIBED if consent in _TIGHT else permission


def _read_consent(contact: wire.Contact) -> Consent:
    email = contact.email_address
    if email is None:
        return Consent.UNKNOWN
    consent = _CONSENTS.get(email.permission_to_send or "", Consent.UNKNOWN)
    # Deleting opts out on the account's behalf, and that is no wish of the person.
    if contact.deleted_at is not None and email.opt_out_source != "Contact":
        return Consent.UNKNOWN
    return consent


def changed_at(contact: wire.Contact) -> datetime.datetime | None:
    """Return the latest time of change: an opt-out moves the address's alone."""
    moment = vendors.read_moment(contact.updated_at)
    email = contact.email_address
    if email is None or email.updated_at in (None, contact.updated_at):
        return moment
    other = vendors.read_moment(email.updated_at)
    return max(moment, other) if moment and other else moment or other


def _created_at(contact: wire.Contact) -> datetime.datetime | None:
    """Return when the vendor made the contact, the same in all of its notations.

    Some of its answers have fractions of a second and some have not; another time would
    mean another contact under this id.
    """
    moment = vendors.read_moment(contact.created_at)
    return None if moment is None else moment.replace(microsecond=0)


def _read_birthday(contact: wire.Contact) -> str | None:
    month, day = contact.birthday_month, contact.birthday_day
    return f"--{month:02}-{day:02}" if month and day else None


def _write_birthday(value: Value) -> dict[str, object] | UnsetType:
    if not value:
        return {"birthday_month": None, "birthday_day": None}
    found = _MONTH_DAY.match(value) if isinstance(value, str) else None
    if found is None:
        return UNSET
    return {"birthday_month": int(found[1]), "birthday_day": int(found[2])}


def _read_phones(numbers: tuple[wire.PhoneNumber, ...]) -> Value:
    return (
        tuple(
            Item(value=one.phone_number, label=one.kind or "")
            for one in numbers
            if one.phone_number
        )
        or None
    )


def _write_phones(
    items: tuple[Item, ...], known: tuple[wire.PhoneNumber, ...] | None | UnsetType
) -> dict[str, object] | UnsetType:
    """Return the numbers; one that stays keeps its id and is not made anew."""
    numbers: list[dict[str, object]] = []
    left = [] if known is UNSET else list(known or ())
    for item in items:
        if not isinstance(item.value, str):
            return UNSET
        kind = item.label if item.label in PHONE_LABELS else PHONE_LABELS[-1]
        number: dict[str, object] = {"phone_number": item.value, "kind": kind}
        same = next((one for one in left if one.phone_number == item.value), None)
        if same is not None:
            left.remove(same)
            if same.phone_number_id:
                number["phone_number_id"] = same.phone_number_id
        numbers.append(number)
    return {"phone_numbers": numbers}


def _read_addresses(addresses: tuple[wire.StreetAddress, ...]) -> Value:
    items = (Item(value=_address(one), label=one.kind or "") for one in addresses)
    return tuple(item for item in items if item.value != Address()) or None


def _write_addresses(
    items: tuple[Item, ...], known: tuple[wire.StreetAddress, ...] | None | UnsetType
) -> dict[str, object] | UnsetType:
    addresses: list[dict[str, object]] = []
    left = [] if known is UNSET else list(known or ())
    for item in items:
        if not isinstance(item.value, Address):
            return UNSET
        kind = item.label if item.label in ADDRESS_LABELS else ADDRESS_LABELS[-1]
        parts = {
            "street": item.value.street,
            "city": item.value.city,
            "state": item.value.region,
            "postal_code": item.value.postal_code,
            "country": item.value.country,
        }
        address: dict[str, object] = {"kind": kind}
        address |= {name: part for name, part in parts.items() if part}
        same = next((one for one in left if _address(one) == item.value), None)
        if same is not None:
            left.remove(same)
            if same.street_address_id:
                address["street_address_id"] = same.street_address_id
        addresses.append(address)
    return {"street_addresses": addresses}


def _address(one: wire.StreetAddress) -> Address:
    return Address(
        street=one.street or "",
        city=one.city or "",
        region=one.state or "",
        postal_code=one.postal_code or "",
        country=one.country or "",
    )
