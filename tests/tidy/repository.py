"""What may stand in no committed file, and what the lock and the Makefile must hold."""

import json
import re
from collections.abc import Iterator

from deploy.supply import locks
from tests.tidy.tree import Source

EXTRA_COMMANDS = frozenset({"help", "clean"})
"""What `make` offers besides the command list of conventions.md, section 14."""

# Where packages come from is the user's choice, never the repository's.
_INDEX = re.compile(
    r"(pypi|pythonhosted|test\.pypi)\.org|registry\.(npmjs|yarnpkg)\.|proxy\.golang\.org"
    r"|--(extra-)?index-url|--find[-]links|^\s*(extra-)?index-url",
    re.IGNORECASE | re.MULTILINE,
)
# Folders of somebody's machine; system paths such as /usr and /etc are not.
_MACHINE = re.compile(r"(?<![\w.:/~$}>*-])/(?:work|root|home|Users|mnt)/[\w.]")
_WANTED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)", re.MULTILINE)
_TARGET = re.compile(r"^([a-z][\w-]*):(?!=)", re.MULTILINE)


def addresses(source: Source) -> Iterator[str]:
    """No file names a package index or a folder of one machine."""
    for number, line in enumerate(source.lines, 1):
        if found := _INDEX.search(line) or _MACHINE.search(line):
            yield f"{source.path}:{number}: {found[0]}"


def pins(lock: Source) -> dict[str, str]:
    """Return the locked version by package."""
    return {pin.name: pin.version for pin in locks.pins(lock.text)}


def loose(lock: Source) -> Iterator[str]:
    """Every entry of a lock is one exact version with a hash, and no address."""
    yield from locks.faults(lock.path, lock.text)


def loose_node(lock: Source) -> Iterator[str]:
    """Every package of a Node lock is one version with a hash, and no address."""
    for name, entry in json.loads(lock.text)["packages"].items():
        if not name:
            continue
        if not entry.get("version"):
            yield f"{lock.path}: {name} has no exact version"
        if not entry.get("integrity", "").startswith("sha512-"):
            yield f"{lock.path}: {name} has no hash"
        if "://" in json.dumps(entry):
            yield f"{lock.path}: {name} holds an address"


def wanted(listed: Source) -> set[str]:
    """Return the packages that an .in file asks for."""
    return {locks.plain(name) for name in _WANTED.findall(listed.text)}


def agreed_commands(conventions: Source) -> set[str]:
    """Return the command list as conventions.md has it."""
    found = re.search(r"`make ([a-z ]+)` is the whole command list", conventions.text)
    return set(found[1].split()) if found else set()


def commands(makefile: Source) -> set[str]:
    """Return the targets that a Makefile offers."""
    return set(_TARGET.findall(makefile.text))
