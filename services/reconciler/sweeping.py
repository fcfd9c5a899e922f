"""Work that time brings about: tries, looks, questions, comparisons, leftovers."""

import asyncio
import datetime
from typing import Final

import structlog

from proto.ids import AccountId, ConnectionId, TenantId
from services.chassis import loops
from services.chassis.clock import Clock
from services.chassis.loops import Wake
from services.chassis.store import Store, Work
from services.chassis.tenancy import ALL_TENANTS
from services.reconciler import comparing, kept, missing, verifying, writing
from services.reconciler.config import Config
from services.reconciler.store import intents, leftovers, links
from services.reconciler.store.intents import DueLook

log = structlog.get_logger()

RETRIES_MAX: Final = 500
LOOKS_MAX: Final = 500
LEFTOVERS_MAX: Final = 5_000


class Sweeper:
    """The loops of one replica that go by the clock."""

    def __init__(
        self, store: Store[Work], *, config: Config, clock: Clock, wake: Wake
    ) -> None:
        self._store = store
        self._config = config
        self._clock = clock
        self._wake = wake

    async def run(self, stopping: asyncio.Event) -> None:
        """Sweep until told to stop."""
        async with asyncio.TaskGroup() as group:
            for name, step, idle_s in (
                ("verifying", self.verify, self._config.sweep_s),
                ("retries", self.retry, self._config.sweep_s),
                ("looks", self.look, self._config.sweep_s),
                ("missing", self.ask, self._config.sweep_s),
                ("comparisons", self.compare, self._config.compare_check_s),
                ("leftovers", self.purge, self._config.leftovers_every_s),
            ):
                group.create_task(
                    loops.forever(
                        name,
                        step,
                        clock=self._clock,
                        stopping=stopping,
                        idle_s=idle_s,
                    )
                )

    async def verify(self) -> bool:
        """Have a connection scanned whose state comes from another database."""
        async with self._store.transaction(ALL_TENANTS) as work:
            return await verifying.verify_one(work)

    async def retry(self) -> bool:
        """Have links planned whose next try is due."""
        async with self._store.transaction(ALL_TENANTS) as work:
            is_any = await links.retry(
                work.transaction, now=self._clock.now(), limit=RETRIES_MAX
            )
            if is_any:
                work.transaction.after_commit(self._wake.ring)
        return is_any

    async def look(self) -> bool:
        """Ask what became of writes whose answer is unknown or missing."""
        now = self._clock.now()
        async with self._store.transaction(ALL_TENANTS) as work:
            due = await intents.claim_looks(
                work.transaction,
                now=now,
                again_at=now + datetime.timedelta(seconds=self._config.answer_s),
                limit=LOOKS_MAX,
            )
            not_after = now + datetime.timedelta(seconds=self._config.write_age_s)
            await work.send(
                *(
                    job
                    for each in _by_account(due)
                    for job in writing.in_batches(
                        [
                            writing.look_of(one.intent, not_after=not_after)
                            for one in each
                        ],
                        tenant_id=each[0].tenant_id,
                        connection_id=each[0].connection_id,
                        account_id=each[0].account_id,
                        app=intents.side_of(each[0]).app,
                    )
                )
            )
        if due:
            log.info("looks_sent", count=len(due))
        return len(due) == LOOKS_MAX

    async def ask(self) -> bool:
        """Have records read again that an app did not know a while ago."""
        async with self._store.transaction(ALL_TENANTS) as work:
            count = await missing.ask_again(work, limit=missing.ASKED_MAX)
        return count == missing.ASKED_MAX

    async def compare(self) -> bool:
        """Have both sides of a connection scanned whose last comparison is old."""
        every = datetime.timedelta(seconds=self._config.compare_every_s)
        async with self._store.transaction(ALL_TENANTS) as work:
            begun = await comparing.begin(work, before=self._clock.now() - every)
        if begun is not None:
            log.info("comparison_begun", connection_id=begun.connection_id)
        return begun is not None

    async def purge(self) -> bool:
        """Take away a batch of what no connection is left for."""
        now = self._clock.now()
        async with self._store.transaction(ALL_TENANTS) as work:
            return await leftovers.purge(
                work.transaction, limit=LEFTOVERS_MAX, scans_before=now - kept.SCANS
            )


def _by_account(due: list[DueLook]) -> list[list[DueLook]]:
    """Group looks by the job that can carry them."""
    found: dict[tuple[TenantId, ConnectionId, AccountId], list[DueLook]] = {}
    for each in due:
        key = (each.tenant_id, each.connection_id, each.account_id)
        found.setdefault(key, []).append(each)
    return list(found.values())
