"""How work grows with what it is done on, in the thread's own processor time.

No clock on the wall: a busy machine takes any time for anything. And no seconds: what
is compared is the same work, on little and on much, in turns.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

TURNS: Final = 5
LINEAR_MAX: Final = 40.0
"""For ten times as much: about ten where the time is linear, a hundred where it is
quadratic."""


def growth(work: Callable[[T], object], *, few: T, many: T) -> float:
    """Return how many times as long ``many`` takes as ``few``, each at its best."""
    turns = [(_took_s(work, few), _took_s(work, many)) for _ in range(TURNS)]
    return min(much for _, much in turns) / min(little for little, _ in turns)


def _took_s(work: Callable[[T], object], given: T) -> float:
    start_s = time.thread_time()
    work(given)
    return time.thread_time() - start_s
