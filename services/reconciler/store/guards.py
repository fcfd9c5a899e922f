"""Queries of the guard against mass changes: what was undone lately, and approvals."""

import datetime
from collections.abc import Sequence
from pathlib import Path

from proto.ids import AccountId, ConnectionId, TenantId
from proto.reconciler import Side
from services.chassis import queries
from services.chassis.database import Source, Transaction
from services.reconciler.store.connections import StoredConnection

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")


async def count_destructive(
    source: Source,
    connection: StoredConnection,
    *,
    since: datetime.datetime,
) -> dict[Side, int]:
    """Return how many writes that undo something were decided, by side."""
    rows = await source.fetch(
        Q["count_destructive"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            since=since,
        )
    )
    return {Side(row["side"]): int(row["decided"]) for row in rows}


async def count_two_sided(source: Source, connection: StoredConnection) -> int:
    """Return how many contacts of a connection are on both sides."""
    row = await source.fetch_row(
        Q["count_two_sided"](
            tenant_id=connection.tenant_id, connection_id=connection.connection_id
        )
    )
    return int(row["linked"]) if row else 0


async def count_gone(
    source: Source, connection: StoredConnection, *, side: Side
) -> int:
    """Return how many records of a side wait to be planned because they are gone."""
    row = await source.fetch_row(
        Q["count_gone_dirty"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            account_id=connection.config.side(side).account_id,
            side=side.value,
        )
    )
    return int(row["waiting"]) if row else 0


async def trip(
    transaction: Transaction,
    connection_ids: Sequence[ConnectionId],
    *,
    tenant_id: TenantId,
    side: Side,
    now: datetime.datetime,
) -> list[ConnectionId]:
    """Hold everything that undoes something on a side; returns whom it is news for."""
    rows = await transaction.fetch(
        Q["trip_guards"](
            tenant_id=tenant_id,
            connection_ids=list(connection_ids),
            is_left=side is Side.LEFT,
            now=now,
        )
    )
    return [row["connection_id"] for row in rows]


async def approve(
    transaction: Transaction, connection: StoredConnection, *, until: datetime.datetime
) -> None:
    """Let everything go ahead that the guards hold, and what comes until then."""
    await transaction.execute(
        Q["approve_changes"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            until=until,
        )
    )


async def mark_held(
    transaction: Transaction, connection: StoredConnection, *, reason: str
) -> None:
    """Have the contacts planned again that are held for one reason."""
    await transaction.execute(
        Q["mark_held"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            reason=reason,
        )
    )


def of_account(
    connections: Sequence[StoredConnection], account_id: AccountId
) -> list[tuple[ConnectionId, Side]]:
    """Return on which sides connections have an account."""
    return [
        (each.connection_id, side)
        for each in connections
        for side, end in each.ends
        if end == account_id
    ]
