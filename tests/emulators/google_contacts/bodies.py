"""What bodies of requests look like; a person is checked by `shapes`."""

from typing import Annotated, Any

from msgspec import Meta, Struct

BATCH_MAX = 200
MEMBERS_MAX = 1000
Person = dict[str, Any]


class ToCreate(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """One of a batch of new contacts."""

    contact_person: Person


class NewBatch(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Contacts to create."""

    contacts: Annotated[list[ToCreate], Meta(min_length=1, max_length=BATCH_MAX)]
    read_mask: str = ""
    sources: list[str] = []


class ChangedBatch(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Contacts to update, by resource name, all with one mask."""

    contacts: Annotated[dict[str, Person], Meta(min_length=1, max_length=BATCH_MAX)]
    update_mask: str
    read_mask: str = ""
    sources: list[str] = []


class GroupBody(Struct, kw_only=True, rename="camel"):
    """What is taken of a group."""

    name: str = ""


class NewGroup(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A group to create, or to rename."""

    contact_group: GroupBody
    read_group_fields: str = ""
    update_group_fields: str = ""


class Members(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Who is to join or to leave a group."""

    resource_names_to_add: list[str] = []
    resource_names_to_remove: list[str] = []
