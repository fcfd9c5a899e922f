"""How fast one caller may ask: a bucket of tokens each, in this process's memory.

Each replica counts for itself, so the limit protects the service and is no quota.
"""

from collections import OrderedDict
from typing import Final

CALLERS_MAX: Final = 10_000
"""How many callers are remembered; the longest silent ones are forgotten."""
_MINUTE_S: Final = 60.0


class Pace:
    """Token buckets by caller, each full at first and refilled evenly."""

    def __init__(self, *, per_minute: int, callers_max: int = CALLERS_MAX) -> None:
        self._size = float(per_minute)
        self._per_second = per_minute / _MINUTE_S
        self._callers_max = callers_max
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, caller: str, *, now_s: float) -> float:
        """Take a token and return 0, or return when there will be one."""
        tokens, at_s = self._buckets.pop(caller, (self._size, now_s))
        tokens = min(self._size, tokens + (now_s - at_s) * self._per_second)
        is_free = tokens >= 1.0
        self._buckets[caller] = (tokens - 1.0 if is_free else tokens, now_s)
        if len(self._buckets) > self._callers_max:
            self._buckets.popitem(last=False)
        return 0.0 if is_free else (1.0 - tokens) / self._per_second
