"""The vendor's own clock, which a test may stop, move and resume.

Everything that an emulator dates, expires or counts reads this clock, so a test never
has to sleep until a token dies or a day's quota starts again.
"""

import email.utils
import functools
import time
from datetime import UTC, datetime


class Clock:
    """Tell the vendor's time; real time plus an offset unless frozen."""

    def __init__(self) -> None:
        self._offset_s = 0.0
        self._frozen_at: float | None = None

    def now(self) -> float:
        """Return the seconds since the epoch."""
        if self._frozen_at is not None:
            return self._frozen_at
        return time.time() + self._offset_s

    def stamp(self) -> str:
        """Return the present second as UTC text."""
        return stamp(int(self.now()))

    def http_date(self) -> str:
        """Return the present second as HTTP headers write it."""
        return _http_date(int(self.now()))

    def advance(self, seconds: float) -> None:
        """Move the time on, or back with a negative number; frozen stays frozen."""
        if self._frozen_at is not None:
            self._frozen_at += seconds
        else:
            self._offset_s += seconds

    def freeze(self, at: float | None = None) -> None:
        """Stop the time, at the present or at the given moment."""
        self._frozen_at = self.now() if at is None else at

    def resume(self) -> None:
        """Let the time run on from where it stands."""
        if self._frozen_at is not None:
            self._offset_s = self._frozen_at - time.time()
            self._frozen_at = None


@functools.lru_cache(maxsize=4096)
def stamp(seconds: int) -> str:
    """Write a second as `2024-06-08T01:31:05Z`; such texts sort as times do."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@functools.lru_cache(maxsize=64)
def _http_date(seconds: int) -> str:
    return email.utils.formatdate(seconds, usegmt=True)
