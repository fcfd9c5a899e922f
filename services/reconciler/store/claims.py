"""Queries by which one replica at a time plans a connection."""

import datetime
from collections.abc import Collection
from pathlib import Path

from proto.ids import ConnectionId, TenantId
from proto.reconciler import ConnectionState
from services.chassis import queries
from services.chassis.database import Source, Transaction
from services.reconciler.engine.model import Reason
from services.reconciler.store import connections
from services.reconciler.store.connections import StoredConnection, Tally

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")


async def claim(
    transaction: Transaction, *, now: datetime.datetime, lease_until: datetime.datetime
) -> StoredConnection | None:
    """Claim the connection that has waited longest for planning."""
    row = await transaction.fetch_row(
        Q["claim_connection"](now=now, lease_until=lease_until)
    )
    return None if row is None else connections.connection_of(row)


async def find_unverified(transaction: Transaction) -> StoredConnection | None:
    """Return a running connection that was last scanned in another database."""
    row = await transaction.fetch_row(Q["find_unverified"]())
    return None if row is None else connections.connection_of(row)


async def lock_unverified(
    transaction: Transaction, *, connection_id: ConnectionId
) -> StoredConnection | None:
    """Lock a connection if it still is one of these and nobody else has it."""
    row = await transaction.fetch_row(Q["lock_unverified"](connection_id=connection_id))
    return None if row is None else connections.connection_of(row)


async def forget_epochs(transaction: Transaction) -> int:
    """Have every running connection scanned anew; returns how many."""
    return await transaction.execute(Q["forget_epochs"]())


async def keep(
    transaction: Transaction,
    claimed: StoredConnection,
    *,
    planned: int,
    lease_until: datetime.datetime,
) -> bool:
    """Count what was planned and go on; False if the claim no longer holds."""
    row = await transaction.fetch_row(
        Q["keep_lease"](
            tenant_id=claimed.tenant_id,
            connection_id=claimed.connection_id,
            lease_version=claimed.lease_version,
            planned=planned,
            lease_until=lease_until,
        )
    )
    return row is not None


async def lock(
    transaction: Transaction, claimed: StoredConnection
) -> ConnectionState | None:
    """Return a claimed connection's state and keep it; None if the claim is over."""
    row = await transaction.fetch_row(
        Q["lock_claim"](
            tenant_id=claimed.tenant_id,
            connection_id=claimed.connection_id,
            lease_version=claimed.lease_version,
        )
    )
    return None if row is None else ConnectionState(row["state"])


async def release(
    transaction: Transaction,
    claimed: StoredConnection,
    *,
    state: ConnectionState,
    due_at: datetime.datetime | None,
) -> None:
    """Give a claim back; without ``due_at`` until somebody marks something."""
    await transaction.execute(
        Q["release_connection"](
            tenant_id=claimed.tenant_id,
            connection_id=claimed.connection_id,
            lease_version=claimed.lease_version,
            state=state.value,
            due_at=due_at,
        )
    )


async def make_due(
    transaction: Transaction,
    *,
    tenant_id: TenantId,
    connection_ids: Collection[ConnectionId],
    now: datetime.datetime,
) -> None:
    """Have connections planned; the last statement of whoever marked something."""
    await transaction.execute(
        Q["make_due"](
            tenant_id=tenant_id, connection_ids=sorted(connection_ids), now=now
        )
    )


async def count_outcomes(
    transaction: Transaction,
    connection: StoredConnection,
    *,
    tally: Tally,
) -> None:
    """Add up what was written."""
    await transaction.execute(
        Q["count_outcomes"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            done=tally.done,
            failed=tally.failed,
            created_left=tally.created_left,
            created_right=tally.created_right,
            updated_left=tally.updated_left,
            updated_right=tally.updated_right,
        )
    )


async def count_open(
    source: Source,
    *,
    tenant_id: TenantId,
    connection_id: ConnectionId,
) -> int:
    """Return how many writes of a connection are on their way.

    Not those that nobody could tell the outcome of: their contacts are held.
    """
    row = await source.fetch_row(
        Q["count_open_intents"](
            tenant_id=tenant_id,
            connection_id=connection_id,
            untold=Reason.OUTCOME_UNKNOWN.value,
        )
    )
    return int(row["waiting"]) if row else 0
