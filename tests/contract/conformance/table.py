"""What came of the suite: behaviours by stages, and the level that each has earned.

A stage is one app on one server.
"""

from collections.abc import Iterable
from typing import Final

import pytest

from tests.contract.conformance import lacking, levels, stages
from tests.contract.conformance.rules import RULES

DONE, EXEMPT, FAILED = "done", "exempt", "FAILED"
_RANKS: Final = (DONE, EXEMPT, FAILED)


class Collector:
    """A plugin of pytest that notes what became of each behaviour on each stage."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], str] = {}
        self.calls: list[str] = []
        """How many calls some work took, beside the least."""
        self._of: dict[str, tuple[str, str]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note which behaviour and stage a test is of."""
        for item in items:
            params = getattr(getattr(item, "callspec", None), "params", {})
            if "bench" in getattr(item, "fixturenames", ()):
                name = getattr(item, "originalname", item.name)
                self._of[item.nodeid] = (name, params["stage_name"])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note an outcome; of several examples of one behaviour the worst counts."""
        if report.when == "call":
            self.calls += [
                text for name, text in report.user_properties if name == "calls"
            ]
        place = self._of.get(report.nodeid)
        if place is None or (report.when != "call" and report.passed):
            return
        state = DONE if report.passed else EXEMPT if report.skipped else FAILED
        before = self.found.get(place, state)
        self.found[place] = max(before, state, key=_RANKS.index)

    @property
    def stages(self) -> list[str]:
        """Return the names of the stages, in order."""
        return sorted({name for _, name in self.found})

    @property
    def behaviours(self) -> list[str]:
        """Return the behaviours, in the order they were tried in."""
        return list(dict.fromkeys(name for name, _ in self.found))


def lines(collector: Collector) -> Iterable[str]:
    """Yield the table, one line each."""
    names = collector.stages
    width = max(map(len, map(_told, collector.behaviours)), default=0)
    yield " ".join(("behaviour".ljust(width), *names))
    for behaviour in collector.behaviours:
        states = (
            collector.found.get((behaviour, name), "").ljust(len(name))
            for name in names
        )
        yield " ".join((_told(behaviour).ljust(width), *states)).rstrip()
    yield ""
    for name in names:
        counts = {
            state: sum(
                found == state
                for (_, each), found in collector.found.items()
                if each == name
            )
            for state in _RANKS
        }
        told = ", ".join(f"{count} {state}" for state, count in counts.items())
        rules = open_rules(name, collector)
        level = ", ".join(filter(None, (levels.reached(rules), levels.note(rules))))
        yield f"{name}: {told}; {level}"
        for need, lack in sorted(lacking.lacks_of(_app_of(name)).items()):
            yield f"  lacks {need}: {lack.because} ({lack.source}, {lack.seen})"
    yield ""
    yield "calls, beside the least that the vendor's API allows:"
    for text in sorted(collector.calls):
        yield f"  {text}"


def open_rules(stage: str, collector: Collector) -> list[str]:
    """Return the rules that are not kept: not done, or a behaviour of them failed."""
    quality = levels.quality_of(_app_of(stage))
    unsaid = set(levels.open_rules(quality))
    return [
        name
        for level in levels.LEVELS
        for rule in quality[level]
        if (name := f"{level}.{rule}") in unsaid
        or any(
            collector.found.get((each, stage), FAILED) == FAILED
            for each in RULES.get(name, ())
        )
    ]


def _app_of(name: str) -> str:
    return stages.every()[name].app


def _told(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")
