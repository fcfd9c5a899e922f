"""HubSpot's JSON, only what is read. Nothing of it leaves this folder."""

from typing import Annotated, Any

import msgspec


class Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of all: names are written as the vendor writes them."""


class Contact(Wire, frozen=True, kw_only=True):
    """One contact, with the properties that were asked for or just written."""

    id: str
    properties: dict[str, str | None]
    """One that was asked for and is not there is empty, as null is."""
    created_at: str | None = None
    updated_at: str | None = None
    archived: bool = False
    archived_at: str | None = None
    object_write_trace_id: str | None = None


class Next(Wire, frozen=True, kw_only=True):
    """Where the next page begins."""

    after: str = ""


class Paging(Wire, frozen=True, kw_only=True):
    """What follows a page; the last one has none."""

    next: Next | None = None


class Contacts(Wire, frozen=True, kw_only=True):
    """A page of a listing or of a search."""

    results: tuple[Contact, ...]
    paging: Paging | None = None

    @property
    def after(self) -> str:
        """Return the cursor of the next page, or nothing."""
        return self.paging.next.after if self.paging and self.paging.next else ""


class Detail(Wire, frozen=True, kw_only=True):
    """One of the reasons of an error."""

    message: str = ""
    code: str = ""
    context: dict[str, Any] = {}


class Problem(Wire, frozen=True, kw_only=True):
    """An error: of a call, or of one input of a batch."""

    message: str = ""
    category: str = ""
    correlation_id: str = ""
    policy_name: str = ""
    context: dict[str, Any] = {}
    errors: tuple[Detail, ...] = ()


class Batch(Wire, frozen=True, kw_only=True):
    """The answer to a batch; what went wrong is told beside what went well."""

    results: tuple[Contact, ...]
    errors: tuple[Problem, ...] = ()


class Option(Wire, frozen=True, kw_only=True):
    """One value of an enumeration."""

    label: str
    value: str


class Modification(Wire, frozen=True, kw_only=True):
    """What of a property may be changed."""

    read_only_value: bool = False


class Property(Wire, frozen=True, kw_only=True):
    """A property of contacts."""

    name: str
    label: str
    type: str
    field_type: str = ""
    options: tuple[Option, ...] = ()
    hidden: bool = False
    archived: bool = False
    calculated: bool = False
    external_options: bool = False
    hubspot_defined: bool = False
    modification_metadata: Modification = Modification()

    @property
    def is_writable(self) -> bool:
        """Say whether a contact's value may be changed."""
        return not (self.calculated or self.modification_metadata.read_only_value)


class Properties(Wire, frozen=True, kw_only=True):
    """All properties; there are no pages."""

    results: tuple[Property, ...]


class Account(Wire, frozen=True, kw_only=True):
    """Whose account it is."""

    portal_id: int
    portal_name: str = ""
    ui_domain: str = ""


class Event(Wire, frozen=True, kw_only=True):
    """One change of a push; only whose account it was is believed."""

    portal_id: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class ContactList(Wire, frozen=True, kw_only=True):
    """A list, as a search among lists shows it."""

    list_id: str
    name: str
    processing_type: str
    object_type_id: str
    deleted_at: str | None = None
    additional_properties: dict[str, str | int | None] = {}
    """Texts by the description, numbers in its sample."""


class ContactLists(Wire, frozen=True, kw_only=True):
    """A page of lists."""

    lists: tuple[ContactList, ...]
    has_more: bool
    offset: int


class Membership(Wire, frozen=True, kw_only=True):
    """One list that somebody is on."""

    list_id: str | int


class Memberships(Wire, frozen=True, kw_only=True):
    """All lists that somebody is on."""

    record_id: str | int
    record_list_memberships: tuple[Membership, ...]


class MembershipBatch(Wire, frozen=True, kw_only=True):
    """The lists of several contacts."""

    status: str
    results: tuple[Memberships, ...]
    errors: tuple[Problem, ...] = ()


class Member(Wire, frozen=True, kw_only=True):
    """One who is on a list, and since when."""

    record_id: str | int
    membership_timestamp: str


class Members(Wire, frozen=True, kw_only=True):
    """A page of who is on a list."""

    results: tuple[Member, ...]
    paging: Paging | None = None

    @property
    def after(self) -> str:
        """Return the cursor of the next page, or nothing."""
        return self.paging.next.after if self.paging and self.paging.next else ""


class Moved(Wire, frozen=True, kw_only=True):
    """The answer to putting contacts on a list and taking some off."""

    record_ids_missing: tuple[str | int, ...] = ()
    """Who is not there, so that nothing was done to them."""
