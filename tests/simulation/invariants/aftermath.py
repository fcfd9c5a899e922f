"""What Tandem holds once everything is at rest, read from its tables at once."""

import datetime
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from operator import itemgetter
from typing import Any, Final

import msgspec

from proto import codec
from proto.connector import ContactWritten, WriteKind, WriteOutcome
from proto.fields import Fields
from proto.ids import ConnectionId, IntentId
from proto.reconciler import Settings, Side
from services.reconciler.engine import mapping
from services.reconciler.engine.model import Intent, Link, SideConfig
from tests.simulation import limbo
from tests.simulation.invariants.truth import LinkRow, Owned, Version
from tests.simulation.ledger import Key, Place

Row = dict[str, Any]
Rows = Callable[[str], Iterable[Any]]
"""Gives the rows of a table, such as ``reconciler.links``."""

_OF_LINK: Final = itemgetter(
    "connection_id", "link_id", "left_record_id", "right_record_id", "state", "reason"
)
"""The columns of ``LinkRow``, in its order."""

OPEN: tuple[str, ...] = ("open", "unknown")


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """A value that gave way in a conflict."""

    connection_id: ConnectionId
    intent_id: IntentId
    mapping_id: str
    side: Side
    fields: Fields


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """An intent with what became of it."""

    connection_id: ConnectionId
    intent: Intent
    state: str
    decided_at: float
    closed_at: float | None = None

    @property
    def is_open(self) -> bool:
        """Say whether its outcome is still to come."""
        return self.state in OPEN


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A link with what is held of it."""

    row: LinkRow
    held: tuple[tuple[str, str], ...] = ()
    """Mappings that wait, and why."""


class Aftermath(msgspec.Struct, frozen=True, kw_only=True):
    """The tables of Tandem, as far as invariants look at them."""

    links: tuple[Held, ...] = ()
    losses: tuple[Loss, ...] = ()
    intents: tuple[Planned, ...] = ()
    outbox: int = 0
    """Messages that nobody has receipted."""
    dirty: int = 0
    """Records that wait to be planned, but for those that are held as untold."""
    now: float = 0.0


def links_of(rows: Rows) -> list[LinkRow]:
    """Return the links, briefly."""
    return [LinkRow(*_OF_LINK(row)) for row in rows("reconciler.links")]


def collect(rows: Rows, *, now: float) -> Aftermath:
    """Return what is in the tables."""
    held = {
        row["link_id"]: msgspec.json.decode(row["body"], type=Link).held
        for row in rows("reconciler.links")
    }
    return Aftermath(
        links=tuple(
            Held(
                row=row,
                held=tuple((h.mapping_id, h.reason) for h in held[row.link_id]),
            )
            for row in links_of(rows)
        ),
        losses=tuple(
            Loss(
                connection_id=row["connection_id"],
                intent_id=row["intent_id"],
                mapping_id=row["mapping_id"],
                side=Side(row["side"]),
                fields=msgspec.json.decode(row["fields"], type=Fields),
            )
            for row in rows("reconciler.losses")
        ),
        intents=tuple(
            Planned(
                connection_id=row["connection_id"],
                intent=msgspec.json.decode(row["body"], type=Intent),
                state=row["state"],
                decided_at=row["decided_at"].timestamp(),
                closed_at=closed_at and closed_at.timestamp(),
            )
            for row in rows("reconciler.intents")
            for closed_at in [row["closed_at"]]
        ),
        outbox=sum(
            len(list(rows(f"{service}.outbox")))
            for service in ("auth", "connector", "reconciler")
        ),
        dirty=sum(1 for _ in limbo.records_to_plan(rows, but=limbo.untold_links(rows))),
        now=now,
    )


def stored(database: Any) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield every row that belongs to a tenant: whose it is, and what is in it.

    Nothing of one tenant can be with another where there is but one.
    """
    rows = [row for table in database.tables() for row in database.rows(table)]
    tenants = {row["tenant_id"] for row in rows if "tenant_id" in row}
    for row in rows if len(tenants) > 1 else ():
        if "tenant_id" in row:
            yield row["tenant_id"], _bytes_of(row)


def _bytes_of(row: Row) -> Iterator[bytes]:
    for value in row.values():
        if isinstance(value, bytes):
            yield value
        elif isinstance(value, str):
            yield value.encode()


_GUARDS: Final = {Side.LEFT: "guard_left_at", Side.RIGHT: "guard_right_at"}


class Register:
    """The connections, read from the tables whenever one of them has changed."""

    def __init__(self, rows: Rows, now: Callable[[], float]) -> None:
        self._rows = rows
        self._now = now
        self._owned: dict[ConnectionId, Owned] = {}
        self._seen: dict[ConnectionId, Row] = {}
        """The newest row of each: nobody changes one, so the same has nothing new."""
        self._approvals: set[datetime.datetime] = set()

    def read(self) -> Sequence[Owned]:
        """Return every connection that was ever started."""
        for row in self._rows("reconciler.connections"):
            connection_id = row["connection_id"]
            seen = self._seen.get(connection_id)
            if row is seen or row["started_at"] is None:
                continue
            self._seen[connection_id] = row
            if seen is None or seen["version"] != row["version"]:
                self._note(row)
            self._note_guards(self._owned[connection_id], row)
        return list(self._owned.values())

    def _note(self, row: Row) -> None:
        settings = msgspec.json.decode(row["settings"], type=Settings)
        sides = [
            msgspec.json.decode(row[name], type=SideConfig)
            for name in ("left_side", "right_side")
        ]
        views = mapping.views(left=sides[0], right=sides[1], settings=settings)
        version = Version(
            at=self._now(),
            settings=settings,
            mappings=tuple(view for view in views if view.is_on),
        )
        owned = self._owned.get(row["connection_id"])
        if owned is None:
            places = _places(self._rows)
            owned = self._owned[row["connection_id"]] = Owned(
                tenant=row["tenant_id"],
                connection_id=row["connection_id"],
                left=places[row["left_account"]],
                right=places[row["right_account"]],
                versions=[],
            )
        owned.versions.append(version)

    def _note_guards(self, owned: Owned, row: Row) -> None:
        until = row["approved_until"]
        if until is not None and until not in self._approvals:
            self._approvals.add(until)
            owned.approvals.append(self._now())
        owned.guarded = {
            side: row[name].timestamp()
            for side, name in _GUARDS.items()
            if row[name] is not None
        }
        owned.was_guarded |= owned.guarded.keys()


class Answers:
    """What apps said to creates, as soon as it is stored and for ever after."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._seen: set[tuple[IntentId, datetime.datetime]] = set()
        self._made: set[Key] = set()

    def read(self) -> Set[Key]:
        """Return the records that an app told us it had made."""
        for row in self._rows("connector.writes"):
            name = row["intent_id"], row["done_at"]
            if row["result"] is None or name in self._seen:
                continue
            self._seen.add(name)
            result = codec.decode(row["result"], ContactWritten)
            is_made = result.outcome is WriteOutcome.WRITTEN
            if is_made and result.kind is WriteKind.CREATE and result.record:
                place = _places(self._rows)[row["account_id"]]
                self._made.add((place, result.record.record_id))
        return self._made


def is_gone(rows: Rows, key: Key) -> bool:
    """Say whether Tandem has stored that an app no longer has a record."""
    place, record_id = key
    ids = {each for each, where in _places(rows).items() if where == place}
    return any(
        row["record_id"] == record_id
        and row["account_id"] in ids
        and not row["is_live"]
        for row in rows("reconciler.observations")
    )


def _places(rows: Rows) -> dict[str, Place]:
    return {
        row["account_id"]: Place(row["app"], row["vendor_account_id"])
        for row in rows("auth.accounts")
    }
