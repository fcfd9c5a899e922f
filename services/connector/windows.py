"""Which page to read next, of a listing that moves while it is read. Pure.

For listings whose pages have a number and a size, and no place of their own: where
somebody is deleted, those behind them move up, and a page that begins where the last
one ended misses them. So each overlaps with the last one, and is believed if it begins
with, or holds, one of those who were shown there; if not, the reading goes back.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

import msgspec

STEP_FACTOR: Final = 4


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """One page."""

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


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """The sizes of page that may be asked for."""

    greatest: int
    least: int = 1
    advance_max: int = 0
    """How far beyond an offset a page may go; 0: as far as it can."""


def window(offset: int, *, sizes: Sizes) -> Window:
    """Return the page that begins before an offset and goes farthest beyond it."""
    advance_max = sizes.advance_max or sizes.greatest
    if not offset:
        return Window(number=1, size=min(advance_max, sizes.greatest))
    overlapping = (
        Window(number=(offset - 1) // size + 1, size=size)
        for size in range(sizes.greatest, sizes.least - 1, -1)
    )
    near = (one for one in overlapping if one.end <= offset + advance_max)
    best = max(near, key=lambda each: each.end, default=None)
    if best is not None and best.end > offset:
        return best
    # Every size divides the offset, which happens to small sizes alone.
    return Window(number=offset // sizes.greatest + 1, size=sizes.greatest)


def candidates(offset: int, *, sizes: Sizes) -> Iterator[Window]:
    """Yield pages to try, each beginning farther back, the first one at last.

    Small steps at first: a page that goes back by all its length brings nobody new.
    """
    step = 0
    while step < offset:
        yield window(offset - step, sizes=sizes)
        step = max(step, 1) * STEP_FACTOR
    yield window(0, sizes=sizes)


def is_joined(
    page: Window, *, offset: int, ids: Sequence[int], shown: Collection[int]
) -> bool:
    """Tell whether nobody can be between those who were shown and a page.

    It has to begin with one of them: where the order can change, one who is farther
    back may have moved there.

    Args:
        offset: How many were read before it.
    """
    if page.start == 0 or page.start >= offset:
        return True
    return bool(ids) and ids[0] in shown


def count_shown(ids: Sequence[str], *, anchors: Collection[str]) -> int | None:
    """Return how many of a page come before who is new; None if it is not joined.

    For an order that never changes: whoever stands behind one who was shown is new,
    and nobody can be between.

    Args:
        anchors: Some of those who were shown last.
    """
    places = (place for place, one in enumerate(ids, 1) if one in anchors)
    return max(places, default=None)
