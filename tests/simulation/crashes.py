"""Crashes: a process ends at a place that one of its tasks comes by, and starts again.

Places are where a task reaches out of its process: a statement, a commit, a message,
a call. Between two of them nothing happens that anybody else could see.
"""

import asyncio
import contextvars
import random
from collections import Counter
from typing import Final, NamedTuple

from tests.simulation.world import World

STOPS: Final = 0.3
"""The share of ends that are in order: told to stop, a process still tidies up."""
AWAY_S: Final = (0.2, 15.0)
"""How long it takes until the process runs again."""


class Point(NamedTuple):
    """The so-many-th time that processes of a service come by a place."""

    service: str
    place: str
    number: int = 1


class Cut(NamedTuple):
    """A write that was on its way, or done and not yet answered, at a crash."""

    at: float
    intent_id: str


class Crashes:
    """Ends processes now and then, or exactly at one point."""

    def __init__(self, world: World, source: random.Random) -> None:
        self._world = world
        self._source = source
        self._places_mean = 0.0
        self._left = 0
        self._point: Point | None = None
        self.count = 0
        self.stop_count = 0
        self.cuts: list[Cut] = []
        self._stopping: list[asyncio.Task[None]] = []
        self.passed: Counter[tuple[str, str]] = Counter()
        """How often each place was come by, where somebody wants to know."""
        self.is_counting = False

    def happen(self, *, places_mean: float) -> None:
        """Let one happen every so many places, on average."""
        self._places_mean = places_mean
        self._draw()
        self._world.watch = self._come_by

    def happen_at(self, point: Point) -> None:
        """Let one happen at a point, and none elsewhere."""
        self._point = point
        self.count_places()

    def count_places(self) -> None:
        """Count how often each place is come by."""
        self.is_counting = True
        self._world.watch = self._come_by

    def stop(self) -> None:
        """Let no more happen."""
        self._world.watch = None

    def _draw(self) -> None:
        self._left = 1 + int(self._source.expovariate(1.0 / self._places_mean))

    def _come_by(self, service: str, replica: int, place: str) -> None:
        if self.is_counting:
            self.passed[service, place] += 1
            if self._point == (service, place, self.passed[service, place]):
                self._crash(service, replica, place)
            return
        self._left -= 1
        if self._left == 0:
            self._draw()
            if self._source.random() < STOPS:
                self._stop(service, replica, place)
            else:
                self._crash(service, replica, place)

    def _stop(self, service: str, replica: int, place: str) -> None:
        """Tell a process to stop, and start it again once it has."""
        self._world.note("told to stop", service, replica, place)
        # Whoever stops it is none of its own tasks, and so does not end with it.
        self._stopping = [each for each in self._stopping if not each.done()]
        self._stopping.append(
            asyncio.create_task(
                self._restart(service, replica), context=contextvars.Context()
            )
        )

    async def _restart(self, service: str, replica: int) -> None:
        if await self._world.stop(service, replica):
            self.stop_count += 1
            self._world.start(service, replica, after_s=self._source.uniform(*AWAY_S))

    def _crash(self, service: str, replica: int, place: str) -> None:
        self.count += 1
        if service == "connector":
            now = self._world.clock.now().timestamp()
            self.cuts += [
                Cut(now, row["intent_id"])
                for row in self._world.database.rows("connector.writes")
                if row["state"] == "sent"
            ]
        self._world.note("crash", service, replica, place)
        self._world.kill(service, replica)
        away_s = self._source.uniform(*AWAY_S)
        self._world.start(service, replica, after_s=away_s)
