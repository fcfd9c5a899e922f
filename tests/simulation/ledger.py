"""Everything that happened to anybody's contacts, in order: the ground truth.

Only the simulation knows it. Users' acts in it are U of the invariants, ours are W;
what a vendor does by itself, such as rewriting a value later, stands beside them.
"""

import enum
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from proto.fields import Value
from proto.ids import AppId, RecordId
from proto.record import Consent


class Place(NamedTuple):
    """An account at a vendor, by the vendor's own id of it."""

    app: AppId
    account: str


Key = tuple[Place, RecordId]
"""A record anywhere."""


class Who(enum.StrEnum):
    """Who did something to a record."""

    USER = "user"
    TANDEM = "tandem"
    VENDOR = "vendor"


class Act(enum.StrEnum):
    """What was done to a record."""

    CREATE = "create"
    EDIT = "edit"
    DELETE = "delete"
    RESTORE = "restore"
    MERGE = "merge"
    """It was made one with another record, and is gone."""


class Status(enum.StrEnum):
    """Whether a record is there."""

    LIVE = "live"
    DELETED = "deleted"
    MERGED = "merged"


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A record as it was at one time. Nobody changes what it refers to."""

    fields: dict[str, Value]
    lists: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    consent: Consent = Consent.UNKNOWN
    status: Status = Status.LIVE
    merged_into: RecordId | None = None
    version: int = 1
    stamp: float = 0.0
    """When it changed, by the vendor's clock and as finely as that tells."""

    @property
    def is_live(self) -> bool:
        """Say whether the record is there."""
        return self.status is Status.LIVE


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Who did it, and for our own writes what is known of the call."""

    who: Who = Who.USER
    asked: dict[str, Value] = {}
    """The values as they were written, before the vendor made anything of them."""
    sent_at: float = 0.0
    read_at: float | None = None
    """When the record was last read by us before the write was sent."""
    marker: str = ""
    person: int = 0
    """Whom a user enters who makes a record; 0: nobody says."""
    is_conditional: bool = False
    errand: int = 0
    """Which errand of ours the call belongs to."""
    is_doubled: bool = False
    """The call was sent once, and the network has brought it a second time."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to one record."""

    number: int
    at: float
    place: Place
    record_id: RecordId
    act: Act
    cause: Cause
    before: State | None
    after: State
    changed: tuple[str, ...]
    """Fields whose value is another now."""

    @property
    def key(self) -> Key:
        """Which record it was done to."""
        return self.place, self.record_id

    @property
    def who(self) -> Who:
        """Who did it."""
        return self.cause.who

    @property
    def seems_entered(self) -> bool:
        """Say whether a user did it, or it looks so to us.

        So it does when the network brings a call again and we have written something
        else since: that is taken back as if somebody had done it (hazard 39).
        """
        return self.who is Who.USER or self.cause.is_doubled

    def was(self, name: str) -> Value:
        """Return a field's value before."""
        return None if self.before is None else self.before.fields.get(name)

    def __str__(self) -> str:
        changes = ", ".join(
            f"{name} {self.was(name)!r} -> {self.after.fields.get(name)!r}"
            for name in self.changed
        )
        place = f"{self.place.app}/{self.place.account}"
        more = "" if self.act is Act.EDIT else f" [{self.after.consent}]"
        return (
            f"{self.at:.3f} {place}/{self.record_id} {self.who} {self.act}"
            f" {changes}{more}"
        )


Watcher = Callable[[Entry], None]


class Ledger:
    """The entries of all accounts, and who is told of each new one."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.watchers: list[Watcher] = []
        self._by_key: dict[Key, list[Entry]] = {}

    def add(self, entry: Entry) -> None:
        """Write an entry down and tell everybody."""
        self.entries.append(entry)
        self._by_key.setdefault(entry.key, []).append(entry)
        for watcher in self.watchers:
            watcher(entry)

    def of(self, key: Key) -> list[Entry]:
        """Return what happened to one record."""
        return self._by_key.get(key, [])

    def ours(self) -> list[Entry]:
        """Return every write of ours."""
        return [entry for entry in self.entries if entry.who is Who.TANDEM]
