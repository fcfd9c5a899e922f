"""Plays seeds without one guard after the other, until each is missed.

Seeds are taken block by block. The code as it is plays each block first: what goes
wrong there is no mutant's doing, and no mutant plays those seeds.
"""

import functools
import gc
import multiprocessing
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

from tests.simulation import running
from tests.simulation.features import PRESENT
from tests.simulation.mutants import (
    connector,
    engine,
    messages,
    reconciler,
    rules,
    values,
)
from tests.simulation.mutants.mutant import Mutant

MUTANTS: Final[tuple[Mutant, ...]] = (
    *connector.MUTANTS,
    *engine.MUTANTS,
    *reconciler.MUTANTS,
    *messages.MUTANTS,
    *rules.MUTANTS,
    *values.MUTANTS,
)
BLOCK: Final = 10
OF_CALLS: Final = ("I10:", "I13:")
SHOWN: Final = 90
"""How much of a violation is printed."""
_INVARIANT: Final = re.compile(r"(I\d+b?): ")
_MISTAKE: Final = re.compile(
    r"^(?:TypeError|NameError|AttributeError|ImportError|UnboundLocalError): .*",
    re.MULTILINE,
)
"""What shows that a mutant is not written well, which proves nothing."""


class Caught(NamedTuple):
    """The first violation without a guard."""

    seed: int
    invariant: str
    text: str


class Tried(NamedTuple):
    """What came of a mutant, or of none, in some seeds."""

    name: str
    played: int
    caught: Caught | None
    mistake: str = ""


def wanted(only: Collection[str] = ()) -> list[Mutant]:
    """Return the mutants whose situations a simulation has by now.

    Args:
        only: The names of those that are meant; none means all.
    """
    return [
        mutant
        for mutant in MUTANTS
        if not mutant.lacking(PRESENT) and (not only or mutant.name in only)
    ]


def clean(seeds: Sequence[int]) -> list[int]:
    """Return those of some seeds in which nothing goes wrong by itself."""
    found = [seed for seed in seeds if not running.play(seed).violations]
    gc.collect()
    return found


def try_out(name: str, seeds: Sequence[int]) -> Tried:
    """Play seeds without a guard until something goes wrong."""
    [mutant] = [each for each in MUTANTS if each.name == name]
    with mutant.applied():
        for count, seed in enumerate(seeds, start=1):
            violations = [
                each
                for each in running.play(seed).violations
                if mutant.is_of_calls or not each.startswith(OF_CALLS)
            ]
            if violations:
                gc.collect()
                mistake = _MISTAKE.search("\n".join(violations))
                if mistake is not None:
                    return Tried(name, count, None, mistake[0])
                return Tried(name, count, _caught(seed, violations))
    gc.collect()
    return Tried(name, len(seeds), None)


def hunt(seeds: range, *, workers: int, only: Collection[str] = ()) -> Iterator[Tried]:
    """Yield each mutant once it is caught, or has played all seeds, and the control.

    The control comes last, under the name ``""``: its first violation, if any, and
    how many seeds the mutants were left to play.
    """
    left = {mutant.name: 0 for mutant in wanted(only)}
    unclean: list[int] = []
    clean_count = 0
    with multiprocessing.Pool(workers, initializer=running.prepare) as pool:
        for start in range(seeds.start, seeds.stop, BLOCK):
            if not left:
                break
            block = range(start, min(start + BLOCK, seeds.stop))
            halves = [block[number::workers] for number in range(workers)]
            good = sorted(
                s for part in pool.imap_unordered(clean, halves) for s in part
            )
            unclean += sorted(set(block) - set(good))
            clean_count += len(good)
            play = functools.partial(_try_block, seeds=tuple(good))
            for tried in pool.imap_unordered(play, list(left)):
                left[tried.name] += tried.played
                if tried.caught or tried.mistake:
                    yield tried._replace(played=left.pop(tried.name))
    for name, played in left.items():
        yield Tried(name, played, None)
    first = (
        Caught(unclean[0], "", f"{len(unclean)} seeds: {unclean}") if unclean else None
    )
    yield Tried("", clean_count, first)


def report(seeds: range, *, workers: int, only: Collection[str] = ()) -> int:
    """Print what became of each mutant, or of some; return 0 if all were caught."""
    mutants = {mutant.name: mutant for mutant in MUTANTS}
    missed: list[str] = []
    for tried in hunt(seeds, workers=workers, only=only):
        if not tried.name:
            missed += _control(tried)
            continue
        mutant = mutants[tried.name]
        hazards = ",".join(str(each) for each in mutant.hazards)
        print(f"{mutant.name:30} {hazards:8} {_fate(tried)}", flush=True)
        if tried.caught is None:
            missed.append(tried.name)
    for mutant in MUTANTS:
        lacking = ", ".join(mutant.lacking(PRESENT))
        if lacking and (not only or mutant.name in only):
            print(f"{mutant.name:30} not played: nobody does {lacking} yet")
    print(f"{len(wanted(only))} mutants, not caught: {', '.join(missed) or 'none'}")
    return 1 if missed else 0


def _fate(tried: Tried) -> str:
    if tried.mistake:
        return f"badly written: {tried.mistake}"
    if tried.caught is None:
        return f"SURVIVES {tried.played} seeds"
    caught = tried.caught
    where = f"caught at seed {caught.seed}, the {tried.played}. played"
    return f"{where}: {caught.invariant:4} {caught.text[:SHOWN]}"


def _control(tried: Tried) -> list[str]:
    if tried.caught is None:
        print(f"without any mutant: {tried.played} seeds, 0 with violations")
        return []
    print(f"without any mutant wrong by itself, and left out: {tried.caught.text}")
    return ["nothing at all"]


def _try_block(name: str, *, seeds: Sequence[int]) -> Tried:
    return try_out(name, seeds)


def _caught(seed: int, violations: Sequence[str]) -> Caught:
    for violation in violations:
        # What ended the play comes first, though the judge saw the others before it.
        named = _INVARIANT.match(violation)
        if named is not None:
            return Caught(seed, named[1], violation[named.end() :].splitlines()[0])
    lines = violations[0].strip().splitlines()
    # What a service logs as an error, or what ended the play, is told in the end.
    told = [line for line in lines if ": " in line and not line.startswith("  File")]
    return Caught(seed, "log", (told or lines)[-1].strip(" |"))
