"""What docs/cryptography.md lists, and what of it is in the code."""

import ast
import re
from collections.abc import Iterable

from tests.tidy.tree import Source

PAGE = "docs/cryptography.md"
LIBRARIES = frozenset(
    {"argon2", "cryptography", "hashlib", "hmac", "joserfc", "nkeys", "secrets", "ssl"}
)
NAMES = {
    "md5": "MD5",
    "sha256": "SHA-256",
    "blake2b": "BLAKE2b",
    "AESGCM": "AES-256-GCM",
}
"""What is called, and what the page calls it."""

_FILE = re.compile(r"`((?:services|deploy)/[\w/]+\.py)`")
_CALLED = re.compile(r"\bhashlib\.(\w+)|\b(AESGCM)\b")


def table(page: str, heading: str) -> list[list[str]]:
    """Return the rows of the table below a heading, without its head."""
    text = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines[2:]]


def listed(page: str) -> dict[str, str]:
    """Return by file what the table of algorithms says of it, in all of its rows."""
    found: dict[str, str] = {}
    for row in table(page, "Algorithms"):
        for path in _FILE.findall(row[3]):
            found[path] = f"{found.get(path, '')} {row[1]}; {row[2]}."
    return found


def libraries(source: Source) -> set[str]:
    """Return the libraries of cryptography that a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names & LIBRARIES


def faults(page: str, modules: Iterable[Source]) -> list[str]:
    """Return where page and code do not say the same."""
    said, found = listed(page), []
    for module in modules:
        used = libraries(module)
        text = said.pop(module.path, None)
        if text is None:
            found += [f"{module.path} uses {', '.join(sorted(used))}"] if used else []
            continue
        found += [
            f"{module.path} is listed without {name}"
            for name in sorted(used)
            if name.removesuffix("2") not in text
        ]
        for first, second in _CALLED.findall(module.text):
            name = NAMES.get(first or second, first or second)
            if name not in text:
                found.append(f"{module.path} uses {name}")
        if not used:
            found.append(f"{module.path} uses nothing of it")
    return [*found, *(f"{path} is not there" for path in said)]
