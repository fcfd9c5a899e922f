"""Plans connections: claims one that is due, decides in batches, saves and sends.

One replica plans a connection at a time. Its lease is checked in the transaction
that saves, so that a replica that was held up saves nothing.
"""

import asyncio
import datetime
from typing import Final

import structlog

from proto.ids import IntentId, LinkId
from proto.reconciler import SIDES, ConnectionState, Side
from services.chassis import loops
from services.chassis.clock import Clock
from services.chassis.errors import AlreadyStored
from services.chassis.identifiers import Identifiers
from services.chassis.loops import Wake
from services.chassis.store import Store, Work
from services.chassis.tenancy import ALL_TENANTS
from services.reconciler import (
    batches,
    comparing,
    deciding,
    following,
    guarding,
    loading,
    writing,
)
from services.reconciler.batches import Batch, Decisions
from services.reconciler.config import Config
from services.reconciler.errors import Overtaken
from services.reconciler.store import claims, intents, links, queue
from services.reconciler.store.connections import StoredConnection

log = structlog.get_logger()

URGENT_MAX: Final = 100
"""Unsubscribes planned although as many writes are on their way as there may be."""
OVERTAKEN_DELAY_S: Final = 0.2
"""How long a connection rests after a batch that came too late."""


class Planner:
    """The planning loop of one replica."""

    def __init__(
        self,
        store: Store[Work],
        *,
        config: Config,
        clock: Clock,
        identifiers: Identifiers,
        wake: Wake,
    ) -> None:
        self._store = store
        self._config = config
        self._clock = clock
        self._identifiers = identifiers
        self._wake = wake

    async def run(self, stopping: asyncio.Event) -> None:
        """Plan until told to stop."""
        await loops.forever(
            "planner",
            self.step,
            clock=self._clock,
            stopping=stopping,
            idle_s=self._config.idle_s,
            wake=self._wake,
        )

    async def step(self) -> bool:
        """Plan one connection for a while; False if none is due."""
        async with self._store.transaction(ALL_TENANTS) as work:
            claimed = await claims.claim(
                work.transaction,
                now=self._clock.now(),
                lease_until=self._lease_until(),
            )
        if claimed is None:
            return False
        with structlog.contextvars.bound_contextvars(
            tenant_id=claimed.tenant_id, connection_id=claimed.connection_id
        ):
            await self._plan(claimed)
        return True

    async def _plan(self, claimed: StoredConnection) -> None:
        delay_s = 0.0
        try:
            for _ in range(self._config.batches_max):
                if not await self._plan_batch(claimed):
                    break
        except (Overtaken, AlreadyStored) as err:
            # An answer or another claim came in between: decide from what is now.
            log.info("plan_overtaken", reason=type(err).__name__)
            delay_s = OVERTAKEN_DELAY_S
        async with self._store.transaction(claimed.tenant_id) as work:
            await self._give_back(work, claimed, delay_s=delay_s)

    async def _plan_batch(self, claimed: StoredConnection) -> bool:
        """Plan what waits longest; False if there is nothing that can be planned."""
        batch = await self._load(claimed)
        if batch is None:
            return False

        decisions = deciding.decide(
            batch,
            config=claimed.config,
            now=self._clock.now(),
            new_link=lambda: self._identifiers.new(LinkId),
            new_intent=lambda: self._identifiers.new(IntentId),
        )

        tripped = await self._hold_excess(claimed, decisions)
        async with self._store.transaction(claimed.tenant_id) as work:
            await self._save(work, claimed, batch=batch, decisions=decisions)
            for side in tripped:
                await guarding.trip(work, claimed, side=side)
        comparing.report(claimed, decisions)
        log.info(
            "batch_planned",
            record_count=len(batch.dirty),
            linked=len(decisions.links),
            planned=len(decisions.intents),
        )
        return True

    async def _hold_excess(
        self, claimed: StoredConnection, decisions: Decisions
    ) -> list[Side]:
        """Hold what would undo too much at once; returns the sides concerned."""
        tripped: list[Side] = []
        for side in SIDES:
            undone = decisions.undone_on(side)
            if not undone:
                continue
            room = await guarding.room_on(
                self._store.database.reader(claimed.tenant_id),
                claimed,
                side=side,
                now=self._clock.now(),
            )
            if room is not None and max(undone, room.waiting) > room.left:
                batches.hold_back(decisions, side)
                tripped.append(side)
        return tripped

    async def _load(self, claimed: StoredConnection) -> Batch | None:
        """Read the next batch, as large as writes on their way leave room for."""
        # One transaction, because each would cost round trips of its own.
        async with self._store.database.transaction(
            claimed.tenant_id, is_reading=True
        ) as reading:
            open_count = await claims.count_open(
                reading,
                tenant_id=claimed.tenant_id,
                connection_id=claimed.connection_id,
            )
            room = self._config.open_intents_max - open_count
            is_full = room <= 0
            limit = URGENT_MAX if is_full else min(self._config.batch_records, room)
            return await loading.load(
                reading,
                claimed,
                limit=limit,
                only_urgent=is_full,
                creates_after=self._clock.now() - _seconds(self._config.open_s),
            )

    async def _save(
        self,
        work: Work,
        claimed: StoredConnection,
        *,
        batch: Batch,
        decisions: Decisions,
    ) -> None:
        """Save and send what was decided, if it is still ours to decide."""
        now = self._clock.now()
        transaction = work.transaction
        if decisions.dropped and not await links.drop(
            transaction, claimed, link_ids=decisions.dropped
        ):
            raise Overtaken("a link that was to go")
        if decisions.links and not await links.save(
            transaction, claimed, links=decisions.links, now=now
        ):
            raise Overtaken("a link")
        if decisions.intents:
            await intents.add(
                transaction,
                claimed,
                intents=decisions.intents,
                now=now,
                look_at=now + _seconds(self._config.answer_s),
            )
        if decisions.losses:
            await intents.add_losses(
                transaction, claimed, losses=decisions.losses, now=now
            )
        await work.send(
            *writing.jobs_of(
                claimed,
                decisions.intents,
                now=now,
                age_s=self._config.write_age_s,
            )
        )
        await queue.clear(transaction, claimed, planned=batch.dirty)
        marked = decisions.marked | await loading.waiting_for(
            transaction, claimed, freed=decisions.freed
        )
        if marked:
            await queue.mark_records(
                transaction,
                marked,
                tenant_id=claimed.tenant_id,
                connection_id=claimed.connection_id,
            )
        # Last, because whoever marks records locks the connection last as well.
        if not await claims.keep(
            transaction,
            claimed,
            planned=len(batch.dirty),
            lease_until=self._lease_until(),
        ):
            raise Overtaken("the claim")

    async def _give_back(
        self, work: Work, claimed: StoredConnection, *, delay_s: float
    ) -> None:
        """Release a claim; due again at once if there is more that can be planned."""
        transaction = work.transaction
        # Locked first: whoever marks records after this look makes it due again.
        state = await claims.lock(transaction, claimed)
        if state is None:
            return
        open_count = await claims.count_open(
            transaction,
            tenant_id=claimed.tenant_id,
            connection_id=claimed.connection_id,
        )
        has_room = open_count < self._config.open_intents_max
        more = bool(
            await queue.load(transaction, claimed, limit=1, only_urgent=not has_room)
        )
        is_idle = not more and open_count == 0 and state is ConnectionState.SYNCING
        if is_idle:
            state = ConnectionState.LIVE
            await work.send(following.changed_to(claimed, state, at=self._clock.now()))
            log.info("connection_live", state=state.value)
        await claims.release(
            transaction,
            claimed,
            state=state,
            due_at=self._clock.now() + _seconds(delay_s) if more else None,
        )

    def _lease_until(self) -> datetime.datetime:
        return self._clock.now() + _seconds(self._config.lease_s)


def _seconds(count: float) -> datetime.timedelta:
    return datetime.timedelta(seconds=count)
