"""A record as it travels: what an app stores about one person."""

import enum
from typing import Final, Self

import msgspec

from proto.base import Instant
from proto.fields import Fields
from proto.ids import ContainerId, RecordId


class Presence(enum.StrEnum):
    """Whether the app still holds the record."""

    UNKNOWN = "unknown"
    LIVE = "live"
    MISSING = "missing"
    """The app has no such id at this moment; that alone is no evidence."""
    DELETED = "deleted"
    """The app said so with a tombstone, or missed it twice, well apart."""
    MERGED = "merged"
    """Made one with another record of its app: ``merged_into``."""

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


CONSENT_RANKS: Final = {
    Consent.UNKNOWN: 0,
    Consent.SUBSCRIBED: 0,
    Consent.UNSUBSCRIBED: 1,
    Consent.SUPPRESSED: 2,
}
"""How tight a level is. Only a tighter one is ever carried or written."""


class Memberships(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Changes of what a record is in and carries; all others stay."""

    containers_add: tuple[ContainerId, ...] = ()
    containers_remove: tuple[ContainerId, ...] = ()
    tags_add: tuple[str, ...] = ()
    tags_remove: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Say whether there is any change."""
        return bool(
            self.containers_add
            or self.containers_remove
            or self.tags_add
            or self.tags_remove
        )


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The newest state of a record that an app showed."""

    record_id: RecordId
    version: str = ""
    """The app's own version (an ETag, a change stamp); opaque."""
    modified_at: Instant | None = None
    """The app's change time where it has one; an older state never replaces a newer."""
    created_at: Instant | None = None
    """When the app made it; another time under the same id is another record."""
    marker: str = ""
    """Our own mark, on a record that we made in an app that can hold one."""
    presence: Presence = Presence.LIVE
    merged_into: RecordId | None = None
    fields: Fields = {}
    """Absent: not known; ``None``: empty. Only fields the account describes."""
    containers: tuple[ContainerId, ...] = ()
    """The lists, folders or address books that the record is in."""
    tags: tuple[str, ...] = ()
    consent: Consent = Consent.UNKNOWN
