"""Queries about scans that are waited for, by comparisons above all."""

import datetime
from collections.abc import Iterable
from pathlib import Path

from proto.ids import AccountId, ConnectionId, ScanId, TenantId
from services.chassis import queries
from services.chassis.database import Transaction
from services.reconciler.store import connections
from services.reconciler.store.connections import Scanned, StoredConnection

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")


async def claim(
    transaction: Transaction, *, now: datetime.datetime, before: datetime.datetime
) -> StoredConnection | None:
    """Take the live connection that was compared longest ago, if that is long ago."""
    row = await transaction.fetch_row(Q["claim_sweep"](now=now, before=before))
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


async def find_waiting(
    transaction: Transaction,
    *,
    tenant_id: TenantId,
    account_id: AccountId,
    scan_id: ScanId,
    begun_at: datetime.datetime,
) -> list[Scanned]:
    """Return the comparisons that a scan serves, as if they were told already."""
    rows = await transaction.fetch(
        Q["find_swept"](
            tenant_id=tenant_id,
            account_id=account_id,
            scan_id=scan_id,
            begun_at=begun_at,
        )
    )
    return [Scanned(**dict(row)) for row in rows]


async def note_scan(
    transaction: Transaction,
    connection_ids: Iterable[ConnectionId],
    *,
    tenant_id: TenantId,
    account_id: AccountId,
    scan_id: ScanId,
    begun_at: datetime.datetime,
) -> list[Scanned]:
    """Tell comparisons that a scan is complete; returns those that still waited."""
    rows = await transaction.fetch(
        Q["note_swept"](
            tenant_id=tenant_id,
            connection_ids=sorted(connection_ids),
            account_id=account_id,
            scan_id=scan_id,
            begun_at=begun_at,
        )
    )
    return [Scanned(**dict(row)) for row in rows]


async def find_scanned(
    transaction: Transaction,
    *,
    tenant_id: TenantId,
    account_id: AccountId,
    scan_id: ScanId,
    begun_at: datetime.datetime,
) -> list[Scanned]:
    """Return whom a complete scan concerns, as far as can be told without a lock."""
    rows = await transaction.fetch(
        Q["find_scanned"](
            tenant_id=tenant_id,
            account_id=account_id,
            scan_id=scan_id,
            begun_at=begun_at,
        )
    )
    return [Scanned(**dict(row)) for row in rows]
