"""Where the calls of an account wait for their turn, and what is known of it here.

One line an account and process: its budget, its places, its app. Where a vendor counts
by client, all lines of a client share one more budget, and take turns in it. What is
called, and what comes of it, is the transport's business.
"""

import asyncio
import contextlib
import datetime
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Final

from proto.auth import Token
from services.chassis.clock import Clock
from services.connector import pacing
from services.connector.accounts import AccountRef, CallCount, SharedCount
from services.connector.config import Config
from services.connector.errors import CallFailed, Meaning
from services.connector.manifest import CountedBy, Manifest
from services.connector.pacing import Budget, Lane
from services.connector.port import App, Facts
from services.connector.registry import Registry

GATE_S_MAX: Final = 120.0
LINES_MAX: Final = 10_000


class Line:
    """What this process keeps of an account it calls."""

    def __init__(
        self,
        ref: AccountRef,
        budget: Budget,
        *,
        calls_at_once: int,
        writes_at_once: int | None = None,
    ) -> None:
        self._ref = ref
        self.budget = budget
        """What is the account's alone; without a limit that it shares, all of it."""
        self.shared: Budget | None = None
        self.limited_by = ""
        """Whose calls a shared limit counts; empty where there is none."""
        self._places = asyncio.Semaphore(calls_at_once)
        self._write_places = asyncio.Semaphore(writes_at_once or calls_at_once)
        self.app: App | None = None
        self.facts: Facts | None = None
        self.app_until_s = 0.0
        self.write_s = 0.0
        """How long a write of the account took lately."""
        self.accepted_at: datetime.datetime | None = None
        """When the app last accepted a call; auth weighs a refusal by it."""

    @property
    def limiting(self) -> Budget:
        """Return what the vendor's limits are kept by."""
        return self.shared or self.budget

    @contextlib.asynccontextmanager
    async def place(self, *, is_write: bool) -> AsyncIterator[None]:
        """Have a call among those that are under way; wait until there is room."""
        async with contextlib.AsyncExitStack() as held:
            if is_write:
                await held.enter_async_context(self._write_places)
            await held.enter_async_context(self._places)
            yield

    @contextlib.contextmanager
    def waiting(self, lane: Lane, *, now_s: float) -> Iterator[None]:
        """Count a call among those that wait for their turn."""
        limiting = self.limiting
        limiting.enter(lane, now_s=now_s, who=self._ref)
        try:
            yield
        finally:
            limiting.leave(lane, who=self._ref)

    def take_turn(self, lane: Lane, *, clock: Clock, give_up_s: float) -> float:
        """Return 0 if it is the call's turn, else the seconds until it may be.

        It does not wait: who takes a turn has all that the call needs in hand, or
        calls that took theirs one by one leave together (I10).

        Raises:
            CallFailed: The day's calls are spent, or the turn is too far off.
        """
        now, now_s = clock.now(), clock.monotonic()
        if not self.limiting.has_quota(lane, today=now.date()):
            raise CallFailed(
                Meaning.QUOTA_EXHAUSTED,
                "the day's calls are spent",
                retry_after_s=pacing.seconds_to_midnight(now),
            )
        # A pause of this account alone keeps no other one waiting.
        delay_s = self.budget.pause_s(now_s=now_s) or self.limiting.take(
            lane, now_s=now_s, who=self._ref
        )
        if not delay_s and self.shared is not None:
            self.budget.turn_day(now.date())
            self.budget.count()
        if delay_s > 0 and now_s + delay_s > give_up_s:
            raise CallFailed(
                Meaning.RATE_LIMITED, "no turn in time", retry_after_s=delay_s
            )
        return delay_s


class Lines:
    """The lines of the accounts that this process calls for."""

    def __init__(self, registry: Registry, settings: Config) -> None:
        self._registry = registry
        self._settings = settings
        self._lines: OrderedDict[AccountRef, Line] = OrderedDict()
        self._shared: OrderedDict[str, Budget] = OrderedDict()

    def of(self, ref: AccountRef) -> Line:
        """Return the line of an account."""
        line = self._lines.get(ref)
        if line is None:
            manifest = self._registry.entry(ref.app).manifest
            line = self._lines[ref] = Line(
                ref,
                self._new_budget(manifest),
                calls_at_once=self.calls_at_once(manifest),
                writes_at_once=manifest.limits.concurrent_writes,
            )
            if len(self._lines) > LINES_MAX:
                self._lines.popitem(last=False)
        return line

    def share_limit(self, ref: AccountRef, token: Token) -> str:
        """Count an account's calls with those of its token's client, where apps do.

        Returns:
            Whose calls are counted together; empty: the account's alone.
        """
        manifest, line = self._registry.entry(ref.app).manifest, self.of(ref)
        if manifest.limits.counted_by is not CountedBy.CLIENT or not token.limited_by:
            line.limited_by, line.shared = "", None
            return ""
        line.limited_by = f"{ref.app}/{token.limited_by}"
        line.shared = self._shared.get(line.limited_by) or self._new_budget(manifest)
        self._shared[line.limited_by] = line.shared
        self._shared.move_to_end(line.limited_by)
        if len(self._shared) > LINES_MAX:
            self._shared.popitem(last=False)
        return line.limited_by

    def set_stored(self, calls: SharedCount) -> None:
        """Take over how many calls of a day are stored that are counted together."""
        if budget := self._shared.get(calls.limited_by):
            budget.set_stored(day=calls.day, count=calls.calls)

    def unsaved_shared(self) -> list[SharedCount]:
        """Return the calls counted together that are not in the database yet."""
        found = []
        for limited_by, budget in self._shared.items():
            day, count = budget.unsaved
            if day is not None and count:
                found.append(SharedCount(limited_by, day, count))
        return found

    def note_shared_saved(self, calls: Iterable[SharedCount]) -> None:
        """Note that calls counted together are in the database now."""
        for limited_by, day, made in calls:
            if budget := self._shared.get(limited_by):
                budget.note_saved(day=day, count=made)

    def unsaved_calls(self) -> list[CallCount]:
        """Return the calls that are not counted in the database yet."""
        found = []
        for ref, line in self._lines.items():
            day, count = line.budget.unsaved
            if day is not None and count:
                found.append(CallCount(ref, day, count))
        return found

    def note_saved(self, calls: Iterable[CallCount]) -> None:
        """Note that calls are counted in the database now."""
        for ref, day, made in calls:
            self.of(ref).budget.note_saved(day=day, count=made)

    def chunk_room(self, ref: AccountRef) -> float:
        """Return how many writes an account has time for at once."""
        manifest = self._registry.entry(ref.app).manifest
        return pacing.chunk_room(
            manifest.limits,
            calls_per_second_max=self._settings.calls_per_second_max,
            capabilities=manifest.capabilities,
            write_s=self.of(ref).write_s,
        )

    def note_chunk(
        self, ref: AccountRef, *, cost: float, is_full: bool, took_s: float
    ) -> None:
        """Note how long a chunk of writes took, for the size of the next."""
        line = self.of(ref)
        line.write_s = pacing.write_s_after(
            line.write_s, cost=cost, is_full=is_full, took_s=took_s
        )

    def spacing_s(self, manifest: Manifest) -> float:
        """Return how long one call of an account keeps the next one waiting."""
        return pacing.spacing_s(
            manifest.limits, calls_per_second_max=self._settings.calls_per_second_max
        )

    def calls_at_once(self, manifest: Manifest) -> int:
        """Return how many calls of one account may be under way."""
        return max(
            1, self._settings.concurrent_calls_max or manifest.limits.concurrent_calls
        )

    def _new_budget(self, manifest: Manifest) -> Budget:
        return pacing.budget_of(
            manifest.limits, calls_per_second_max=self._settings.calls_per_second_max
        )
