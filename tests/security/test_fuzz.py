"""No bytes from outside raise what their decoder does not declare (S1).

The first 50,000 executions of the fuzzer; docs/howto/fuzz.md says how to run more.
"""

import random
import re
from pathlib import Path

import pytest

from services.api import routes
from services.connector import registry
from services.connector.apps.carddav import wire
from tests.security.fuzz import mutating, running
from tests.security.fuzz.running import Report
from tests.security.fuzz.targets import BODIES, TARGETS, Target

_BODY = r"(?:call\.body\(|bodies\.read\(visit\.request, )(\w+)\)"
RANGES = 5
COUNT = 10_000


@pytest.mark.parametrize("part", range(RANGES))
def test_outside_bytes_raise_nothing_undeclared(part: int, figures: dict[str, float]):
    report = running.run(TARGETS, first=part * COUNT, count=COUNT)
    assert report.failures == []
    assert report.executions == COUNT
    assert set(report.by_target) == {target.name for target in TARGETS}
    # Samples that are all refused at once would try nothing behind the first check.
    assert 0.1 < report.refusals / report.executions < 0.9
    for name, value in (("executions", COUNT), ("failed", report.failed)):
        figures[name] = figures.get(name, 0) + value
    figures["decoders"] = len(TARGETS)
    slowest_ms = max(figures.get("slowest_ms", 0), report.slowest_ms)
    figures["slowest_ms"] = round(slowest_ms, 1)


def nested(_random: random.Random) -> None:
    raise RecursionError


def slow(_random: random.Random) -> None:
    sum(range(20_000_000))


def strange(random_: random.Random) -> None:
    if random_.random() < 0.5:
        raise KeyError("x")
    raise ValueError


def run(target: Target, *, count: int = 20) -> Report:
    return running.run([target], first=0, count=count)


def test_the_fuzzer_tells_what_is_not_declared():
    assert run(Target("nested", nested, (ValueError,)), count=1).failed == 1
    assert run(Target("slow", slow), count=1).failed == 1
    report = run(Target("strange", strange, (ValueError,)))
    assert report.failed + report.refusals == 20
    assert report.failed > 0
    assert {failure.what for failure in report.failures} == {"KeyError"}


def test_a_number_does_the_same_each_time():
    """What is found in a range is found again, on any machine."""

    def bytes_of(number: int) -> bytes:
        source = random.Random(f"{running.SEED}:{number}")
        return mutating.mutate(b'{"a": [1, {"b": "c"}], "d": null}', source)

    found = [bytes_of(number) for number in range(300)]
    assert found == [bytes_of(number) for number in range(300)]
    assert len(set(found)) > 250


def test_every_body_of_the_api_is_tried():
    folder = Path(routes.__file__).parent
    read = {
        name
        for path in folder.glob("*.py")
        for name in re.findall(_BODY, path.read_text())
    }
    assert read == {into.__name__ for into, _ in BODIES}


def test_every_app_is_tried():
    apps = {entry.manifest.app for entry in registry.load()}
    assert apps
    names = {target.name for target in TARGETS}
    assert apps <= {name.partition(".")[0] for name in names}
    pushing = {
        entry.manifest.app
        for entry in registry.load()
        if entry.manifest.push is not None
    }
    assert pushing
    assert {f"{app}.hear" for app in pushing} <= names


def test_an_answer_with_too_many_elements_is_refused(monkeypatch: pytest.MonkeyPatch):
    """Hazard 127: four bytes of XML take the memory of hundreds."""
    monkeypatch.setattr(wire, "ELEMENTS_MAX", 10)
    head, tail = b'<multistatus xmlns="DAV:">', b"</multistatus>"
    assert wire.parse(head + b"<x/>" * 9 + tail, url="https://a.example/")
    with pytest.raises(wire.Malformed, match="too many"):
        wire.parse(head + b"<x/>" * 10 + tail, url="https://a.example/")
    with pytest.raises(wire.Malformed, match="too many"):
        wire.parse(head + b"<x>" * 10, url="https://a.example/")
