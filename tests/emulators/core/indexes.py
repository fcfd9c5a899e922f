"""Ordered indexes that answer "the next page after here" by bisection.

An emulator numbers its rows in order of arrival and never forgets one, so a cursor is
the last number shown, and pages neither skip nor repeat rows while rows are added.
"""

import bisect
import heapq
from collections.abc import Iterable, Iterator, Sequence

_HIGHEST = float("inf")
_STALE_ALLOWED = 1024
"""Outdated entries a time index may hold beyond its size before it is rebuilt."""


class NumberIndex:
    """A sorted set of row numbers."""

    def __init__(self) -> None:
        self._numbers: list[int] = []

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, number: int) -> None:
        """Put a number in; numbers mostly arrive in order, which costs nothing."""
        numbers = self._numbers
        if not numbers or number > numbers[-1]:
            numbers.append(number)
            return
        at = bisect.bisect_left(numbers, number)
        if numbers[at] != number:
            numbers.insert(at, number)

    def discard(self, number: int) -> None:
        """Take a number out, if it is there."""
        at = bisect.bisect_left(self._numbers, number)
        if at < len(self._numbers) and self._numbers[at] == number:
            del self._numbers[at]

    def after(self, number: int) -> Iterator[int]:
        """Yield the numbers above this one, in order."""
        numbers = self._numbers
        for at in range(bisect.bisect_right(numbers, number), len(numbers)):
            yield numbers[at]

    def all_after(self, number: int) -> Sequence[int]:
        """Return the numbers above this one, in order: a copy, and no look at rows."""
        return self._numbers[bisect.bisect_right(self._numbers, number) :]


def merged_after(indexes: Iterable[NumberIndex], number: int) -> Iterator[int]:
    """Yield the numbers above this one that any index holds, once each, in order."""
    streams = [index.after(number) for index in indexes if len(index)]
    if len(streams) == 1:
        yield from streams[0]
        return
    previous = number
    for found in heapq.merge(*streams):
        if found != previous:
            previous = found
            yield found


class TimeIndex:
    """Row numbers by the stamp they bear now; an old stamp's entry just goes stale."""

    def __init__(self) -> None:
        self._entries: list[tuple[str, float]] = []
        self._stamps: dict[int, str] = {}

    def put(self, number: int, stamp: str | None) -> None:
        """Give a row its stamp, or with None take the row out."""
        if self._stamps.get(number) == stamp:
            return
        if stamp is None:
            del self._stamps[number]
            return
        self._stamps[number] = stamp
        entry = (stamp, number)
        if not self._entries or entry > self._entries[-1]:
            self._entries.append(entry)
        else:
            bisect.insort(self._entries, entry)
        self._drop_stale()

    def between(
        self,
        *,
        after: str | None,
        before: str | None,
        position: tuple[str, int] | None = None,
    ) -> Iterator[tuple[str, int]]:
        """Yield (stamp, number) strictly inside the bounds and past the position."""
        entries, stamps = self._entries, self._stamps
        start = 0 if after is None else bisect.bisect_right(entries, (after, _HIGHEST))
        if position is not None:
            start = max(start, bisect.bisect_right(entries, position))
        previous: tuple[str, float] | None = None
        for at in range(start, len(entries)):
            entry = entries[at]
            stamp, number = entry
            if before is not None and stamp >= before:
                return
            if entry != previous and stamps.get(int(number)) == stamp:
                previous = entry
                yield stamp, int(number)

    def _drop_stale(self) -> None:
        # Rebuilding only at twice the live size keeps the cost of a put constant.
        if len(self._entries) > 2 * len(self._stamps) + _STALE_ALLOWED:
            self._entries = sorted((at, number) for number, at in self._stamps.items())
