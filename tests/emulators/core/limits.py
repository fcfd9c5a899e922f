"""Call limits as vendors set them: so many a second, so many a calendar day (UTC)."""

import collections
import enum

import msgspec

from tests.emulators.core.clock import Clock

_DAY_S = 86_400


class Verdict(enum.Enum):
    """What a limiter says of a call."""

    ADMITTED = enum.auto()
    THROTTLED = enum.auto()
    EXHAUSTED = enum.auto()


class Limits(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Calls allowed to one application; None means unlimited."""

    requests_per_second: int | None = None
    requests_per_day: int | None = None


class Limiter:
    """Count calls by application; only admitted calls are counted."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self.limits = limits
        self._recent: dict[str, collections.deque[float]] = {}
        self._day = -1
        self._used: collections.Counter[str] = collections.Counter()

    def admit(self, application: str) -> Verdict:
        """Count one call, or say which limit forbids it."""
        now = self._clock.now()
        per_second = self.limits.requests_per_second
        per_day = self.limits.requests_per_day
        if (day := int(now // _DAY_S)) != self._day:
            self._day, self._used = day, collections.Counter()
        if per_day is not None and self._used[application] >= per_day:
            return Verdict.EXHAUSTED
        if per_second is not None and self._is_too_fast(application, now, per_second):
            return Verdict.THROTTLED
        self._used[application] += 1
        return Verdict.ADMITTED

    def used_today(self) -> dict[str, int]:
        """Return the calls counted since midnight, by application."""
        return dict(self._used)

    def reset(self) -> None:
        """Forget all calls counted so far."""
        self._recent.clear()
        self._used.clear()

    def _is_too_fast(self, application: str, now: float, per_second: int) -> bool:
        recent = self._recent.setdefault(application, collections.deque())
        while recent and not now - 1.0 < recent[0] <= now:
            recent.popleft()
        if len(recent) >= per_second:
            return True
        recent.append(now)
        return False
