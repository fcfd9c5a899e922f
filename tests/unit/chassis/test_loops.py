"""A loop works while there is work, and an idle one waits for three things at once."""

import asyncio
import datetime
import itertools

import pytest

from services.chassis import loops
from services.chassis.errors import BusUnavailable
from services.chassis.loops import Wake
from tests.fakes import loop
from tests.fakes.loop import VirtualClock

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


class Work:
    """Steps that a test prepares, and when each was taken."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.at_s = []
        self.wake = Wake()
        self.stopping = asyncio.Event()

    async def step(self):
        self.at_s.append(loop.running().time())
        await asyncio.sleep(0)
        outcome = self.outcomes.pop(0) if self.outcomes else False
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def start(self, *, idle_s=10.0):
        return asyncio.create_task(
            loops.forever(
                "work",
                self.step,
                clock=VirtualClock(loop.running()),
                stopping=self.stopping,
                idle_s=idle_s,
                wake=self.wake,
            )
        )


def run(coroutine):
    return loop.run(coroutine, start=START)


def test_steps_follow_each_other_while_there_is_work():
    async def work():
        found = Work(True, True, False)
        found.start()
        await asyncio.sleep(25.0)
        assert found.at_s == [0.0, 0.0, 0.0, 10.0, 20.0]

    run(work())


def test_the_bell_ends_an_idle_wait():
    async def work():
        found = Work()
        found.start()
        await asyncio.sleep(3.0)
        found.wake.ring()
        found.wake.ring()
        await asyncio.sleep(3.0)
        assert found.at_s == [0.0, 3.0]

    run(work())


def test_a_bell_that_rang_during_a_step_is_not_forgotten():
    async def work():
        found = Work()
        found.start()
        found.wake.ring()
        await asyncio.sleep(3.0)
        assert found.at_s == [0.0, 0.0]

    run(work())


@pytest.mark.parametrize("outcome", [False, True])
def test_the_stop_ends_an_idle_wait_and_a_busy_loop(outcome):
    async def work():
        found = Work(*[outcome] * 1_000)
        task = found.start()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        found.stopping.set()
        await task
        assert len(found.at_s) < 10
        assert loop.running().time() == 0.0

    run(work())


def test_a_stop_before_the_start_takes_no_step():
    async def work():
        found = Work()
        found.stopping.set()
        await found.start()
        assert found.at_s == []

    run(work())


def test_nothing_is_left_behind_when_a_loop_is_cancelled():
    async def work():
        found = Work()
        task = found.start()
        await asyncio.sleep(3.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(work())


@pytest.mark.parametrize("error", [BusUnavailable("away"), ValueError("a fault")])
def test_a_failed_step_is_taken_again_ever_later(error):
    async def work():
        found = Work(*[error] * 8)
        found.start()
        await asyncio.sleep(30.0)
        waits = [round(b - a, 6) for a, b in itertools.pairwise(found.at_s)]
        assert 0.1 <= waits[0] <= 0.2
        assert all(2.5 <= wait <= 5.0 for wait in waits[5:8])
        assert waits[8:] == pytest.approx([10.0] * len(waits[8:]))

    run(work())
