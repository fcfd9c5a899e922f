"""What a create has made may be shown, and edited, before its answer is known.

While no mark tells whose it is, it is told by how it reads (hazard 12), and its user
may go on to change all of that before anybody looks.
"""

import msgspec
import pytest

from proto import codec
from proto.connector import (
    ContactsObserved,
    ContactsWritten,
    ContactWritten,
    WriteContacts,
    WriteKind,
    WriteOutcome,
)
from proto.fields import Fields
from proto.ids import FieldId, RecordId
from proto.record import Record
from services.chassis.queries import Query
from services.reconciler.engine import patience
from services.reconciler.engine.model import Link
from tests.bench import planning
from tests.integration.reconciler.test_time import bench, writes

__all__ = ["bench"]

RIGHT, TENANT = planning.RIGHT, planning.TENANT
MADE = RecordId("made")
CONNECTIONS = Query("states", "SELECT state FROM connections", ())
BODIES = Query("bodies", "SELECT body FROM links ORDER BY link_id", ())


async def show(
    bench: planning.Bench, fields: Fields, *, is_planned: bool = True
) -> None:
    """Have the right account show what was made."""
    bench.clock.move(10.0)
    await bench.take(
        ContactsObserved(
            tenant_id=TENANT,
            account_id=RIGHT,
            records=(Record(record_id=MADE, version="1", fields=fields),),
            read_at=bench.clock.now(),
        )
    )
    if is_planned:
        await plan(bench)


async def plan(bench: planning.Bench) -> None:
    while await bench.planner.step():
        pass


async def answer(
    bench: planning.Bench, job: WriteContacts, outcome: WriteOutcome, *, kind: WriteKind
) -> None:
    """Answer the first write of a job."""
    now = bench.clock.now()
    result = ContactWritten(
        intent_id=job.writes[0].intent_id,
        kind=kind,
        outcome=outcome,
        sent_at=now,
        read_at=now,
    )
    answers = ContactsWritten(
        tenant_id=TENANT,
        account_id=job.account_id,
        connection_id=job.connection_id,
        results=(result,),
    )
    await bench.take(answers)
    await plan(bench)


async def bound(bench: planning.Bench) -> list[RecordId]:
    """Return the records of the right account that are linked."""
    rows = await bench.pool.reader(TENANT).fetch(BODIES)
    links = [codec.decode(row["body"], Link) for row in rows]
    return [link.right_id for link in links if link.right_id and link.left_id]


async def states(bench: planning.Bench) -> list[str]:
    """Return the states of all connections."""
    rows = await bench.pool.reader(TENANT).fetch(CONNECTIONS)
    return [row["state"] for row in rows]


@pytest.mark.parametrize("known_after", ["nothing", "shown", "edited"])
async def test_what_an_open_create_made_is_recognised_whenever_it_is_known_to_be_lost(
    bench, known_after
):
    """Its user changed its address and half of the rest, and it was made anew.

    Only creates whose answers were known to be lost were compared with whom an account
    showed: nobody came back to who had been shown before (seeds 7987 and 62248, I4).
    """
    await plan(bench)
    (job,) = await writes(bench)
    made = job.writes[0].fields
    edited = dict.fromkeys(made, None) | {FieldId("email"): "other@example.org"}
    for happened, fields in (("nothing", None), ("shown", made), ("edited", edited)):
        if fields is not None:
            await show(bench, fields)
        if happened == known_after:
            await answer(bench, job, WriteOutcome.UNKNOWN, kind=WriteKind.CREATE)
    bench.clock.move(300.0)
    await answer(bench, job, WriteOutcome.MISSING, kind=WriteKind.LOOK)
    assert await bound(bench) == [MADE]


async def test_what_a_create_made_is_recognised_though_nothing_was_planned_meanwhile(
    bench,
):
    """Its connection waited for a person, and it was made twice (seed 400591, I4).

    It was shown as it was made while an account was lost, and only what it had become
    was there to be compared once that was authorised again (hazards 12 and 13).
    """
    await plan(bench)
    (job,) = await writes(bench)
    await answer(bench, job, WriteOutcome.UNKNOWN, kind=WriteKind.CREATE)
    made = job.writes[0].fields
    await show(bench, made, is_planned=False)
    edited = dict.fromkeys(made, None) | {FieldId("email"): "other@example.org"}
    await show(bench, edited, is_planned=False)
    await plan(bench)
    bench.clock.move(300.0)
    await answer(bench, job, WriteOutcome.MISSING, kind=WriteKind.LOOK)
    assert await bound(bench) == [MADE]


async def test_a_create_of_which_nobody_can_tell_keeps_nobody_waiting(bench):
    """Whoever it is for is held, and the connection goes live (seed 604257, I2)."""
    await plan(bench)
    (job,) = await writes(bench)
    lost = msgspec.structs.replace(job, writes=job.writes[:1])
    others = msgspec.structs.replace(job, writes=job.writes[1:])
    await bench.answer([codec.encode(others)])
    await answer(bench, lost, WriteOutcome.UNKNOWN, kind=WriteKind.CREATE)
    for _ in range(patience.LOOKS_UNTIL_HELD):
        assert await states(bench) == ["syncing"]
        bench.clock.move(3600.0)
        await answer(bench, lost, WriteOutcome.UNKNOWN, kind=WriteKind.LOOK)
    assert await states(bench) == ["live"]
    bench.clock.move(3600.0)
    await show(bench, lost.writes[0].fields)
    await answer(bench, lost, WriteOutcome.UNKNOWN, kind=WriteKind.LOOK)
    assert MADE in await bound(bench)
