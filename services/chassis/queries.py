"""Named SQL: ``-- name: x`` blocks in ``.sql`` files, with ``$named`` parameters."""

import functools
import re
from pathlib import Path
from typing import NamedTuple

import msgspec

_NAME = re.compile(r"^-- name: (\w+)$")
_TOKEN = re.compile(
    r"'(?:[^']|'')*'"  # a text literal, kept as it is
    r"|\$(?P<parameter>[a-z_][a-z0-9_]*)"
)


class Query(msgspec.Struct, frozen=True):
    """A statement with its values, ready to run."""

    name: str
    text: str
    values: tuple[object, ...]


class Template(NamedTuple):
    """A statement whose parameters still need values."""

    name: str
    text: str
    parameters: tuple[str, ...]

    def __call__(self, **values: object) -> Query:
        """Bind by name; a missing or an extra name is our own mistake."""
        names = self.parameters
        try:
            bound = tuple(map(values.__getitem__, names))
        except KeyError:
            bound = ()
        # Without building two sets for each statement.
        is_right = len(values) == len(names) == len(bound)
        assert is_right, f"{self.name} takes {sorted(names)}, got {sorted(values)}"
        return Query(self.name, self.text, bound)


@functools.cache
def load(path: Path) -> dict[str, Template]:
    """Return the queries of one file, by name."""
    found: dict[str, Template] = {}
    name = ""
    lines: list[str] = []
    for line in [*path.read_text(encoding="utf-8").splitlines(), "-- name: end"]:
        start = _NAME.match(line)
        if start is None:
            lines.append(line)
            continue
        if name:
            assert name not in found, f"{path}: {name} is there twice"
            found[name] = _template(name, lines)
        name, lines = start[1], []
    return found


def _template(name: str, lines: list[str]) -> Template:
    statement = "\n".join(
        line for line in lines if not line.lstrip().startswith("--")
    ).strip()
    parameters: list[str] = []

    def number(match: re.Match[str]) -> str:
        parameter = match["parameter"]
        if parameter is None:
            return match[0]
        if parameter not in parameters:
            parameters.append(parameter)
        return f"${parameters.index(parameter) + 1}"

    text = _TOKEN.sub(number, statement)
    return Template(name, text.rstrip(";"), tuple(parameters))
