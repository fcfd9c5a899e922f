"""Plays a scenario to its end: people act, things go wrong, then there is peace.

Users act while everything goes wrong. At T0 they stop and all faults end; from then
on the system has to come to rest, and to stay so for ten more rounds.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Final, Protocol

from proto.ids import AccountId, AppId
from services.chassis.errors import CommandFailed
from tests.fakes import loop
from tests.fakes.broker import BusFaults
from tests.fakes.database.faults import DatabaseFaults
from tests.simulation import limbo
from tests.simulation.crashes import Crashes
from tests.simulation.customers import Customers
from tests.simulation.errands import Errands
from tests.simulation.invariants import aftermath
from tests.simulation.ledger import Ledger, Place
from tests.simulation.people import People
from tests.simulation.scenario import Scenario
from tests.simulation.second_thoughts import SecondThoughts
from tests.simulation.stalls import Stalls
from tests.simulation.users import Users
from tests.simulation.vendors.api import Vendor
from tests.simulation.vendors.book import Book
from tests.simulation.vendors.line import Line
from tests.simulation.vendors.session import Outside
from tests.simulation.vendors.ways import LAG_S_MAX
from tests.simulation.vendors.weather import CALM
from tests.simulation.world import SERVICES, Pace, Parts, World

OUTAGE_S: Final = (2.0, 60.0)
LOOK_S: Final = 10.0
"""How often it is asked whether everything is at rest."""
REST_S_MAX: Final = 7_200.0
"""The longest that coming to rest may take."""
WRITES_MAX: Final = 1_000
"""More writes than this, and values go round for ever."""
COMPLAINTS_MAX: Final = 100
"""More errors in the log than this, and waiting will not help."""
ROUNDS: Final = 10
"""Full rounds of reading in which nothing may be written any more."""


Script = Callable[["Play"], Awaitable[None]]


class Play:
    """One simulation, from the vendors to the end."""

    def __init__(
        self,
        scenario: Scenario,
        judges: Iterable["Judge"] = (),
        *,
        parts: Callable[[World], Parts] | None = None,
    ) -> None:
        self.scenario = scenario
        self.ledger = Ledger()
        troubles = scenario.troubles
        self.pace = Pace(
            skew_s_max=troubles.skew_s_max,
            are_clocks_apart=troubles.are_clocks_apart,
            stop_s=troubles.stop_s,
            sweep_s=scenario.sweep_s,
            reconciler_lease_s=troubles.lease_s,
        )
        now = loop.VirtualClock(loop.running()).now
        self.vendors = {
            ways.app: Vendor(ways, ledger=self.ledger, now=lambda: now().timestamp())
            for ways in scenario.vendors
        }
        self.lines = [
            Line(vendor, source=scenario.source(f"line to {app}"))
            for app, vendor in self.vendors.items()
        ]
        self.outside = Outside(self.lines)
        self.books = _open_books(scenario, self.vendors)
        self.world = World(
            str(scenario.seed), self.outside, pace=self.pace, parts=parts
        )
        self.crashes = Crashes(self.world, scenario.source("crashes"))
        self.stalls = Stalls(self.world, scenario.source("stalls"))
        self.people = People(scenario.source("people"), is_local=scenario.is_local)
        self.users = Users(scenario, self.people, self.books, later=self._later)
        self.second_thoughts = SecondThoughts(
            scenario, self.users, self.books, later=self._later
        )
        self.customers = Customers(
            self.world, self.vendors, source=scenario.source("customers")
        )
        self.errands = Errands(
            self.customers,
            self.vendors,
            act=self.users.do,
            source=scenario.source,
        )
        self._last_act_at = 0.0
        self.peace_at: float | None = None
        """T0, by the true time."""
        self.rest_at: float | None = None
        self.judges = tuple(judges)
        self.ledger.watchers.append(lambda entry: self.world.note("vendor", entry))
        self.ledger.watchers.append(
            lambda entry: self.people.note(entry, self.vendors[entry.place.app].ways)
        )
        self.ledger.watchers.append(self.second_thoughts.watch)
        for judge in self.judges:
            judge.begin(self)

    async def run(self, *, script: Script | None = None) -> None:
        """Play it all; a script takes the place of whatever would happen by chance."""
        await self.world.parts.begin()
        self.users.populate()
        for service in SERVICES:
            for number in range(self.scenario.troubles.replicas.get(service, 1)):
                self.world.start(service, number + 1)
        for plan in self.scenario.connections:
            await self.customers.connect(plan)
        await (script(self) if script else self._time_of_troubles())
        self.stalls.stop()
        last_at = max(self._last_act_at, self.stalls.until_s)
        while last_at > self.world.loop.time():
            await asyncio.sleep(last_at - self.world.loop.time())
            last_at = max(self._last_act_at, self.stalls.until_s)
        self._make_peace()
        await self._come_to_rest()
        for judge in self.judges:
            judge.look_at_rest(self)
        await asyncio.sleep(ROUNDS * self.pace.poll_interval_s)
        for judge in self.judges:
            judge.look_at_end(self)

    # The time before T0

    async def _time_of_troubles(self) -> None:
        scenario, world = self.scenario, self.world
        world.broker.faults = scenario.troubles.bus
        world.database.faults = scenario.troubles.database
        for line, weather in zip(self.lines, scenario.weathers, strict=True):
            line.weather = weather
        if scenario.troubles.crash_places_mean:
            self.crashes.happen(places_mean=scenario.troubles.crash_places_mean)
        mood, source = scenario.mood, scenario.source("times")
        span_s = mood.act_count * mood.gap_s_mean
        if scenario.troubles.replicas.get("connector", 1) > 1:
            self.stalls.happen(span_s=span_s)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._act(source))
            for _ in range(mood.errand_count):
                after_s = source.uniform(0.0, span_s)
                group.create_task(self._do_errand(after_s=after_s))
            for go_away, come_back, count in (
                (self._lose_bus, self._find_bus, scenario.troubles.bus_outages),
                (
                    world.database.go_away,
                    world.database.come_back,
                    scenario.troubles.database_outages,
                ),
            ):
                for _ in range(count):
                    group.create_task(
                        _be_away(
                            go_away,
                            come_back,
                            after_s=source.uniform(0.0, span_s),
                            for_s=source.uniform(*OUTAGE_S),
                        )
                    )

    async def _act(self, source: random.Random) -> None:
        mood = self.scenario.mood
        for _ in range(mood.act_count):
            await asyncio.sleep(source.expovariate(1.0 / mood.gap_s_mean))
            self.world.note("user", self.users.act())

    async def _do_errand(self, *, after_s: float) -> None:
        await asyncio.sleep(after_s)
        source = self.scenario.source(f"errand after {after_s}")
        for judge in self.judges:
            judge.look_before_errand()
        try:
            if source.random() < 0.5:
                await self.customers.do_errand()
            else:
                made = source.choice(self.customers.connections)
                self.world.note("errand", await self.errands.do(made))
        except CommandFailed as err:
            # Tandem says no, as it may to anybody.
            self.world.note("errand", "refused", err.code)

    def _lose_bus(self) -> None:
        self.world.broker.go_away()

    def _find_bus(self) -> None:
        is_wiped = self.scenario.source("wiping").random() < 0.5
        self.world.broker.come_back(is_wiped=is_wiped)

    def _later(self, delay_s: float, act: Callable[[], None]) -> object:
        timer = self.world.loop.call_later(delay_s, act)
        self._last_act_at = max(self._last_act_at, timer.when())
        return timer

    # T0 and after

    def _make_peace(self) -> None:
        self.world.note("peace")
        self.second_thoughts.is_over = True
        self.peace_at = self.world.loop.time()
        self.crashes.stop()
        self.world.broker.faults = BusFaults()
        self.world.database.faults = DatabaseFaults()
        for line in self.lines:
            line.weather = CALM

    async def _come_to_rest(self) -> None:
        """Wait until nothing is left to do, and two rounds of reading have passed."""
        assert self.peace_at is not None
        until = self.peace_at + REST_S_MAX
        await asyncio.sleep(2 * self.pace.poll_interval_s)
        for judge in self.judges:
            judge.look_before_rest()
        while unrest := self.unrest():
            writes = len(self.ledger.ours())
            is_hopeless = (
                writes > WRITES_MAX or len(self.world.complaints) > COMPLAINTS_MAX
            )
            if is_hopeless or self.world.loop.time() > until:
                raise Restless(unrest, writes)
            await self.customers.heal()
            for judge in self.judges:
                judge.look_before_rest()
            await asyncio.sleep(LOOK_S)
        self.rest_at = self.world.loop.time()
        self.world.note("rest")

    def unrest(self) -> list[str]:
        """Return what is still to be done anywhere."""
        rows = self.world.database.rows
        empty = limbo.empty_accounts(rows, self.books)
        doubtful = limbo.doubtful_links(rows, self.books)
        found = [f"{s} outbox" for s in SERVICES if rows(f"{s}.outbox")]
        found += [
            f"{table} {row[name]}"
            for table, name, states in _OPEN
            for row in rows(table)
            if row["state"] in states
        ]
        found += [
            f"reconciler.intents {row['intent_id']}"
            for row in rows("reconciler.intents")
            if row["state"] in aftermath.OPEN and row["link_id"] not in doubtful
        ]
        to_plan = limbo.records_to_plan(rows, but=doubtful)
        found += [f"reconciler.dirty {each}" for each in to_plan]
        found += [f"link {each}" for each in limbo.open_links(rows, empty=empty)]
        return [*found, *self._unread(), *self._unsure(empty)]

    def _unread(self) -> Iterator[str]:
        """Yield the accounts in which something happened that nobody has read yet."""
        if any(book.is_rewriting for book in self.books.values()):
            yield "a vendor rewrites"
        changed_at = self.ledger.entries[-1].at
        # Clocks of replicas differ, and what a listing shows is a little old.
        shown_at = changed_at + LAG_S_MAX + 2 * self.pace.skew_s_max
        for row in self.world.database.rows("connector.accounts"):
            read_at = row["last_read_at"]
            if row["is_wanted"] and (read_at is None or read_at.timestamp() < shown_at):
                yield f"reading {row['account_id']}"

    def _unsure(self, empty: set[AccountId]) -> Iterator[str]:
        """Yield what Tandem has yet to make sure of: a comparison finds what is left.

        Deletions without a tombstone show themselves in it alone, and listings that
        left somebody out are made good by it.
        """
        assert self.peace_at is not None
        since = max(self.peace_at, self.ledger.entries[-1].at - self._started_at)
        for row in self.world.database.rows("reconciler.connections"):
            asked_at = row["sweep_asked_at"]
            is_begun = asked_at is not None and (
                asked_at.timestamp() - self._started_at
                > since + LAG_S_MAX + self.pace.skew_s_max
            )
            is_waited_for = row["left_sweep"] or row["right_sweep"]
            if row["state"] == "live" and (not is_begun or is_waited_for):
                yield f"comparing {row['connection_id']}"
        for row in self.world.database.rows("connector.wanted_reads"):
            if row["account_id"] not in empty:
                yield f"reading {row['record_id']}"
        for row in self.world.database.rows("reconciler.observations"):
            if row["missing_since"] is not None and row["account_id"] not in empty:
                yield f"missing {row['record_id']}"

    @property
    def _started_at(self) -> float:
        return self.world.loop.start.timestamp()


_OPEN: Final = (
    ("auth.accounts", "account_id", ("lost",)),
    ("connector.writes", "intent_id", ("new", "sent")),
    ("reconciler.connections", "connection_id", ("scanning", "syncing", "paused")),
)
"""Tables, what their rows are called, and the states in which a row is work."""


class Restless(AssertionError):
    """The system does not come to rest."""

    def __init__(self, unrest: list[str], writes: int) -> None:
        left = ", ".join(unrest[:10])
        super().__init__(f"after {writes} writes still to be done: {left}")


class Judge(Protocol):
    """Watches a play, and says what must not have been."""

    violations: list[str]

    def begin(self, play: Play) -> None:
        """See the play before anything has happened."""

    def look_before_errand(self) -> None:
        """See what everything is set to before somebody changes it."""

    def look_at_rest(self, play: Play) -> None:
        """See it when everything is done."""

    def look_at_end(self, play: Play) -> None:
        """See it after ten rounds of nothing."""


def _open_books(
    scenario: Scenario, vendors: Mapping[AppId, Vendor]
) -> dict[Place, Book]:
    """Make the accounts that connections are going to have."""
    ends = [end for plan in scenario.connections for end in (plan.left, plan.right)]
    places = dict.fromkeys(Place(end.app, end.account) for end in ends)
    return {place: vendors[place.app].open_book(place.account) for place in places}


async def _be_away(
    go_away: Callable[[], None],
    come_back: Callable[[], None],
    *,
    after_s: float,
    for_s: float,
) -> None:
    await asyncio.sleep(after_s)
    go_away()
    await asyncio.sleep(for_s)
    come_back()
