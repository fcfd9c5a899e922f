"""The suite's own parts: its rules name behaviours, and its table tells the truth."""

import ast
import datetime
import tomllib
from pathlib import Path

import msgspec
import pytest

from services.connector import registry
from tests.contract.conformance import lacking, levels, table
from tests.contract.conformance.bench import CATALOGUE
from tests.contract.conformance.lacking import Lack
from tests.contract.conformance.least import Count, Least
from tests.contract.conformance.rules import RULES
from tests.contract.conformance.table import DONE, EXEMPT, FAILED, Collector

HERE = Path(__file__).parent
BEHAVIOURS_MIN = 60
ELSEWHERE = {
    "bronze.manifest_valid",
    "bronze.fixtures",
    "bronze.emulator",
    "bronze.readme",
    "gold.hundred_thousand_records",
    "gold.checked_against_the_real_vendor",
}
"""Rules that no behaviour of the suite earns."""
APP = next(
    str(entry.manifest.app)
    for entry in CATALOGUE
    if entry.manifest.capabilities.writes_conditionally
    and not entry.manifest.capabilities.has_consent
)
"""An app that can do one thing and not another; any of them will do."""
LACK = Lack(
    because="no", source="https://example.org", seen=datetime.date(2026, 11, 26)
)


def behaviours() -> set[str]:
    """Return the tests of the suite that are given an app."""
    return {
        node.name
        for path in HERE.glob("test_apps*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.AsyncFunctionDef)
        and any(argument.arg == "bench" for argument in node.args.args)
        and node.name.startswith("test_")
    }


def test_there_are_enough_behaviours():
    assert len(behaviours()) >= BEHAVIOURS_MIN


def test_every_rule_is_earned_by_behaviours_that_there_are():
    template = tomllib.loads((registry.APPS / "_template/quality.toml").read_text())
    rules = {f"{level}.{rule}" for level in levels.LEVELS for rule in template[level]}
    assert rules == RULES.keys() | ELSEWHERE
    named = {name for names in RULES.values() for name in names}
    assert named <= behaviours()


@pytest.fixture
def collector() -> Collector:
    """Return a run in which the suite found nothing wrong with one app."""
    made = Collector()
    names = {name for names in RULES.values() for name in names}
    made.found = {(name, APP): DONE for name in sorted(names)}
    return made


def test_a_level_is_lost_with_one_behaviour(collector):
    def level() -> str:
        return levels.reached(table.open_rules(APP, collector))

    assert level() != levels.NONE
    collector.found[RULES["bronze.creates"][0], APP] = EXEMPT
    assert level() != levels.NONE
    collector.found[RULES["bronze.creates"][0], APP] = FAILED
    assert level() == levels.NONE
    del collector.found[RULES["bronze.creates"][0], APP]
    assert level() == levels.NONE


def test_all_of_gold_but_the_check_at_the_vendor_is_told_and_is_not_gold():
    quality = levels.quality_of(APP)
    quality["gold"] = dict.fromkeys(quality["gold"], "done")
    assert (levels.reached([]), levels.note([])) == ("gold", "")
    quality["gold"]["checked_against_the_real_vendor"] = "todo"
    rules = levels.open_rules(quality)
    assert (levels.reached(rules), levels.note(rules)) == (
        "silver",
        "gold but for the check at the vendor",
    )
    for rule in ("webhooks", "custom_fields"):
        more = {**quality, "gold": {**quality["gold"], rule: "todo"}}
        assert levels.note(levels.open_rules(more)) == ""
    assert levels.note(["silver.sees_deletions", *rules]) == ""


def test_the_table_tells_of_a_failure_what_stands_between_an_app_and_gold(collector):
    """A behaviour that fails is as open as a rule that nobody did."""
    shown = "\n".join(table.lines(collector))
    assert f"silver, {levels.ALL_BUT_THAT}" in shown
    collector.found[RULES["gold.custom_fields"][0], APP] = FAILED
    assert levels.ALL_BUT_THAT not in "\n".join(table.lines(collector))


def test_the_table_shows_every_behaviour_of_every_app(collector):
    collector.found["test_it_flies", APP] = FAILED
    shown = "\n".join(table.lines(collector))
    assert "it flies" in shown
    level = levels.reached(table.open_rules(APP, collector))
    assert f"1 FAILED; {level}" in shown


def test_the_table_shows_calls_beside_the_least():
    collector = Collector()
    count = Count(stage=APP, work="scan", size=1_003, made=11, least=10, times_max=1.05)
    assert not count.is_within
    report = pytest.TestReport(
        nodeid="x",
        location=("", 0, ""),
        keywords={},
        outcome="failed",
        longrepr=None,
        when="call",
        user_properties=[("calls", str(count)), ("else", 1)],
    )
    collector.pytest_runtest_logreport(report)
    told = f"  {APP}, scan of 1,003: 11 calls, at least 10 (1.10, at most 1.05)"
    assert told in [*table.lines(collector)]


def test_the_least_is_in_the_largest_batches():
    least = Least(
        page_size=100,
        scan_calls=2,
        idle_calls=1,
        changes_page_size=50,
        changes_calls=2,
        relearning_calls=3,
        find_batch=10,
        create_batch=100,
        create_calls=1,
        read_batch=20,
        update_batch=40,
    )
    assert [least.scan(n) for n in (0, 1, 100, 101)] == [3, 3, 3, 4]
    assert [least.changes(n) for n in (0, 50, 51)] == [1, 3, 4]
    assert [least.changes(n, is_new=True) for n in (0, 50)] == [1, 6]
    assert [least.creates(n) for n in (10, 101)] == [3, 14]
    assert [least.updates(n) for n in (20, 41)] == [2, 5]


@pytest.mark.parametrize(
    ("need", "fault"),
    [
        ("writes_conditionally", "claimed by the manifest"),
        ("teleports", "no need of the suite"),
    ],
)
def test_a_lack_that_cannot_be_is_found(need, fault):
    manifest = CATALOGUE.entry(APP).manifest
    lacks = {**lacking.lacks_of(APP), need: LACK}
    (found,) = lacking.faults(manifest, lacks)
    assert fault in found


def test_a_lack_without_a_word_is_found():
    manifest = CATALOGUE.entry(APP).manifest
    lacks = lacking.lacks_of(APP)
    del lacks["has_consent"]
    assert lacking.faults(manifest, lacks) == [
        "has_consent is not claimed, and not explained"
    ]
    lacks["has_consent"] = msgspec.structs.replace(LACK, source="hearsay")
    assert lacking.faults(manifest, lacks) == ["has_consent lacks a reason or a source"]
