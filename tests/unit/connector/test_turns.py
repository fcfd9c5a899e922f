"""Turns end in order, however early they are told to."""

import asyncio
import contextlib
import datetime

import pytest

from proto.ids import AccountId, AppId, TenantId
from services.connector.accounts import AccountRef, Claim
from services.connector.pacing import Budget
from services.connector.turns import Leases, Turns
from tests.fakes import loop
from tests.fakes.loop import Life, VirtualClock

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class FakeLeases:
    """One account that is due, once."""

    def __init__(self) -> None:
        ref = AccountRef(TenantId("tnt_1"), AccountId("acct_1"), AppId("app"))
        self.due = [Claim(ref, 1, None, 0)]
        self.released: list[Claim] = []

    async def claim(self, **_how: object) -> list[Claim]:
        claimed, self.due = self.due, []
        return claimed

    async def join(self, _claim: Claim) -> bool:
        return True

    async def release(self, claim: Claim) -> None:
        self.released.append(claim)


class CountingWork:
    """A transaction that counts calls, and takes a moment to commit."""

    def __init__(self, due: Claim, *, is_free: bool = True) -> None:
        self.due = due
        self.is_free = is_free
        self.counted = 0

    @contextlib.asynccontextmanager
    async def transaction(self, _scope):
        yield self
        await asyncio.sleep(0.1)

    async def claim(self, **_how: object) -> list[Claim]:
        return [self.due]

    async def claim_one(self, _ref: AccountRef, **_how: object) -> Claim | None:
        return self.due if self.is_free else None

    async def add_calls(self, calls: list[int]) -> None:
        self.counted += sum(calls)

    async def renew(self, claims: list[Claim], **_how: object) -> set[object]:
        return {(each.ref.tenant_id, each.ref.account_id) for each in claims}

    async def release(self, claim: Claim, **_how: object) -> None:
        """Nobody asks for it any more."""


class CountingTransport:
    """Calls that are made, and how many of them are not stored yet."""

    def __init__(self) -> None:
        self.unsaved = 0
        self.lines = self

    def call(self) -> None:
        self.unsaved += 1

    def budget_of(self, _ref: AccountRef) -> Budget:
        return Budget(calls_per_second=1, calls_per_day=None)

    async def limited_by(self, _ref: AccountRef) -> str:
        return ""

    def unsaved_shared(self) -> list[int]:
        return []

    def unsaved_calls(self) -> list[int]:
        return [self.unsaved] if self.unsaved else []

    def note_saved(self, calls: list[int]) -> None:
        self.unsaved = max(0, self.unsaved - sum(calls))


def test_a_call_is_counted_once_when_a_lease_is_renewed_and_given_back_at_once():
    """Both had read the same calls as unsaved: they were added twice.

    The call made before the second had noted its own as saved was then never counted.
    """

    async def count() -> int:
        ref = AccountRef(TenantId("tnt_1"), AccountId("acct_1"), AppId("app"))
        work, transport = CountingWork(Claim(ref, 1, None, 0)), CountingTransport()
        leases = Leases(
            work,
            transport,
            owner="one",
            lease_s=30.0,
            clock=VirtualClock(loop.running()),
        )
        [claim] = await leases.claim(is_writing=False, busy=[], limit=1)
        for _ in range(3):
            transport.call()
        asyncio.get_running_loop().call_later(0.05, transport.call)
        await asyncio.gather(leases.renew(), leases.release(claim))
        return work.counted + transport.unsaved

    assert loop.run(count(), start=START) == 4


@pytest.mark.parametrize("is_free", [True, False])
def test_an_account_is_borrowed_for_a_few_calls_and_given_back(is_free):
    """Calls besides its turns are counted with them, or not made (I10)."""

    async def borrow() -> list[bool]:
        ref = AccountRef(TenantId("tnt_1"), AccountId("acct_1"), AppId("app"))
        claim = Claim(ref, 1, None, 0)
        leases = Leases(
            CountingWork(claim, is_free=is_free),
            CountingTransport(),
            owner="one",
            lease_s=30.0,
            clock=VirtualClock(loop.running()),
        )
        async with leases.borrowed(ref) as is_ours:
            said = [is_ours, leases.is_ours(claim)]
        return [*said, leases.is_ours(claim)]

    assert loop.run(borrow(), start=START) == [is_free, is_free, False]


@pytest.mark.parametrize(("lease_s", "ours_s"), [(30.0, 20.0), (3.0, 2.0)])
def test_a_lease_is_not_relied_on_while_another_clock_may_say_that_it_is_over(
    lease_s, ours_s
):
    """Two replicas called for one account in its last seconds (I10)."""

    async def hold() -> list[bool]:
        ref = AccountRef(TenantId("tnt_1"), AccountId("acct_1"), AppId("app"))
        claim = Claim(ref, 1, None, 0)
        clock = VirtualClock(loop.running())
        leases = Leases(
            CountingWork(claim),
            CountingTransport(),
            owner="one",
            lease_s=lease_s,
            clock=clock,
        )
        began_s = clock.monotonic()
        await leases.claim(is_writing=False, busy=[], limit=1)
        said = []
        for after_s in (ours_s - 0.1, ours_s + 0.1):
            await clock.sleep(began_s + after_s - clock.monotonic())
            said.append(leases.is_ours(claim))
        return said

    assert loop.run(hold(), start=START) == [True, False]


@pytest.mark.parametrize("steps", range(8))
def test_turns_come_to_an_end_when_everything_is_cancelled(steps):
    """A turn that was cancelled before its first step was waited for without end.

    Nothing but the end of a whole process cancels a turn itself so early.
    """

    async def cut():
        async def turn(_claim: Claim) -> None:
            await asyncio.sleep(1.0)

        turns = Turns(
            "reader",
            turn,
            is_writing=False,
            leases=FakeLeases(),
            at_once_max=1,
            idle_s=1.0,
            clock=VirtualClock(loop.running()),
        )
        life = Life("connector")
        running = life.start(turns.run(asyncio.Event()))
        for _ in range(steps):
            await asyncio.sleep(0)
        life.end()
        with pytest.raises(asyncio.CancelledError):
            await running

    loop.run(cut(), start=START)
