"""The fields of a contact and their roles; person to Record and back, side by side."""

import datetime
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from msgspec import UNSET

from proto.fields import Address, Field, FieldKind, Fields, Item, Role, Value
from proto.ids import FieldId, RecordId
from proto.record import Presence, Record
from services.connector import vendors
from services.connector.apps.google_contacts import items, leading, wire
from services.connector.apps.google_contacts.items import Kind
from services.connector.apps.google_contacts.wire import Entry, Person

EMAILS: Final = FieldId("emails")
MARKER_KEY: Final = "tandem"
"""Under it our mark is in a contact's client data, which people do not see."""
GROUP: Final = "contactGroups/"
FULL_NAME: Final = FieldId("full_name")
TEXTS: Final[Mapping[FieldId, tuple[str, str]]] = {
    FieldId("given_name"): ("names", "givenName"),
    FieldId("family_name"): ("names", "familyName"),
    FieldId("middle_name"): ("names", "middleName"),
    FieldId("prefix_name"): ("names", "honorificPrefix"),
    FieldId("suffix_name"): ("names", "honorificSuffix"),
    FieldId("nickname"): ("nicknames", "value"),
    FieldId("company"): ("organizations", "name"),
    FieldId("department"): ("organizations", "department"),
    FieldId("job_title"): ("organizations", "title"),
    FieldId("note"): ("biographies", "value"),
}
"""In which field of the vendor's a text is, and what it is called there."""
DATES: Final[Mapping[FieldId, tuple[str, str]]] = {
    FieldId("birthday"): ("birthdays", ""),
    FieldId("anniversary"): ("events", leading.ANNIVERSARY),
}
ITEMS: Final[Mapping[FieldId, Kind]] = {
    EMAILS: items.EMAILS,
    FieldId("phones"): items.PHONES,
    FieldId("addresses"): items.ADDRESSES,
    FieldId("websites"): items.WEBSITES,
}
_PLACES: Final = ("home", "work", items.OTHER)
_ID = re.compile(r"people/(?!me\Z)[A-Za-z0-9]{1,64}\Z", re.ASCII)


def _text(field_id: str, label: str, *, role: Role = Role.UNKNOWN) -> Field:
    return Field(
        field_id=FieldId(field_id), label=label, kind=FieldKind.TEXT, role=role
    )


def _several(
    field_id: str,
    label: str,
    *,
    kind: FieldKind,
    role: Role,
    labels: tuple[str, ...] = _PLACES,
) -> Field:
    return Field(
        field_id=FieldId(field_id),
        label=label,
        kind=kind,
        role=role,
        is_multiple=True,
        labels=labels,
    )


def _date(field_id: str, label: str, *, role: Role) -> Field:
    return Field(
        field_id=FieldId(field_id),
        label=label,
        kind=FieldKind.DATE,
        role=role,
        is_year_optional=True,
    )


FIELDS: Final = (
    Field(
        field_id=FULL_NAME,
        label="Name",
        kind=FieldKind.TEXT,
        role=Role.NAME_FULL,
        # The vendor makes it of the parts, which are what is written.
        is_writable=False,
    ),
    _text("given_name", "First name", role=Role.NAME_GIVEN),
    _text("family_name", "Last name", role=Role.NAME_FAMILY),
    _text("middle_name", "Middle name", role=Role.NAME_MIDDLE),
    _text("prefix_name", "Name prefix", role=Role.NAME_PREFIX),
    _text("suffix_name", "Name suffix", role=Role.NAME_SUFFIX),
    _text("nickname", "Nickname"),
    _several("emails", "Email", kind=FieldKind.EMAIL, role=Role.EMAIL),
    _several(
        "phones",
        "Phone",
        kind=FieldKind.PHONE,
        role=Role.PHONE,
        labels=("mobile", "home", "work", "fax", items.OTHER),
    ),
    _several("addresses", "Address", kind=FieldKind.ADDRESS, role=Role.ADDRESS),
    _text("company", "Company", role=Role.COMPANY),
    _text("department", "Department"),
    _text("job_title", "Job title", role=Role.JOB_TITLE),
    _date("birthday", "Birthday", role=Role.BIRTHDAY),
    _date("anniversary", "Anniversary", role=Role.ANNIVERSARY),
    _several("websites", "Website", kind=FieldKind.URL, role=Role.WEBSITE),
    _text("note", "Notes", role=Role.NOTE),
)


def is_id(record_id: str) -> bool:
    """Say whether an id can be a contact's; that of the user is none."""
    return _ID.match(record_id) is not None


def read(person: Person, labels: Mapping[str, str]) -> Record:
    """Return a contact as a record.

    Args:
        labels: The names of the account's labels, by resource name.
    """
    record_id = RecordId(person.resource_name)
    if person.metadata.deleted:
        return Record(record_id=record_id, presence=Presence.DELETED)
    found: Fields = {FULL_NAME: leading.read_text(person.names, "displayName")}
    for field_id, (field, key) in TEXTS.items():
        found[field_id] = leading.read_text(person.entries(field), key)
    for field_id, (field, kind) in DATES.items():
        date = leading.read_date(person.entries(field), kind=kind)
        if date is not UNSET:
            found[field_id] = date
    for field_id, of in ITEMS.items():
        found[field_id] = items.read(person.entries(of.field), of)
    names = (labels.get(group) for group in groups_of(person.memberships))
    return Record(
        record_id=record_id,
        version=person.etag,
        modified_at=_modified_at(person),
        marker=marker_of(person.client_data),
        fields=found,
        tags=tuple(dict.fromkeys(filter(None, names))),
    )


def write(
    asked: Fields, entries_of: Callable[[str], Sequence[Entry]]
) -> dict[str, list[Entry]] | FieldId:
    """Return the vendor's fields, each whole, or the field whose value has no form.

    Args:
        entries_of: What a field of the vendor's holds until now.
    """
    changed: dict[str, list[Entry]] = {}

    def before(field: str) -> Sequence[Entry]:
        return changed[field] if field in changed else entries_of(field)

    texts: dict[str, dict[str, str]] = {}
    for field_id, value in asked.items():
        if field_id in TEXTS and isinstance(value, str | None):
            field, key = TEXTS[field_id]
            texts.setdefault(field, {})[key] = value or ""
        elif field_id in DATES and isinstance(value, str | None):
            field, kind = DATES[field_id]
            dated = leading.write_date(
                before(field), value or "", field=field, kind=kind
            )
            if dated is None:
                return field_id
            changed[field] = dated
        elif (
            field_id in ITEMS and (wanted := _items(value, ITEMS[field_id])) is not None
        ):
            of = ITEMS[field_id]
            changed[of.field] = items.write(before(of.field), of, items=wanted)
        else:
            return field_id
    for field, parts in texts.items():
        changed[field] = leading.write_texts(before(field), parts, field=field)
    return changed


def groups_of(memberships: Iterable[Entry]) -> list[str]:
    """Return the groups that somebody is in, by resource name."""
    found = []
    for entry in memberships:
        membership = entry.get("contactGroupMembership")
        if isinstance(membership, dict):
            found.append(wire.text(membership, "contactGroupResourceName"))
    return [name for name in found if name.startswith(GROUP)]


def memberships_of(groups: Iterable[str]) -> list[Entry]:
    """Return what has somebody be in these groups and in no others."""
    return [
        {"contactGroupMembership": {"contactGroupResourceName": name}}
        for name in dict.fromkeys(groups)
    ]


def marker_of(client_data: Iterable[Entry]) -> str:
    """Return our mark, of a contact that we made; else nothing."""
    for entry in client_data:
        if entry.get("key") == MARKER_KEY:
            return wire.text(entry, "value")
    return ""


def _items(value: Value, kind: Kind) -> Sequence[Item] | None:
    """Return the items of a value; None if it cannot be a value of the field."""
    if value is None:
        return ()
    if not isinstance(value, tuple):
        return None
    is_address = kind is items.ADDRESSES
    if any(isinstance(item.value, Address) != is_address for item in value):
        return None
    return value


def _modified_at(person: Person) -> datetime.datetime | None:
    for source in person.metadata.sources:
        if source.type == "CONTACT":
            return vendors.read_moment(source.update_time)
    return None
