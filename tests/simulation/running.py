"""Runs simulations: one seed to its result, or many on all cores.

A process plays one seed after the other. Memory that goes in circles is collected
between seeds and never within one, which saves a fifth of the time.
"""

import datetime
import gc
import itertools
import multiprocessing
import traceback
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from tests.fakes import loop
from tests.simulation import complaints, scenario
from tests.simulation.invariants.judge import Judge
from tests.simulation.playing import Play, Restless

START: Final = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
COLLECT_EVERY: Final = 20
CHUNK_SEEDS: Final = 10
COMPLAINTS_SHOWN: Final = 5


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one seed."""

    seed: int
    violations: tuple[str, ...] = ()
    situations: tuple[str, ...] = ()
    """Which of the hazards' situations it had."""
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
    try:
        loop.run(run(), start=START)
    except Restless as err:
        violations.append(f"I2: {err}")
    except Exception:
        violations.append(f"the simulation itself failed:\n{traceback.format_exc()}")
    if not plays:
        return Played(seed=seed, violations=tuple(violations))
    [played] = plays
    for judge in played.judges:
        violations += judge.violations
    logged = played.world.complaints
    violations += [f"logged as an error: {one}" for one in logged[:COMPLAINTS_SHOWN]]
    return Played(
        seed=seed,
        violations=tuple(violations),
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
    chunks = _chunks(seeds)
    if workers == 1:
        prepare()
        for chunk in chunks:
            yield from _play_chunk((chunk, wanted))
        return
    jobs = ((chunk, wanted) for chunk in chunks)
    with multiprocessing.Pool(workers, initializer=prepare) as pool:
        for results in pool.imap_unordered(_play_chunk, jobs):
            yield from results


def _play_chunk(job: tuple[tuple[int, ...], Wanted]) -> list[Played]:
    seeds, wanted = job
    found = []
    for number, seed in enumerate(seeds):
        found.append(play(seed, wanted=wanted))
        if number % COLLECT_EVERY == 0:
            gc.collect()
    return found


def _chunks(seeds: Iterable[int]) -> Iterator[tuple[int, ...]]:
    left = iter(seeds)
    while chunk := tuple(itertools.islice(left, CHUNK_SEEDS)):
        yield chunk
