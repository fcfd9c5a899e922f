"""Clocks that tests move instead of waiting."""

import asyncio
import datetime

from services.chassis.clock import SystemClock


class MovableClock(SystemClock):
    """The machine's clock, ahead by as much as it was moved."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now(self) -> datetime.datetime:
        return super().now() + datetime.timedelta(seconds=self.ahead_s)

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s

    def move(self, seconds: float) -> None:
        """Let time pass; a negative number sets the clock back."""
        self.ahead_s += seconds


class SkippingClock(MovableClock):
    """Sleeping takes no time, but moves the clock.

    For code that sleeps now and then: a loop that idles on it would spin.
    """

    async def sleep(self, seconds: float) -> None:
        self.move(seconds)
        await asyncio.sleep(0)


class JointClock(MovableClock):
    """Sleeping takes no time, and who sleeps at once sleeps the same seconds.

    For many tasks that wait for each other's pace: with a ``SkippingClock`` their
    waits would add up.
    """

    async def sleep(self, seconds: float) -> None:
        until_s = self.monotonic() + seconds
        await asyncio.sleep(0)
        self.move(max(0.0, until_s - self.monotonic()))
