"""Queries on creates without an answer, and on what they may have made."""

import datetime
from collections.abc import Collection
from pathlib import Path

import msgspec

from proto import codec
from proto.ids import AccountId, ConnectionId, IntentId, RecordId, TenantId
from proto.reconciler import Side
from proto.record import Record
from services.chassis import queries
from services.chassis.database import Source, Transaction
from services.reconciler.engine.model import Intent, Seen
from services.reconciler.engine.newcomers import OpenCreate

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")

NEWCOMERS_MAX = 1_000
"""New records among which one is looked for, the first of them."""
CREATES_MAX = 200
"""Creates without an answer with which a new record is compared."""


class Newcomers(msgspec.Struct, frozen=True, kw_only=True):
    """Records that were not stored before a create was."""

    seen: tuple[Seen, ...] = ()
    is_cut: bool = False
    """There may be more, all of them later."""


async def find_open_creates(
    source: Source,
    account_ids: Collection[AccountId],
    *,
    tenant_id: TenantId,
    after: datetime.datetime,
    but: Collection[IntentId] = (),
) -> dict[AccountId, int]:
    """Return the number of each account's first create with an unknown outcome.

    Args:
        after: Creates from before then are waited for no longer.
        but: Creates that do not count.
    """
    rows = await source.fetch(
        Q["find_open_creates"](
            tenant_id=tenant_id,
            account_ids=sorted(account_ids),
            after=after,
            but=sorted(but),
        )
    )
    return {row["account_id"]: row["number"] for row in rows}


async def find_creating(
    source: Source,
    *,
    tenant_id: TenantId,
    account_id: AccountId,
    after: datetime.datetime,
) -> list[ConnectionId]:
    """Return the connections that have creates without an answer in an account.

    Args:
        after: Creates from before then are waited for no longer.
    """
    rows = await source.fetch(
        Q["find_creating"](tenant_id=tenant_id, account_id=account_id, after=after)
    )
    return sorted(row["connection_id"] for row in rows)


async def load_open_creates(
    source: Source,
    account_ids: Collection[AccountId],
    *,
    tenant_id: TenantId,
    connection_id: ConnectionId,
    after: datetime.datetime,
) -> list[OpenCreate]:
    """Return creates of a connection without an answer, in some accounts."""
    rows = await source.fetch(
        Q["load_open_creates"](
            tenant_id=tenant_id,
            connection_id=connection_id,
            account_ids=sorted(account_ids),
            after=after,
            limit=CREATES_MAX,
        )
    )
    return [
        OpenCreate(intent=codec.decode(row["body"], Intent), number=row["number"])
        for row in rows
    ]


async def find_newcomers(
    transaction: Transaction,
    *,
    tenant_id: TenantId,
    connection_id: ConnectionId,
    account_id: AccountId,
    side: Side | None,
    since: int,
    limit: int = NEWCOMERS_MAX,
) -> Newcomers:
    """Return live records of an account that were not known to live before a create.

    Args:
        since: Its number.
        side: Records that have a counterpart on this side of the connection are left
            out.
    """
    rows = await transaction.fetch(
        Q["find_newcomers"](
            tenant_id=tenant_id,
            connection_id=connection_id,
            account_id=account_id,
            side=side.value if side else None,
            since=since,
            limit=limit,
        )
    )
    found = tuple(
        Seen(
            record=codec.decode(row["record"], Record),
            read_at=row["read_at"],
            digest=row["digest"],
            live_number=row["live_number"],
        )
        for row in rows
    )
    return Newcomers(seen=found, is_cut=len(found) == limit)


async def note_ours(
    transaction: Transaction,
    record_ids: Collection[RecordId],
    *,
    tenant_id: TenantId,
    account_id: AccountId,
) -> None:
    """Note that we have made records."""
    await transaction.execute(
        Q["note_ours"](
            tenant_id=tenant_id, account_id=account_id, record_ids=sorted(record_ids)
        )
    )
