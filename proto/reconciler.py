"""Messages owned by the reconciler: connections, their progress, their records."""

import enum
from typing import ClassVar, Final, Self

import msgspec

from proto.base import Command, Done, Event, Instant, Reply
from proto.errors import ErrorCode
from proto.fields import FieldKind
from proto.ids import (
    AccountId,
    AppId,
    ConnectionId,
    ContainerId,
    FieldId,
    LinkId,
    RecordId,
)
from proto.progress import Counts, Progress
from proto.rules import Leaving, Rule, Unsubscribes

TRASH_TAG = "PieSync Trash"
UNSUBSCRIBE_TAG = "PieSync Unsubscribes"


class Side(enum.StrEnum):
    """The two ends of a connection."""

    UNKNOWN = "unknown"
    LEFT = "left"
    RIGHT = "right"

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


# Names of their own are for the engine's inner loops: a member that is looked up on its
# class costs several lookups in dicts (on Python 3.11).
LEFT: Final = Side.LEFT
RIGHT: Final = Side.RIGHT

SIDES: Final = (LEFT, RIGHT)
"""Both ends, without the member for a side that is not known."""


class Direction(enum.StrEnum):
    """Which way values go."""

    UNKNOWN = "unknown"
    BOTH = "both"
    TO_LEFT = "to_left"
    TO_RIGHT = "to_right"

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class ConnectionState(enum.StrEnum):
    """Where a connection is in its life."""

    UNKNOWN = "unknown"
    DRAFT = "draft"
    SCANNING = "scanning"
    SYNCING = "syncing"
    LIVE = "live"
    PAUSED = "paused"
    NEEDS_ATTENTION = "needs_attention"

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class RecordState(enum.StrEnum):
    """How one contact of a connection stands."""

    UNKNOWN = "unknown"
    IN_SYNC = "in_sync"
    PENDING = "pending"
    """A write is decided or on its way."""
    EXCLUDED = "excluded"
    DUPLICATE = "duplicate"
    HELD = "held"
    """Needs a person: see the reason."""
    FAILED = "failed"
    """The app refused a write; tried again by itself."""
    DELETED = "deleted"
    """Deleted on one side; kept on the other, and no longer synced."""
    MERGED = "merged"
    """Merged with another contact inside its app; no longer synced."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class End(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One end of a connection: an account, or one container of it."""

    account_id: AccountId
    container_id: ContainerId | None = None


class MappedField(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One end of a custom mapping."""

    field_id: FieldId
    label: str = ""
    """For a field of several values: only the one with this label."""


class OptionPair(msgspec.Struct, frozen=True, kw_only=True):
    """Two options that mean the same, by their ids."""

    left: str
    right: str


class CustomMapping(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Two fields that a person wants to be the same."""

    left: MappedField
    right: MappedField
    direction: Direction = Direction.BOTH
    options: tuple[OptionPair, ...] = ()
    """Which options correspond, where a side is a choice that is written."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person chooses for a connection."""

    name: str
    left: End
    right: End
    direction: Direction = Direction.BOTH
    winner: Side = Side.LEFT
    mappings_off: tuple[str, ...] = ()
    """Ids of default mappings that are switched off."""
    avoids_duplicates: bool = True
    """Contacts without an email are left alone."""
    custom_mappings: tuple[CustomMapping, ...] = ()
    winners: dict[str, Side] = {}
    """By mapping id, where a mapping has another winner than the connection."""
    left_rules: tuple[Rule, ...] = ()
    """Conditions on left records, actions on right ones. None: every record."""
    right_rules: tuple[Rule, ...] = ()
    leaving: Leaving = Leaving.STOP
    tags_deletions: bool = False
    """The counterpart of a deleted contact gets ``deletion_tag``."""
    deletion_tag: str = TRASH_TAG
    unsubscribes: Unsubscribes = Unsubscribes.IGNORE
    unsubscribe_tag: str = UNSUBSCRIBE_TAG


class MappingView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A field mapping as it is shown."""

    mapping_id: str
    label: str
    kind: FieldKind
    left: tuple[FieldId, ...]
    right: tuple[FieldId, ...]
    direction: Direction
    is_on: bool = True


class Offers(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which options the two apps make possible, and which way; None: not possible."""

    tags_deletions: Direction | None = None
    unsubscribes_tag: Direction | None = None
    unsubscribes_status: Direction | None = None


class Connection(Reply, frozen=True, kw_only=True):
    """A connection with its state."""

    connection_id: ConnectionId
    settings: Settings
    left_app: AppId
    right_app: AppId
    state: ConnectionState
    attention: str = ""
    """Why it needs attention: an ``ErrorCode``."""
    attention_side: Side | None = None
    guarded: tuple[Side, ...] = ()
    """Sides on which too much would be undone at once: it waits for approval."""
    mappings: tuple[MappingView, ...] = ()
    offers: Offers = Offers()
    version: int
    """Rises with each change of the settings."""
    created_at: Instant
    started_at: Instant | None = None


class Connections(Reply, frozen=True, kw_only=True):
    """A page of connections; those that need attention first."""

    connections: tuple[Connection, ...]
    next_after: str | None = None


class ConnectionStatus(Reply, frozen=True, kw_only=True):
    """State, counts and progress of a connection."""

    connection_id: ConnectionId
    state: ConnectionState
    attention: str = ""
    attention_side: Side | None = None
    counts: Counts
    progress: Progress
    left_error: ErrorCode | None = None
    """Why the last attempt to read the left account failed; None once it did not."""
    right_error: ErrorCode | None = None


class RecordView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One contact of a connection: where it is, how it stands and why."""

    link_id: LinkId
    left_record_id: RecordId | None = None
    right_record_id: RecordId | None = None
    name: str = ""
    email: str = ""
    state: RecordState
    reason: str = ""
    """Why it is not in sync, as a code."""
    fields: tuple[str, ...] = ()
    """Fields that are held, by mapping id; tags and lists as history calls them."""
    changed_at: Instant


class Records(Reply, frozen=True, kw_only=True):
    """A page of contacts of a connection."""

    records: tuple[RecordView, ...]
    next_after: str | None = None
    is_erased: bool = False
    """Asked for by an address: its person was erased on request, and is left out."""


class CreateConnection(Command[Connection], frozen=True, kw_only=True):
    """Make a draft with default mappings."""

    owner: ClassVar[str] = "reconciler"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    reply: ClassVar[type[Reply]] = Connection
    settings: Settings


class ChangeConnection(Command[Connection], frozen=True, kw_only=True):
    """Replace the settings; both sides are scanned again if it was started."""

    owner: ClassVar[str] = "reconciler"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    reply: ClassVar[type[Reply]] = Connection
    connection_id: ConnectionId
    settings: Settings
    version: int | None = None
    """Refused when the stored version is another."""


class ConnectionAct(enum.StrEnum):
    """What a person tells a connection to do."""

    UNKNOWN = "unknown"
    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    SYNC_NOW = "sync_now"
    DELETE = "delete"

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class TellConnection(Command[Connection], frozen=True, kw_only=True):
    """Start, pause, resume, sync now or delete; the reply is its last state."""

    owner: ClassVar[str] = "reconciler"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    reply: ClassVar[type[Reply]] = Connection
    connection_id: ConnectionId
    act: ConnectionAct


class ApproveChanges(Command[Connection], frozen=True, kw_only=True):
    """Let everything go ahead that the guard against mass changes holds."""

    owner: ClassVar[str] = "reconciler"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    reply: ClassVar[type[Reply]] = Connection
    connection_id: ConnectionId


class Linked(Reply, frozen=True, kw_only=True):
    """The bond of two records."""

    link_id: LinkId


class LinkRecords(Command[Linked], frozen=True, kw_only=True):
    """Bind two records for good, whatever their emails say."""

    owner: ClassVar[str] = "reconciler"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    reply: ClassVar[type[Reply]] = Linked
    connection_id: ConnectionId
    left_record_id: RecordId
    right_record_id: RecordId


class UnlinkRecords(Command[Done], frozen=True, kw_only=True):
    """Take a link apart; its records are not linked again by themselves."""

    owner: ClassVar[str] = "reconciler"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    connection_id: ConnectionId
    link_id: LinkId


class GetConnection(Command[Connection], frozen=True, kw_only=True):
    """Read one connection."""

    owner: ClassVar[str] = "reconciler"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    reply: ClassVar[type[Reply]] = Connection
    connection_id: ConnectionId


class ListConnections(Command[Connections], frozen=True, kw_only=True):
    """Read a page of a tenant's connections."""

    owner: ClassVar[str] = "reconciler"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    reply: ClassVar[type[Reply]] = Connections
    after: str | None = None
    limit: int = 100
    account_id: AccountId | None = None
    """Only those that use this account."""


class GetStatus(Command[ConnectionStatus], frozen=True, kw_only=True):
    """Read a connection's counts and progress."""

    owner: ClassVar[str] = "reconciler"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    reply: ClassVar[type[Reply]] = ConnectionStatus
    connection_id: ConnectionId


class ListRecords(Command[Records], frozen=True, kw_only=True):
    """Read a page of a connection's contacts, by state or by email."""

    owner: ClassVar[str] = "reconciler"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    reply: ClassVar[type[Reply]] = Records
    connection_id: ConnectionId
    state: RecordState | None = None
    email: str = ""
    after: str | None = None
    limit: int = 100


class ConnectionChanged(Event, frozen=True, kw_only=True):
    """A connection's state changed."""

    owner: ClassVar[str] = "reconciler"
    public: ClassVar[bool] = True
    addressed_by: ClassVar[tuple[str, ...]] = ("connection_id",)
    connection_id: ConnectionId
    state: ConnectionState
    attention: str = ""
    at: Instant
