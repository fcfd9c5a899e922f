"""Stalls: a connector stands still for longer than its lease, and does not notice.

A machine may be out of breath, or moved while it runs. Somebody else takes over what
the process had leased; when it goes on, in the middle of a turn, it is one too many.
"""

import functools
import random
from typing import Final

from tests.fakes.loop import Life, VirtualLoop
from tests.simulation.world import World

COUNT: Final = 3
"""How many are begun in one simulation, where there is somebody to take over."""
FOR_S: Final = (35.0, 75.0)
"""How long each lasts: from a little more than a lease."""
PLACES: Final = ("call G", "database commit")
"""Before which of its places a process stands still: in a check, or after a read."""


class Stalls:
    """Has connectors stand still now and then."""

    def __init__(self, world: World, source: random.Random) -> None:
        self._world = world
        self._source = source
        self._next: tuple[str, float] | None = None
        self.count = 0
        self.until_s = 0.0
        """When the last of them is over, by the loop's time."""

    def happen(self, *, span_s: float) -> None:
        """Let some happen within a time; each waits for a process to come by."""
        for _ in range(COUNT):
            after_s = self._source.uniform(0.0, span_s)
            place, for_s = self._source.choice(PLACES), self._source.uniform(*FOR_S)
            begin = functools.partial(self._wait_for, place, for_s)
            self._world.loop.call_later(after_s, begin)

    def stop(self) -> None:
        """Let no more happen."""
        self._world.stall = None

    def _wait_for(self, place: str, for_s: float) -> None:
        self._next = place, for_s
        self._world.stall = self._come_by

    def _come_by(self, service: str, life: Life, place: str) -> None:
        assert self._next is not None
        wanted, for_s = self._next
        loop = self._world.loop
        is_there = service == "connector" and place.startswith(wanted)
        # On other loops than the virtual one nothing can be made to stand still.
        if is_there and not life.is_over and isinstance(loop, VirtualLoop):
            self._world.stall = None
            self._world.note("stall", life.name, place)
            self.count += 1
            self.until_s = max(self.until_s, loop.time() + for_s)
            loop.stall(life, for_s=for_s)
