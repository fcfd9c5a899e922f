"""What happened in one simulation, in order: to be read, and to be compared.

Nothing in it may come from outside the seed: no wall clock, no secrets, no addresses.
"""

import hashlib
from collections.abc import Iterator

from tests.fakes.loop import LivingLoop

Fact = tuple[object, ...]


class Trace:
    """The events of one simulation."""

    def __init__(self, loop: LivingLoop) -> None:
        self._loop = loop
        self._facts: list[tuple[float, Fact]] = []

    def note(self, *facts: object) -> None:
        """Write down something that happened now."""
        self._facts.append((self._loop.time(), facts))

    def __len__(self) -> int:
        """Return how many events there are."""
        return len(self._facts)

    def lines(self, *, last: int | None = None) -> Iterator[str]:
        """Return the events as text, or the last of them."""
        chosen = self._facts if last is None else self._facts[-last:]
        for at_s, facts in chosen:
            yield f"{at_s:10.3f}  {' '.join(map(str, facts))}"

    def digest(self) -> str:
        """Return a short name of all that happened."""
        found = hashlib.blake2b(digest_size=8)
        for line in self.lines():
            found.update(line.encode())
            found.update(b"\n")
        return found.hexdigest()
