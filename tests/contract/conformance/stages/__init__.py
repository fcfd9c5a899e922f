"""The stages of the apps: a module for each, with one class.

A module is called as its app is. Where an app speaks a standard, the stages on further
servers are called ``<app>_on_<server>``.
"""

import importlib
from pathlib import Path

from tests.contract.conformance.stage import Stage

ON = "_on_"


def every() -> dict[str, type[Stage]]:
    """Return every kind of stage, by the name of its module."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("[!_]*.py")):
        module = importlib.import_module(f"{__name__}.{path.stem}")
        (found[path.stem],) = (
            one
            for one in vars(module).values()
            if isinstance(one, type)
            and one.__module__ == module.__name__
            and getattr(one, "app", None) == path.stem.partition(ON)[0]
        )
    return found


def load() -> dict[str, type[Stage]]:
    """Return each app's first kind of stage, by the app's id."""
    return {name: kind for name, kind in every().items() if ON not in name}
