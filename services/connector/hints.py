"""Accounts that are to be read sooner, because their apps told of changes.

Each is there once, however often it is told. They become due together, in a statement
a moment, and where an app's listings are behind, once more when they no longer are.
What is lost here is found by the next poll.
"""

import asyncio
import itertools
from typing import Final, TypeAlias

from prometheus_client import Counter

from proto.ids import AccountId, TenantId
from services.chassis import loops
from services.chassis.clock import Clock
from services.chassis.errors import Unavailable
from services.chassis.loops import Wake
from services.chassis.store import Store
from services.chassis.tenancy import ALL_TENANTS
from services.connector.store import ConnectorWork

DROPPED = Counter("tandem_connector_hints_dropped", "Hints that had no room")

WAITING_MAX: Final = 10_000
BATCH_MAX: Final = 500
GATHER_S: Final = 0.2
"""How long hints gather for a statement; what comes after a quiet time goes at once."""
LOOK_AGAIN_S: Final = 1.0

Key: TypeAlias = tuple[TenantId, AccountId]


class Hints:
    """The accounts that wait to be made due, and those that rest from it."""

    def __init__(
        self,
        store: Store[ConnectorWork],
        *,
        reading: Wake,
        every_s: float,
        writing_s: float,
        clock: Clock,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        self._store = store
        self._reading = reading
        self._every_s = every_s
        self._writing_s = max(every_s, writing_s)
        self._clock = clock
        self._waiting_max = waiting_max
        self._waiting: dict[Key, None] = {}
        self._rested_s: dict[Key, float] = {}
        """When each account that was made due lately may be so again."""
        self._later_s: dict[Key, float] = {}
        """When each account waits once more."""
        self._gathered_s = 0.0
        self._wake = Wake()

    def __len__(self) -> int:
        """Return how many accounts wait."""
        return len(self._waiting)

    def add(self, key: Key, *, shown_after_s: float = 0.0) -> None:
        """Have an account read soon.

        Args:
            shown_after_s: After how long it is read once more, because what was told
                may not be listed yet; counted from when it was last told of.
        """
        if shown_after_s and (
            key in self._later_s or len(self._later_s) < self._waiting_max
        ):
            self._later_s[key] = self._clock.monotonic() + shown_after_s
        self._wait(key)

    def _wait(self, key: Key) -> None:
        if key in self._waiting:
            return
        if len(self._waiting) >= self._waiting_max:
            DROPPED.inc()
            return
        self._waiting[key] = None
        self._wake.ring()

    async def run(self, stopping: asyncio.Event) -> None:
        """Make accounts due until told to stop."""
        await loops.forever(
            "hints",
            self.make_due,
            clock=self._clock,
            stopping=stopping,
            idle_s=min(LOOK_AGAIN_S, self._every_s),
            wake=self._wake,
        )

    async def make_due(self) -> bool:
        """Make a batch of accounts due; True if there may be more."""
        await self._gather()
        now_s = self._clock.monotonic()
        self._end_rests(now_s)
        self._come_back(now_s)
        ready = (key for key in self._waiting if key not in self._rested_s)
        batch = list(itertools.islice(ready, BATCH_MAX))
        if not batch:
            return False
        # First of all: what is told from here on is told anew.
        for key in batch:
            del self._waiting[key]
        try:
            async with self._store.transaction(ALL_TENANTS) as work:
                writing = await work.make_due_after_push(batch)
        except Unavailable:
            self._waiting = dict.fromkeys(batch) | self._waiting
            raise
        # Apps tell of our own writes, too: to read after each would cost more calls
        # than they do.
        self._rested_s |= dict.fromkeys(batch, now_s + self._every_s)
        self._rested_s |= dict.fromkeys(writing, now_s + self._writing_s)
        self._reading.ring()
        return len(batch) == BATCH_MAX

    async def _gather(self) -> None:
        now_s = self._clock.monotonic()
        if now_s < self._gathered_s:
            await self._clock.sleep(self._gathered_s - now_s)
        self._gathered_s = self._clock.monotonic() + GATHER_S

    def _come_back(self, now_s: float) -> None:
        for key in [key for key, at_s in self._later_s.items() if at_s <= now_s]:
            del self._later_s[key]
            self._wait(key)

    def _end_rests(self, now_s: float) -> None:
        for key in [key for key, at_s in self._rested_s.items() if at_s <= now_s]:
            del self._rested_s[key]
