"""An event loop with real sockets whose time jumps while nothing is under way.

Time passes as it does on the wall, and besides, whenever no socket has had anything to
say for a few milliseconds and nobody waits for a server, it jumps to the next timer.
So an hour of waiting takes seconds, and what servers need takes what it takes.
"""

import asyncio
import contextlib
import datetime
import selectors
import time
from collections.abc import Iterator
from typing import Any, Final

from tests.fakes.loop import LivingLoop

QUIET_S: Final = 0.001
"""So long nothing must come until time jumps; servers on this machine are faster."""
JUMP_S_MAX: Final = 5.0
"""A server that is slow for once must not look as if it were away."""


class _Selector(selectors.DefaultSelector):
    """Waits briefly for something to come, and then lets time jump."""

    owner: "PatientLoop"

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout <= 0:
            return super().select(0)
        found = super().select(QUIET_S if timeout is None else min(timeout, QUIET_S))
        if not found and timeout is not None:
            self.owner.jump(timeout)
        return found


class PatientLoop(LivingLoop, asyncio.SelectorEventLoop):
    """A loop of lives on real sockets."""

    def __init__(self, *, start: datetime.datetime) -> None:
        selector = _Selector()
        selector.owner = self
        self._began_s = time.monotonic()
        self._jumped_s = 0.0
        self._working = 0
        super().__init__(start=start, selector=selector)
        # Coarse enough to be more than nothing beside the seconds of a whole year.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return time.monotonic() - self._began_s + self._jumped_s

    @property
    def real_s(self) -> float:
        """How long it has run, on the wall."""
        return time.monotonic() - self._began_s

    def jump(self, seconds: float) -> None:
        """Let time pass at once, unless somebody waits for a server."""
        self.steps += 1
        if not self._working:
            self._jumped_s += min(seconds, JUMP_S_MAX)

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Say that a server is at work, so that time must not jump meanwhile."""
        self._working += 1
        try:
            yield
        finally:
            self._working -= 1


def running() -> PatientLoop:
    """Return the loop that runs."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, PatientLoop)
    return loop
