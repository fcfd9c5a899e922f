"""The simulation: `python -m tests.simulation`, or `make sim`.

Plays seeds, checks the invariants, and prints each seed in which one was violated; a
seed played again goes the same way. Figures are printed last.
"""

import argparse
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from typing import Final

from tests.simulation import crash_points, quiet, running, situations
from tests.simulation.mutants import hunt
from tests.simulation.real import running as real
from tests.simulation.running import Played, Wanted
from tests.simulation.situations import names

SEEDS: Final = 200
SEEDS_OF_MUTANTS: Final = 500
"""In so many each mutant is to be caught."""
SEEDS_TELLING: Final = 500
"""With so many, a situation that hardly ever occurs is a fault of the generator."""
LINES_SHOWN: Final = 60
"""The end of the trace that is printed of a seed that failed."""
HASH_SEEDS: Final = ("0", "4242")
REPORT_EVERY_S: Final = 10.0


def main() -> int:
    """Do what was asked for; returns 0 if nothing was violated."""
    arguments = _arguments()
    if arguments.digests:
        return _print_digests(_seeds(arguments))
    if arguments.determinism:
        return _compare(first=arguments.first, count=arguments.determinism)
    if arguments.crash_points:
        return _crash_everywhere(arguments.crash_points, workers=arguments.workers)
    if arguments.quiet:
        return quiet.report(arguments.quiet)
    if arguments.mutants:
        return hunt.report(
            _seeds(arguments), workers=arguments.workers, only=arguments.only
        )
    if arguments.seed is not None:
        return _replay(
            arguments.seed, is_traced=arguments.trace, is_real=arguments.real
        )
    seeds = _seeds(arguments)
    many = real.many if arguments.real else running.many
    all_played = many(seeds, workers=arguments.workers)
    return tell(all_played, seeds=seeds, is_real=arguments.real)


def tell(all_played: Iterable[Played], *, seeds: range, is_real: bool) -> int:
    """Tell what comes of many seeds; returns 0 if all is well."""
    started_s = reported_s = time.monotonic()
    counts: Counter[str] = Counter()
    exempt: Counter[str] = Counter()
    failed: list[int] = []
    sums: Counter[str] = Counter()
    is_lacking = False
    for count, played in enumerate(all_played, start=1):
        counts.update(set(played.situations))
        sums.update(
            steps=played.step_count,
            virtual_s=int(played.virtual_s),
            writes=played.write_count,
            crashes=played.crash_count,
        )
        exempt.update(played.exempt)
        if played.violations:
            failed.append(played.seed)
            _show_failure(played, is_real=is_real)
        now_s = time.monotonic()
        if now_s - reported_s > REPORT_EVERY_S:
            reported_s = now_s
            print(f"{count} of {len(seeds)} seeds, {len(failed)} failed", flush=True)
    if is_real:
        _show_found(counts, count=len(seeds))
    else:
        is_lacking = _show_situations(counts, count=len(seeds))
    told = ", ".join(f"{count} x {what}" for what, count in sorted(exempt.items()))
    print(f"exempt: {told or 'nothing'}")
    took_s = time.monotonic() - started_s
    each = ", ".join(f"{total / len(seeds):.0f} {n}" for n, total in sums.items())
    print(f"a seed has {each}")
    print(
        f"{len(seeds)} seeds from {seeds.start} in {took_s:.0f} s:"
        f" {len(seeds) / took_s:.1f} seeds/s, {len(failed)} with violations"
    )
    return 1 if failed or is_lacking else 0


def _replay(seed: int, *, is_traced: bool, is_real: bool) -> int:
    """Play one seed again and tell everything about it."""
    wanted = Wanted(digest=True, lines=True)
    if is_real:
        [played] = real.many([seed], workers=1, wanted=wanted)
    else:
        running.prepare()
        played = running.play(seed, wanted=wanted)
    lines = played.lines
    if is_traced or played.violations:
        print("\n".join(lines if is_traced else lines[-LINES_SHOWN:]))
    if played.violations:
        _show_failure(played, is_real=is_real)
    print(
        f"seed {seed}: {len(played.violations)} violations,"
        f" {played.write_count} writes, {played.step_count} steps,"
        f" {played.virtual_s:.0f} virtual s, trace {played.digest}"
    )
    return 1 if played.violations else 0


def _print_digests(seeds: Iterable[int]) -> int:
    for played in running.many(seeds, workers=1, wanted=Wanted(digest=True)):
        print(played.seed, played.digest)
    return 0


def _compare(*, first: int, count: int) -> int:
    """Play seeds in processes that hash differently, twice in each."""
    command = [sys.executable, "-m", "tests.simulation", "--digests"]
    command += ["--from", str(first), "--seeds", str(count)]
    processes = [
        subprocess.Popen(
            command,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for hash_seed in HASH_SEEDS
        for _ in range(2)
    ]
    found = [process.communicate()[0].splitlines() for process in processes]
    is_complete = all(len(lines) == count for lines in found)
    different = [lines for lines in zip(*found, strict=False) if len(set(lines)) > 1]
    for lines in different:
        print(f"differs: {lines}")
    print(f"{count} seeds in {len(found)} processes: {len(different)} differ")
    return 0 if is_complete and not different else 1


def _crash_everywhere(step: int, *, workers: int) -> int:
    """Tell one story with a crash at each point, and compare how it ends.

    With a step of 3 every third point is tried.
    """
    running.prepare()
    points = list(crash_points.points(crash_points.tell().passed))[::step]
    failed = 0
    for tried in running.spread(crash_points.differences, points, workers=workers):
        if tried.differences:
            failed += 1
            print(f"{tried.point}: {', '.join(tried.differences)}")
    places = {(point.service, point.place) for point in points}
    print(f"{len(points)} points at {len(places)} places: {failed} ended otherwise")
    return 1 if failed else 0


def _show_failure(played: Played, *, is_real: bool) -> None:
    how = " REAL=1" if is_real else ""
    print(f"\nseed {played.seed} failed; again: make sim SEED={played.seed}{how}")
    for violation in played.violations:
        print(f"  {violation}")


def _show_situations(counts: Counter[str], *, count: int) -> bool:
    """Tell how common each was; returns whether too many seeds lack one of them."""
    _show_shares(names.KNOWN, counts, count=count)
    rare = situations.rare(counts, seed_count=count)
    shown = ", ".join(rare) or "none"
    print(f"in less than {situations.SHARE_MIN:.0%} of the seeds: {shown}")
    return bool(rare) and count >= SEEDS_TELLING


def _show_found(counts: Counter[str], *, count: int) -> None:
    """Tell how common those were that came up at all.

    Real servers do not tell what they did to a message or a commit, so that what is
    missing may have been there (`real.bus`, `real.database`).
    """
    _show_shares([code for code in names.KNOWN if counts[code]], counts, count=count)


def _show_shares(codes: Iterable[str], counts: Counter[str], *, count: int) -> None:
    for code in codes:
        print(f"{100 * counts[code] / count:6.1f} %  {names.told(code)}")


def _seeds(arguments: argparse.Namespace) -> range:
    count = arguments.seeds or (SEEDS_OF_MUTANTS if arguments.mutants else SEEDS)
    return range(arguments.first, arguments.first + count)


def _mutants(text: str) -> tuple[str, ...]:
    """Return the mutants of an option."""
    names = tuple(text.split(","))
    known = [mutant.name for mutant in hunt.MUTANTS]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"no mutants: {', '.join(unknown)}; there are {', '.join(known)}"
        )
    return names


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation", description=__doc__
    )
    add = parser.add_argument
    add("--seeds", type=int, help=f"how many ({SEEDS}, or {SEEDS_OF_MUTANTS})")
    add("--from", type=int, default=1, dest="first", help="the first (%(default)s)")
    add("--seed", type=int, help="play this one alone and show how it went")
    add("--real", action="store_true", help="play them on real Postgres and NATS")
    add("--trace", action="store_true", help="with --seed: show everything")
    add("--workers", type=int, default=2, help="processes at once (%(default)s)")
    add(
        "--determinism",
        type=int,
        default=0,
        metavar="SEEDS",
        help="play so many in different processes and compare their traces",
    )
    add(
        "--crash-points",
        type=int,
        nargs="?",
        default=0,
        const=1,
        metavar="STEP",
        help="tell one story with a crash at each (or each STEPth) point it comes by",
    )
    add(
        "--quiet",
        type=int,
        nargs="?",
        default=0,
        const=quiet.CONTACTS,
        metavar="CONTACTS",
        help="link so many (%(const)s), leave them alone, then edit one",
    )
    add(
        "--mutants",
        action="store_true",
        help="take away one guard after the other and see that it is missed",
    )
    add(
        "--only",
        type=_mutants,
        default=(),
        metavar="NAMES",
        help="with --mutants: these alone, with commas between them",
    )
    add("--digests", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
