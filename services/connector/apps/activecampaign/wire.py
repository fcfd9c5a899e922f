"""ActiveCampaign's JSON, only what is read. Nothing of it leaves this folder.

Ids, flags and totals are texts in some answers and numbers in others.
"""

from typing import TypeAlias

import msgspec

Id: TypeAlias = str | int


class Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of all: names are written as the vendor writes them."""


class Contact(Wire, frozen=True, kw_only=True):
    """One contact, without what belongs to it."""

    id: Id
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    cdate: str | None = None
    udate: str | None = None
    hard_bounces: str | int | None = msgspec.field(default=None, name="bounced_hard")
    updated: object = msgspec.field(default=None, name="updated_timestamp")
    updated_utc: object = msgspec.field(default=None, name="updated_utc_timestamp")


class FieldValue(Wire, frozen=True, kw_only=True):
    """What a contact has in a custom field."""

    contact: Id
    field: Id
    value: str | None = None


class ListStatus(Wire, frozen=True, kw_only=True):
    """What a contact is on a list."""

    contact: Id
    list: Id
    status: Id


class Tagging(Wire, frozen=True, kw_only=True):
    """That a contact has a tag."""

    id: Id
    contact: Id
    tag: Id


class Tag(Wire, frozen=True, kw_only=True):
    """A tag; those of templates are others."""

    id: Id
    tag: str
    tag_type: str = "contact"


class Meta(Wire, frozen=True, kw_only=True):
    """What is told of a listing."""

    total: Id
    """All that the question means, whatever the page."""

    @property
    def count(self) -> int:
        """Return it as a number; one that is none is nobody."""
        text = str(self.total)
        return int(text[:18]) if text.isascii() and text.isdigit() else 0


class Contacts(Wire, frozen=True, kw_only=True):
    """A page of contacts, with what belongs to them beside."""

    contacts: tuple[Contact, ...]
    meta: Meta
    field_values: tuple[FieldValue, ...] = ()
    contact_lists: tuple[ListStatus, ...] = ()
    contact_tags: tuple[Tagging, ...] = ()
    tags: tuple[Tag, ...] = ()


class OneContact(Wire, frozen=True, kw_only=True):
    """A contact as answered to a write, with the values that were written."""

    contact: Contact
    field_values: tuple[FieldValue, ...] = ()


class OneTagging(Wire, frozen=True, kw_only=True):
    """A tag just given."""

    contact_tag: Tagging


class OneTag(Wire, frozen=True, kw_only=True):
    """A tag just made."""

    tag: Tag


class Tags(Wire, frozen=True, kw_only=True):
    """A page of tags."""

    tags: tuple[Tag, ...]
    meta: Meta


class List(Wire, frozen=True, kw_only=True):
    """A list."""

    id: Id
    name: str


class Lists(Wire, frozen=True, kw_only=True):
    """A page of lists."""

    lists: tuple[List, ...]
    meta: Meta


class FieldOption(Wire, frozen=True, kw_only=True):
    """One choice of a custom field."""

    field: Id
    value: str
    label: str | None = None


class CustomField(Wire, frozen=True, kw_only=True):
    """A custom field."""

    id: Id
    title: str
    type: str | None = None


class CustomFields(Wire, frozen=True, kw_only=True):
    """A page of custom fields, with the options of all beside."""

    fields: tuple[CustomField, ...]
    meta: Meta
    field_options: tuple[FieldOption, ...] = ()


class User(Wire, frozen=True, kw_only=True):
    """Whose key it is."""

    email: str = ""
    username: str = ""


class OneUser(Wire, frozen=True, kw_only=True):
    """The answer that shows the user."""

    user: User


class Source(Wire, frozen=True, kw_only=True):
    """Where in a body an error is."""

    pointer: str = ""


class Error(Wire, frozen=True, kw_only=True):
    """One of the reasons of a refusal."""

    title: str = ""
    code: str = ""
    source: Source = Source()


class Problem(Wire, frozen=True, kw_only=True):
    """An error: a message alone, or reasons."""

    message: str = ""
    errors: tuple[Error, ...] = ()
