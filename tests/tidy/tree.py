"""The repository's files, as the checkers get to see them.

Lists what is committed or would be, never what is ignored. Judges nothing.
"""

import ast
import functools
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Source:
    """One file: its path from the root, and its text."""

    path: str
    text: str

    @functools.cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @functools.cached_property
    def tree(self) -> ast.Module:
        """The parsed module; only for Python files."""
        return ast.parse(self.text, self.path)

    @functools.cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of the parsed module."""
        return tuple(ast.walk(self.tree))


@functools.cache
def paths() -> tuple[str, ...]:
    """Return the path of each file that is committed or waits to be."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return tuple(sorted(p for p in set(listed.split("\0")) if (ROOT / p).is_file()))


@functools.cache
def read(path: str) -> Source:
    """Return one file; bytes that are not text are replaced."""
    return Source(path, (ROOT / path).read_text(encoding="utf-8", errors="replace"))


def sources(*folders: str, suffix: str = "") -> list[Source]:
    """Return the files below some folders, or all, whose names end in ``suffix``."""
    below = tuple(f"{folder}/" for folder in folders) or ("",)
    return [read(p) for p in paths() if p.startswith(below) and p.endswith(suffix)]
