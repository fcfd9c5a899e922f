"""Watches one simulation from its beginning, and looks at everything in its end."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from proto.ids import AppId
from tests.simulation.features import PRESENT
from tests.simulation.invariants import (
    acts,
    aftermath,
    calls,
    claims,
    convergence,
    losses,
    marks,
    number_losses,
    rest,
    ring_losses,
    rules,
    safety,
    thrift,
)
from tests.simulation.invariants.aftermath import Answers, Register, Rows
from tests.simulation.invariants.truth import Truth, Wrong
from tests.simulation.ledger import Entry, Ledger, Place
from tests.simulation.people import People
from tests.simulation.vendors.api import Vendor
from tests.simulation.vendors.messages import Request
from tests.simulation.vendors.session import Outside

SLOW_WRITES_MAX: Final = 2
"""What a vendor that rewrites values later may cost after everything is at rest."""
WRONGS_MAX: Final = 50
"""After so many nobody reads on."""


class Played(Protocol):
    """What is looked at of a simulation."""

    ledger: Ledger
    people: People
    vendors: Mapping[AppId, Vendor]
    outside: Outside
    world: Any


class Judge:
    """Holds the truth against what Tandem does."""

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.wrongs: list[Wrong] = []
        self.truth: Truth
        self._note: Callable[..., None]
        self._rows: Rows
        self._now: Callable[[], float]
        self._register: Register
        self._written = 0
        self._began_at = self._rest_at = 0.0

    def begin(self, play: Played) -> None:
        """Watch a simulation from now on."""
        world = play.world
        self._note, self._rows = world.note, world.database.rows
        self._now = lambda: world.clock.now().timestamp()
        self._began_at = self._now()
        register = self._register = Register(self._rows, self._now)
        self.truth = Truth(
            play.people,
            play.ledger,
            play.vendors,
            owned=register.read,
            links=lambda: aftermath.links_of(self._rows),
            answered=Answers(self._rows).read,
            is_gone=lambda key: aftermath.is_gone(self._rows, key),
            now=self._now,
            features=PRESENT,
        )
        play.ledger.watchers.append(self._watch)
        world.witnesses.append(self._see)
        for vendor in play.vendors.values():
            vendor.on_call.append(self._hear)

    def look_before_errand(self) -> None:
        """See what everything is set to; a write decided by it may come later."""
        self.truth.look()
        self.add(marks.check(self._rows))

    def look_before_rest(self) -> None:
        """Check what must be so while comparisons go on that would mend it."""
        self.add(marks.check(self._rows))

    def look_at_rest(self, play: Played) -> None:
        """Check what must be so once everything is at rest."""
        after = aftermath.collect(self._rows, now=self._now())
        self.add(rest.is_at_rest(after))
        self.add(convergence.check(after, self.truth))
        for owned in self.truth.owned:
            for pair in convergence.pairs_of(owned, after):
                self.add(acts.check(pair, after, self.truth))
                self.add(rules.check(pair, self.truth))
                self.add(number_losses.check(pair, after, self.truth))
        lost = ring_losses if play.scenario.is_ring else losses
        self.add(lost.check(after, self.truth))
        self.add(rest.can_be_explained(after, self.truth))
        for tenant, data in aftermath.stored(play.world.database):
            self.add(calls.rows_of_others(tenant, data, self.truth))
        self._written = len(play.ledger.ours())
        self._rest_at = self._now()

    def look_at_end(self, play: Played) -> None:
        """Check that nothing was written while nobody did anything, and the calls."""
        is_slow = any(each.ways.forms.after_s for each in play.vendors.values())
        writes = play.ledger.ours()[self._written :]
        self.add(rest.stays_at_rest(writes, most=SLOW_WRITES_MAX if is_slow else 0))
        self.add(calls.one_refresh_at_a_time(play.outside.token_calls))
        for vendor in play.vendors.values():
            ways = vendor.ways
            self.add(calls.tokens_used_once(vendor.oauth, rotates=ways.rotates_tokens))
            for known in vendor.calls.values():
                limit = ways.calls_per_second
                self.add(calls.keeps_the_pace(known.sent, limit=limit))
                self.add(thrift.retries_are_few(known.sent, until=self._now()))
        self._look_at_calls(play)

    def _look_at_calls(self, play: Played) -> None:
        """Check what calls came to, in all and since everything was at rest."""
        pace, now = play.world.pace, self._now()
        rhythm = thrift.Rhythm(
            pace.poll_interval_s, pace.sweep_s, pace.are_clocks_apart
        )
        for since in (self._began_at, self._rest_at):
            spent = thrift.spent(
                play.vendors.values(), play.ledger.entries, since=since
            )
            self.add(thrift.asks_what_it_must(spent, rhythm, span_s=now - since))

    def add(self, found: Iterable[Wrong]) -> None:
        """Keep what is wrong."""
        for wrong in found:
            if len(self.wrongs) < WRONGS_MAX:
                self.wrongs.append(wrong)
                self.violations.append(str(wrong))
                self._note("wrong", wrong)

    def _watch(self, entry: Entry) -> None:
        self.truth.note(entry)
        self.truth.look()
        self.add(safety.check(entry, self.truth))

    def _see(self, service: str, rows: Iterable[tuple[str, Any, Any]]) -> None:
        """Note since when a connection is set to what it is set to."""
        if service == "reconciler" and any(row[0] == "connections" for row in rows):
            self._register.read()

    def _hear(self, place: Place, request: Request) -> None:
        self.add(calls.check(place, request, self.truth))
        self.add(claims.check(self._rows))
