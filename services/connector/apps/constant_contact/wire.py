"""Constant Contact's JSON, only what is read. Nothing of it leaves this folder.

A core property that is not shown is empty. A sub-resource that is not shown was
not asked for, and nothing is known of it: ``UNSET``.
"""

import msgspec
from msgspec import UNSET, UnsetType


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One link of a page."""

    href: str = ""


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """The links of a page; the last page has none."""

    next: Link | None = None


class EmailAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A contact's only address, with the permission to mail it."""

    address: str | None = None
    permission_to_send: str | None = None
    updated_at: str | None = None
    opt_out_source: str | None = None
    opt_out_reason: str | None = None


class PhoneNumber(msgspec.Struct, frozen=True, kw_only=True):
    """One of up to three numbers."""

    phone_number_id: str | None = None
    phone_number: str | None = None
    kind: str | None = None


class StreetAddress(msgspec.Struct, frozen=True, kw_only=True):
    """One of up to three addresses."""

    street_address_id: str | None = None
    kind: str | None = None
    street: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None


class CustomValue(msgspec.Struct, frozen=True, kw_only=True):
    """A contact's value of one custom field: text, or ids of choices."""

    custom_field_id: str
    value: str | None = None
    choice_ids: tuple[str | int, ...] | None = None


class SmsConsent(msgspec.Struct, frozen=True, kw_only=True):
    """One permission to send text messages."""

    sms_consent_permission: str | None = None
    consent_type: str | None = None


class SmsChannel(msgspec.Struct, frozen=True, kw_only=True):
    """The number for text messages, as it is shown; it is written differently."""

    sms_address: str | None = None
    dial_code: str | None = None
    sms_channel_consents: tuple[SmsConsent, ...] | None = None


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """One contact."""

    contact_id: str
    email_address: EmailAddress | None = None
    first_name: str | None = None
    last_name: str | None = None
    job_title: str | None = None
    company_name: str | None = None
    birthday_month: int | None = None
    birthday_day: int | None = None
    anniversary: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    deleted_at: str | None = None
    sms_channel: SmsChannel | None = None
    phone_numbers: tuple[PhoneNumber, ...] | None | UnsetType = UNSET
    street_addresses: tuple[StreetAddress, ...] | None | UnsetType = UNSET
    custom_fields: tuple[CustomValue, ...] | None | UnsetType = UNSET
    list_memberships: tuple[str, ...] | None | UnsetType = UNSET
    taggings: tuple[str, ...] | None | UnsetType = UNSET


class Contacts(msgspec.Struct, frozen=True, kw_only=True):
    """One page of contacts."""

    contacts: tuple[Contact, ...]
    contacts_count: int | None = None
    links: Links | None = msgspec.field(name="_links", default=None)


class ContactList(msgspec.Struct, frozen=True, kw_only=True):
    """One list."""

    list_id: str
    name: str
    deleted_at: str | None = None


class ContactLists(msgspec.Struct, frozen=True, kw_only=True):
    """One page of lists."""

    lists: tuple[ContactList, ...]
    links: Links | None = msgspec.field(name="_links", default=None)


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    """One tag."""

    tag_id: str
    name: str


class Tags(msgspec.Struct, frozen=True, kw_only=True):
    """One page of tags."""

    tags: tuple[Tag, ...]
    links: Links | None = msgspec.field(name="_links", default=None)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One choice of a custom field."""

    choice_id: str | int
    choice_label: str = ""
    deleted_at: str | None = None


class CustomField(msgspec.Struct, frozen=True, kw_only=True):
    """The definition of a custom field."""

    custom_field_id: str
    label: str
    type: str
    name: str = ""
    """What an import calls it."""
    choices: tuple[Choice, ...] | None = None


class CustomFields(msgspec.Struct, frozen=True, kw_only=True):
    """One page of definitions."""

    custom_fields: tuple[CustomField, ...]
    links: Links | None = msgspec.field(name="_links", default=None)


class AccountSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Whose account it is."""

    encoded_account_id: str
    organization_name: str | None = None
    contact_email: str | None = None


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the vendor does later."""

    activity_id: str
    state: str
    created_at: str | None = None


class Activities(msgspec.Struct, frozen=True, kw_only=True):
    """One page of activities."""

    activities: tuple[Activity, ...]
    links: Links | None = msgspec.field(name="_links", default=None)


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One error; resources answer with an array of them, the gateway with one."""

    error_key: str
    error_message: str = ""
