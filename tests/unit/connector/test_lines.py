"""Of an account's calls as many are under way as its app's manifest allows."""

import asyncio

import pytest

from proto.ids import AccountId, AppId, TenantId
from services.connector.accounts import AccountRef
from services.connector.lines import Line
from services.connector.pacing import Budget

REF = AccountRef(TenantId("tnt_1"), AccountId("acct_1"), AppId("sample"))
STEPS = 5
"""So often a call lets others go on before it ends."""


async def most_at_once(line: Line, *kinds: bool) -> tuple[int, int]:
    """Make calls, of which some write; return the most at once, and the most writes."""
    running: list[bool] = []
    most = most_writes = 0

    async def call(is_write: bool) -> None:
        nonlocal most, most_writes
        async with line.place(is_write=is_write):
            running.append(is_write)
            most, most_writes = max(most, len(running)), max(most_writes, sum(running))
            for _ in range(STEPS):
                await asyncio.sleep(0)
            running.remove(is_write)

    await asyncio.gather(*map(call, kinds))
    return most, most_writes


@pytest.mark.parametrize(
    ("writes_at_once", "expected"), [(None, (3, 3)), (1, (3, 1)), (2, (3, 2))]
)
async def test_writes_are_under_way_as_many_as_are_allowed(writes_at_once, expected):
    """And reads do not wait for writes that wait."""
    budget = Budget(calls_per_second=0, calls_per_day=None)
    line = Line(REF, budget, calls_at_once=3, writes_at_once=writes_at_once)
    assert await most_at_once(line, *[True] * 6, *[False] * 6) == expected


async def test_more_writes_than_calls_are_never_under_way():
    budget = Budget(calls_per_second=0, calls_per_day=None)
    line = Line(REF, budget, calls_at_once=2, writes_at_once=5)
    assert await most_at_once(line, *[True] * 6) == (2, 2)


async def test_a_write_that_is_given_up_while_it_waits_keeps_no_place():
    """It has its place among the writes already, and waits for one among the calls."""
    budget = Budget(calls_per_second=0, calls_per_day=None)
    line = Line(REF, budget, calls_at_once=1, writes_at_once=1)

    async def write() -> None:
        async with line.place(is_write=True):
            pass

    async with line.place(is_write=False):
        waiting = [asyncio.create_task(write()) for _ in range(3)]
        await asyncio.sleep(0)
        for each in waiting[:2]:
            each.cancel()
        await asyncio.sleep(0)
        assert [each.done() for each in waiting] == [True, True, False]
    async with asyncio.timeout(1.0):
        await waiting[2]
    assert await most_at_once(line, True, False) == (1, 1)
