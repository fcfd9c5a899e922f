"""An erasure goes on after whoever was at it has died, at any point of any step."""

import contextlib

from proto import codec
from proto.erasure import ErasePerson, EraseTraces, TracesErased, Whom
from services.chassis import database as databases
from services.chassis import keyring
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.chassis.identifiers import Identifiers
from services.chassis.loops import Wake
from services.chassis.queries import Query
from services.chassis.store import Store, Work
from services.connector import erasing as connector_erasing
from services.reconciler import erasing
from services.reconciler.config import Config
from services.reconciler.erasing import Eraser
from services.reconciler.pseudonyms import Pseudonyms
from services.reconciler.requesting import Requests
from services.reconciler.store import erasures
from tests.fakes.clock import MovableClock
from tests.integration.reconciler import erased
from tests.integration.reconciler.conftest import QUICK
from tests.integration.reconciler.world import TENANT, World, running

PEOPLE = 130
"""More than an erasure has statements."""


class Killed(Exception):
    """The process ended."""


class MortalDatabase(Database):
    """Ends whoever uses it before its nth statement, or after its commit."""

    def __init__(self, database, *, at):
        super().__init__(database._pool, schema="reconciler")
        self.at = at
        self.count = 0

    @contextlib.asynccontextmanager
    async def transaction(self, scope, *, is_reading=False):
        async with super().transaction(scope, is_reading=is_reading) as opened:
            for name in ("fetch", "fetch_row", "execute", "narrow"):
                setattr(opened, name, self._mortal(getattr(opened, name)))
            yield opened
        self._pass()

    def _mortal(self, run):
        async def die_or_run(*values):
            self._pass()
            return await run(*values)

        return die_or_run

    def _pass(self):
        self.count += 1
        if self.count == self.at:
            raise Killed


class Office:
    """Everything that erases, without the bus: messages are carried by hand."""

    def __init__(self, pools, ring):
        self.clock = MovableClock()
        self.screen = Pseudonyms(keyring.load(ring))
        self.pools = pools
        self.purged = []

    def store(self, service, database=None):
        return Store(
            database or self.pools[service],
            Work,
            clock=self.clock,
            identifiers=Identifiers(self.clock),
            relay_wake=Wake(),
        )

    async def purge(self, message_class, address):
        self.purged.append((message_class, address))

    async def ask(self, **whom):
        requests = Requests(self.store("reconciler"), screen=self.screen, wake=Wake())
        command = ErasePerson(tenant_id=TENANT, whom=Whom(**whom))
        return await requests.erase(command)

    def eraser(self, *, at=0):
        mortal = MortalDatabase(self.pools["reconciler"], at=at)
        eraser = Eraser(
            self.store("reconciler", mortal),
            screen=self.screen,
            config=Config(database_url="", nats_url=""),
            clock=self.clock,
            wake=Wake(),
        )
        return eraser, mortal

    async def carry(self):
        """Deliver what waits in both outboxes, each message twice."""
        for sender, handle in (
            ("reconciler", self._to_connector),
            ("connector", self._to_reconciler),
        ):
            async with self.pools[sender].transaction(TENANT) as opened:
                rows = await opened.fetch(
                    Query("look", "SELECT message_id, subject, payload FROM outbox", ())
                )
            for row in rows:
                await handle(row)
                await handle(row)
                async with self.pools[sender].transaction(TENANT) as opened:
                    await opened.execute(
                        Query(
                            "close",
                            "DELETE FROM outbox WHERE message_id = $1",
                            (row["message_id"],),
                        )
                    )

    async def _to_connector(self, row):
        if "erase_traces" in row["subject"]:
            message = codec.decode(row["payload"], EraseTraces)
            async with self.store("connector").transaction(TENANT) as work:
                await connector_erasing.erase_traces(work, message, bus=self)

    async def _to_reconciler(self, row):
        if "traces_erased" in row["subject"]:
            message = codec.decode(row["payload"], TracesErased)
            async with self.store("reconciler").transaction(TENANT) as work:
                await erasing.note_traces_erased(work, message)

    async def finish(self, erasure, *, at=0):
        """Take every step; whoever dies is followed by somebody who goes on."""
        eraser, mortal = self.eraser(at=at)
        deaths = 0
        while True:
            try:
                await eraser.step()
            except Killed:
                deaths += 1
                eraser, mortal = self.eraser()
            await self.carry()
            self.clock.move(1.0)
            async with self.pools["reconciler"].transaction(TENANT) as opened:
                stored = await erasures.load(
                    opened, tenant_id=TENANT, erasure_id=erasure.erasure_id
                )
            if stored.finished_at is not None:
                return deaths, mortal.count


@contextlib.asynccontextmanager
async def office(database, ring):
    async with contextlib.AsyncExitStack() as stack:
        pools = {}
        for name in ("connector", "reconciler"):
            pools[name] = await stack.enter_async_context(
                databases.connect(
                    database.service_url(name), schema=name, clock=SystemClock()
                )
            )
        yield Office(pools, ring)


async def test_a_kill_at_every_statement_ends_in_the_same_state(
    database, nats_server, tmp_path
):
    """The nth of them is killed at the nth statement of their erasure."""
    people = [f"zenobia{n:03}.quixworth@example.org" for n in range(PEOPLE)]
    world = World(database, nats_server)
    async with running(world, **QUICK) as it:
        lefts = [
            it.left.add(email, f"Zenobia{n:03}xyzzy", "Quixworth", f"Frobozz{n:03}")
            for n, email in enumerate(people)
        ]
        connection_id = await it.start()
        for n, left in enumerate(lefts):
            it.left.edit(left, title=f"Grue{n:03}plugh")
        await it.poll()
        await it.settled(connection_id)
    texts = [
        *people,
        *(f"Zenobia{n:03}xyzzy" for n in range(PEOPLE)),
        *(f"Grue{n:03}plugh" for n in range(PEOPLE)),
    ]
    before = await erased.places_of(texts, admin_url=database.admin_url)
    assert all(before.values())

    ring = erased.key_ring(tmp_path, "k1")
    async with office(database, ring) as it:
        whole = await it.finish(await it.ask(email=people[0]))
        deaths = []
        for n, email in enumerate(people[1:], 1):
            died, _ = await it.finish(await it.ask(email=email), at=n)
            deaths.append(died)
        async with it.pools["reconciler"].transaction(TENANT) as opened:
            rows = await opened.fetch(
                Query(
                    "look",
                    "SELECT records, links, subject, remains IS NULL AS is_told,"
                    " step FROM reconciler.erasures",
                    (),
                )
            )
    # As many were killed as there are statements; the rest came through at once.
    assert whole[0] == 0
    assert deaths[0] == 1
    assert deaths[-1] == 0
    assert sum(deaths) >= whole[1] - 5
    assert {tuple(row.values()) for row in rows} == {(2, 1, None, False, "done")}
    after = await erased.places_of(texts, admin_url=database.admin_url)
    assert after == {text: set() for text in texts}
