"""Work that goes on until the service stops, whatever happens to its parts.

A step says whether there was anything to do. An outage is logged when it starts
and when it ends; what nobody planned for is logged with its frames, and the loop
goes on: one bad step must not end a service.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from services.chassis.clock import Clock
from services.chassis.errors import Unavailable

log = structlog.get_logger()

BACK_OFF_S_MIN: Final = 0.2
BACK_OFF_S_MAX: Final = 5.0


class Wake:
    """A bell that ends an idle wait early; ringing twice is ringing once."""

    def __init__(self) -> None:
        self._is_rung = False
        self._waiting: list[asyncio.Future[None]] = []

    def ring(self) -> None:
        """Say that there is something to do."""
        self._is_rung = True
        for waiting in self._waiting:
            _end(waiting)

    async def wait(self, *, timeout_s: float) -> None:
        """Wait for the bell, at most so long."""
        # A timer that ends the wait: asyncio.timeout would cancel this task for it.
        loop = asyncio.get_running_loop()
        waiting = loop.create_future()
        timer = (
            loop.call_later(timeout_s, _end, waiting)
            if timeout_s > 0
            else loop.call_soon(_end, waiting)
        )
        self._waiting.append(waiting)
        try:
            if not self._is_rung:
                await waiting
        finally:
            timer.cancel()
            self._waiting.remove(waiting)
        self._is_rung = False

    async def ring_at(self, event: asyncio.Event) -> None:
        """Ring once, when something has happened."""
        await event.wait()
        self.ring()


def _end(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


async def forever(
    name: str,
    step: Callable[[], Awaitable[bool]],
    *,
    clock: Clock,
    stopping: asyncio.Event,
    idle_s: float,
    wake: Wake | None = None,
) -> None:
    """Run ``step`` again and again; wait ``idle_s`` when it found nothing to do."""
    wake = wake or Wake()
    # The stop rings the same bell, so that an idle wait is one wait and no tasks.
    ringing = asyncio.create_task(wake.ring_at(stopping))
    try:
        await _repeat(
            name, step, clock=clock, stopping=stopping, idle_s=idle_s, wake=wake
        )
    finally:
        ringing.cancel()


async def _repeat(
    name: str,
    step: Callable[[], Awaitable[bool]],
    *,
    clock: Clock,
    stopping: asyncio.Event,
    idle_s: float,
    wake: Wake,
) -> None:
    failed_since: float | None = None
    delay_s = BACK_OFF_S_MIN
    while not stopping.is_set():
        try:
            found_work = await step()
        except Unavailable as err:
            if failed_since is None:
                failed_since = clock.monotonic()
                log.warning(
                    "outage_started", kind=name, reason=f"{type(err).__name__}: {err}"
                )
            found_work = False
        except Exception:
            failed_since = failed_since or clock.monotonic()
            log.exception("step_failed", kind=name)
            found_work = False
        else:
            if failed_since is not None:
                lasted_s = round(clock.monotonic() - failed_since, 3)
                log.info("outage_ended", kind=name, since_s=lasted_s)
            failed_since, delay_s = None, BACK_OFF_S_MIN
        if failed_since is not None:
            # Jitter keeps replicas that failed together from retrying together.
            await clock.sleep(delay_s * random.uniform(0.5, 1.0))  # noqa: S311
            delay_s = min(delay_s * 2, BACK_OFF_S_MAX)
        elif not found_work:
            await wake.wait(timeout_s=idle_s)
