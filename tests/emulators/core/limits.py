"""Call limits as vendors set them: a second, a longer window, a calendar day (UTC)."""

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
    """Calls allowed to one application or account; None means unlimited."""

    requests_per_second: int | None = None
    requests_per_window: int | None = None
    window_s: float = 10.0
    """How long the window is that slides over the calls."""
    requests_per_day: int | None = None


class Limiter:
    """Count calls by application; only admitted calls are counted."""

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self._clock = clock
        self.limits = limits
        self._recent: dict[tuple[str, float], collections.deque[float]] = {}
        self._day = -1
        self._used: collections.Counter[str] = collections.Counter()

    def admit(self, application: str) -> Verdict:
        """Count one call, or say which limit forbids it."""
        now = self._clock.now()
        per_day = self.limits.requests_per_day
        self._turn_day(now)
        if per_day is not None and self._used[application] >= per_day:
            return Verdict.EXHAUSTED
        windows = [
            (each, count) for each, count in self._windows() if count is not None
        ]
        recent = [self._calls(application, each, now=now) for each, _ in windows]
        if any(len(c) >= n for c, (_, n) in zip(recent, windows, strict=True)):
            return Verdict.THROTTLED
        for calls in recent:
            calls.append(now)
        self._used[application] += 1
        return Verdict.ADMITTED

    def remaining(self, application: str) -> int | None:
        """Return how many calls the longer window still holds; None: any number."""
        allowed = self.limits.requests_per_window
        if allowed is None:
            return None
        window_s, now = self.limits.window_s, self._clock.now()
        return max(0, allowed - len(self._calls(application, window_s, now=now)))

    def resets_in_s(self, application: str) -> float:
        """Return how long it takes until the longer window holds one more call."""
        window_s, now = self.limits.window_s, self._clock.now()
        calls = self._calls(application, window_s, now=now)
        return max(0.0, calls[0] + window_s - now) if calls else 0.0

    def used_today(self) -> dict[str, int]:
        """Return the calls counted since midnight, by application."""
        self._turn_day(self._clock.now())
        return dict(self._used)

    def reset(self) -> None:
        """Forget all calls counted so far."""
        self._recent.clear()
        self._used.clear()

    def _turn_day(self, now: float) -> None:
        if (day := int(now // _DAY_S)) != self._day:
            self._day, self._used = day, collections.Counter()

    def _windows(self) -> tuple[tuple[float, int | None], ...]:
        limits = self.limits
        return (
            (1.0, limits.requests_per_second),
            (limits.window_s, limits.requests_per_window),
        )

    def _calls(
        self, application: str, window_s: float, *, now: float
    ) -> collections.deque[float]:
        """Return when the calls of the last so many seconds came."""
        place = (application, window_s)
        calls = self._recent.setdefault(place, collections.deque())
        while calls and not now - window_s < calls[0] <= now:
            calls.popleft()
        return calls
