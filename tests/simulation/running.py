"""Runs simulations: one seed to its result, or many on all cores.

A process plays one seed after the other. Memory that goes in circles is never
collected within a seed, which saves a fifth of the time.
"""

import datetime
import functools
import gc
import itertools
import multiprocessing
import multiprocessing.connection
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import Final, TypeVar

import msgspec

from tests.fakes import loop
from tests.simulation import audits, complaints, scenario, situations, world
from tests.simulation.invariants.judge import Judge
from tests.simulation.playing import Play, Restless

START: Final = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
CHUNK: Final = 10
"""Jobs that a process does before another one takes its place."""
FIRST: Final = 2
"""Jobs that are done before there are processes for the others: all begin with what is
worked out once and code that has run, which saves each a thirtieth of its time."""
COMPLAINTS_SHOWN: Final = 5
J = TypeVar("J")
R = TypeVar("R")

SEED_S_MAX: Final = 60.0
"""Time of the processor; a seed takes a fifth of a second."""


class TooSlow(KeyboardInterrupt):
    """A seed takes for ever; asyncio lets nothing less through than an interrupt."""


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one seed."""

    seed: int
    violations: tuple[str, ...] = ()
    situations: tuple[str, ...] = ()
    """Which of the hazards' situations it had."""
    exempt: tuple[str, ...] = ()
    """What the hazards allow, once for each time that it came up."""
    digest: str = ""
    """A name of all that happened, where it was asked for."""
    lines: tuple[str, ...] = ()
    """The trace, where it was asked for."""
    step_count: int = 0
    virtual_s: float = 0.0
    write_count: int = 0
    crash_count: int = 0


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted of each seed besides whether it went well."""

    digest: bool = False
    lines: bool = False


def play(seed: int, *, wanted: Wanted = Wanted()) -> Played:  # noqa: B008
    """Play one seed; whatever goes wrong in it is in the result."""
    plays: list[Play] = []

    async def run() -> None:
        play = Play(scenario.draw(seed), judges())
        plays.append(play)
        await play.run()

    violations: list[str] = []
    signal.setitimer(signal.ITIMER_PROF, SEED_S_MAX)
    try:
        loop.run(run(), start=START)
    except Restless as err:
        violations.append(f"I2: {err}")
    except (Exception, TooSlow):
        violations.append(f"the simulation itself failed:\n{traceback.format_exc()}")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return result(seed, plays, violations, wanted=wanted)


def result(
    seed: int, plays: Sequence[Play], violations: list[str], *, wanted: Wanted
) -> Played:
    """Return what came of a seed, with what its judges and its services say."""
    if not plays:
        return Played(seed=seed, violations=tuple(violations))
    [played] = plays
    for judge in played.judges:
        violations += judge.violations
    logged = played.world.complaints
    violations += [f"logged as an error: {one}" for one in logged[:COMPLAINTS_SHOWN]]
    violations += audits.since(played.world.audited)
    return Played(
        seed=seed,
        violations=tuple(violations),
        situations=tuple(
            name
            # A history that is wrong tells of nothing else.
            for judge in (() if violations else played.judges)
            for name in situations.of(played, judge.truth)
        ),
        exempt=tuple(
            what
            for judge in played.judges
            for what, count in judge.truth.exempt.items()
            for _ in range(count)
        ),
        digest=played.world.trace.digest() if wanted.digest else "",
        lines=tuple(played.world.trace.lines()) if wanted.lines else (),
        step_count=played.world.loop.steps,
        virtual_s=played.world.loop.time(),
        write_count=len(played.ledger.ours()),
        crash_count=played.crashes.count,
    )


def judges() -> list[Judge]:
    """Return whoever watches one play."""
    return [Judge()]


def prepare() -> None:
    """Make this process ready to play; what is loaded by now is kept for ever."""
    complaints.configure()
    # The processes that it begins share this file: they leave without tidying up.
    world.key_ring()
    signal.signal(signal.SIGPROF, give_up)
    gc.disable()
    gc.collect()
    gc.freeze()


def many(
    seeds: Iterable[int],
    *,
    workers: int,
    wanted: Wanted = Wanted(),  # noqa: B008
) -> Iterator[Played]:
    """Play many seeds on so many processes; results come as they are ready."""
    play_one = functools.partial(play, wanted=wanted)
    yield from spread(play_one, seeds, workers=workers)


def spread(
    function: Callable[[J], R], jobs: Iterable[J], *, workers: int
) -> Iterator[R]:
    """Call a function for each job on so many processes that are ready to play."""
    prepare()
    waiting = iter(jobs)
    if workers > 1:
        yield from [function(job) for job in itertools.islice(waiting, FIRST)]
        prepare()
    chunks = _chunks(waiting)
    if workers == 1:
        for chunk in chunks:
            yield from [function(job) for job in chunk]
            gc.collect()
        return
    at_work = {_begun(function, each) for each in itertools.islice(chunks, workers)}
    while at_work:
        for connection in multiprocessing.connection.wait(at_work):
            assert isinstance(connection, Connection)
            at_work.remove(connection)
            with connection:
                results = connection.recv()
            at_work |= {_begun(function, each) for each in itertools.islice(chunks, 1)}
            yield from results


def _begun(function: Callable[[J], R], chunk: tuple[J, ...]) -> Connection:
    """Begin a process that does some jobs; what it then sends are their results.

    It ends with them and has its garbage go with it: looking through that takes a
    twentieth of the time.
    """
    receiving, sending = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(
        target=_call_all, args=(function, chunk, sending), daemon=True
    )
    with sending:
        process.start()
    return receiving


def give_up(_number: int, _frame: object) -> None:
    """End what takes for ever, as the handler of a signal."""
    raise TooSlow


def _call_all(
    function: Callable[[J], R], jobs: tuple[J, ...], sending: Connection
) -> None:
    prepare()
    sending.send([function(job) for job in jobs])


def _chunks(jobs: Iterable[J]) -> Iterator[tuple[J, ...]]:
    left = iter(jobs)
    while chunk := tuple(itertools.islice(left, CHUNK)):
        yield chunk
