"""Runs a range of executions and counts what came out of them."""

import random
import re
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.security.fuzz.targets import Target

SEED: Final = "tandem-1"
CPU_S_MAX: Final = 0.05
"""What one execution may take; S1."""
MEMORY_BYTES_MAX: Final = 256 * 1024 * 1024
"""How much more memory the process may hold at its peak than before; S1."""
SLOW_TRIES: Final = 3
FAILURES_TOLD_MAX: Final = 50
_OURS: Final = re.compile("/(services|proto)/")


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One execution that did what no caller expects."""

    number: int
    target: str
    what: str
    where: str


@dataclass(kw_only=True)
class Report:
    """What a range of executions did."""

    first: int
    executions: int = 0
    refusals: int = 0
    """Those that ended with a declared error; the others were read as something."""
    failed: int = 0
    failures: list[Failure] = field(default_factory=list)
    by_target: Counter[str] = field(default_factory=Counter)
    slowest_ms: float = 0.0
    slowest: int = -1
    memory_mib: float = 0.0

    def as_figures(self) -> dict[str, int | float | str]:
        """Return the figures alone, as they are printed."""
        return {
            "from": self.first,
            "executions": self.executions,
            "targets": len(self.by_target),
            "refusals": self.refusals,
            "failed": self.failed,
            "slowest_ms": round(self.slowest_ms, 1),
            "slowest": self.slowest,
            "memory_mib": round(self.memory_mib, 1),
        }


def run(targets: Sequence[Target], *, first: int, count: int) -> Report:
    """Run the executions from a number on."""
    report = Report(first=first)
    before = _peak_bytes()
    for number in range(first, first + count):
        target = targets[number % len(targets)]
        report.executions += 1
        report.by_target[target.name] += 1
        _run_one(report, target, number)
    grown = _peak_bytes() - before
    report.memory_mib = grown / 1024 / 1024
    if grown > MEMORY_BYTES_MAX:
        _fail(report, "all", first, what=f"{grown} bytes of memory", where="")
    return report


def _run_one(report: Report, target: Target, number: int) -> None:
    took_s = _timed(report, target, number)
    if took_s > CPU_S_MAX:
        # A collection of garbage may fall into any execution, a slow decoder does not
        # get faster.
        again = (_timed(None, target, number) for _ in range(SLOW_TRIES))
        took_s = min(took_s, *again)
    if took_s * 1000 > report.slowest_ms:
        report.slowest_ms, report.slowest = took_s * 1000, number
    if took_s > CPU_S_MAX:
        _fail(report, target.name, number, what=f"{took_s:.3f} s of work", where="")


def _timed(report: Report | None, target: Target, number: int) -> float:
    random_ = random.Random(f"{SEED}:{number}")
    started_s = time.thread_time()
    try:
        target.run(random_)
    except target.declared:
        if report:
            report.refusals += 1
    except Exception as err:
        if report:
            where = _place_of(err)
            _fail(report, target.name, number, what=type(err).__name__, where=where)
    return time.thread_time() - started_s


def _fail(report: Report, target: str, number: int, *, what: str, where: str) -> None:
    report.failed += 1
    if len(report.failures) < FAILURES_TOLD_MAX:
        failure = Failure(number=number, target=target, what=what, where=where)
        report.failures.append(failure)


def _place_of(err: Exception) -> str:
    """Return the innermost place in our own code that an exception came through."""
    frames = traceback.extract_tb(err.__traceback__)
    ours = [
        one
        for one in frames
        if "/services/" in one.filename or "/proto/" in one.filename
    ]
    found = (ours or frames)[-1]
    return f"{found.filename.rpartition('/')[2]}:{found.lineno}: {str(err)[:80]}"


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
