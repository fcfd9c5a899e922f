"""A record as it travels: what an app stores about one person."""

import enum
from typing import Self

import msgspec

from proto.base import Instant
from proto.fields import Fields
from proto.ids import ContainerId, RecordId


class Presence(enum.StrEnum):
    """Whether the app still holds the record."""

    UNKNOWN = "unknown"
    LIVE = "live"
    DELETED = "deleted"
    """The app said so: a tombstone, or no such id where it was before."""
    MERGED = "merged"

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class Consent(enum.StrEnum):
    """May this person be mailed? Tandem only ever moves it down this list."""

    UNKNOWN = "unknown"
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"
    """Bounced hard or complained; stronger than unsubscribed."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The newest state of a record that an app showed."""

    record_id: RecordId
    version: str = ""
    """The app's own version (an ETag, a change stamp); opaque."""
    modified_at: Instant | None = None
    """The app's change time where it has one; an older state never replaces a newer."""
    presence: Presence = Presence.LIVE
    merged_into: RecordId | None = None
    fields: Fields = {}
    """Absent: not known; ``None``: empty. Only fields the account describes."""
    containers: tuple[ContainerId, ...] = ()
    """The lists, folders or address books that the record is in."""
    tags: tuple[str, ...] = ()
    consent: Consent = Consent.UNKNOWN
