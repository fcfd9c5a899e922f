"""The table in docs/behaviours.md, made from the markers of the tests.

A test says which behaviour it shows and what broke it once:
`@pytest.mark.behaviour(20, broken_by="reconciler/engine/match.py: ...")`. It is read
and not imported. `python -m tests.tidy.behaviours` writes the table; a test compares.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tests.tidy.tree import ROOT, Source, read, sources

PAGE = "docs/behaviours.md"
BEGIN = "<!-- tests: written by `python -m tests.tidy.behaviours` -->"
END = "<!-- end of tests -->"

REQUIRED = frozenset((*range(6, 11), *range(12, 25), 28, 29, *range(32, 41)))
"""Those that must have a test; the others are shown with what there is."""

MARKER = "pytest.mark.behaviour"
BROKEN_PLACE = "services"
"""Below it are the files that a note names."""
MUTANTS = "tests/simulation/mutants"

_HEAD = "| behaviour | test | failed when |\n|---|---|---|"
_TEXT = re.compile(r"^(\d+)\. ", re.MULTILINE)
_NAMED = re.compile(r"_?b0*(\d+)(?=_)")
_TEST = re.compile(r"test(?:_b\d+)+(?=_)")


class Proof(NamedTuple):
    """A test that shows a behaviour."""

    number: int
    path: str
    name: str
    line: int
    broken_by: str


def proofs(found: Iterable[Source]) -> list[Proof]:
    """Return what tests say they show, by number and then by place."""
    return sorted(each for source in found for each in _of_module(source))


def texts(page: str) -> list[int]:
    """Return the numbers that the page explains, as they come."""
    return [int(number) for number in _TEXT.findall(page.partition(BEGIN)[0])]


def table(numbers: Iterable[int], found: Iterable[Proof]) -> str:
    """Return a row for each test of each number; one without tests has a row too."""
    by_number: dict[int, list[Proof]] = {number: [] for number in numbers}
    for proof in found:
        by_number[proof.number].append(proof)
    rows = [
        row
        for number, of_number in by_number.items()
        for row in (map(_row, of_number) if of_number else [f"| {number} | none | |"])
    ]
    return "\n".join((_HEAD, *rows))


def with_table(page: str, found: Iterable[Proof]) -> str:
    """Return the page with its table as it should be."""
    before, _, rest = page.partition(BEGIN)
    _, ends, after = rest.partition(END)
    if not ends:
        raise ValueError(f"{PAGE} has lost the marks of its table")
    return f"{before}{BEGIN}\n\n{table(texts(page), found)}\n\n{END}{after}"


def unproved(found: Iterable[Proof]) -> set[int]:
    """Return the numbers that must have a test and have none."""
    return set(REQUIRED) - {proof.number for proof in found}


def misplaced(source: Source) -> Iterator[str]:
    """A marker stands above a test, once, with its numbers as they are written."""
    read_ones = [mark for test in _tests(source) for mark in _marks(test)]
    lines = {node.lineno for node in source.nodes if _is_marker(node)}
    for line in sorted(lines - {mark.lineno for mark in read_ones}):
        yield f"{source.path}:{line}: {MARKER} is not above a test"
    for test in _tests(source):
        if len(_marks(test)) > 1:
            yield f"{source.path}:{test.lineno}: {test.name} is marked twice"
    for mark in read_ones:
        numbers = _numbers(mark)
        if not numbers or len(numbers) != len(mark.args):
            yield f"{source.path}:{mark.lineno}: names no number"


def unmarked(source: Source) -> Iterator[str]:
    """A test with a number in its name is marked with it."""
    for test in _tests(source):
        named = _TEST.match(test.name)
        numbers = {n for mark in _marks(test) for n in _numbers(mark)}
        for number in map(int, _NAMED.findall(named[0] + "_") if named else ()):
            if number not in numbers:
                yield f"{source.path}:{test.lineno}: {test.name} is not marked {number}"


def untried(proof: Proof, mutants: Iterable[str]) -> Iterator[str]:
    """A note says which file or mutant broke the test, and what it did then."""
    place, colon, what = proof.broken_by.partition(": ")
    word, _, name = place.partition(" ")
    is_mutant = word == "mutant" and name in set(mutants)
    is_file = (ROOT / BROKEN_PLACE / place).is_file()
    if not (is_mutant or (is_file and colon and what.strip())):
        at = f"{proof.path}:{proof.line}"
        yield f"{at}: {proof.name} does not note what broke it"


def mutants() -> set[str]:
    """Return the names of the simulation's mutants."""
    return {
        keyword.value.value
        for source in sources(MUTANTS, suffix=".py")
        for node in source.nodes
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Mutant"
        for keyword in node.keywords
        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant)
    }


def _row(proof: Proof) -> str:
    module = proof.path.removeprefix("tests/").removesuffix(".py")
    link = f"[`{module}`](../{proof.path})"
    note = proof.broken_by.replace("|", "\\|")
    return f"| {proof.number} | {link} `{proof.name}` | {note} |"


def _of_module(source: Source) -> Iterator[Proof]:
    for test in _tests(source):
        for mark in _marks(test):
            notes = [k.value for k in mark.keywords if k.arg == "broken_by"]
            is_text = bool(notes) and isinstance(notes[0], ast.Constant)
            note = str(notes[0].value) if is_text else ""
            for number in _numbers(mark):
                yield Proof(number, source.path, test.name, test.lineno, note)


def _tests(source: Source) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        node
        for node in source.nodes
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    ]


def _marks(test: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.Call]:
    return [
        each
        for each in test.decorator_list
        if isinstance(each, ast.Call) and _is_marker(each.func)
    ]


def _is_marker(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node) == MARKER


def _numbers(mark: ast.Call) -> list[int]:
    return [
        each.value
        for each in mark.args
        if isinstance(each, ast.Constant) and type(each.value) is int
    ]


if __name__ == "__main__":
    told = proofs(sources("tests", suffix=".py"))
    (ROOT / PAGE).write_text(with_table(read(PAGE).text, told))
