"""The words of matching: a record that is looked at, and what it turns out to be."""

import enum
from typing import Self

import msgspec

from proto.ids import LinkId, RecordId


class Scope(enum.Enum):
    """How far a record is synced to the other side."""

    OUT = enum.auto()
    UPDATES = enum.auto()
    """Only where it has a counterpart already."""
    FULL = enum.auto()


class MatchKind(enum.StrEnum):
    """What a record without a counterpart turns out to be."""

    UNKNOWN = "unknown"
    LINK = "link"
    CREATE = "create"
    DUPLICATE = "duplicate"
    EXCLUDED = "excluded"
    WAIT = "wait"
    """Nobody can tell yet."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class Candidate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A live record as matching sees it."""

    record_id: RecordId
    emails: tuple[str, ...] = ()
    """In normal form: ``canon.emails_of``."""
    scope: Scope = Scope.FULL
    """How far it is synced: ``rules.scope_of``."""
    is_included: bool = True
    """It is in the part of the account that is connected."""
    has_agreed: bool = True
    """Enough is known of its consent for the other app: ``consent.is_enough``."""
    link_id: LinkId | None = None
    """The link that the record is on already, one-sided ones included."""
    is_bound: bool = False
    """That link has a live counterpart, or is just getting one by a create."""
    is_unsure: bool = False
    """It may be what a create has made whose answer is on its way."""
    is_ours: bool = False
    """We made it, and it has no address to be known by."""
    is_around: bool = False
    """By links of other connections the other side has its counterpart already."""


class Match(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is decided for a record without a counterpart."""

    kind: MatchKind
    reason: str = ""
    record_id: RecordId | None = None
    """For ``LINK``: the counterpart."""
    absorbs: LinkId | None = None
    """For ``LINK``: the counterpart's own link, which is dropped for this one."""
    others: tuple[RecordId, ...] = ()
    """For ``DUPLICATE``: records of the same side that share an email; those of
    them that are not bound have to be decided again too."""
