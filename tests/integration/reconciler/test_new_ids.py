"""An app that knows people by their addresses gives whoever we change a new id."""

from proto.connector import (
    ContactsObserved,
    ContactsWritten,
    ContactWrite,
    ContactWritten,
    WriteContacts,
    WriteOutcome,
)
from proto.fields import Fields
from proto.ids import AccountId, FieldId, RecordId
from proto.record import Record
from tests.bench import planning
from tests.integration.reconciler.test_open_creates import bound, plan
from tests.integration.reconciler.test_time import bench, writes

__all__ = ["bench"]

EMAIL = FieldId("email")
FIRST = planning.person(0)


def record(record_id: str, fields: Fields, *, version: str) -> Record:
    return Record(record_id=RecordId(record_id), version=version, fields=fields)


async def show(bench: planning.Bench, account_id: AccountId, shown: Record) -> None:
    """Have an account show one record."""
    bench.clock.move(10.0)
    await bench.take(
        ContactsObserved(
            tenant_id=planning.TENANT,
            account_id=account_id,
            records=(shown,),
            read_at=bench.clock.now(),
        )
    )
    await plan(bench)


async def answer(
    bench: planning.Bench, job: WriteContacts, write: ContactWrite, *, shown: Record
) -> None:
    """Say of one write that it is done, and what is there since."""
    now = bench.clock.now()
    done = ContactWritten(
        intent_id=write.intent_id,
        kind=write.kind,
        outcome=WriteOutcome.WRITTEN,
        record=shown,
        sent_at=now,
        read_at=now,
    )
    await bench.take(
        ContactsWritten(
            tenant_id=planning.TENANT,
            account_id=job.account_id,
            connection_id=job.connection_id,
            results=(done,),
        )
    )
    await plan(bench)


async def test_who_is_shown_under_a_new_address_before_the_answer_keeps_their_link(
    bench,
):
    """They stood alone by then, and the answer could never be stored.

    Seen between two apps of which one has no other ids: the contact stayed pending, and
    what was edited there from then on was nobody's.
    """
    await plan(bench)
    (job,) = await writes(bench)
    create = next(one for one in job.writes if one.fields[EMAIL] == FIRST[EMAIL])
    made = record("old-address", FIRST, version="1")
    await answer(bench, job, create, shown=made)
    assert await bound(bench) == [made.record_id]

    changed = FIRST | {EMAIL: "moved@example.org"}
    left = record(f"{planning.LEFT}-0", changed, version="2")
    await show(bench, planning.LEFT, left)
    (job,) = await writes(bench)
    (update,) = job.writes
    assert update.record_id == made.record_id
    moved = record("new-address", changed, version="2")
    await show(bench, planning.RIGHT, moved)
    await answer(bench, job, update, shown=moved)
    assert await bound(bench) == [moved.record_id]
