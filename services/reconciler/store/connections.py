"""Queries on connections and on the accounts they use."""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from proto import codec
from proto.connector import AccountDescription
from proto.ids import AccountId, ConnectionId, ScanId, TenantId
from proto.reconciler import ConnectionState, Settings, Side
from services.chassis import queries
from services.chassis.database import Row, Source, Transaction
from services.reconciler.engine import mapping, renewal
from services.reconciler.engine.model import Config, SideConfig
from services.reconciler.store import terms
from services.reconciler.store.terms import Terms

Ends = tuple[tuple[Side, AccountId], tuple[Side, AccountId]]
"""The left side and the right, each with its account."""

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")


class StoredConnection(msgspec.Struct, frozen=True, kw_only=True):
    """A connection as it is stored."""

    tenant_id: TenantId
    connection_id: ConnectionId
    settings: Settings
    left: SideConfig
    right: SideConfig
    terms: Terms
    state: ConnectionState
    attention: str
    attention_side: Side | None
    guard_left_at: datetime.datetime | None
    guard_right_at: datetime.datetime | None
    approved_until: datetime.datetime | None
    version: int
    created_at: datetime.datetime
    started_at: datetime.datetime | None
    left_scanned: bool
    right_scanned: bool
    sync_started_at: datetime.datetime | None
    lease_version: int
    planned: int
    done: int
    failed: int
    created_left: int
    created_right: int
    updated_left: int
    updated_right: int

    @property
    def config(self) -> Config:
        """Return the settings as the engine takes them."""
        return self.terms.config

    @property
    def guarded(self) -> tuple[Side, ...]:
        """Return the sides on which nothing is undone until a person approves."""
        tripped = {Side.LEFT: self.guard_left_at, Side.RIGHT: self.guard_right_at}
        return tuple(side for side, at in tripped.items() if at is not None)

    @property
    def ends(self) -> Ends:
        """Return its sides with their accounts."""
        return (
            (Side.LEFT, self.left.account_id),
            (Side.RIGHT, self.right.account_id),
        )

    @property
    def account_ids(self) -> tuple[AccountId, ...]:
        """Return the accounts it uses, each once, in a fixed order."""
        return tuple(sorted({self.left.account_id, self.right.account_id}))


class StoredAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account as it is stored."""

    account_id: AccountId
    description: AccountDescription
    is_lost: bool
    is_screened: bool = False
    """Somebody of its tenant was erased, and must not come back."""
    is_creating: bool = False
    """Nobody knows yet what has become of some creates in it."""


class Tally(msgspec.Struct, kw_only=True):
    """What a batch of outcomes adds to a connection's counters."""

    done: int = 0
    failed: int = 0
    created_left: int = 0
    created_right: int = 0
    updated_left: int = 0
    updated_right: int = 0


async def describe_account(
    transaction: Transaction, *, tenant_id: TenantId, description: AccountDescription
) -> None:
    """Remember what an account offers, and that it is used."""
    await transaction.execute(
        Q["describe_account"](
            tenant_id=tenant_id,
            account_id=description.account_id,
            app=description.app,
            description=codec.encode(description),
        )
    )


async def load_account(
    transaction: Transaction, *, tenant_id: TenantId, account_id: AccountId
) -> StoredAccount | None:
    """Return an account, or None if no connection uses it."""
    row = await transaction.fetch_row(
        Q["load_account"](tenant_id=tenant_id, account_id=account_id)
    )
    if row is None:
        return None
    return StoredAccount(
        account_id=row["account_id"],
        description=codec.decode(row["description"], AccountDescription),
        is_lost=row["is_lost"],
        is_screened=row["is_screened"],
        is_creating=row["is_creating"],
    )


async def set_account_state(
    transaction: Transaction,
    *,
    tenant_id: TenantId,
    account_id: AccountId,
    is_lost: bool,
    at: datetime.datetime,
) -> bool:
    """Note that an account is lost or found; False if something newer is known."""
    row = await transaction.fetch_row(
        Q["set_account_state"](
            tenant_id=tenant_id, account_id=account_id, is_lost=is_lost, at=at
        )
    )
    return row is not None


async def find_lost_accounts(
    transaction: Transaction, *, tenant_id: TenantId, account_ids: Sequence[AccountId]
) -> set[AccountId]:
    """Return those accounts whose authorisation is lost."""
    rows = await transaction.fetch(
        Q["find_lost_accounts"](tenant_id=tenant_id, account_ids=list(account_ids))
    )
    return {row["account_id"] for row in rows}


async def retire_accounts(
    transaction: Transaction,
    *,
    tenant_id: TenantId,
    account_ids: Sequence[AccountId],
    now: datetime.datetime,
) -> None:
    """Note those accounts that no connection is left for."""
    await transaction.execute(
        Q["retire_accounts"](
            tenant_id=tenant_id, account_ids=list(account_ids), now=now
        )
    )


async def find_needed_accounts(
    transaction: Transaction, *, tenant_id: TenantId, account_ids: Sequence[AccountId]
) -> set[AccountId]:
    """Return those accounts that some connection still reads."""
    rows = await transaction.fetch(
        Q["find_needed_accounts"](tenant_id=tenant_id, account_ids=list(account_ids))
    )
    return {row["account_id"] for row in rows}


async def add(
    transaction: Transaction,
    *,
    tenant_id: TenantId,
    connection_id: ConnectionId,
    settings: Settings,
    sides: tuple[SideConfig, SideConfig],
    now: datetime.datetime,
) -> None:
    """Store a new draft."""
    await transaction.execute(
        Q["add_connection"](
            tenant_id=tenant_id,
            connection_id=connection_id,
            settings=codec.encode(settings),
            left_account=sides[0].account_id,
            right_account=sides[1].account_id,
            left_side=codec.encode(sides[0]),
            right_side=codec.encode(sides[1]),
            now=now,
        )
    )


async def load(
    source: Source,
    *,
    tenant_id: TenantId,
    connection_id: ConnectionId,
) -> StoredConnection | None:
    """Return a connection, unless it is deleted."""
    row = await source.fetch_row(
        Q["load_connection"](tenant_id=tenant_id, connection_id=connection_id)
    )
    return None if row is None else connection_of(row)


async def lock(
    transaction: Transaction, *, tenant_id: TenantId, connection_id: ConnectionId
) -> StoredConnection | None:
    """Return a connection that nobody else changes until the commit."""
    row = await transaction.fetch_row(
        Q["lock_connection"](tenant_id=tenant_id, connection_id=connection_id)
    )
    return None if row is None else connection_of(row)


async def lock_of_account(
    transaction: Transaction, *, tenant_id: TenantId, account_id: AccountId
) -> list[StoredConnection]:
    """Return all connections that use an account, locked."""
    rows = await transaction.fetch(
        Q["lock_connections_of_account"](tenant_id=tenant_id, account_id=account_id)
    )
    return [connection_of(row) for row in rows]


async def list_page(
    source: Source,
    *,
    tenant_id: TenantId,
    account_id: AccountId | None,
    rank: int,
    after: str,
    limit: int,
) -> list[StoredConnection]:
    """Return a page, those that need attention first."""
    rows = await source.fetch(
        Q["list_connections"](
            tenant_id=tenant_id,
            account_id=account_id,
            rank=rank,
            after=after,
            limit=limit,
        )
    )
    return [connection_of(row) for row in rows]


async def change_settings(
    transaction: Transaction,
    connection: StoredConnection,
    *,
    settings: Settings,
    sides: tuple[SideConfig, SideConfig],
) -> None:
    """Replace a connection's settings and raise its version."""
    config = mapping.config_of(
        left=sides[0], right=sides[1], settings=settings, version=connection.version + 1
    )
    await transaction.execute(
        Q["change_settings"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            settings=codec.encode(settings),
            renewed=codec.encode(renewal.renewed(connection.config, config)),
            left_account=sides[0].account_id,
            right_account=sides[1].account_id,
            left_side=codec.encode(sides[0]),
            right_side=codec.encode(sides[1]),
        )
    )


async def forget_digests(
    transaction: Transaction, *, tenant_id: TenantId, account_id: AccountId
) -> None:
    """Make the next observation of every record of an account count as a change."""
    await transaction.execute(
        Q["forget_digests"](tenant_id=tenant_id, account_id=account_id)
    )


async def set_state(
    transaction: Transaction,
    connection: StoredConnection,
    *,
    state: ConnectionState,
    attention: str = "",
    attention_side: Side | None = None,
) -> None:
    """Move a connection to a state in which nothing is planned."""
    await transaction.execute(
        Q["set_connection_state"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            state=state.value,
            attention=attention,
            attention_side=attention_side.value if attention_side else None,
        )
    )


async def await_scans(
    transaction: Transaction,
    connection: StoredConnection,
    *,
    left_scan: ScanId,
    right_scan: ScanId,
    now: datetime.datetime,
) -> None:
    """Move a connection back to scanning."""
    await transaction.execute(
        Q["await_scans"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            left_scan=left_scan,
            right_scan=right_scan,
            now=now,
        )
    )


async def begin_syncing(
    transaction: Transaction,
    *,
    tenant_id: TenantId,
    connection_ids: Sequence[ConnectionId],
    now: datetime.datetime,
) -> None:
    """Let planning begin."""
    await transaction.execute(
        Q["begin_syncing"](
            tenant_id=tenant_id, connection_ids=list(connection_ids), now=now
        )
    )


async def delete(
    transaction: Transaction, connection: StoredConnection, *, now: datetime.datetime
) -> None:
    """Hide a connection for good; its rows go in the background."""
    await transaction.execute(
        Q["delete_connection"](
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            now=now,
        )
    )


def connection_of(row: Row) -> StoredConnection:
    """Return a row of ``connections`` as a Struct."""
    values: dict[str, Any] = dict(row)
    side = values["attention_side"]
    columns = tuple(map(values.pop, terms.COLUMNS))
    agreed = terms.decoded(values["version"], columns)
    values.update(
        terms=agreed,
        settings=agreed.settings,
        left=agreed.left,
        right=agreed.right,
        state=ConnectionState(values["state"]),
        attention_side=Side(side) if side else None,
    )
    return StoredConnection(**values)
