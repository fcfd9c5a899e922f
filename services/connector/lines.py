"""Where the calls of an account wait for their turn, and what is known of it here.

One line an account and process: its budget, its places, its app. What is called, and
what comes of it, is the transport's business.
"""

import asyncio
import contextlib
import datetime
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from services.chassis.clock import Clock
from services.connector import pacing
from services.connector.accounts import AccountRef, CallCount
from services.connector.errors import CallFailed, Meaning
from services.connector.pacing import Budget, Lane
from services.connector.port import App, Facts

GATE_S_MAX: Final = 120.0
LINES_MAX: Final = 10_000


class Line:
    """What this process keeps of an account it calls."""

    def __init__(self, budget: Budget, *, calls_at_once: int) -> None:
        self.budget = budget
        self.places = asyncio.Semaphore(calls_at_once)
        self.app: App | None = None
        self.facts: Facts | None = None
        self.app_until_s = 0.0
        self.write_s = 0.0
        """How long a write of the account took lately."""
        self.accepted_at: datetime.datetime | None = None
        """When the app last accepted a call; auth weighs a refusal by it."""

    @contextlib.contextmanager
    def waiting(self, lane: Lane) -> Iterator[None]:
        """Count a call among those that wait for their turn."""
        self.budget.enter(lane)
        try:
            yield
        finally:
            self.budget.leave(lane)

    def take_turn(self, lane: Lane, *, clock: Clock, give_up_s: float) -> float:
        """Return 0 if it is the call's turn, else the seconds until it may be.

        It does not wait: who takes a turn has all that the call needs in hand, or
        calls that took theirs one by one leave together (I10).

        Raises:
            CallFailed: The day's calls are spent, or the turn is too far off.
        """
        now, now_s = clock.now(), clock.monotonic()
        if not self.budget.has_quota(lane, today=now.date()):
            raise CallFailed(
                Meaning.QUOTA_EXHAUSTED,
                "the day's calls are spent",
                retry_after_s=pacing.seconds_to_midnight(now),
            )
        delay_s = self.budget.take(lane, now_s=now_s)
        if delay_s > 0 and now_s + delay_s > give_up_s:
            raise CallFailed(
                Meaning.RATE_LIMITED, "no turn in time", retry_after_s=delay_s
            )
        return delay_s


class Lines:
    """The lines of the accounts that this process calls for."""

    def __init__(self, make: Callable[[AccountRef], Line]) -> None:
        self._make = make
        self._lines: OrderedDict[AccountRef, Line] = OrderedDict()

    def of(self, ref: AccountRef) -> Line:
        """Return the line of an account."""
        line = self._lines.get(ref)
        if line is None:
            line = self._lines[ref] = self._make(ref)
            if len(self._lines) > LINES_MAX:
                self._lines.popitem(last=False)
        return line

    def unsaved_calls(self) -> list[CallCount]:
        """Return the calls that are not counted in the database yet."""
        found = []
        for ref, line in self._lines.items():
            day, count = line.budget.unsaved
            if day is not None and count:
                found.append(CallCount(ref, day, count))
        return found

    def note_saved(self, calls: Iterable[CallCount]) -> None:
        """Note that calls are counted in the database now."""
        for ref, day, made in calls:
            self.of(ref).budget.note_saved(day=day, count=made)
