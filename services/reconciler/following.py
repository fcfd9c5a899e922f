"""Says which accounts are to be read, and takes word of accounts lost and found."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import structlog

from proto.auth import AccountConnected, AccountLost
from proto.base import Instant
from proto.connector import FollowAccount, ReadNow
from proto.errors import ErrorCode
from proto.ids import AccountId, AppId, ScanId, TenantId
from proto.reconciler import ConnectionChanged, ConnectionState, Side
from services.chassis.store import Work
from services.reconciler.store import asking, connections, observations
from services.reconciler.store.connections import StoredConnection

log = structlog.get_logger()

RUNNING = (
    ConnectionState.SCANNING,
    ConnectionState.SYNCING,
    ConnectionState.LIVE,
)


class Asked(NamedTuple):
    """Scans that accounts were asked for."""

    scans: dict[AccountId, ScanId]
    at: Instant
    """By which time they were asked."""


async def scan(work: Work, connection: StoredConnection) -> ConnectionState:
    """Have both sides read completely; returns the connection's state then.

    Nothing is planned until both scans are complete. With an account that is lost,
    the connection waits for a person instead.
    """
    lost = await connections.find_lost_accounts(
        work.transaction,
        tenant_id=connection.tenant_id,
        account_ids=connection.account_ids,
    )
    if lost:
        await need_attention(work, connection, lost=lost)
        return ConnectionState.NEEDS_ATTENTION
    asked = await ask_for_scans(
        work, apps_of(connection), tenant_id=connection.tenant_id
    )
    await connections.await_scans(
        work.transaction,
        connection,
        left_scan=asked.scans[connection.left.account_id],
        right_scan=asked.scans[connection.right.account_id],
        now=asked.at,
    )
    await work.send(changed_to(connection, ConnectionState.SCANNING, at=asked.at))
    return ConnectionState.SCANNING


async def ask_for_scans(
    work: Work, apps: Mapping[AccountId, AppId], *, tenant_id: TenantId
) -> Asked:
    """Have accounts read completely."""
    at = await asking.for_scans(
        work.transaction, apps, tenant_id=tenant_id, now=work.clock.now()
    )
    scans = {account_id: work.identifiers.new(ScanId) for account_id in apps}
    await observations.add_scans(work.transaction, scans, tenant_id=tenant_id, now=at)
    await work.send(
        *(
            FollowAccount(
                tenant_id=tenant_id,
                account_id=account_id,
                app=app,
                is_wanted=True,
                scan_id=scans[account_id],
                asked_at=at,
            )
            for account_id, app in apps.items()
        )
    )
    return Asked(scans, at)


async def need_attention(
    work: Work, connection: StoredConnection, *, lost: Iterable[AccountId]
) -> None:
    """Plan nothing until the account is authorised again."""
    side = Side.LEFT if connection.left.account_id in set(lost) else Side.RIGHT
    await connections.set_state(
        work.transaction,
        connection,
        state=ConnectionState.NEEDS_ATTENTION,
        attention=ErrorCode.ACCOUNT_LOST.value,
        attention_side=side,
    )
    await work.send(
        changed_to(
            connection,
            ConnectionState.NEEDS_ATTENTION,
            at=work.clock.now(),
            attention=ErrorCode.ACCOUNT_LOST,
        )
    )


async def unfollow(work: Work, connection: StoredConnection) -> None:
    """Have accounts no longer read that no other connection needs."""
    apps = apps_of(connection)
    needed = await connections.find_needed_accounts(
        work.transaction,
        tenant_id=connection.tenant_id,
        account_ids=connection.account_ids,
    )
    for account_id, app in apps.items():
        if account_id in needed:
            continue
        asked_at = await asking.for_rest(
            work.transaction,
            account_id,
            tenant_id=connection.tenant_id,
            now=work.clock.now(),
        )
        await work.send(
            FollowAccount(
                tenant_id=connection.tenant_id,
                account_id=account_id,
                app=app,
                is_wanted=False,
                asked_at=asked_at,
            )
        )


async def read_now(work: Work, connection: StoredConnection) -> None:
    """Make both accounts due at once."""
    await work.send(
        *(
            ReadNow(tenant_id=connection.tenant_id, account_id=account_id)
            for account_id in connection.account_ids
        )
    )


async def lose_account(work: Work, message: AccountLost) -> None:
    """Stop every running connection that uses a lost account."""
    for connection in await _take_news(work, message, is_lost=True):
        if connection.state in RUNNING:
            await need_attention(work, connection, lost=(message.account_id,))
            log.info("account_lost", connection_id=connection.connection_id)


async def heal_account(work: Work, message: AccountConnected) -> None:
    """Bring connections back that waited for an account; they scan both sides."""
    for connection in await _take_news(work, message, is_lost=False):
        is_healed = (
            connection.state is ConnectionState.NEEDS_ATTENTION
            and connection.attention == ErrorCode.ACCOUNT_LOST.value
        )
        if is_healed:
            state = await scan(work, connection)
            log.info(
                "account_found",
                connection_id=connection.connection_id,
                state=state.value,
            )


def apps_of(connection: StoredConnection) -> dict[AccountId, AppId]:
    """Return a connection's accounts with their apps, each once."""
    sides = sorted(
        (connection.left, connection.right), key=lambda side: side.account_id
    )
    return {side.account_id: side.app for side in sides}


def changed_to(
    connection: StoredConnection,
    state: ConnectionState,
    *,
    at: Instant,
    attention: str = "",
) -> ConnectionChanged:
    """Return the public word of a new state."""
    return ConnectionChanged(
        tenant_id=connection.tenant_id,
        connection_id=connection.connection_id,
        state=state,
        attention=str(attention),
        at=at,
    )


async def _take_news(
    work: Work, message: AccountLost | AccountConnected, *, is_lost: bool
) -> Sequence[StoredConnection]:
    """Return the connections concerned, or none if something newer is known."""
    found = await connections.lock_of_account(
        work.transaction,
        tenant_id=message.tenant_id,
        account_id=message.account_id,
    )
    is_news = await connections.set_account_state(
        work.transaction,
        tenant_id=message.tenant_id,
        account_id=message.account_id,
        is_lost=is_lost,
        at=message.at,
    )
    return found if is_news else ()
