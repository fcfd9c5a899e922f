"""Queries about scans, and about who waits for them: to begin, or to compare."""

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from proto.ids import AccountId, ConnectionId, ScanId, TenantId
from proto.reconciler import Side
from services.chassis import queries
from services.chassis.database import Row, Transaction
from services.reconciler.store import connections
from services.reconciler.store.connections import Ends, StoredConnection

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")


class CompleteScan(msgspec.Struct, frozen=True, kw_only=True):
    """A scan of an account every part of which is in."""

    tenant_id: TenantId
    account_id: AccountId
    scan_id: ScanId
    begun_at: datetime.datetime


class Scanned(msgspec.Struct, frozen=True, kw_only=True):
    """How a complete scan leaves a connection that was waiting for it."""

    connection_id: ConnectionId
    left_account: AccountId
    right_account: AccountId
    left_scanned: bool
    right_scanned: bool

    @property
    def is_ready(self) -> bool:
        """Whether both sides are scanned."""
        return self.left_scanned and self.right_scanned

    @property
    def ends(self) -> Ends:
        """Return its sides with their accounts."""
        return ((Side.LEFT, self.left_account), (Side.RIGHT, self.right_account))


class LastScans(msgspec.Struct, frozen=True, kw_only=True):
    """The newest scans of an account."""

    read_through: datetime.datetime | None = None
    """When the newest complete one had not begun yet."""
    asked_at: datetime.datetime | None = None
    """When the newest was asked for, or had begun that nobody had asked for."""

    def tell_of(self, at: datetime.datetime) -> bool:
        """Say whether a complete one shows everything that was there at some time."""
        return self.read_through is not None and self.read_through >= at


async def complete(
    transaction: Transaction, scan: CompleteScan, *, now: datetime.datetime
) -> None:
    """Note that a scan is complete, and forget its parts and those of older ones."""
    await transaction.execute(Q["complete_scan"](**_named(scan), now=now))


async def find_last_scans(
    transaction: Transaction, *, tenant_id: TenantId, account_id: AccountId
) -> LastScans:
    """Return when an account was last scanned, and asked for a scan."""
    row = await transaction.fetch_row(
        Q["find_last_scans"](tenant_id=tenant_id, account_id=account_id)
    )
    return LastScans(**dict(row)) if row else LastScans()


async def lock_due(
    transaction: Transaction, *, before: datetime.datetime
) -> StoredConnection | None:
    """Lock the live connection that was compared longest ago, if that is long ago."""
    row = await transaction.fetch_row(Q["lock_unswept"](before=before))
    return None if row is None else connections.connection_of(row)


async def wait_for(
    transaction: Transaction,
    connection: StoredConnection,
    *,
    left_scan: ScanId,
    right_scan: ScanId,
    asked_at: datetime.datetime,
) -> None:
    """Note the scans that a comparison waits for."""
    await transaction.execute(
        Q["await_sweep"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            left_scan=left_scan,
            right_scan=right_scan,
            asked_at=asked_at,
        )
    )


async def find_waiting(transaction: Transaction, scan: CompleteScan) -> list[Scanned]:
    """Return the comparisons that a scan serves, as if they were told already."""
    return _scanned(await transaction.fetch(Q["find_swept"](**_named(scan))))


async def note_scan(
    transaction: Transaction,
    scan: CompleteScan,
    *,
    connection_ids: Iterable[ConnectionId],
) -> list[Scanned]:
    """Tell comparisons that a scan is complete; returns those that still waited."""
    query = Q["note_swept"](**_named(scan), connection_ids=sorted(connection_ids))
    return _scanned(await transaction.fetch(query))


async def find_scanned(transaction: Transaction, scan: CompleteScan) -> list[Scanned]:
    """Return whom a complete scan concerns, as far as can be told without a lock."""
    return _scanned(await transaction.fetch(Q["find_scanned"](**_named(scan))))


async def note_scanned(transaction: Transaction, scan: CompleteScan) -> list[Scanned]:
    """Tell connections that a scan is complete; returns those still scanning."""
    return _scanned(await transaction.fetch(Q["note_scanned"](**_named(scan))))


def _named(scan: CompleteScan) -> dict[str, Any]:
    return msgspec.structs.asdict(scan)


def _scanned(rows: Iterable[Row]) -> list[Scanned]:
    """Return them in the order of their ids, in which their contacts are marked."""
    found = [Scanned(**dict(row)) for row in rows]
    return sorted(found, key=lambda each: each.connection_id)
