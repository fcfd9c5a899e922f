"""Members: as they come in, as they are kept, and as answers show them."""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from tests.emulators.mailchimp.merge import EMPTY, MergeField
from tests.emulators.mailchimp.settings import TAGS_SHOWN_MAX

Status = Literal["subscribed", "unsubscribed", "cleaned", "pending", "transactional"]
PatchedStatus = Literal["subscribed", "unsubscribed", "cleaned", "pending"]
ARCHIVED = "archived"
BATCH_MAX = 500
RESTING = ("unsubscribed", "cleaned")
"""Who is there and is sent nothing."""


class Edit(msgspec.Struct, kw_only=True):
    """What every write may mention."""

    merge_fields: dict[str, Any] = {}
    language: str | UnsetType = UNSET
    vip: bool | UnsetType = UNSET


class Patch(Edit, kw_only=True):
    """The body of a change; what is not mentioned stays."""

    email_address: str | UnsetType = UNSET
    status: PatchedStatus | UnsetType = UNSET


class New(Edit, kw_only=True):
    """The body of a new member."""

    email_address: str
    status: Status
    tags: tuple[str, ...] = ()


class Put(Edit, kw_only=True):
    """The body that makes a member or changes one."""

    email_address: str
    status_if_new: Status
    status: Status | UnsetType = UNSET


class BatchMember(Edit, kw_only=True):
    """One member of a batch."""

    email_address: str
    status: Status | UnsetType = UNSET


class Batch(msgspec.Struct, kw_only=True):
    """The body of a batch."""

    members: Annotated[list[BatchMember], msgspec.Meta(max_length=BATCH_MAX)]
    update_existing: bool = False
    sync_tags: bool = False


class TagChange(msgspec.Struct, kw_only=True):
    """A tag to give or to take."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    status: Literal["active", "inactive"]


class TagChanges(msgspec.Struct, kw_only=True):
    """The body of a change of tags."""

    tags: list[TagChange]
    is_syncing: bool = False


class Seed(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A member with a past."""

    email_address: str
    status: Status | Literal["archived"] = "subscribed"
    merge_fields: dict[str, Any] = {}
    tags: tuple[str, ...] = ()
    last_changed: str | None = None
    list_id: str | None = None
    """None: the first audience."""


class Member(msgspec.Struct, kw_only=True):
    """A member as it is kept."""

    number: int
    """In order of arrival."""
    contact_id: str
    list_id: str
    email_address: str
    status: str
    last_changed: str
    timestamp_signup: str
    merge_fields: dict[str, Any] = {}
    tags: dict[str, str] = {}
    """Names, and when each was given."""
    language: str = ""
    vip: bool = False
    is_final: bool = False
    """Left by their own act or by a bounce, which the API does not undo."""
    resting: str = ""
    """The status before they were archived."""
    automations: int = 0
    """How often a tag has set off what the account does by itself."""
    last_writer: str = ""
    api_writes: int = 0
    user_writes: int = 0

    @property
    def hash(self) -> str:
        """Return the name of the member's address."""
        return hash_of(self.email_address)

    def shown(
        self, fields: Mapping[str, MergeField], tag_ids: Mapping[str, int]
    ) -> dict[str, Any]:
        """Return it as answers show it."""
        names = [*self.tags][:TAGS_SHOWN_MAX]
        first, last = (str(self.merge_fields.get(t, "")) for t in ("FNAME", "LNAME"))
        return {
            "id": self.hash,
            "email_address": self.email_address,
            "unique_email_id": self.hash[:10],
            "contact_id": self.contact_id,
            "full_name": f"{first} {last}".strip(),
            "web_id": 500_000 + self.number,
            "email_type": "html",
            "status": self.status,
            "merge_fields": {tag: self.merge_fields.get(tag, EMPTY) for tag in fields},
            "stats": {"avg_open_rate": 0, "avg_click_rate": 0},
            "ip_signup": "",
            "timestamp_signup": self.timestamp_signup,
            "ip_opt": "",
            "timestamp_opt": self.timestamp_signup,
            "member_rating": 2,
            "last_changed": self.last_changed,
            "language": self.language,
            "vip": self.vip,
            "email_client": "",
            "location": {"latitude": 0, "longitude": 0, "gmtoff": 0, "dstoff": 0},
            "source": "API - Generic",
            "tags_count": len(self.tags),
            "tags": [{"id": tag_ids[name], "name": name} for name in names],
            "list_id": self.list_id,
        }


def hash_of(address: str) -> str:
    """Return the MD5 hash of an address in small letters."""
    return hashlib.md5(address.lower().encode(), usedforsecurity=False).hexdigest()


def stamp(utc: str) -> str:
    """Return a moment in the vendor's notation."""
    return utc.replace("Z", "+00:00")
