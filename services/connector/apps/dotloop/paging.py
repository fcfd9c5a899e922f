"""Which batch to read next, of a listing that moves while it is read. Pure.

Batches have a number and a size, and no place of their own: where somebody is deleted
or, in some orders, edited, those behind them move up, and a batch that begins where the
last one ended misses them. So each overlaps with the last one, and is believed if it
begins with one of those who were shown there; if not, the reading goes back.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

import msgspec

STEP_FACTOR: Final = 4


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """One batch."""

    number: int
    """From 1."""
    size: int

    @property
    def start(self) -> int:
        """Return how many come before it."""
        return (self.number - 1) * self.size

    @property
    def end(self) -> int:
        """Return how many come before it and in it."""
        return self.number * self.size


def window(offset: int, *, size_max: int) -> Window:
    """Return the batch that begins before an offset and goes farthest beyond it."""
    if not offset:
        return Window(number=1, size=size_max)
    overlapping = (
        Window(number=(offset - 1) // size + 1, size=size)
        for size in range(size_max, 0, -1)
    )
    best = max(overlapping, key=lambda each: each.end)
    if best.end > offset:
        return best
    # Every size divides the offset, which happens to small sizes alone.
    return Window(number=offset // size_max + 1, size=size_max)


def candidates(offset: int, *, size_max: int) -> Iterator[Window]:
    """Yield batches to try, each beginning farther back, the first one at last.

    Small steps at first: a batch that goes back by all its length brings nobody new.
    """
    step = 0
    while step < offset:
        yield window(offset - step, size_max=size_max)
        step = max(step, 1) * STEP_FACTOR
    yield window(0, size_max=size_max)


def is_joined(
    batch: Window, *, offset: int, ids: Sequence[int], shown: Collection[int]
) -> bool:
    """Tell whether nobody can be between those who were shown and a batch.

    It has to begin with one of them: one who is farther back may have moved there.

    Args:
        offset: How many were read before it.
    """
    if batch.start == 0 or batch.start >= offset:
        return True
    return bool(ids) and ids[0] in shown
