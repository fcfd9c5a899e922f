"""Mailchimp's JSON, only what is read. Nothing of it leaves this folder."""

from typing import Generic, TypeVar

import msgspec

R = TypeVar("R", bound="Named")


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all: names are the vendor's."""


class Tag(Wire, frozen=True, kw_only=True):
    """A tag of a member."""

    name: str


class Named(Wire, frozen=True, kw_only=True):
    """One address in one audience, with nothing of whose it is."""

    id: str
    """The MD5 hash of the address in small letters, so another with another address."""
    contact_id: str = ""
    """Stays; the answer to a batch does not have it."""
    last_changed: str = ""


class Member(Named, frozen=True, kw_only=True):
    """One address in one audience."""

    email_address: str
    status: str
    merge_fields: dict[str, msgspec.Raw] = {}
    tags: tuple[Tag, ...] = ()
    """Fifty at most."""
    tags_count: int = 0


class Members(Wire, Generic[R], frozen=True, kw_only=True):
    """A page of a listing."""

    members: tuple[R, ...]
    total_items: int
    """All that the question means, whatever the page."""


class Tags(Wire, frozen=True, kw_only=True):
    """A page of one member's tags."""

    tags: tuple[Tag, ...]
    total_items: int


class BatchError(Wire, frozen=True, kw_only=True):
    """Why one of a batch was not taken."""

    email_address: str = ""
    error: str = ""
    error_code: str = ""
    field: str = ""


class Batch(Wire, frozen=True, kw_only=True):
    """The answer to a batch."""

    new_members: tuple[Member, ...]
    errors: tuple[BatchError, ...]


class Audience(Wire, frozen=True, kw_only=True):
    """A list, as the vendor used to call it."""

    id: str
    name: str
    double_optin: bool = False


class Audiences(Wire, frozen=True, kw_only=True):
    """A page of audiences."""

    lists: tuple[Audience, ...]
    total_items: int


class FieldOptions(Wire, frozen=True, kw_only=True):
    """What else there is to say of a merge field."""

    choices: tuple[str, ...] = ()


class MergeField(Wire, frozen=True, kw_only=True):
    """A field of an audience's members; its tag is its key."""

    tag: str
    name: str = ""
    type: str
    options: FieldOptions = FieldOptions()


class MergeFields(Wire, frozen=True, kw_only=True):
    """A page of merge fields."""

    merge_fields: tuple[MergeField, ...]
    total_items: int


class Detail(Wire, frozen=True, kw_only=True):
    """What is wrong with one field."""

    field: str = ""
    message: str = ""


class Problem(Wire, frozen=True, kw_only=True):
    """An error, of the form of RFC 7807."""

    title: str
    status: int
    detail: str = ""
    errors: tuple[Detail, ...] = ()


class Account(Wire, frozen=True, kw_only=True):
    """Whose account it is."""

    account_id: str
    account_name: str = ""
