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
        async with bench.store.transaction() as work:
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
