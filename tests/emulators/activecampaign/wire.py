"""Contacts as they are kept and shown, and bodies as they come in."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

UNCONFIRMED, ACTIVE, UNSUBSCRIBED, BOUNCED = range(4)
"""Statuses on a list; what a listing of contacts filters by, too."""
NEVER = "0000-00-00"


class Value(msgspec.Struct, kw_only=True, rename="camel"):
    """A value of a custom field in a body."""

    field: str | int
    value: str


class Body(msgspec.Struct, kw_only=True, rename="camel"):
    """A contact in a body; what is not mentioned stays."""

    email: str | UnsetType = UNSET
    first_name: str | UnsetType = UNSET
    last_name: str | UnsetType = UNSET
    phone: str | UnsetType = UNSET
    field_values: list[Value] = []


class ContactBody(msgspec.Struct, kw_only=True):
    """The envelope of a contact."""

    contact: Body


class Subscribing(msgspec.Struct, kw_only=True):
    """What a list's status of a contact is to be."""

    list: str | int
    contact: str | int
    status: str | int
    sourceid: int | str = 0


class SubscribingBody(msgspec.Struct, kw_only=True, rename="camel"):
    """The envelope of a list's status."""

    contact_list: Subscribing


class Tagging(msgspec.Struct, kw_only=True):
    """Which tag to give to whom."""

    contact: str | int
    tag: str | int


class TaggingBody(msgspec.Struct, kw_only=True, rename="camel"):
    """The envelope of a tag given."""

    contact_tag: Tagging


class NewTag(msgspec.Struct, kw_only=True, rename="camel"):
    """A tag to make."""

    tag: Annotated[str, msgspec.Meta(min_length=1)]
    tag_type: str = "contact"
    description: str = ""


class TagBody(msgspec.Struct, kw_only=True):
    """The envelope of a tag."""

    tag: NewTag


class NewField(msgspec.Struct, kw_only=True):
    """A custom field to define."""

    title: str
    type: str
    options: tuple[str, ...] = ()
    """Values, which are their own labels; the API takes them apart."""


class Subscription(msgspec.Struct, kw_only=True):
    """What a contact is on a list."""

    relation_id: int
    status: int
    since: str
    is_own_act: bool = False
    """The contact unsubscribed by themselves, which takes a source of 4 to undo."""


class Contact(msgspec.Struct, kw_only=True):
    """A contact as it is kept."""

    contact_id: int
    email: str
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    values: dict[int, tuple[int, str]] = {}
    """By field: the id of the value, and its text."""
    lists: dict[int, Subscription] = {}
    tags: dict[int, int] = {}
    """By tag: the id of the relation."""
    cdate: str
    udate: str
    udate_s: float
    bounced_hard: int = 0
    note: str = ""
    """What the vendor keeps and no resource here shows as a field."""
    last_writer: str = ""
    api_writes: int = 0
    user_writes: int = 0

    def shown(self) -> dict[str, Any]:
        """Return it as listings show it: ids and flags are text."""
        return {
            "id": str(self.contact_id),
            "email": self.email,
            "firstName": self.first_name,
            "lastName": self.last_name,
            "phone": self.phone,
            "orgid": "0",
            "bounced_hard": str(self.bounced_hard),
            "bounced_soft": "0",
            "bounced_date": NEVER,
            "deleted": "0",
            "anonymized": "0",
            "cdate": self.cdate,
            "udate": self.udate,
            "deleted_at": f"{NEVER} 00:00:00",
            "hash": f"{self.contact_id:032x}",
            "scoreValues": [],
            "links": {},
            "organization": None,
        }

    def shown_values(self) -> list[dict[str, Any]]:
        """Return the values of custom fields as they are shown beside."""
        return [
            {
                "contact": str(self.contact_id),
                "field": str(field_id),
                "value": text,
                "cdate": self.cdate,
                "udate": self.udate,
                "id": str(value_id),
                "owner": str(self.contact_id),
            }
            for field_id, (value_id, text) in self.values.items()
        ]

    def shown_lists(self) -> list[dict[str, Any]]:
        """Return what the contact is on which list."""
        return [
            {
                "contact": str(self.contact_id),
                "list": str(list_id),
                "status": str(one.status),
                "sdate": one.since,
                "udate": one.since,
                "sourceid": "0",
                "id": str(one.relation_id),
            }
            for list_id, one in self.lists.items()
        ]

    def shown_tags(self) -> list[dict[str, Any]]:
        """Return which tags the contact has."""
        return [
            {
                "contact": str(self.contact_id),
                "tag": str(tag_id),
                "cdate": self.cdate,
                "id": str(relation_id),
            }
            for tag_id, relation_id in self.tags.items()
        ]


class Seed(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A contact with a past."""

    email: str
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    field_values: list[Value] = []
    lists: dict[str, int] = {}
    """Statuses by list; none: active on the first one."""
    age_s: float = 0.0
    """How long ago it was last changed."""
