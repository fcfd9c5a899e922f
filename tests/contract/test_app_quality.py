"""The tier that an app claims is a fact: no rule of it, or of one below, is open."""

import tomllib
from pathlib import Path

import pytest

from services.connector import apps, manifest
from tests.contract.conformance import lacking, levels
from tests.contract.conformance.levels import LEVELS

APPS = Path(apps.__file__).parent
FOLDERS = sorted(path.parent for path in APPS.glob("*/manifest.toml"))


def open_rules(quality: dict) -> list[str]:
    """Return the rules that keep the claimed tier from being true."""
    return levels.open_rules(
        quality, levels=LEVELS[: LEVELS.index(quality["tier"]) + 1]
    )


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_app_claims_only_the_tier_that_it_has(folder):
    quality = tomllib.loads((folder / "quality.toml").read_text())
    template = tomllib.loads((APPS / "_template/quality.toml").read_text())
    for tier in LEVELS:
        assert set(quality[tier]) == set(template[tier]), "the same rules for every app"
    assert open_rules(quality) == []
    facts = manifest.load(folder / "manifest.toml")
    assert facts.tier == quality["tier"]
    assert (quality["gold"]["webhooks"] == "done") is (facts.push is not None)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_what_is_said_of_gold_is_what_the_app_can(folder):
    """Nothing is done that an app cannot, and nothing is excused that it can."""
    gold = levels.quality_of(folder.name)["gold"]
    facts = manifest.load(folder / "manifest.toml")
    can = {
        "webhooks": facts.push is not None,
        "custom_fields": "custom_fields" not in lacking.lacks_of(folder.name),
        "conditional_writes": facts.capabilities.writes_conditionally,
    }
    for rule, is_able in can.items():
        if gold[rule] != "todo":
            assert (gold[rule] == "done") == is_able, rule


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_fixture_says_where_it_comes_from(folder):
    fixtures = folder / "fixtures"
    sources = tomllib.loads((fixtures / "sources.toml").read_text())
    assert (folder / "README.md").is_file()
    named = {name for table in sources.values() for name in table}
    assert named == {path.name for path in fixtures.iterdir()} - {"sources.toml"}


def test_a_claim_with_an_open_rule_is_found():
    quality = {"tier": "silver", "bronze": {"a": "done", "b": {"exempt": "no"}}}
    assert open_rules(quality | {"silver": {"c": "todo", "d": {}}}) == [
        "silver.c",
        "silver.d",
    ]
