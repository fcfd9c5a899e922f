"""What is written down once in a while, however often it happens."""

from collections import OrderedDict
from typing import Final

WINDOW_S: Final = 3_600.0
REMEMBERED_MAX: Final = 10_000
"""What is forgotten is written down once more."""


class Windows:
    """Remembers what was written down within the last hour, in this process."""

    def __init__(self, *, remembered_max: int = REMEMBERED_MAX) -> None:
        self._remembered_max = remembered_max
        self._ends: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def is_first(self, *what: str, now_s: float) -> bool:
        """Tell whether this is the first of its window, which begins with it."""
        if self._ends.get(what, now_s) > now_s:
            return False
        self._ends[what] = now_s + WINDOW_S
        self._ends.move_to_end(what)
        while len(self._ends) > self._remembered_max:
            self._ends.popitem(last=False)
        return True
