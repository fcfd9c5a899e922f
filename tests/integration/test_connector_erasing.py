"""What the connector does for an erasure: in its journal, and at the broker."""

import asyncio
import contextlib

import pytest

from proto import codec
from proto.connector import (
    ContactsWritten,
    ContactWrite,
    WriteContacts,
    WriteKind,
    WriteOutcome,
)
from proto.erasure import Cancelled, EraseTraces, Place, TracesErased
from proto.ids import AccountId, IntentId
from services.chassis import migrations, process
from services.chassis.clock import SystemClock
from services.chassis.config import Settings
from services.chassis.outbox import Envelope
from services.chassis.queries import Query
from services.connector import erasing
from services.connector.accounts import AccountRef
from services.connector.store import ConnectorWork

ACCOUNT, OTHER = AccountId("acct_1"), AccountId("acct_2")
REF = AccountRef("tnt_1", ACCOUNT, "app")


@contextlib.asynccontextmanager
async def standing(database, broker, *, seed_file=None):
    url = database.service_url("connector")
    await migrations.apply(
        database.owner_url("connector"),
        service="connector",
        role=migrations.role_of(url),
    )
    settings = Settings(
        database_url=url,
        nats_url=broker.url,
        nats_seed_file=seed_file,
    )
    async with process.standing("connector", settings, clock=SystemClock()) as runtime:
        yield runtime


@pytest.fixture
async def connector(database, nats_server):
    """A connector's store and bus, and nobody who reads or writes."""
    seed_file = nats_server.seed_file("connector")
    async with standing(database, nats_server, seed_file=seed_file) as runtime:
        yield runtime


@pytest.fixture
async def free_connector(database, open_nats_server):
    """The same, where it may send what others send."""
    async with standing(database, open_nats_server) as runtime:
        yield runtime


def job(**changes):
    values = {
        "tenant_id": "tnt_1",
        "erasure_id": "eras_1",
        "account_ids": (ACCOUNT,),
        "emails": ("ana@example.org",),
        "places": (Place(account_id=ACCOUNT, record_id="r1"),),
    }
    return EraseTraces(**{**values, **changes})


def write(connector, intent_id):
    return ContactWrite(
        intent_id=IntentId(intent_id),
        kind=WriteKind.CREATE,
        not_after=connector.clock.now(),
    )


async def rows(connector, text):
    async with connector.database.transaction("tnt_1") as opened:
        return await opened.fetch(Query("look", text, ()))


async def told(connector, kind):
    found = await rows(connector, "SELECT subject, payload FROM outbox")
    return [
        codec.decode(row["payload"], kind)
        for row in found
        if f".{'contacts_written' if kind is ContactsWritten else 'traces_erased'}."
        in row["subject"]
    ]


async def test_only_what_was_not_begun_is_called_off(connector):
    """Also what comes later: its tombstone is there already, and answers again."""
    store = connector.store(ConnectorWork)
    async with store.transaction("tnt_1") as work:
        writes = [write(connector, f"int_{n}") for n in range(3)]
        await work.add_writes(REF, "conn_1", writes=writes)
    async with connector.database.transaction("tnt_1") as opened:
        for text in (
            "UPDATE connector.writes SET state = 'sent' WHERE intent_id = 'int_1'",
            "UPDATE connector.writes SET state = 'done', done_at = now(), result = '{}'"
            " WHERE intent_id = 'int_2'",
        ):
            await opened.execute(Query("change", text, ()))
    cancelled = tuple(
        Cancelled(
            intent_id=IntentId(f"int_{n}"),
            kind=WriteKind.CREATE,
            account_id=ACCOUNT,
            connection_id="conn_1",
        )
        for n in range(4)
    )
    for _ in range(2):
        async with store.transaction("tnt_1") as work:
            await erasing.erase_traces(
                work, job(cancelled=cancelled), bus=connector.bus
            )
    (answer,) = await told(connector, ContactsWritten)
    assert [(e.intent_id, e.outcome) for e in answer.results] == [
        ("int_0", WriteOutcome.STALE),
        ("int_3", WriteOutcome.STALE),
    ]
    async with store.transaction("tnt_1") as work:
        late = write(connector, "int_3")
        await work.add_writes(REF, "conn_1", writes=[late])
        assert await work.open_writes(REF, state="new", but=(), limit=9) == []
    assert await told(connector, TracesErased) == []


async def test_the_last_job_leaves_no_row_and_says_so(connector):
    store = connector.store(ConnectorWork)
    async with store.transaction("tnt_1") as work:
        writes = [write(connector, f"int_{n}") for n in range(2)]
        await work.add_writes(REF, "conn_1", writes=writes)
        await work.want_reads("tnt_1", ACCOUNT, record_ids=["r1", "r2"])
    async with store.transaction("tnt_1") as work:
        last = job(intent_ids=("int_0",), is_last=True)
        await erasing.erase_traces(work, last, bus=connector.bus)
    left = await rows(connector, "SELECT intent_id FROM connector.writes")
    assert [row["intent_id"] for row in left] == ["int_1"]
    left = await rows(connector, "SELECT record_id FROM connector.wanted_reads")
    assert [row["record_id"] for row in left] == ["r2"]
    (answer,) = await told(connector, TracesErased)
    assert answer.erasure_id == "eras_1"


async def test_the_broker_forgets_the_accounts_messages_alone(free_connector):
    """They come from the outbox again; nobody fetches them here meanwhile."""
    connector, bus = free_connector, free_connector.bus
    for account_id in (ACCOUNT, OTHER):
        # A first fetch makes the consumer that the broker keeps messages for.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await bus.fetch(WriteContacts, wait_s=0.1)
        message = WriteContacts(
            tenant_id="tnt_1",
            account_id=account_id,
            app="app",
            connection_id="conn_1",
            writes=(write(connector, "int_0"),),
        )
        await bus.publish(
            Envelope(
                tenant_id="tnt_1",
                message_id=f"msg_{account_id}",
                sender="reconciler",
                subject=f"job.connector.write_contacts.v1.{account_id}",
                stream="",
                payload=codec.encode(message),
            )
        )
    async with connector.store(ConnectorWork).transaction("tnt_1") as work:
        await erasing.erase_traces(work, job(is_last=True), bus=bus)
    delivery = await bus.fetch(WriteContacts, wait_s=2.0)
    assert delivery is not None
    assert delivery.envelope.message_id == f"msg_{OTHER}"
    assert await bus.fetch(WriteContacts, wait_s=0.3) is None
