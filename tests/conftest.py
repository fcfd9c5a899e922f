"""Marks each test by the folder it is in, so that no file has to repeat it."""

from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_MARKED = ("integration", "e2e")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if not item.path.is_relative_to(_HERE):
            continue
        folder = item.path.relative_to(_HERE).parts[0]
        if folder in _MARKED:
            item.add_marker(folder)
