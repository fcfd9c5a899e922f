"""Time, injected: the simulation runs the same code on a clock of its own."""

import asyncio
import datetime
import time
from typing import Protocol


class Clock(Protocol):
    """Where a service learns the time and how it waits."""

    def now(self) -> datetime.datetime:
        """Return the present moment in UTC, aware."""

    def monotonic(self) -> float:
        """Return seconds that only ever grow, for measuring and scheduling."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime.datetime:
        """Return the machine's time in UTC."""
        return datetime.datetime.now(datetime.UTC)

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait on the running loop."""
        await asyncio.sleep(seconds)
