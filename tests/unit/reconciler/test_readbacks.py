"""What is kept of the records that came with the answers to writes."""

import datetime
import random

from proto.connector import ContactsObserved, ContactsWritten, ContactWritten, WriteKind
from proto.connector import WriteOutcome as Outcome
from proto.ids import IntentId, RecordId
from proto.record import Record
from services.reconciler import readbacks
from services.reconciler.store import connections, observations
from tests.bench import planning
from tests.fakes import loop
from tests.fakes.clock import MovableClock
from tests.fakes.database.database import MemoryDatabase
from tests.unit.reconciler.values import NOW

LEFT, RIGHT, TENANT = planning.LEFT, planning.RIGHT, planning.TENANT
MADE, SOURCE = RecordId("made"), RecordId("source")


def test_what_we_made_is_noted_before_anything_is_marked():
    """Locks are taken in one order, whatever an answer shows (seed 4254).

    A create was known by a record that no answer showed, while the record that it was
    made of had changed: its connection was marked first, and the other record, which
    everybody locks before, only then.
    """

    async def scene() -> bool:
        database = MemoryDatabase(random.Random(1))
        database.watches_order = True
        clock = MovableClock()
        bench = planning.Bench(database.as_service("reconciler"), clock=clock)
        connection_id = await bench.prepare()
        await bench.take(
            ContactsObserved(
                tenant_id=TENANT,
                account_id=RIGHT,
                records=(Record(record_id=MADE),),
                read_at=clock.now(),
            )
        )
        clock.move(60.0)
        shown = ContactWritten(
            intent_id=IntentId("int_1"),
            kind=WriteKind.LOOK,
            outcome=Outcome.MISSING,
            source_record=Record(record_id=SOURCE),
            read_at=clock.now(),
        )
        async with bench.store.transaction(TENANT) as work:
            stored = await connections.load(
                work.transaction, tenant_id=TENANT, connection_id=connection_id
            )
            marked = await readbacks.keep(
                work,
                ContactsWritten(
                    tenant_id=TENANT,
                    account_id=RIGHT,
                    connection_id=connection_id,
                    results=(shown,),
                ),
                connection=stored,
                made={MADE},
            )
            assert marked == {connection_id}
            place = (RIGHT, MADE)
            known = await observations.load(work.transaction, [place], tenant_id=TENANT)
        return known[place].is_ours

    assert loop.run(scene(), start=NOW + datetime.timedelta(days=1))


def test_what_was_read_before_a_forgotten_digest_replaces_nothing():
    """Only what a write was based on is followed, whatever the clocks say.

    A change of an account's fields empties the digests of its records, to have the next
    state of each count as news: every older one then passed for what was based on it.
    """

    async def scene() -> str | None:
        database = MemoryDatabase(random.Random(1))
        clock = MovableClock()
        bench = planning.Bench(database.as_service("reconciler"), clock=clock)
        connection_id = await bench.prepare()
        early = clock.now()
        clock.move(60.0)
        await bench.take(
            ContactsObserved(
                tenant_id=TENANT,
                account_id=RIGHT,
                records=(Record(record_id=SOURCE, version="new"),),
                read_at=clock.now(),
            )
        )
        shown = ContactWritten(
            intent_id=IntentId("int_1"),
            kind=WriteKind.UPDATE,
            outcome=Outcome.STALE,
            record=Record(record_id=SOURCE, version="old"),
            read_at=early,
        )
        async with bench.store.transaction(TENANT) as work:
            stored = await connections.load(
                work.transaction, tenant_id=TENANT, connection_id=connection_id
            )
            await connections.forget_digests(
                work.transaction, tenant_id=TENANT, account_id=RIGHT
            )
            await readbacks.keep(
                work,
                ContactsWritten(
                    tenant_id=TENANT,
                    account_id=RIGHT,
                    connection_id=connection_id,
                    results=(shown,),
                ),
                connection=stored,
                made={MADE},
            )
            place = (RIGHT, SOURCE)
            known = await observations.load(work.transaction, [place], tenant_id=TENANT)
        return known[place].record.version

    assert loop.run(scene(), start=NOW + datetime.timedelta(days=1)) == "new"
