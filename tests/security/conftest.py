"""Real servers for every test in this folder, and where its figures go."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import (
    database,
    nats_server,
    open_nats_server,
    postgres_server,
    servers_directory,
)

__all__ = [
    "database",
    "nats_server",
    "open_nats_server",
    "postgres_server",
    "servers_directory",
]

FIGURES_PATH = "SECURITY_FIGURES"
"""The variable with the file that each suite appends its figures to, if it is set."""

Figures = dict[str, int | float | str]


@pytest.fixture(scope="module")
def figures(request: pytest.FixtureRequest) -> Iterator[Figures]:
    """Return what a suite notes its figures in; one JSON line when it has ended.

    The line is ``{"suite": <the file's name>, "failed": <count>, "figures": {...}}``,
    so that the figures of a suite that failed are not taken for good ones.
    """
    found: Figures = {}
    before = request.session.testsfailed
    yield found
    path = os.environ.get(FIGURES_PATH)
    if path:
        line = {
            "suite": request.path.stem.removeprefix("test_"),
            "failed": request.session.testsfailed - before,
            "figures": found,
        }
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, sort_keys=True) + "\n")
