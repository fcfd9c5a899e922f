"""The bodies that go in and out, with the lengths and kinds that the contract states.

Absent and null are the same here: a property without a value is left out of answers,
because the contract allows no nulls. What is kept cannot form cycles, so it opts out
of garbage collection, which would otherwise walk a million values again and again.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

Source = Literal["Account", "Contact"]
Permission = Literal[
    "explicit",
    "implicit",
    "not_set",
    "pending_confirmation",
    "temp_hold",
    "unsubscribed",
]
Text25 = Annotated[str, Meta(max_length=25)]
Text50 = Annotated[str, Meta(max_length=50)]
Text80 = Annotated[str, Meta(max_length=80)]
Text255 = Annotated[str, Meta(max_length=255)]
Date = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d$")]
Stamp = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
Month = Annotated[int, Meta(ge=1, le=12)]
Day = Annotated[int, Meta(ge=1, le=31)]

CORE_PROPERTIES = (
    "first_name",
    "last_name",
    "job_title",
    "company_name",
    "birthday_month",
    "birthday_day",
    "anniversary",
)
SUB_RESOURCES = (
    "custom_fields",
    "list_memberships",
    "phone_numbers",
    "street_addresses",
    "taggings",
    "notes",
)


# What goes out, and is kept.


class EmailAddress(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A contact's address and the consent that belongs to it."""

    address: str
    permission_to_send: Permission
    created_at: str
    updated_at: str
    opt_in_source: str | None = None
    opt_in_date: str | None = None
    opt_out_source: str | None = None
    opt_out_date: str | None = None
    opt_out_reason: str | None = None
    confirm_status: str = ""


class PhoneNumber(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One phone number."""

    phone_number_id: str
    phone_number: str
    kind: str | None = None
    created_at: str
    updated_at: str
    update_source: str | None = None
    create_source: str | None = None


class StreetAddress(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One postal address."""

    street_address_id: str
    kind: str
    street: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None
    created_at: str
    updated_at: str


class CustomValue(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A contact's value of a custom field."""

    custom_field_id: str
    value: Text255 | None = None
    choice_ids: tuple[str, ...] | None = None


class Note(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A note about a contact."""

    note_id: str
    created_at: str
    content: str


class SmsConsent(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The state of consent to text messages."""

    sms_consent_permission: str
    consent_type: str
    opt_in_date: str | None = None
    opt_out_date: str | None = None
    created_at: str
    updated_at: str


class SmsChannel(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A contact's number for text messages."""

    sms_channel_id: str
    sms_address: str
    dial_code: str
    country_code: str
    update_source: str | None = None
    create_source: str | None = None
    sms_channel_consents: tuple[SmsConsent, ...]


class Contact(Struct, kw_only=True, omit_defaults=True, gc=False):
    """A contact with everything; answers leave out what was not asked for."""

    contact_id: str
    email_address: EmailAddress | None = None
    first_name: str | None = None
    last_name: str | None = None
    job_title: str | None = None
    company_name: str | None = None
    birthday_month: int | None = None
    birthday_day: int | None = None
    anniversary: str | None = None
    update_source: str | None = None
    create_source: str
    created_at: str
    updated_at: str
    deleted_at: str | None = None
    custom_fields: tuple[CustomValue, ...] | None = None
    phone_numbers: tuple[PhoneNumber, ...] | None = None
    street_addresses: tuple[StreetAddress, ...] | None = None
    list_memberships: tuple[str, ...] | None = None
    taggings: tuple[str, ...] | None = None
    notes: tuple[Note, ...] | None = None
    sms_channel: SmsChannel | None = None


# What comes in. Unknown properties are ignored, so that a contact as read may be sent
# back as it is.


class EmailIn(Struct, kw_only=True):
    """An address as sent."""

    address: Text80
    permission_to_send: Permission | None = None
    opt_out_reason: Text255 | None = None


class PhoneIn(Struct, kw_only=True):
    """A phone number as sent."""

    phone_number: Text25
    kind: Literal["home", "work", "mobile", "other"] | None = None


class StreetIn(Struct, kw_only=True):
    """A postal address as sent."""

    kind: Literal["home", "work", "other"]
    street: Text255 | None = None
    city: Text50 | None = None
    state: Text50 | None = None
    postal_code: Text50 | None = None
    country: Text50 | None = None


class NoteIn(Struct, kw_only=True):
    """A note as sent."""

    content: Annotated[str, Meta(max_length=2000)]


class SmsConsentIn(Struct, kw_only=True):
    """Consent to text messages as sent."""

    sms_consent_permission: Literal[
        "explicit", "unsubscribed", "pending_confirmation", "not_set"
    ]
    consent_type: Literal["promotional_sms"]


class SmsIn(Struct, kw_only=True):
    """A number for text messages as sent to contacts."""

    full_sms_address: str
    sms_channel_consents: list[SmsConsentIn]


class FormSmsIn(Struct, kw_only=True):
    """A number for text messages as sent to the sign-up form."""

    country_code: str
    dial_code: str
    sms_address: str
    sms_channel_consents: list[SmsConsentIn]


class Core(Struct, kw_only=True):
    """The properties that every way of writing shares."""

    first_name: Text50 | None = None
    last_name: Text50 | None = None
    job_title: Text50 | None = None
    company_name: Text50 | None = None
    birthday_month: Month | None = None
    birthday_day: Day | None = None
    anniversary: str | None = None


class Subs(Core, kw_only=True):
    """The sub-resources that POST and PUT share; None means not mentioned."""

    email_address: EmailIn | None = None
    custom_fields: Annotated[tuple[CustomValue, ...], Meta(max_length=25)] | None = None
    phone_numbers: Annotated[list[PhoneIn], Meta(max_length=3)] | None = None
    street_addresses: Annotated[list[StreetIn], Meta(max_length=3)] | None = None
    list_memberships: Annotated[list[str], Meta(max_length=50)] | None = None
    taggings: Annotated[list[str], Meta(max_length=50)] | None = None
    notes: Annotated[list[NoteIn], Meta(max_length=150)] | None = None
    sms_channel: SmsIn | None = None


class ContactPost(Subs, kw_only=True):
    """A contact to create."""

    create_source: Source


class ContactPut(Subs, kw_only=True):
    """A contact to overwrite."""

    update_source: Source


class SignUpForm(Core, kw_only=True):
    """A contact to create, or to update in part."""

    email_address: Text50 | None = None
    phone_number: Text25 | None = None
    street_address: StreetIn | None = None
    custom_fields: Annotated[tuple[CustomValue, ...], Meta(max_length=50)] | None = None
    list_memberships: Annotated[list[str], Meta(min_length=1, max_length=50)]
    sms_channel: FormSmsIn | None = None


class Resubscribe(Struct, kw_only=True):
    """The lists that a person asked to be on again."""

    list_ids: Annotated[list[str], Meta(min_length=1, max_length=50)]


class Seed(ContactPost, kw_only=True):
    """A contact put there by a test, with a past if it likes."""

    create_source: Source = "Account"
    created_at: Stamp | None = None
    updated_at: Stamp | None = None
    opt_out_source: Source = "Contact"
    opt_out_date: Stamp | None = None
    deleted_at: Date | None = None
