"""Turns of accounts, several at once, each under a lease.

Reading and writing of one account share one lease, so that a single replica calls it
and its pace holds. A lease that ran out is taken over by another replica with a
higher version, which fences off whatever its last holder still wants to store.
"""

import asyncio
import contextlib
import datetime
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import structlog

from services.chassis import loops
from services.chassis.clock import Clock
from services.chassis.errors import Unavailable
from services.chassis.loops import Wake
from services.chassis.store import Store
from services.chassis.tenancy import ALL_TENANTS
from services.connector import kept
from services.connector.accounts import AccountRef, Claim
from services.connector.errors import Fenced
from services.connector.sharing import SharedLimits
from services.connector.store import ConnectorWork
from services.connector.transport import Transport

log = structlog.get_logger()

AFTER_FAULT_S: Final = 5.0
"""How long an account rests whose turn ended in a fault of ours."""
SKEW_S: Final = 10.0
"""How far the clocks of two replicas differ, each five seconds off: each tells by its
own when a lease ends."""
RENEWALS: Final = 3
"""Times that a lease is renewed before it could run out."""


class _Held:
    def __init__(self, claim: Claim, until_s: float) -> None:
        self.claim = claim
        self.until_s = until_s
        self.users = 1
        self.limited_by = ""
        """The shared limit that is held along with it."""


class Leases:
    """The accounts that this process holds.

    It stops to call for one before its lease ends: as much before as clocks differ, but
    never by more than one renewal, so that a single one may fail.
    """

    def __init__(
        self,
        store: Store[ConnectorWork],
        transport: Transport,
        *,
        owner: str,
        lease_s: float,
        clock: Clock,
    ) -> None:
        self._store = store
        self._transport = transport
        self._owner = owner
        self._lease_s = lease_s
        # To whoever's clock is ahead of ours a lease ends before it does to us.
        self._ours_s = lease_s - min(SKEW_S, lease_s / RENEWALS)
        self._clock = clock
        self._held: dict[AccountRef, _Held] = {}
        self._limits = SharedLimits(transport, owner=owner, clock=clock)
        # What the database holds and what we remember of it change together: a lease
        # that is claimed while it is being given back would be lost unnoticed, and
        # calls that two read as unsaved would be added twice.
        self._changing = asyncio.Lock()

    async def run(self, stopping: asyncio.Event) -> None:
        """Renew what is held, and count calls, until told to stop."""
        await loops.forever(
            "leases",
            self.renew,
            clock=self._clock,
            stopping=stopping,
            idle_s=self._lease_s / RENEWALS,
        )

    async def claim(
        self, *, is_writing: bool, busy: list[AccountRef], limit: int
    ) -> list[Claim]:
        """Lease accounts with something to be done."""
        async with self._changing:
            return await self._claim(is_writing=is_writing, busy=busy, limit=limit)

    async def _claim(
        self, *, is_writing: bool, busy: list[AccountRef], limit: int
    ) -> list[Claim]:
        started_s = self._clock.monotonic()
        async with self._store.transaction(ALL_TENANTS) as work:
            claims = await work.claim(
                is_writing=is_writing,
                owner=self._owner,
                until=self._until(),
                busy=busy,
                limit=limit,
            )
        for claim in claims:
            self._take(claim, until_s=started_s + self._ours_s)
        return claims

    @contextlib.asynccontextmanager
    async def borrowed(self, ref: AccountRef) -> AsyncIterator[bool]:
        """Lease an account for a few calls besides its turns.

        False where another replica has it, which knows nothing of calls made here.
        """
        claim = await self._borrow(ref)
        if claim is None:
            yield False
            return
        try:
            yield await self.join(claim)
        finally:
            await self.release(claim)

    async def join(self, claim: Claim) -> bool:
        """Lease the limit that a leased account shares with others, if it does.

        False where another replica has it: that one calls for all of them.
        """
        limited_by = await self._transport.limited_by(claim.ref)
        if limited_by is None:
            limited_by = claim.limited_by
        if not limited_by and not claim.limited_by:
            return True
        async with self._changing:
            held = self._held.get(claim.ref)
            if held is None or held.claim.version != claim.version:
                return False
            until_s = self._clock.monotonic() + self._ours_s
            async with self._store.transaction(ALL_TENANTS) as work:
                is_ours = await self._limits.hold(
                    work,
                    claim,
                    limited_by=limited_by,
                    until=self._until(),
                    until_s=until_s,
                )
            if is_ours:
                held.limited_by = limited_by
            return is_ours

    async def _borrow(self, ref: AccountRef) -> Claim | None:
        async with self._changing:
            started_s = self._clock.monotonic()
            async with self._store.transaction(ref.tenant_id) as work:
                claim = await work.claim_one(
                    ref, owner=self._owner, until=self._until()
                )
            if claim is not None:
                self._take(claim, until_s=started_s + self._ours_s)
            return claim

    def is_ours(self, claim: Claim) -> bool:
        """Tell whether a claim still holds, as far as can be told from here."""
        held = self._held.get(claim.ref)
        return (
            held is not None
            and held.claim.version == claim.version
            and self._clock.monotonic() < held.until_s
            and self._limits.is_ours(held.limited_by)
        )

    async def release(self, claim: Claim) -> None:
        """Give an account back when nobody here works on it any more."""
        async with self._changing:
            await self._release(claim)

    async def _release(self, claim: Claim) -> None:
        held = self._held.get(claim.ref)
        if held is None or held.claim.version != claim.version:
            return
        held.users -= 1
        if held.users:
            return
        del self._held[claim.ref]
        calls = self._transport.lines.unsaved_calls()
        needed = {other.limited_by for other in self._held.values()}
        async with self._store.transaction(ALL_TENANTS) as work:
            # The next holder must find every call counted.
            if calls:
                await work.add_calls(calls)
            until = self._free_from(claim.ref)
            await work.release(claim, owner=self._owner, until=until)
            await self._limits.save_calls(work)
            if held.limited_by and held.limited_by not in needed:
                await self._limits.release(work, held.limited_by, until=until)
        self._transport.lines.note_saved(calls)

    async def renew(self) -> bool:
        """Keep everything that is held for another while."""
        async with self._changing:
            await self._save_calls()
            await self._renew()
        return False

    async def prune(self) -> bool:
        """Drop limits that nobody has used for long; there are a few."""
        async with self._store.transaction(ALL_TENANTS) as work:
            await work.prune_limits(before=self._clock.now() - kept.LIMITS)
        return False

    async def _renew(self) -> None:
        claims = [held.claim for held in self._held.values()]
        if not claims:
            return
        started_s = self._clock.monotonic()
        async with self._store.transaction(ALL_TENANTS) as work:
            until = self._until()
            ours = await work.renew(claims, owner=self._owner, until=until)
            await self._limits.renew(
                work, until=until, until_s=started_s + self._ours_s
            )
        for claim in claims:
            held = self._held.get(claim.ref)
            if held is None or held.claim.version != claim.version:
                continue
            is_ours = (claim.ref.tenant_id, claim.ref.account_id) in ours
            held.until_s = started_s + self._ours_s if is_ours else 0.0

    async def _save_calls(self) -> None:
        """Add the calls made since the last time to the stored counts."""
        calls = self._transport.lines.unsaved_calls()
        if calls or self._transport.lines.unsaved_shared():
            async with self._store.transaction(ALL_TENANTS) as work:
                if calls:
                    await work.add_calls(calls)
                await self._limits.save_calls(work)
            self._transport.lines.note_saved(calls)

    def _take(self, claim: Claim, *, until_s: float) -> None:
        self._hold(claim, until_s=until_s)
        if claim.calls_day is not None:
            budget = self._transport.budget_of(claim.ref)
            budget.set_stored(day=claim.calls_day, count=claim.calls_today)

    def _hold(self, claim: Claim, *, until_s: float) -> None:
        held = self._held.get(claim.ref)
        if held is not None and held.claim.version == claim.version:
            held.users += 1
            held.until_s = until_s
        else:
            # A newer version: whoever here held the older one is fenced off.
            self._held[claim.ref] = _Held(claim, until_s)

    def _free_from(self, ref: AccountRef) -> datetime.datetime:
        """Return from when on another replica may have an account, by its own clock.

        It would not know of the calls just made, and come on top (I10). Nor may its
        clock be behind ours: what it reads would seem older than what we have read
        (hazard 19).
        """
        budget = self._transport.budget_of(ref)
        rest_s = budget.rest_s(now_s=self._clock.monotonic())
        return self._in_seconds(rest_s + SKEW_S if rest_s > 0 else 0.0)

    def _until(self) -> datetime.datetime:
        return self._in_seconds(self._lease_s)

    def _in_seconds(self, seconds: float) -> datetime.datetime:
        return self._clock.now() + datetime.timedelta(seconds=seconds)


Turn = Callable[[Claim], Awaitable[None]]


class Turns:
    """Gives due accounts their turns, at most so many at once."""

    def __init__(
        self,
        name: str,
        turn: Turn,
        *,
        is_writing: bool,
        leases: Leases,
        at_once_max: int,
        idle_s: float,
        clock: Clock,
    ) -> None:
        self.wake = Wake()
        self._name = name
        self._turn = turn
        self._is_writing = is_writing
        self._leases = leases
        self._at_once_max = at_once_max
        self._idle_s = idle_s
        self._clock = clock
        self._under_way: dict[AccountRef, asyncio.Task[None]] = {}

    async def run(self, stopping: asyncio.Event) -> None:
        """Give turns until told to stop, then let those under way end."""
        try:
            await loops.forever(
                self._name,
                self.start_due,
                clock=self._clock,
                stopping=stopping,
                idle_s=self._idle_s,
                wake=self.wake,
            )
            await self.settle()
        except asyncio.CancelledError:
            # The time to stop is over. Each still gives its lease back.
            for task in self._under_way.values():
                task.cancel()
            await self.settle()
            raise

    @property
    def has_room(self) -> bool:
        """Tell whether one more account could have its turn now."""
        return len(self._under_way) < self._at_once_max

    async def start_due(self) -> bool:
        """Start the turns of accounts that are due; True if there may be more."""
        if not self.has_room:
            return False
        room = self._at_once_max - len(self._under_way)
        claims = await self._leases.claim(
            is_writing=self._is_writing, busy=list(self._under_way), limit=room
        )
        for claim in claims:
            task = asyncio.create_task(self._take(claim))
            self._under_way[claim.ref] = task
            # Not in the task itself: one cancelled before its first step never runs.
            task.add_done_callback(functools.partial(self._ended, claim.ref))
        return False

    async def settle(self) -> None:
        """Wait until the turns under way have ended."""
        while self._under_way:
            await asyncio.wait(list(self._under_way.values()))

    async def _take(self, claim: Claim) -> None:
        """Run one turn to its end, whatever it runs into."""
        ref = claim.ref
        # Bound for good: a task has a context of its own, which ends with it.
        structlog.contextvars.bind_contextvars(
            tenant_id=ref.tenant_id, account_id=ref.account_id, app=ref.app
        )
        await self._guarded(claim)

    def _ended(self, ref: AccountRef, _task: asyncio.Task[None]) -> None:
        self._under_way.pop(ref, None)
        self.wake.ring()

    async def _guarded(self, claim: Claim) -> None:
        try:
            if await self._leases.join(claim):
                await self._turn(claim)
        except Fenced:
            log.warning("turn_fenced", kind=self._name, lease_version=claim.version)
        except Unavailable as err:
            log.warning("turn_cut", kind=self._name, reason=type(err).__name__)
            await self._clock.sleep(loops.BACK_OFF_S_MIN)
        except Exception:
            log.exception("turn_failed", kind=self._name)
            await self._clock.sleep(AFTER_FAULT_S)
        finally:
            await self._give_back(claim)

    async def _give_back(self, claim: Claim) -> None:
        try:
            await self._leases.release(claim)
        except Unavailable as err:
            # It runs out by itself.
            log.warning("lease_not_released", reason=type(err).__name__)
