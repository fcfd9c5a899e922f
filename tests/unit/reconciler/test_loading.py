"""What is loaded beside the records that wait to be planned."""

import datetime
import random

import msgspec

from proto.connector import ContactsObserved
from proto.ids import LinkId, RecordId
from proto.reconciler import Side
from proto.record import Presence, Record
from services.reconciler import loading
from services.reconciler.batches import Batch
from services.reconciler.engine.model import Link
from services.reconciler.engine.newcomers import OpenCreate
from services.reconciler.store import arrivals, connections, intents, links
from services.reconciler.store.intents import Told
from services.reconciler.store.links import NamedLink
from tests.bench import planning
from tests.fakes import loop
from tests.fakes.clock import MovableClock
from tests.fakes.database.database import MemoryDatabase
from tests.unit.reconciler import values
from tests.unit.reconciler.values import NOW

LEFT, TENANT = planning.LEFT, planning.TENANT


def merged(number: int) -> Record:
    """Return a record that its app has made one with the next."""
    return Record(
        record_id=RecordId(f"l{number}"),
        presence=Presence.MERGED,
        merged_into=RecordId(f"l{number + 1}"),
    )


def test_whom_a_chain_of_merges_leads_to_is_loaded_with_the_first():
    """With the links of all of them: who is somebody else's is not to be had."""

    async def scene() -> Batch | None:
        database = MemoryDatabase(random.Random(1))
        clock = MovableClock()
        bench = planning.Bench(database.as_service("reconciler"), clock=clock)
        connection_id = await bench.prepare()
        for record in (merged(1), merged(2), Record(record_id=RecordId("l3"))):
            await bench.take(
                ContactsObserved(
                    tenant_id=TENANT,
                    account_id=LEFT,
                    records=(record,),
                    read_at=clock.now(),
                )
            )
        async with bench.store.transaction(TENANT) as work:
            stored = await connections.load(
                work.transaction, tenant_id=TENANT, connection_id=connection_id
            )
            assert stored is not None
            of = Link(link_id=LinkId("link_1"), left_id=RecordId("l1"), version=0)
            for number in (1, 3):
                link = msgspec.structs.replace(
                    of,
                    link_id=LinkId(f"link_{number}"),
                    left_id=RecordId(f"l{number}"),
                )
                await links.save(
                    work.transaction,
                    stored,
                    links=[NamedLink(link=link)],
                    now=clock.now(),
                )
            return await loading.load(
                work.transaction, stored, limit=1, creates_after=clock.now()
            )

    batch = loop.run(scene(), start=NOW + datetime.timedelta(days=1))
    assert batch is not None
    assert (Side.LEFT, RecordId("l3")) in batch.seen
    assert {link.link_id for link in batch.links} == {"link_1", "link_3"}


def test_creates_that_are_waited_for_no_longer_hide_none_of_the_later():
    """Only so many are loaded: those might have been all.

    Lost ones come first, since of others an answer may be on its way.
    """

    async def scene() -> list[OpenCreate]:
        database = MemoryDatabase(random.Random(1))
        clock = MovableClock()
        bench = planning.Bench(database.as_service("reconciler"), clock=clock)
        connection_id = await bench.prepare()
        async with bench.store.transaction(TENANT) as work:
            stored = await connections.load(
                work.transaction, tenant_id=TENANT, connection_id=connection_id
            )
            assert stored is not None
            for number, state in ((1, "unknown"), (2, "open"), (3, "unknown")):
                told = Told(
                    intent=values.intent(number),
                    state=state,
                    sent_at=None,
                    look_at=None,
                    outcome="unknown",
                    reason="",
                )
                now = clock.now() + datetime.timedelta(hours=number)
                await intents.save(work.transaction, stored, told=[told], now=now)
            return await arrivals.load_open_creates(
                work.transaction,
                stored.account_ids,
                tenant_id=TENANT,
                connection_id=connection_id,
                after=clock.now() + datetime.timedelta(hours=1),
            )

    found = loop.run(scene(), start=NOW + datetime.timedelta(days=1))
    assert [each.intent.intent_id for each in found] == ["int_3", "int_2"]
