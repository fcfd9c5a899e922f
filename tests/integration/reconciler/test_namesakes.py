"""Two people of one name, and the answers to the creates of both are lost."""

from proto.connector import (
    ContactsObserved,
    ContactsWritten,
    ContactWritten,
    WriteContacts,
    WriteKind,
    WriteOutcome,
)
from proto.fields import Fields
from proto.ids import AccountId, FieldId, RecordId
from proto.record import Record
from tests.bench import planning
from tests.integration.reconciler.test_time import bench, sweeper, writes

__all__ = ["bench"]

EMAIL = FieldId("email")
ONE, TWO = "one@example.org", "two@example.org"


def named_alike(email: str) -> Fields:
    return {**planning.person(1), EMAIL: email}


async def show(
    bench: planning.Bench, account_id: AccountId, people: dict[str, Fields]
) -> None:
    bench.clock.move(60.0)
    await bench.take(
        ContactsObserved(
            tenant_id=planning.TENANT,
            account_id=account_id,
            records=tuple(
                Record(record_id=RecordId(record_id), version="2", fields=fields)
                for record_id, fields in people.items()
            ),
            read_at=bench.clock.now(),
        )
    )


async def plan(bench: planning.Bench) -> WriteContacts:
    while await bench.planner.step():
        pass
    (job,) = await writes(bench)
    return job


async def miss(bench: planning.Bench) -> None:
    """Have all who wait for an answer looked for in vain."""
    bench.clock.move(7_200.0)
    await sweeper(bench).look()
    (job,) = await writes(bench)
    results = tuple(
        ContactWritten(
            intent_id=write.intent_id,
            kind=WriteKind.LOOK,
            outcome=WriteOutcome.MISSING,
            read_at=bench.clock.now(),
        )
        for write in job.writes
    )
    await bench.take(
        ContactsWritten(
            tenant_id=job.tenant_id,
            account_id=job.account_id,
            connection_id=job.connection_id,
            results=results,
        )
    )


async def test_what_was_made_for_a_namesake_is_taken_by_nobody_else(bench):
    """The first who was looked for took it, and the edits of the other with it."""
    ids = [f"{planning.LEFT}-{number}" for number in range(2)]
    people = [named_alike(ONE), named_alike(TWO)]
    await show(bench, planning.LEFT, dict(zip(ids, people, strict=True)))
    made = {write.fields[EMAIL] for write in (await plan(bench)).writes}
    assert {ONE, TWO} <= made
    await show(bench, planning.RIGHT, {"r2": people[1]})
    await miss(bench)
    await miss(bench)
    again = {
        write.fields[EMAIL]
        for write in (await plan(bench)).writes
        if write.kind is WriteKind.CREATE
    }
    assert again == made - {TWO}
