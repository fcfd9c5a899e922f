"""Virtual time passes only when nothing else is left, and lives end as a whole."""

import asyncio
import datetime

import pytest

from tests.fakes import loop
from tests.fakes.loop import Endless, Life, Stuck, VirtualClock

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def run(coroutine, **options):
    return loop.run(coroutine, start=START, **options)


def test_waiting_a_year_takes_no_time():
    async def wait():
        clock = VirtualClock(loop.running())
        await clock.sleep(365 * 86_400.0)
        return clock.now(), clock.monotonic()

    now, monotonic_s = run(wait())
    assert now == START + datetime.timedelta(days=365)
    assert monotonic_s == 365 * 86_400.0


def test_timers_end_in_the_order_of_their_times():
    ended = []

    async def wait(seconds):
        await asyncio.sleep(seconds)
        ended.append((seconds, loop.running().time()))

    async def all_of_them():
        await asyncio.gather(*(wait(s) for s in (3.0, 1.0, 2.0, 1.0)))

    run(all_of_them())
    assert ended == [(1.0, 1.0), (1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]


def test_a_timeout_is_one_in_virtual_time():
    async def wait():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5.0):
                await asyncio.Event().wait()
        return loop.running().time()

    assert run(wait()) == 5.0


def test_work_takes_no_time():
    async def work():
        for _ in range(1_000):
            await asyncio.sleep(0)
        return loop.running().time()

    assert run(work()) == 0.0


def test_a_clock_may_be_ahead_and_measures_as_the_others():
    async def look():
        clock = VirtualClock(loop.running(), ahead_s=-30.0)
        return clock.now(), clock.monotonic()

    assert run(look()) == (START - datetime.timedelta(seconds=30), 0.0)


def test_waiting_for_nobody_is_an_error():
    async def wait():
        await asyncio.Event().wait()

    with pytest.raises(Stuck):
        run(wait())


def test_spinning_is_an_error():
    async def spin():
        while True:
            await asyncio.sleep(0)

    with pytest.raises(Endless):
        run(spin())


def test_too_many_steps_are_an_error():
    async def tick():
        while True:
            await asyncio.sleep(1.0)

    with pytest.raises(Endless):
        run(tick(), steps_max=100)


def test_a_thread_is_refused():
    async def work():
        await asyncio.to_thread(print)

    with pytest.raises(AssertionError, match="thread"):
        run(work())


def test_a_life_ends_with_all_that_it_started():
    """Its clean-up runs, and what others started goes on."""
    told = []

    async def work(name):
        try:
            await asyncio.sleep(1.0)
            told.append(f"{name} done")
        finally:
            told.append(f"{name} gone")

    async def parent():
        children = [asyncio.create_task(work(name)) for name in ("first", "second")]
        await asyncio.gather(*children)

    async def kill():
        life = Life("one")
        other = asyncio.create_task(work("other"))
        life.start(parent())
        await asyncio.sleep(0.5)
        life.end()
        await life.ended()
        told.append(loop.running().time())
        await other

    run(kill())
    assert told == ["first gone", "second gone", 0.5, "other done", "other gone"]


def test_nothing_starts_in_a_life_that_is_over():
    async def start():
        life = Life("one")
        life.end()
        late = life.start(asyncio.sleep(1.0))
        with pytest.raises(asyncio.CancelledError):
            await late
        return loop.running().time()

    assert run(start()) == 0.0


def test_a_life_forgets_tasks_that_have_ended():
    async def work():
        life = Life("one")
        for _ in range(1_000):
            await life.start(asyncio.sleep(0))
        return len(life._tasks)

    assert run(work()) <= 64


def test_a_set_of_tasks_has_one_order():
    """Tasks are cancelled in the order of a set by asyncio itself."""

    async def end_a_group():
        told = []

        async def wait(number):
            try:
                await asyncio.Event().wait()
            finally:
                told.append(number)

        async def wait_for_all():
            async with asyncio.timeout(1.0), asyncio.TaskGroup() as group:
                for number in range(50):
                    group.create_task(wait(number))

        with pytest.raises(TimeoutError):
            await wait_for_all()
        return told

    assert run(end_a_group()) == list(range(50))


def test_what_a_callback_raises_is_not_lost():
    async def wait():
        asyncio.get_running_loop().call_soon([].pop)
        await asyncio.sleep(1.0)

    with pytest.raises(IndexError):
        run(wait())


def test_who_stands_still_goes_on_later_in_the_same_order():
    """Others go on meanwhile, and what is stalled already stays so no longer."""
    told = []

    async def tell(name, *moments):
        for moment in moments:
            await asyncio.sleep(moment - asyncio.get_running_loop().time())
            told.append((name, moment, asyncio.get_running_loop().time()))

    async def work():
        one, two = Life("one"), Life("two")
        tasks = [one.start(tell("a", 1.0, 3.0, 20.0)), one.start(tell("b", 2.0))]
        tasks.append(two.start(tell("c", 2.5)))
        await asyncio.sleep(1.5)
        asyncio.get_running_loop().stall(one, for_s=10.0)
        asyncio.get_running_loop().stall(one, for_s=99.0)
        await asyncio.gather(*tasks)

    run(work())
    assert told == [
        ("a", 1.0, 1.0),
        ("c", 2.5, 2.5),
        ("b", 2.0, 11.5),
        ("a", 3.0, 11.5),
        ("a", 20.0, 20.0),
    ]


def test_who_is_ended_while_standing_still_is_gone_once_that_is_over():
    async def work():
        life = Life("one")
        task = life.start(asyncio.sleep(1.0))
        await asyncio.sleep(0.5)
        asyncio.get_running_loop().stall(life, for_s=10.0)
        life.end()
        await life.ended()
        return task.cancelled(), asyncio.get_running_loop().time()

    assert run(work()) == (True, 10.5)
