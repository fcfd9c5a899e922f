"""What docs/operations.md says of logs and limits, and what the code has of them."""

import ast
import importlib
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tests.tidy.tree import Source

PAGE = "docs/operations.md"

_LEVELS = {
    "debug": "debug",
    "info": "info",
    "warning": "warning",
    "error": "error",
    "exception": "error",
}
"""The level that a line has, by the method that writes it."""
_EVENT = re.compile(r"^\| `(\w+)` \| (\w+(?:, \w+)*) \| (\w+(?:, \w+)*) \| (.+) \|$")
_LIMIT = re.compile(r"`(services/[\w/]+)\.py::(\w+)` \(([\d,.]+)(?: (MiB|KiB))?\)")
_UNITS = {"": 1, "KiB": 1024, "MiB": 1024 * 1024}


class Event(NamedTuple):
    """What can be in a log: a name, the levels it has, and who writes it."""

    name: str
    levels: frozenset[str]
    services: frozenset[str]


def logged(product: Iterable[Source]) -> list[Event]:
    """Return the events that the code logs, by name.

    Raises:
        ValueError: A line is logged whose event is no constant.
    """
    found: dict[str, tuple[set[str], set[str]]] = {}
    for source in product:
        service = source.path.split("/")[1]
        for level, name in _calls(source):
            levels, services = found.setdefault(name, (set(), set()))
            levels.add(level)
            services.add("any" if service == "chassis" else service)
    return [
        Event(name, frozenset(levels), frozenset(services))
        for name, (levels, services) in sorted(found.items())
    ]


def listed(page: str) -> list[Event]:
    """Return the events of the page's table, as they come."""
    rows = [_EVENT.match(line) for line in page.splitlines()]
    return [
        Event(row[1], frozenset(row[2].split(", ")), frozenset(row[3].split(", ")))
        for row in rows
        if row
    ]


def wrong_limits(page: str) -> Iterator[str]:
    """Each limit that the page gives a number for is a constant of that number."""
    for module, name, number, unit in _LIMIT.findall(page):
        said = float(number.replace(",", "")) * _UNITS[unit]
        is_there = importlib.import_module(module.replace("/", "."))
        if (found := getattr(is_there, name, None)) != said:
            yield f"{module}.py: {name} is {found}, not {said:g}"


def limits(page: str) -> int:
    """Return how many limits the page gives a number for."""
    return len(_LIMIT.findall(page))


def _calls(source: Source) -> Iterator[tuple[str, str]]:
    for node in source.nodes:
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="log"), attr=method),
                args=[first, *_],
            ) if method in _LEVELS:
                if not (isinstance(first, ast.Constant) and str(first.value)):
                    raise ValueError(f"{source.path}:{node.lineno}: no constant event")
                yield _LEVELS[method], str(first.value)
