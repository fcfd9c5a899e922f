"""Turns end in order, however early they are told to."""

import asyncio
import datetime

import pytest

from proto.ids import AccountId, AppId, TenantId
from services.connector.accounts import AccountRef, Claim
from services.connector.turns import Turns
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

    async def release(self, claim: Claim) -> None:
        self.released.append(claim)


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
