"""How many calls an app may get, and whose turn it is. Pure.

A window that slides over the last second (no second ever holds more calls than
allowed), a count of the day, and four lanes: consent goes before other writes, writes
before polls, polls before scans, but every few calls the least urgent lane has its
turn, so that none starves. Accounts that share a limit take turns inside a lane.
"""

import collections
import datetime
import enum
import itertools
import math
from collections.abc import Collection, Hashable, Sequence
from typing import Final

from proto.connector import Capabilities, WriteKind
from services.connector.manifest import Limits

WINDOW_MARGIN: Final = 1.05
"""Calls that we space well may still reach the app bunched up."""
YIELD_EVERY: Final = 4
CHUNK_MAX: Final = 100
"""So much at a time where each write is a call."""
BATCHED_MAX: Final = 500
"""So much where an app takes several writes in one call: one job holds no more."""
CHUNK_S: Final = 5.0
"""Writes are taken in hand for about so long at a time."""
UNLIMITED: Final = 0.0
LATE_WINDOWS: Final = 2
"""So much behind its time, a call is waited for no more: others go first."""
_SENT: Final = (WriteKind.CREATE, WriteKind.UPDATE)
_ROUNDING: Final = 1e-6


class Lane(enum.IntEnum):
    """What a call is for, most urgent first."""

    CONSENT = 0
    WRITE = 1
    POLL = 2
    SCAN = 3


DAY_SHARES: Final = {
    Lane.CONSENT: 1.0,
    Lane.WRITE: 0.95,
    Lane.POLL: 0.9,
    Lane.SCAN: 0.7,
}
"""How much of the day's calls must be spent before a lane gets no more."""


class Budget:
    """The calls that a limit allows. Instants are monotonic seconds.

    Where several accounts share it, ``who`` says for which of them a call is.
    """

    def __init__(self, *, calls_per_second: float, calls_per_day: int | None) -> None:
        self._window_count = max(1, int(calls_per_second))
        self._is_unlimited = calls_per_second <= UNLIMITED
        self._window_s = (
            0.0
            if self._is_unlimited
            else self._window_count / calls_per_second * WINDOW_MARGIN
        )
        self._calls: collections.deque[float] = collections.deque()
        self._calls_per_day = calls_per_day
        self._queue = _Queue(late_s=self._window_s * LATE_WINDOWS)
        self._blocked_until_s = 0.0
        self._day: datetime.date | None = None
        self._used = 0
        self._unsaved = 0

    def enter(self, lane: Lane, *, now_s: float, who: Hashable = None) -> None:
        """Say that a call waits for its turn."""
        self._queue.enter((lane, who), now_s=now_s)

    def leave(self, lane: Lane, *, who: Hashable = None) -> None:
        """Say that it waits no more."""
        self._queue.leave((lane, who))

    def take(self, lane: Lane, *, now_s: float, who: Hashable = None) -> float:
        """Return 0 when the call may be made now, else the seconds to wait."""
        delay_s = self.pause_s(now_s=now_s)
        if not delay_s and not self._is_unlimited:
            delay_s = self._delay_s((lane, who), now_s=now_s)
        if delay_s:
            self._queue.expect((lane, who), at_s=now_s + delay_s)
            return delay_s
        if not self._is_unlimited:
            self._calls.append(now_s)
            self._queue.expect((lane, who), at_s=now_s)
            self._queue.serve((lane, who))
        self.count()
        return 0.0

    def count(self) -> None:
        """Count a call of the day."""
        self._used += 1
        self._unsaved += 1

    def block(self, *, until_s: float) -> None:
        """Let nothing pass until then: the app asked for a pause."""
        self._blocked_until_s = max(self._blocked_until_s, until_s)

    def pause_s(self, *, now_s: float) -> float:
        """Return how long the pause still lasts that the app asked for."""
        return max(0.0, self._blocked_until_s - now_s)

    def has_quota(self, lane: Lane, *, today: datetime.date) -> bool:
        """Tell whether the day's share of a lane still holds a call."""
        self.turn_day(today)
        if self._calls_per_day is None:
            return True
        return self._used < self._calls_per_day * DAY_SHARES[lane]

    def set_stored(self, *, day: datetime.date, count: int) -> None:
        """Take over the count of a day as it is stored, other replicas' included."""
        self.turn_day(day)
        if day == self._day:
            self._used = count + self._unsaved

    @property
    def unsaved(self) -> tuple[datetime.date | None, int]:
        """The day, and those of its calls that are not stored yet."""
        return self._day, self._unsaved

    def note_saved(self, *, day: datetime.date, count: int) -> None:
        """Note that calls are stored; done earlier, a fault would have them lost."""
        if day == self._day:
            self._unsaved = max(0, self._unsaved - count)

    def rest_s(self, *, now_s: float) -> float:
        """Return for how long calls of others would come on top of ours."""
        return self._calls[-1] + self._window_s - now_s if self._calls else 0.0

    def turn_day(self, today: datetime.date) -> None:
        """Begin to count anew once a day is over."""
        if self._day is None:
            self._day = today
        elif today > self._day:
            # Nobody has a use for the calls of a day that is over.
            self._day, self._used, self._unsaved = today, 0, 0

    def _delay_s(self, place: "_Place", *, now_s: float) -> float:
        while self._calls and self._calls[0] <= now_s - self._window_s:
            self._calls.popleft()
        if len(self._calls) >= self._window_count:
            return max(self._calls[0] + self._window_s - now_s, 0.001)
        if self._queue.next(asking=place, now_s=now_s) != place:
            return self._window_s / self._window_count
        return 0.0


_Place = tuple[Lane, Hashable]


class _Queue:
    """Who waits in which lane, and whose turn it is."""

    def __init__(self, *, late_s: float) -> None:
        self._late_s = late_s
        self._waiting: collections.Counter[_Place] = collections.Counter()
        self._expected_s: dict[_Place, float] = {}
        """When whoever waits is going to ask again."""
        self._served: dict[Hashable, float] = {}
        """With which turn it was last the turn of somebody who waits."""
        self._turn = 0

    def enter(self, place: _Place, *, now_s: float) -> None:
        self._waiting[place] += 1
        self.expect(place, at_s=now_s)
        # Before whoever had the last turn, and behind all who wait longer than that.
        self._served.setdefault(place[1], self._turn - 1.5)

    def leave(self, place: _Place) -> None:
        self._waiting[place] -= 1
        if not self._waiting[place]:
            del self._waiting[place], self._expected_s[place]
            if all(who != place[1] for _, who in self._waiting):
                del self._served[place[1]]

    def expect(self, place: _Place, *, at_s: float) -> None:
        if place in self._waiting:
            self._expected_s[place] = max(self._expected_s.get(place, at_s), at_s)

    def serve(self, place: _Place) -> None:
        if place[1] in self._served:
            self._served[place[1]] = self._turn
        self._turn += 1

    def next(self, *, asking: _Place, now_s: float) -> _Place:
        """Return whose turn it is, of those that wait and have not been held up."""
        places = {
            place
            for place, at_s in self._expected_s.items()
            if now_s <= at_s + self._late_s
        }
        places.add(asking)
        lanes = sorted({lane for lane, _ in places})
        is_last = self._turn % YIELD_EVERY == YIELD_EVERY - 1
        lane = lanes[-1] if is_last else lanes[0]
        return min(
            (place for place in places if place[0] is lane),
            key=lambda place: (self._served.get(place[1], -1), place != asking),
        )


def budget_of(limits: Limits, *, calls_per_second_max: float | None) -> Budget:
    """Return the budget of an account, as the manifest or the settings have it."""
    if calls_per_second_max is None:
        return Budget(
            calls_per_second=limits.calls_per_second,
            calls_per_day=limits.calls_per_day,
        )
    is_unlimited = calls_per_second_max <= UNLIMITED
    return Budget(
        calls_per_second=calls_per_second_max,
        calls_per_day=None if is_unlimited else limits.calls_per_day,
    )


def chunk_room(
    limits: Limits,
    *,
    calls_per_second_max: float | None,
    capabilities: Capabilities,
    write_s: float = 0.0,
) -> float:
    """Return how many writes of the cheapest kind about five seconds hold.

    Args:
        write_s: How long a write took lately, however fast the app may be called.
    """
    spacing = spacing_s(limits, calls_per_second_max=calls_per_second_max)
    calls = min(calls_of(kind, capabilities=capabilities) for kind in _SENT)
    each_s = max(spacing * calls, write_s)
    return CHUNK_S / each_s if each_s else math.inf


def chunk_size(room: float, *, capabilities: Capabilities) -> int:
    """Return how many writes to take in hand at once, for the room that there is."""
    batch = max(capabilities.create_batch, capabilities.update_batch)
    count_max = CHUNK_MAX if batch <= 1 else BATCHED_MAX
    return int(max(1, min(count_max, room)))


def calls_of(
    kind: WriteKind, *, capabilities: Capabilities, is_alone: bool = False
) -> float:
    """Return how many calls a write costs among many of its kind, a read included.

    Nothing is read for a create where the app itself refuses what it has already.

    Args:
        is_alone: It is a create that cannot be made with others.
    """
    read = 1 / max(1, capabilities.get_batch)
    if kind is WriteKind.UPDATE:
        return 1 / max(1, capabilities.update_batch) + read
    looked = 0.0 if capabilities.refuses_duplicate_emails else read
    made = 1 / (1 if is_alone else max(1, capabilities.create_batch)) + looked
    # A look reads and makes nobody: that many can be made at once says nothing of it.
    return made if kind is WriteKind.CREATE else max(made, read)


def costs(
    kinds: Sequence[WriteKind],
    *,
    capabilities: Capabilities,
    alone: Collection[int] = (),
) -> list[float]:
    """Return what writes cost, each in writes of the kind that costs least.

    Args:
        alone: The places of creates that cannot be made with others.
    """
    cheapest = min(calls_of(kind, capabilities=capabilities) for kind in _SENT)
    return [
        calls_of(kind, capabilities=capabilities, is_alone=place in alone) / cheapest
        for place, kind in enumerate(kinds)
    ]


def affordable(each: Sequence[float], *, room: float) -> int:
    """Return how many of some writes to take, by what each of them costs.

    Args:
        room: How many it would be if all were of the kind that costs least.
    """
    spent = itertools.accumulate(each)
    return max(1, sum(1 for so_far in spent if so_far <= room + _ROUNDING))


def write_s_after(
    before_s: float, *, cost: float, is_full: bool, took_s: float
) -> float:
    """Return how long a write of an account takes, after another chunk of them.

    What arrives while a chunk is carried out waits for its end, an unsubscribe too.
    A chunk that was neither long nor full tells nothing.

    Args:
        cost: Of the chunk, in writes of the kind that costs least: the room that is
            left for the next one is counted in them.
    """
    if not cost or (took_s <= CHUNK_S and not is_full):
        return before_s
    return took_s / cost


def spacing_s(limits: Limits, *, calls_per_second_max: float | None) -> float:
    """Return how long one call keeps the next one waiting, on the average."""
    rate = limits.calls_per_second
    if calls_per_second_max is not None:
        rate = calls_per_second_max
    return 0.0 if rate <= UNLIMITED else 1.0 / rate


def seconds_to_midnight(now: datetime.datetime) -> float:
    """Return how long the present day (UTC) still lasts."""
    tomorrow = now.date() + datetime.timedelta(days=1)
    midnight = datetime.datetime.combine(tomorrow, datetime.time(), datetime.UTC)
    return (midnight - now).total_seconds()
