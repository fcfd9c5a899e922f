"""Queries on ``dirty``: the records that wait to be planned, by connection and side.

A mark tells one marking from the next, so that a record that is marked while it is
being planned stays in the queue.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from proto.ids import AccountId, ConnectionId, RecordId, ScanId, TenantId
from proto.reconciler import Side
from proto.record import Record
from services.chassis import queries
from services.chassis.database import Source, Transaction
from services.reconciler.store import observations
from services.reconciler.store.connections import Ends, StoredConnection

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")


class Between(Protocol):
    """Whatever says which accounts a connection is between."""

    @property
    def connection_id(self) -> ConnectionId:
        """Return which connection it is."""

    @property
    def ends(self) -> Ends:
        """Return its sides with their accounts."""


class Dirty(msgspec.Struct, frozen=True, kw_only=True):
    """A record that waits, under its newest mark."""

    side: Side
    record_id: RecordId
    mark: int
    is_check: bool = False
    """It is to be compared although nothing has happened to it, and what somebody else
    stood in the way of is to be tried again."""


async def mark_changed(
    transaction: Transaction,
    changed: Collection[Record],
    *,
    tenant_id: TenantId,
    account_id: AccountId,
    scan_id: ScanId | None = None,
) -> set[ConnectionId]:
    """Mark changed records for every connection that uses their account."""
    ordered = sorted(changed, key=lambda record: record.record_id)
    rows = await transaction.fetch(
        Q["mark_changed"](
            tenant_id=tenant_id,
            account_id=account_id,
            record_ids=[record.record_id for record in ordered],
            is_urgent=[observations.is_tight(record) for record in ordered],
            scan_id=scan_id,
        )
    )
    return {row["connection_id"] for row in rows}


async def mark_sharers(
    transaction: Transaction,
    emails: Collection[str],
    *,
    tenant_id: TenantId,
    account_id: AccountId,
) -> set[ConnectionId]:
    """Mark whoever has an address that a record of the account gave up."""
    rows = await transaction.fetch(
        Q["mark_sharers"](
            tenant_id=tenant_id,
            account_id=account_id,
            emails=sorted(emails),
            sharers_max=observations.SHARERS_MAX,
        )
    )
    return {row["connection_id"] for row in rows}


async def mark_records(
    transaction: Transaction,
    records: Collection[tuple[Side, RecordId]],
    *,
    tenant_id: TenantId,
    connection_id: ConnectionId,
) -> None:
    """Mark these records for one connection."""
    ordered = sorted(set(records))
    await transaction.execute(
        Q["mark_records"](
            tenant_id=tenant_id,
            connection_id=connection_id,
            sides=[side.value for side, _ in ordered],
            record_ids=[record_id for _, record_id in ordered],
        )
    )


async def mark_both(
    transaction: Transaction,
    between: Between,
    *,
    tenant_id: TenantId,
    is_check: bool = False,
) -> None:
    """Mark every record of either side of a connection."""
    for side, account_id in between.ends:
        await mark_all(
            transaction,
            tenant_id=tenant_id,
            connection_id=between.connection_id,
            side=side,
            account_id=account_id,
            is_check=is_check,
        )


async def mark_all(
    transaction: Transaction,
    *,
    tenant_id: TenantId,
    connection_id: ConnectionId,
    side: Side,
    account_id: AccountId,
    is_check: bool = False,
) -> None:
    """Mark every record of one side that lives or was linked."""
    await transaction.execute(
        Q["mark_all"](
            tenant_id=tenant_id,
            connection_id=connection_id,
            side=side.value,
            account_id=account_id,
            is_check=is_check,
        )
    )


async def load(
    source: Source,
    connection: StoredConnection,
    *,
    limit: int,
    only_urgent: bool = False,
) -> list[Dirty]:
    """Return the records that wait longest and can be planned now, urgent first."""
    rows = await source.fetch(
        Q["load_dirty"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            limit=limit,
            only_urgent=only_urgent,
        )
    )
    return [
        Dirty(
            side=Side(row["side"]),
            record_id=row["record_id"],
            mark=row["mark"],
            is_check=row["is_check"],
        )
        for row in rows
    ]


async def clear(
    transaction: Transaction, connection: StoredConnection, *, planned: Sequence[Dirty]
) -> None:
    """Take planned records out, unless they were marked again since."""
    await transaction.execute(
        Q["clear_dirty"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            sides=[each.side.value for each in planned],
            record_ids=[each.record_id for each in planned],
            marks=[each.mark for each in planned],
        )
    )


async def count(
    source: Source,
    *,
    tenant_id: TenantId,
    connection_id: ConnectionId,
) -> int:
    """Return how many records of a connection wait."""
    row = await source.fetch_row(
        Q["count_dirty"](tenant_id=tenant_id, connection_id=connection_id)
    )
    return int(row["waiting"]) if row else 0
