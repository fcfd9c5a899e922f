"""Lock files as text: every entry one exact version with its hashes, and no address."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_ENTRY: Final = re.compile(r"^(?=[^\s#])", re.MULTILINE)
_PIN: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)")
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{2,64})\b")


class Pin(NamedTuple):
    """One locked package."""

    name: str
    version: str
    hashes: tuple[str, ...]


def pins(text: str) -> list[Pin]:
    """Return what a lock holds; names in their one spelling."""
    found = []
    for entry in _ENTRY.split(text):
        if match := _PIN.match(entry):
            hashes = tuple(_HASH.findall(entry))
            found.append(Pin(plain(match[1]), match[2], hashes))
    return found


def faults(path: str, text: str) -> Iterator[str]:
    """Return where a lock lets anything in that is not the one file meant."""
    for entry in _ENTRY.split(text):
        name = entry.partition("\n")[0].removesuffix("\\").strip()
        if not name or name.startswith("#"):
            continue
        if not _PIN.match(entry):
            # Options too: with an index or a constraint pip would look elsewhere.
            yield f"{path}: {name} has no exact version"
        elif not _HASH.search(entry):
            yield f"{path}: {name} has no hash"
    if "://" in text:
        yield f"{path}: holds an address"


def plain(name: str) -> str:
    """Return a package's name in its one spelling (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
