"""The bus in memory gives what NATS gives, and goes wrong as NATS does."""

import asyncio
import datetime
import random

import pytest

from proto import codec
from proto.auth import Account, AccountState, GetAccount
from proto.connector import ContactsObserved
from proto.errors import ErrorCode
from proto.ids import AccountId, AppId, MessageId, TenantId
from services.chassis.errors import BusUnavailable, CommandFailed
from services.chassis.outbox import Envelope, Receipt
from tests.fakes import loop
from tests.fakes.broker import BusFaults, Kept, MemoryBroker
from tests.fakes.bus import WAIT_S_MIN, MemoryBus
from tests.fakes.loop import Life

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
TENANT = TenantId("tnt_1")
ACCOUNT = Account(
    account_id=AccountId("acct_1"), app=AppId("app"), state=AccountState.CONNECTED
)
ASK = GetAccount(tenant_id=TENANT, account_id=ACCOUNT.account_id)


def run(coroutine):
    return loop.run(coroutine, start=START)


class Parts:
    """A broker, and connections to it."""

    def __init__(self, seed=1):
        self.broker = MemoryBroker(random.Random(seed))

    def connect(self, service, name="", **options):
        return MemoryBus(
            self.broker, service=service, life=Life(name or service), **options
        )

    async def pair(self):
        """Return a sender and a receiver whose consumer is there."""
        connector, reconciler = self.connect("connector"), self.connect("reconciler")
        await connector.ensure_streams()
        assert await received(reconciler, within_s=0.0) is None
        return connector, reconciler


def envelope(number):
    return Envelope(
        tenant_id=TENANT,
        message_id=MessageId(f"msg_{number}"),
        sender="connector",
        subject="evt.connector.contacts_observed.v1.acct_1",
        stream="CONNECTOR_INTERNAL",
        payload=b"{}",
    )


async def received(bus, *, within_s):
    """Return the next message that comes in time, or none."""
    timer = asyncio.get_running_loop().call_later(within_s, bus.interrupt)
    try:
        return await bus.fetch(ContactsObserved, wait_s=5.0)
    finally:
        timer.cancel()


async def all_received(bus, *, within_s=60.0):
    """Return the ids of what comes in a time, acknowledging each."""
    found = []
    until_s = loop.running().time() + within_s
    while (left_s := until_s - loop.running().time()) > 0:
        if delivery := await received(bus, within_s=left_s):
            found.append(delivery.envelope.message_id)
            await delivery.acknowledge()
    return found


async def answering(bus, reply=ACCOUNT):
    """Let a bus answer one command, and return what it was asked."""
    asked = []

    async def answer(command):
        asked.append(command)
        if isinstance(reply, Exception):
            raise reply
        return reply

    await bus.answer(GetAccount, answer)
    return asked


def test_a_command_is_answered_by_one_replica_each_time():
    async def ask():
        parts = Parts()
        asked = [await answering(parts.connect("auth", n)) for n in ("one", "two")]
        api = parts.connect("api")
        replies = [await api.request(ASK) for _ in range(20)]
        assert replies == [ACCOUNT] * 20
        assert sum(map(len, asked)) == 20
        assert all(asked)

    run(ask())


def test_a_refusal_comes_back_as_one():
    async def ask():
        parts = Parts()
        refusal = CommandFailed(ErrorCode.NOT_FOUND, "There is none.")
        await answering(parts.connect("auth"), refusal)
        with pytest.raises(CommandFailed) as failure:
            await parts.connect("api").request(ASK)
        assert failure.value.code is ErrorCode.NOT_FOUND

    run(ask())


def test_a_command_waits_for_a_service_that_starts():
    async def ask():
        parts = Parts()
        asking = asyncio.create_task(parts.connect("api").request(ASK))
        await asyncio.sleep(5.0)
        await answering(parts.connect("auth"))
        assert await asking == ACCOUNT

    run(ask())


def test_a_command_that_nobody_answers_ends_in_time():
    async def ask():
        with pytest.raises(BusUnavailable):
            await Parts().connect("api").request(ASK, timeout_s=3.0)
        return loop.running().time()

    assert run(ask()) == 3.0


def test_a_lost_command_or_reply_ends_in_time():
    async def ask():
        parts = Parts()
        asked = await answering(parts.connect("auth"))
        parts.broker.faults = BusFaults(loses_commands=1.0)
        api = parts.connect("api")
        for _ in range(20):
            with pytest.raises(BusUnavailable):
                await api.request(ASK, timeout_s=3.0)
        assert 0 < len(asked) < 20

    run(ask())


def test_a_message_comes_once_and_is_gone_when_acknowledged():
    async def send():
        connector, reconciler = await Parts().pair()
        for number in range(3):
            await connector.publish(envelope(number))
        assert await all_received(reconciler) == ["msg_0", "msg_1", "msg_2"]

    run(send())


def test_a_message_that_nobody_settles_comes_again():
    async def send():
        connector, reconciler = await Parts().pair()
        await connector.publish(envelope(1))
        first = await received(reconciler, within_s=1.0)
        assert await received(reconciler, within_s=29.0) is None
        again = await received(reconciler, within_s=2.0)
        assert first.envelope == again.envelope
        assert (first.is_repeated, again.is_repeated) == (False, True)

    run(send())


def test_a_refused_message_comes_again_when_it_was_asked_to():
    async def send():
        connector, reconciler = await Parts().pair()
        await connector.publish(envelope(1))
        first = await received(reconciler, within_s=1.0)
        await first.refuse(delay_s=4.0)
        assert await received(reconciler, within_s=3.9) is None
        assert await all_received(reconciler, within_s=1.0) == ["msg_1"]

    run(send())


def test_two_replicas_share_the_messages():
    async def send():
        parts = Parts()
        connector, one = await parts.pair()
        two = parts.connect("reconciler", "two")
        for number in range(20):
            await connector.publish(envelope(number))
        found = await asyncio.gather(all_received(one), all_received(two))
        assert sorted(found[0] + found[1]) == sorted(f"msg_{n}" for n in range(20))

    run(send())


def test_a_message_without_a_consumer_is_not_kept():
    """So are internal streams: they keep only what somebody is interested in."""

    async def send():
        parts = Parts()
        connector, reconciler = parts.connect("connector"), parts.connect("reconciler")
        await connector.ensure_streams()
        await connector.publish(envelope(1))
        assert await all_received(reconciler) == []

    run(send())


def test_a_publish_without_its_stream_fails_and_makes_it():
    async def send():
        connector = Parts().connect("connector")
        with pytest.raises(BusUnavailable):
            await connector.publish(envelope(1))
        await connector.publish(envelope(1))

    run(send())


@pytest.mark.parametrize(
    ("faults", "count_min", "count_max"),
    [
        (BusFaults(loses=1.0), 0, 0),
        (BusFaults(repeats=1.0), 100, 250),
        (BusFaults(delays=1.0), 50, 50),
        (BusFaults(loses=0.5), 10, 40),
    ],
    ids=str,
)
def test_messages_go_wrong_as_often_as_they_should(faults, count_min, count_max):
    async def send():
        parts = Parts()
        connector, reconciler = await parts.pair()
        parts.broker.faults = faults
        for number in range(50):
            await connector.publish(envelope(number))
        found = await all_received(reconciler)
        assert count_min <= len(found) <= count_max
        if faults.delays:
            assert found != sorted(found, key=lambda name: int(name[4:]))

    run(send())


def test_a_refused_publish_may_have_been_kept():
    async def send():
        parts = Parts()
        connector, reconciler = await parts.pair()
        parts.broker.faults = BusFaults(refuses=1.0)
        for number in range(50):
            with pytest.raises(BusUnavailable):
                await connector.publish(envelope(number))
        assert 10 <= len(await all_received(reconciler)) <= 40

    run(send())


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_receipts_come_to_one_replica_of_the_sender_or_are_lost(share):
    async def send():
        parts = Parts()
        parts.broker.faults = BusFaults(loses_receipts=share)
        taken = []
        for name in ("one", "two"):
            bus = parts.connect("connector", name)
            await bus.receive_receipts(taken.append)
        receipt = Receipt(
            receiver="reconciler",
            tenant_id=TENANT,
            message_ids=(MessageId("msg_1"),),
        )
        await parts.connect("reconciler").send_receipt("connector", receipt)
        await asyncio.sleep(1.0)
        assert taken == ([] if share else [receipt])
        assert not taken or taken[0] is not receipt

    run(send())


@pytest.mark.parametrize("is_wiped", [False, True])
def test_an_outage_ends_waiting_fetches_and_keeps_or_loses_messages(is_wiped):
    async def send():
        parts = Parts()
        connector, reconciler = await parts.pair()
        reconnected = []

        async def note():
            reconnected.append(loop.running().time())

        parts.connect("connector", "other", on_reconnected=note)
        await connector.publish(envelope(1))
        parts.broker.go_away()
        assert not connector.is_connected
        with pytest.raises(BusUnavailable):
            await connector.publish(envelope(2))
        with pytest.raises(BusUnavailable):
            await reconciler.fetch(ContactsObserved, wait_s=5.0)
        parts.broker.come_back(is_wiped=is_wiped)
        await asyncio.sleep(1.0)
        assert len(reconnected) == 1
        assert await all_received(reconciler) == ([] if is_wiped else ["msg_1"])
        await connector.publish(envelope(3))
        assert await all_received(reconciler) == ["msg_3"]

    run(send())


def test_a_killed_process_neither_sends_nor_answers():
    async def kill():
        parts = Parts()
        connector, reconciler = await parts.pair()
        asked = await answering(parts.connect("auth"))
        auth = parts.connect("auth", "killed")
        await answering(auth)
        auth.life.end()
        api = parts.connect("api")
        assert [await api.request(ASK) for _ in range(10)] == [ACCOUNT] * 10
        assert len(asked) == 10
        connector.life.end()
        with pytest.raises(asyncio.CancelledError):
            await connector.publish(envelope(1))
        assert await all_received(reconciler) == []

    run(kill())


def test_a_message_that_a_killed_process_was_woken_for_comes_to_another():
    """A wake-up that nobody hears would leave the message lying for ever."""

    async def kill():
        parts = Parts()
        _connector, one = await parts.pair()
        two = parts.connect("reconciler", "two")
        taking = one.life.start(one.fetch(ContactsObserved, wait_s=5.0))
        await asyncio.sleep(1.0)
        found = asyncio.create_task(all_received(two))
        await asyncio.sleep(1.0)
        parts.broker.consumer(ContactsObserved, "reconciler").add(Kept(envelope(1)))
        one.life.end()
        assert await found == ["msg_1"]
        assert taking.cancelled()

    run(kill())


def test_a_place_can_be_the_last():
    async def kill():
        parts = Parts()
        connector, reconciler = await parts.pair()
        places = []

        def watch(place):
            places.append(place)
            if place.startswith("bus published"):
                connector.life.end()

        connector.life.watch = watch
        with pytest.raises(asyncio.CancelledError):
            await connector.publish(envelope(1))
        assert places == [
            "bus publish connector.contacts_observed",
            "bus published connector.contacts_observed",
        ]
        assert await all_received(reconciler) == ["msg_1"]

    run(kill())


def test_messages_are_bytes():
    async def send():
        connector, reconciler = await Parts().pair()
        event = ContactsObserved(
            tenant_id=TENANT, account_id=AccountId("acct_1"), records=(), read_at=START
        )
        payload = codec.encode(event)
        await connector.publish(
            Envelope(
                tenant_id=TENANT,
                message_id=MessageId("msg_1"),
                sender="connector",
                subject="evt.connector.contacts_observed.v1.acct_1",
                stream="CONNECTOR_INTERNAL",
                payload=payload,
            )
        )
        delivery = await received(reconciler, within_s=1.0)
        assert codec.decode(delivery.envelope.payload, ContactsObserved) == event

    run(send())


def test_a_process_that_settles_is_asked_nothing_more():
    async def settle():
        parts = Parts()
        leaving, staying = parts.connect("auth", "leaving"), parts.connect("auth")
        asked = await answering(leaving)
        await answering(staying)
        await leaving.settle(timeout_s=1.0)
        api = parts.connect("api")
        assert [await api.request(ASK) for _ in range(10)] == [ACCOUNT] * 10
        assert asked == []

    run(settle())


def test_a_wait_for_a_message_comes_to_an_end():
    async def wait():
        _connector, reconciler = await Parts().pair()
        assert await reconciler.fetch(ContactsObserved, wait_s=5.0) is None
        return loop.running().time()

    assert run(wait()) == pytest.approx(WAIT_S_MIN, abs=1.0)
