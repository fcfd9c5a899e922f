"""What docs/security.md asks of itself: rows of ASVS 5.0 with evidence that exists.

Whether the evidence shows what the standard asks is for people to judge.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tests.tidy.tree import Source

PAGE = "docs/security.md"
ROWS = {"1": 70, "2": 183}
"""How many requirements ASVS 5.0.0 has of each level that is looked at."""
STATES = ("met", "not applicable", "open")
OWNERS = frozenset({"accounts", "console", "deployment", "privacy", "operations"})

_ID = re.compile(r"\d+\.\d+\.\d+")
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_OWNER = re.compile(r"Owner: (\w+)")
_NOWHERE = re.compile(r"Nowhere below `services`: ((?:`[^`]+`(?:, )?)+)")


class Row(NamedTuple):
    """One requirement: its id, level, gist, state and evidence."""

    id: str
    level: str
    gist: str
    state: str
    evidence: str


def rows(page: str) -> list[Row]:
    """Return the rows of the page's tables, as they come.

    Raises:
        ValueError: A row has more or fewer than five cells.
    """
    found = []
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not (line.startswith("|") and _ID.fullmatch(cells[0])):
            continue
        if len(cells) != len(Row._fields):
            raise ValueError(f"{cells[0]} has {len(cells)} cells")
        found.append(Row(*cells))
    return found


def faults(found: list[Row], tests: set[tuple[str, str]]) -> Iterator[str]:
    """Each row is whole and stands once, in order, and names tests that exist."""
    ids = [row.id for row in found]
    for each, count in Counter(ids).items():
        if count > 1:
            yield f"{each} is there {count} times"
    if ids != sorted(ids, key=lambda each: [*map(int, each.split("."))]):
        yield "the ids are not in order"
    levels = Counter(row.level for row in found)
    if levels != Counter(ROWS):
        yield f"there are {dict(levels)} rows of the levels, not {ROWS}"
    for row in found:
        yield from _of_row(row, tests)


def miscounted(page: str, found: Iterable[Row]) -> Iterator[str]:
    """The counts at the top of the page are those of its rows."""
    counts = Counter((row.state, row.level) for row in found)
    for state in STATES:
        each = [counts[state, level] for level in ROWS]
        line = " | ".join(map(str, ["", state, *each, sum(each), ""])).strip()
        if line not in page.splitlines():
            yield f"the counts should have the line {line}"


def not_absent(found: Iterable[Row], product: Iterable[Source]) -> Iterator[str]:
    """What a row says is nowhere in the product is nowhere in it, in any case."""
    files = [(source.path, source.text.lower()) for source in product]
    said = (
        (row.id, word)
        for row in found
        for listed in _NOWHERE.findall(row.evidence)
        for word in re.findall(r"`([^`]+)`", listed)
    )
    for each, word in said:
        pattern = _as_a_word(word.lower())
        for path in (path for path, text in files if pattern.search(text)):
            yield f"{each}: `{word}` is in {path}"


def tests_in(modules: Iterable[Source]) -> set[tuple[str, str]]:
    """Return the path and the name of each test."""
    return {
        (source.path, node.name)
        for source in modules
        for node in source.nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }


def _as_a_word(text: str) -> re.Pattern[str]:
    """Return what finds a text that no letters go on from, where it ends in one."""
    end = r"(?!\w)" if text[-1:].isalnum() else ""
    return re.compile(rf"(?<!\w){re.escape(text)}{end}")


def _of_row(row: Row, tests: set[tuple[str, str]]) -> Iterator[str]:
    if not all(row):
        yield f"{row.id} has an empty cell"
    if row.state not in STATES:
        yield f"{row.id}: {row.state} is no state"
    named = set(_TEST.findall(row.evidence))
    for path, name in sorted(named - tests):
        yield f"{row.id}: there is no test {path}::{name}"
    if row.state == "met" and not named:
        yield f"{row.id} is met and names no test"
    owners = set(_OWNER.findall(row.evidence))
    if row.state == "open" and not owners:
        yield f"{row.id} is open and has no owner"
    if not owners <= OWNERS:
        yield f"{row.id}: {', '.join(sorted(owners - OWNERS))} is no owner"
