"""Messages about people who are erased: what is asked, and what services tell.

What is asked names a person by an address, by a record or by a link. A vendor's word
that somebody is to be erased names a record, too, and needs no message of its own.
"""

import enum
from typing import ClassVar, Self

import msgspec

from proto.base import Command, Event, Instant, Job, Reply
from proto.connector import WriteKind
from proto.ids import (
    AccountId,
    AppId,
    ConnectionId,
    ErasureId,
    IntentId,
    LinkId,
    RecordId,
)


class ErasureState(enum.StrEnum):
    """How far an erasure is."""

    UNKNOWN = "unknown"
    RUNNING = "running"
    DONE = "done"

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class Whom(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person, by one of three: an address, a record or a link."""

    email: str = ""
    account_id: AccountId | None = None
    record_id: RecordId | None = None
    """A record of that account."""
    connection_id: ConnectionId | None = None
    link_id: LinkId | None = None
    """A link of that connection."""


class RecordsLeft(msgspec.Struct, frozen=True, kw_only=True):
    """Records of one account that the app still has of a person."""

    account_id: AccountId
    app: AppId
    record_ids: tuple[RecordId, ...]


class Erasure(Reply, frozen=True, kw_only=True):
    """How the erasure of a person stands."""

    erasure_id: ErasureId
    state: ErasureState
    digest: str
    """A keyed hash of what was asked for: equal for equal questions of a tenant."""
    asked_at: Instant
    finished_at: Instant | None = None
    records: int = 0
    links: int = 0
    writes: int = 0
    """Writes of the history."""
    shared_emails: int = 0
    """Addresses of the person that others have, too: they stay in use."""
    left: tuple[RecordsLeft, ...] = ()
    """Records that the apps have still; nothing is deleted there. Told for a while."""


class Erasures(Reply, frozen=True, kw_only=True):
    """A page of erasures, oldest first."""

    erasures: tuple[Erasure, ...]
    next_after: str | None = None


class Lifted(Reply, frozen=True, kw_only=True):
    """What was lifted: nothing, where nobody of that address was erased."""

    digest: str
    count: int
    """Addresses and records that may be imported again."""


class ErasePerson(Command[Erasure], frozen=True, kw_only=True):
    """Remove a person from all that is stored, and keep them from coming back."""

    owner: ClassVar[str] = "reconciler"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    reply: ClassVar[type[Reply]] = Erasure
    whom: Whom


class GetErasure(Command[Erasure], frozen=True, kw_only=True):
    """Read how an erasure stands."""

    owner: ClassVar[str] = "reconciler"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    reply: ClassVar[type[Reply]] = Erasure
    erasure_id: ErasureId


class ListErasures(Command[Erasures], frozen=True, kw_only=True):
    """Read a page of a tenant's erasures."""

    owner: ClassVar[str] = "reconciler"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    reply: ClassVar[type[Reply]] = Erasures
    after: str | None = None
    limit: int = 100


class LiftSuppression(Command[Lifted], frozen=True, kw_only=True):
    """Let somebody who was erased be imported again."""

    owner: ClassVar[str] = "reconciler"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    reply: ClassVar[type[Reply]] = Lifted
    email: str


class Cancelled(msgspec.Struct, frozen=True, kw_only=True):
    """A write that is not to be begun."""

    intent_id: IntentId
    kind: WriteKind
    account_id: AccountId
    connection_id: ConnectionId


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A record, wherever it is."""

    account_id: AccountId
    record_id: RecordId


class EraseTraces(Job, frozen=True, kw_only=True):
    """Forget what is kept of a person, whose writes are not begun any more."""

    owner: ClassVar[str] = "connector"
    senders: ClassVar[tuple[str, ...]] = ("reconciler",)
    addressed_by: ClassVar[tuple[str, ...]] = ("erasure_id",)
    erasure_id: ErasureId
    account_ids: tuple[AccountId, ...]
    """Every account that anything may be on its way for."""
    emails: tuple[str, ...]
    """In the form that addresses are matched by."""
    places: tuple[Place, ...]
    cancelled: tuple[Cancelled, ...] = ()
    """Each is answered as one that was not begun in time, unless it was."""
    intent_ids: tuple[IntentId, ...] = ()
    """Writes of the last days: none of them is kept."""
    is_last: bool = False
    """Nothing is waited for any more; the answer is ``TracesErased``."""


class TracesErased(Event, frozen=True, kw_only=True):
    """The connector keeps nothing of a person any more."""

    owner: ClassVar[str] = "connector"
    receivers: ClassVar[tuple[str, ...]] = ("reconciler",)
    addressed_by: ClassVar[tuple[str, ...]] = ("erasure_id",)
    erasure_id: ErasureId
    at: Instant
