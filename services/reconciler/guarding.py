"""The guard against mass changes: what undoes too much at once waits for a person.

It looks at each side of a connection by itself, over an hour. Tripped, it holds every
write that undoes something on that side until the changes are approved.
"""

import datetime
from typing import Final, NamedTuple

import structlog

from proto.ids import AccountId, TenantId
from proto.reconciler import SIDES, Side
from services.chassis.database import Source
from services.chassis.store import Work
from services.reconciler.engine import guards, model
from services.reconciler.engine.model import Reason
from services.reconciler.store import claims, connections
from services.reconciler.store import guards as guard_store
from services.reconciler.store.connections import StoredConnection

log = structlog.get_logger()

WINDOW: Final = datetime.timedelta(seconds=guards.DESTRUCTIVE_WINDOW_S)
APPROVED_FOR: Final = datetime.timedelta(seconds=guards.APPROVAL_S)


class Room(NamedTuple):
    """How much may be undone on a side now, and how much waits besides."""

    left: int
    waiting: int


async def room_on(
    source: Source,
    connection: StoredConnection,
    *,
    side: Side,
    now: datetime.datetime,
) -> Room | None:
    """Return what may be undone on a side; None if a person has approved it all."""
    if connection.approved_until is not None and now < connection.approved_until:
        return None
    waiting = await guard_store.count_gone(source, connection, side=model.other(side))
    if side in connection.guarded:
        return Room(0, waiting)
    linked = await guard_store.count_two_sided(source, connection)
    done = await guard_store.count_destructive(source, connection, since=now - WINDOW)
    return Room(guards.destructive_max(linked) - done.get(side, 0), waiting)


async def trip(work: Work, connection: StoredConnection, *, side: Side) -> None:
    """Hold everything that undoes something on a side of a connection."""
    news = await guard_store.trip(
        work.transaction,
        [connection.connection_id],
        tenant_id=connection.tenant_id,
        side=side,
        now=work.clock.now(),
    )
    if news:
        log.warning(
            "guard_tripped", connection_id=connection.connection_id, side=side.value
        )


async def trip_all(
    work: Work, *, tenant_id: TenantId, account_id: AccountId, count: int
) -> None:
    """Do so in every connection, across from an account that misses so much."""
    found = await connections.lock_of_account(
        work.transaction, tenant_id=tenant_id, account_id=account_id
    )
    for side in SIDES:
        await guard_store.trip(
            work.transaction,
            [
                connection_id
                for connection_id, where in guard_store.of_account(found, account_id)
                if where is side
            ],
            tenant_id=tenant_id,
            side=model.other(side),
            now=work.clock.now(),
        )
    log.warning("scan_misses_too_many", account_id=account_id, count=count)


async def approve(work: Work, connection: StoredConnection) -> None:
    """Let everything go ahead that is held, and what comes within the next hour."""
    now = work.clock.now()
    # Contacts are marked before the connection is locked, as whoever plans does it.
    await guard_store.mark_held(
        work.transaction, connection, reason=Reason.MASS_CHANGE.value
    )
    await guard_store.approve(work.transaction, connection, until=now + APPROVED_FOR)
    await claims.make_due(
        work.transaction,
        tenant_id=connection.tenant_id,
        connection_ids={connection.connection_id},
        now=now,
    )
    log.info("changes_approved", connection_id=connection.connection_id)
