"""The stages of the apps: a module for each, called as the app is.

Its ``opened(server)`` is an asynchronous context manager that yields a fresh account.
Where that is on a real server, ``SERVER`` names the one that all tests share.
"""

import importlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, NamedTuple

from tests.contract.conformance.stage import Stage


class Source(NamedTuple):
    """Where an app's stages come from."""

    opened: Callable[[Any], AbstractAsyncContextManager[Stage]]
    server: str
    """The real server that it needs; empty for an emulator of its own."""
    kind: type[Stage]


def load() -> dict[str, Source]:
    """Return every app's source, by the app's id."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("[!_]*.py")):
        module = importlib.import_module(f"{__name__}.{path.stem}")
        (kind,) = (
            one
            for one in vars(module).values()
            if isinstance(one, type) and getattr(one, "app", None) == path.stem
        )
        found[path.stem] = Source(module.opened, getattr(module, "SERVER", ""), kind)
    return found
