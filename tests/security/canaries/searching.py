"""Looks for hundreds of words at once, in one pass over what is searched.

The words make a trie, and the trie a regular expression: Python's own alternation would
try one word after the other at each byte.
"""

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from tests.security.canaries import words
from tests.security.canaries.words import Canary

HITS_MAX: Final = 1_000
"""Of one place: more would say nothing new."""
_END: Final = -1

Trie = dict[int, Any]


class Hit(NamedTuple):
    """A canary that was found."""

    place: str
    canary: Canary
    writing: str
    at: int
    around: str
    """What stands there, for whoever has to mend it."""


class Search:
    """Looks for canaries in every writing."""

    def __init__(self, canaries: Iterable[Canary]) -> None:
        self._known: dict[bytes, tuple[Canary, str]] = {}
        for canary in canaries:
            for needle, writing in words.needles(canary).items():
                self._known.setdefault(needle, (canary, writing))
        trie: Trie = {}
        for needle in self._known:
            node = trie
            for byte in needle:
                node = node.setdefault(byte, {})
            node[_END] = {}
        self._pattern = re.compile(_written(trie), re.DOTALL)

    @property
    def needle_count(self) -> int:
        """How many byte strings are looked for."""
        return len(self._known)

    def find(self, data: bytes, *, place: str) -> list[Hit]:
        """Return what is found in a place."""
        hits = []
        for match in self._pattern.finditer(data):
            canary, writing = self._known[match[0]]
            start, end = max(0, match.start() - 80), match.end() + 80
            around = data[start:end].decode(errors="replace")
            hits.append(Hit(place, canary, writing, match.start(), around))
            if len(hits) == HITS_MAX:
                break
        return hits


def _written(trie: Trie) -> bytes:
    """Return a trie as a pattern that takes the shortest word."""
    if _END in trie:
        return b""
    branches = []
    for first, node in trie.items():
        literal, rest = re.escape(bytes([first])), node
        while _END not in rest and len(rest) == 1:
            ((following, rest),) = rest.items()
            literal += re.escape(bytes([following]))
        branches.append(literal + _written(rest))
    if len(branches) == 1:
        return branches[0]
    return b"(?:" + b"|".join(branches) + b")"
