"""Levels of quality: which an app has by the rules of its ``quality.toml`` it keeps."""

import tomllib
from collections.abc import Collection, Mapping
from typing import Any, Final

from services.connector import registry

LEVELS: Final = ("bronze", "silver", "gold")
NONE: Final = "none"
AT_THE_VENDOR: Final = "gold.checked_against_the_real_vendor"
ALL_BUT_THAT: Final = "gold but for the check at the vendor"

Quality = Mapping[str, Any]


def quality_of(app: str) -> Quality:
    """Return what an app says of every rule."""
    return tomllib.loads((registry.APPS / app / "quality.toml").read_text())


def open_rules(quality: Quality, *, levels: Collection[str] = LEVELS) -> list[str]:
    """Return the rules of some levels that are neither done nor have an excuse."""
    return [
        f"{level}.{rule}"
        for level in levels
        for rule, state in quality[level].items()
        if state != "done" and not (isinstance(state, dict) and state.get("exempt"))
    ]


def reached(rules: Collection[str]) -> str:
    """Return the highest level of which, as of those below, no rule is open.

    Args:
        rules: The open ones.
    """
    found = NONE
    for level in LEVELS:
        if any(rule.startswith(f"{level}.") for rule in rules):
            break
        found = level
    return found


def note(rules: Collection[str]) -> str:
    """Say so if nothing is open but what takes the vendor's own server."""
    return ALL_BUT_THAT if [*rules] == [AT_THE_VENDOR] else ""
