"""Marks each test by the folder it is in, and steadies the examples of properties."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.engine import examples

_HERE = Path(__file__).parent
_MARKED = {"integration": "integration", "security": "integration", "e2e": "e2e"}
"""The marker of the tests in a folder."""

# The suite tries the same examples each time. New ones are looked for on purpose, with
# HYPOTHESIS_PROFILE=search; with deep, laws of the engine try many more of them.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None)
settings.register_profile("deep", deadline=None, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not item.path.is_relative_to(_HERE):
            continue
        folder = item.path.relative_to(_HERE).parts[0]
        if folder in _MARKED:
            item.add_marker(_MARKED[folder])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how many examples each law of the engine tried, under ``deep``."""
    if examples.is_deep():
        terminalreporter.section("examples tried")
        for line in examples.summary():
            terminalreporter.line(line)
