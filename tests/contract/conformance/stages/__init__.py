"""The stages of the apps: a module for each, called as the app is, with one class."""

import importlib
from pathlib import Path

from tests.contract.conformance.stage import Stage


def load() -> dict[str, type[Stage]]:
    """Return every app's kind of stage, by the app's id."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("[!_]*.py")):
        module = importlib.import_module(f"{__name__}.{path.stem}")
        (found[path.stem],) = (
            one
            for one in vars(module).values()
            if isinstance(one, type) and getattr(one, "app", None) == path.stem
        )
    return found
