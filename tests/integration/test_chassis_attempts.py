"""A message gets a bounded number of attempts; an outage takes none of them."""

import datetime

import pytest
from prometheus_client import REGISTRY

from proto import codec
from proto.connector import ContactsObserved, ReadNow
from proto.ids import MessageId
from services.chassis.attempts import ATTEMPTS_MAX
from services.chassis.errors import BusUnavailable, DatabaseUnavailable
from services.chassis.inbox import KEPT, Receiver, count_dead_letters
from services.chassis.outbox import Envelope, Receipt
from services.chassis.queries import Query
from services.chassis.store import Work
from tests.fakes.clock import MovableClock
from tests.integration.chassis_world import ACCOUNT, EVENT, TENANT, service, until

COUNTS = Query("counts", "SELECT message_id, begun FROM attempts", ())


class Killed(BaseException):
    """The process is gone: nothing after this is done by it."""


class Handed:
    """A delivery, and what became of it."""

    def __init__(self, *, is_repeated: bool, message_id: str = "msg_1") -> None:
        self.envelope = Envelope(
            tenant_id=TENANT,
            message_id=MessageId(message_id),
            sender="connector",
            subject="evt.connector.contacts_observed.v1.acct_1",
            stream="CONNECTOR_INTERNAL",
            payload=codec.encode(EVENT),
        )
        self.is_repeated = is_repeated
        self.is_acknowledged = False
        self.delays_s: list[float] = []

    async def acknowledge(self) -> None:
        self.is_acknowledged = True

    async def refuse(self, *, delay_s: float) -> None:
        self.delays_s.append(delay_s)


class World:
    """Replicas of one service over one database, without a broker."""

    def __init__(self, runtime) -> None:
        self.runtime = runtime
        self.clock = MovableClock()
        self.begun = 0
        self.faults: list[BaseException] = []
        """What the handler runs into, one at a time."""
        self.receipts: list[Receipt] = []

    async def send_receipt(self, sender: str, receipt: Receipt) -> None:
        assert sender == "connector"
        self.receipts.append(receipt)

    def replica(self) -> Receiver:
        return Receiver(
            self,
            self.runtime.store(Work),
            handlers={ContactsObserved: self.handle},
            service="reconciler",
            clock=self.clock,
            replay_idle_s=5.0,
        )

    async def handle(self, work: Work, message: ContactsObserved) -> None:
        self.begun += 1
        if self.faults:
            raise self.faults.pop(0)
        await work.send(ReadNow(tenant_id=TENANT, account_id=ACCOUNT))

    async def counts(self) -> dict[str, int]:
        rows = await self.runtime.database.reader(TENANT).fetch(COUNTS)
        return {row["message_id"]: row["begun"] for row in rows}

    async def letters(self) -> int:
        return await count_dead_letters(self.runtime.database)


@pytest.fixture
async def world(database, nats_server):
    async with service("reconciler", database, nats_server) as runtime:
        yield World(runtime)


async def test_a_message_that_ends_whoever_takes_it_is_buried(world):
    """The failures were counted in the process that they ended: it began anew."""
    world.faults = [Killed()] * 100
    delivery = Handed(is_repeated=False)
    while not delivery.is_acknowledged:
        # Each time in a process that was just started.
        try:
            await world.replica().receive(ContactsObserved, delivery)
        except Killed:
            delivery = Handed(is_repeated=True)
    assert world.begun == 1 + ATTEMPTS_MAX
    assert await world.letters() == 1
    assert [receipt.message_ids for receipt in world.receipts] == [("msg_1",)]


async def test_failures_at_all_replicas_count_together(world):
    world.faults = [ValueError("x")] * 100
    replicas = [world.replica() for _ in range(3)]
    delays_s = []
    for turn in range(ATTEMPTS_MAX):
        delivery = Handed(is_repeated=turn > 0)
        await replicas[turn % 3].receive(ContactsObserved, delivery)
        delays_s += delivery.delays_s
    assert delivery.is_acknowledged
    assert delays_s == [2.0, 4.0, 8.0, 16.0]
    assert world.begun == ATTEMPTS_MAX
    assert await world.letters() == 1
    late = Handed(is_repeated=True)
    await replicas[0].receive(ContactsObserved, late)
    assert late.is_acknowledged
    assert world.begun == ATTEMPTS_MAX


@pytest.mark.parametrize("outage", [DatabaseUnavailable, BusUnavailable])
async def test_an_outage_takes_no_attempt(world, outage):
    """However long it lasts and whoever meets it: nothing is wrong with the message."""
    world.faults = [outage("ConnectionResetError") for _ in range(30)]
    replicas = [world.replica() for _ in range(3)]
    for turn in range(30):
        with pytest.raises(outage):
            await replicas[turn % 3].receive(ContactsObserved, Handed(is_repeated=True))
    delivery = Handed(is_repeated=True)
    await replicas[0].receive(ContactsObserved, delivery)
    assert delivery.is_acknowledged
    assert await world.letters() == 0
    assert await world.counts() == {}


async def test_a_delivery_that_finds_no_database_takes_no_attempt(
    world, postgres_server
):
    replica = world.replica()
    await postgres_server.stop()
    try:
        for _ in range(2 * ATTEMPTS_MAX):
            with pytest.raises(DatabaseUnavailable):
                await replica.receive(ContactsObserved, Handed(is_repeated=True))
    finally:
        await postgres_server.start()

    async def is_handled() -> bool:
        delivery = Handed(is_repeated=True)
        try:
            await replica.receive(ContactsObserved, delivery)
        except DatabaseUnavailable:
            return False
        return delivery.is_acknowledged

    await until(is_handled)
    assert world.begun == 1
    assert await world.letters() == 0


async def test_what_goes_well_is_not_counted(world):
    """The count costs a message nothing that takes effect the first time."""
    replica = world.replica()
    before = REGISTRY.get_sample_value("tandem_database_queries_total")
    await replica.receive(ContactsObserved, Handed(is_repeated=False))
    after = REGISTRY.get_sample_value("tandem_database_queries_total")
    assert after - before == 2, "the inbox's row and the effect"
    await replica.receive(ContactsObserved, Handed(is_repeated=True))
    assert world.begun == 1
    assert await world.counts() == {}


async def test_counts_of_messages_that_never_come_again_are_forgotten(world):
    world.faults = [ValueError("x")]
    replica = world.replica()
    await replica.receive(ContactsObserved, Handed(is_repeated=False))
    assert await world.counts() == {"msg_1": 1}
    world.clock.move((KEPT + datetime.timedelta(hours=1)).total_seconds())
    await replica.forget_old()
    assert await world.counts() == {}


async def test_a_second_delivery_is_known_as_one(database, nats_server):
    """By the broker's count, and by that of the sender's outbox."""
    async with (
        service("connector", database, nats_server) as connector,
        service("reconciler", database, nats_server) as reconciler,
    ):

        async def fetched():
            found = await reconciler.bus.fetch(ContactsObserved, wait_s=5)
            assert found is not None
            return found

        assert await reconciler.bus.fetch(ContactsObserved, wait_s=0.1) is None
        envelope = Handed(is_repeated=False).envelope
        await connector.bus.publish(envelope)
        first = await fetched()
        assert not first.is_repeated
        assert first.envelope.tenant_id == TENANT
        await first.refuse(delay_s=0.0)
        again = await fetched()
        assert again.is_repeated
        await again.acknowledge()
        async with connector.store(Work).transaction(TENANT) as work:
            await work.send(EVENT)
        for turn in range(2):
            await connector.relay.send_due()
            sent = await fetched()
            assert sent.is_repeated == (turn > 0)
            await sent.acknowledge()
            await connector.relay.hasten()
            async with connector.database.transaction(TENANT) as transaction:
                await transaction.execute(
                    Query("again", "UPDATE outbox SET tries = 1", ())
                )
