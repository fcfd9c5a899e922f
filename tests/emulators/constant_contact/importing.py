"""What one row of an import does: it makes a contact, or writes over one that is there.

It asks for no permission, and brings back who was deleted.
"""

import copy
import enum
import re
from collections.abc import Mapping, Sequence

from tests.emulators.constant_contact import consent, values
from tests.emulators.constant_contact.parts import (
    ADDRESSES_MAX,
    PHONES_MAX,
    joined,
    merged,
)
from tests.emulators.constant_contact.wire import (
    Contact,
    CustomValue,
    EmailIn,
    PhoneNumber,
    StreetIn,
)
from tests.emulators.constant_contact.writing import Writer
from tests.emulators.core.http import Refusal

EMAIL_LENGTH_MAX = 50
CUSTOM_PREFIX = "cf:"
CUSTOM_LENGTH_MAX = 255
CUSTOM_FIELDS_MAX = 25
TEXTS = ("first_name", "last_name", "job_title", "company_name")
PHONES = {
    "phone": "other",
    "home_phone": "home",
    "work_phone": "work",
    "mobile_phone": "mobile",
    "other_phone": "other",
}
STREETS = {"": "home", "home_": "home", "work_": "work", "other_": "other"}
"""Kinds of addresses by how the names of their columns begin."""
PARTS = {"street": 255, "street2": 255, "city": 50, "state": 50, "zip": 50}
COUNTRIES = {
    "": "country",
    "home_": "home country",
    "work_": "work_country",
    "other_": "other_country",
}
"""The contract has a blank in one of them."""
_ABROAD = re.compile(r"\+(?!1\D*\d)")
Row = Mapping[str, str | int | None]


class Fate(enum.Enum):
    """What became of a row."""

    TAKEN = enum.auto()
    NOT_TAKEN = enum.auto()
    CORRECTABLE = enum.auto()
    """Not taken either; the account's staff may correct it in the vendor's UI."""
    NOT_ON_LISTS = enum.auto()
    """Taken, but who opted out is put on no list."""


class Importer(Writer):
    """Take the rows of imports for one account."""

    def check_lists(self, list_ids: list[str]) -> None:
        """Check that lists exist."""
        self._checker.check_lists(list_ids)

    def take(self, row: Row, list_ids: Sequence[str]) -> Fate:
        """Make a contact of a row, or write it over the one with its address."""
        if not _is_short(row) or not self._are_known(row):
            return Fate.NOT_TAKEN
        email = str(row.get("email") or "")
        try:
            values.check_email(email)
            core = _core_of(row)
        except Refusal:
            return Fate.CORRECTABLE
        now = self._account.clock.stamp()
        entry = self._book.find_email(email)
        if entry is None:
            contact, before = self._blank(source="Account", now=now), None
            sent = EmailIn(address=email, permission_to_send="implicit")
            contact.email_address = consent.first(sent, source="Account", now=now)
        else:
            contact, before = entry.contact, copy.copy(entry.contact)
            contact.update_source, contact.updated_at = "Account", now
        for name, value in core.items():
            setattr(contact, name, value)
        self._take_parts(contact, row, now=now)
        fate = self._put_on_lists(contact, list_ids, now=now)
        if entry is None:
            self._add(contact, "import")
        else:
            self._account.record(
                entry, who=self._who, operation="import", before=before
            )
        return fate

    def _put_on_lists(
        self, contact: Contact, list_ids: Sequence[str], *, now: str
    ) -> Fate:
        """Put a contact on lists, which brings a deleted one back."""
        email = contact.email_address
        assert email is not None
        if contact.deleted_at is not None:
            contact.deleted_at = None
            contact.email_address = email = consent.revived(email, now=now)
        if email.permission_to_send == "unsubscribed":
            return Fate.NOT_ON_LISTS
        lists = self._account.lists
        there = [one for one in list_ids if lists[one].deleted_at is None]
        contact.list_memberships = joined(contact.list_memberships, there)
        return Fate.TAKEN

    def _take_parts(self, contact: Contact, row: Row, *, now: str) -> None:
        for column, kind in PHONES.items():
            number = str(row.get(column) or "")
            if number and not _ABROAD.match(number):
                made = self._parts.phone(number, kind, source="Account", now=now)
                contact.phone_numbers = _replaced(contact, made)
        for prefix, kind in STREETS.items():
            parts = {
                name: str(row.get(prefix + name) or "")
                for name in PARTS
                if row.get(prefix + name)
            }
            country = str(row.get(COUNTRIES[prefix]) or "")
            if not (parts or country):
                continue
            street = " ".join(filter(None, (parts.get("street"), parts.get("street2"))))
            sent = StreetIn(
                kind=kind,
                street=street or None,
                city=parts.get("city"),
                state=parts.get("state"),
                postal_code=parts.get("zip"),
                country=country or None,
            )
            kept = [one for one in contact.street_addresses or () if one.kind != kind]
            address = self._parts.street(sent, now=now)
            contact.street_addresses = (*kept[: ADDRESSES_MAX - 1], address)
        named = {one.name: one for one in self._account.custom_fields.values()}
        contact.custom_fields = merged(
            contact.custom_fields,
            [
                CustomValue(
                    custom_field_id=named[name].custom_field_id, value=str(value)
                )
                for name, value in _custom_of(row).items()
            ],
        )

    def _are_known(self, row: Row) -> bool:
        """Tell whether the account has all custom fields of a row."""
        names = {one.name for one in self._account.custom_fields.values()}
        wanted = _custom_of(row)
        return wanted.keys() <= names and len(wanted) <= CUSTOM_FIELDS_MAX


def _custom_of(row: Row) -> dict[str, str]:
    return {
        name.removeprefix(CUSTOM_PREFIX): str(value)
        for name, value in row.items()
        if name.startswith(CUSTOM_PREFIX) and value not in (None, "")
    }


def _is_short(row: Row) -> bool:
    """Tell whether every value keeps the length that the contract states."""
    lengths = dict.fromkeys((*TEXTS, *PHONES, *COUNTRIES.values()), 50)
    lengths["email"] = EMAIL_LENGTH_MAX
    for prefix in STREETS:
        lengths |= {prefix + name: length for name, length in PARTS.items()}
    return all(
        len(value) <= lengths.get(name, CUSTOM_LENGTH_MAX)
        for name, value in row.items()
        if isinstance(value, str)
    )


def _core_of(row: Row) -> dict[str, str | int]:
    """Return the core properties that a row mentions.

    Raises:
        Refusal: A birthday or an anniversary is none.
    """
    core = {name: str(row[name]) for name in TEXTS if row.get(name)}
    found: dict[str, str | int] = {**core}
    month, day = row.get("birthday_month"), row.get("birthday_day")
    if month is not None or day is not None:
        found |= values.birthday(month, day)
    if given := row.get("anniversary"):
        anniversary = values.anniversary(str(given))
        assert anniversary is not None
        found["anniversary"] = anniversary
    return found


def _replaced(contact: Contact, made: PhoneNumber) -> tuple[PhoneNumber, ...]:
    """Return a contact's numbers with another one of a kind."""
    kept = [one for one in contact.phone_numbers or () if one.kind != made.kind]
    return (*kept[: PHONES_MAX - 1], made)
