"""Deletions are believed on evidence, and undone in bulk only with a person's word."""

import pytest

from proto.connector import ReadRecords
from proto.reconciler import ApproveChanges, RecordState, Side
from proto.record import Consent
from proto.rules import Unsubscribes
from services.chassis.queries import Query
from services.reconciler.missing import CONFIRM_AFTER
from tests.integration.reconciler.world import TENANT, World, until

TRASH = ("PieSync Trash",)
ASK_NOW = """
UPDATE reconciler.observations SET ask_again_at = now()
WHERE ask_again_at IS NOT NULL
"""


async def both(world: World, count: int, **settings: object):
    """Link so many contacts; return the connection and the left records."""
    lefts = []
    for number in range(count):
        email = f"p{number}@example.org"
        lefts.append(world.left.add(email, f"P{number}", "Smith"))
        world.right.add(email, f"P{number}", "Smith")
    connection_id = await world.start(**settings)
    assert world.right.writes == []
    return connection_id, lefts


async def scan(world: World, connection_id) -> None:
    await world.act(connection_id, "pause")
    await world.act(connection_id, "resume")
    await world.live(connection_id)


async def ask_again(world: World) -> None:
    """Let the time pass that lies between two answers."""
    world.clock_s += CONFIRM_AFTER.total_seconds() + 1
    async with world.reconcilers[0].database.transaction(TENANT) as transaction:
        await transaction.execute(Query("test", ASK_NOW, ()))


def asked(world: World) -> list[ReadRecords]:
    return [job for job in world.jobs if isinstance(job, ReadRecords)]


async def test_an_id_that_is_not_known_twice_is_a_deletion_and_once_is_none(world):
    """Hazards 69 and 70: absence from a list is a reason to ask, and so is a 404."""
    connection_id, lefts = await both(world, 3, tags_deletions=True)
    gone = world.left.vanish(lefts[0])
    await scan(world, connection_id)
    (job,) = asked(world)
    assert job.record_ids == (gone.record_id,)
    assert set(job.control_ids) == set(lefts[1:]), "beside some that are there"
    assert world.right.writes == [], "once is no evidence"
    assert (await world.status(connection_id)).counts.deleted == 0

    await ask_again(world)

    async def is_deleted() -> bool:
        await world.settled(connection_id)
        return (await world.status(connection_id)).counts.deleted == 1

    await until(is_deleted)
    assert len(asked(world)) == 2
    assert [r.tags for r in world.right.live()].count(TRASH) == 1
    assert len(world.right.live()) == 3


async def test_an_id_that_is_known_again_was_never_gone(world):
    connection_id, lefts = await both(world, 3, tags_deletions=True)
    gone = world.left.vanish(lefts[0])
    await scan(world, connection_id)
    world.left.records[gone.record_id] = gone
    await ask_again(world)

    async def is_asked() -> bool:
        await world.settled(connection_id)
        return len(asked(world)) == 2

    await until(is_asked)
    world.left.edit(lefts[0], given="Anna")
    await world.poll()
    await world.settled(connection_id)
    assert (await world.status(connection_id)).counts.in_sync == 3
    assert world.right.find("p0@example.org").fields["GIVEN"] == "Anna"


@pytest.mark.behaviour(
    37,
    49,
    broken_by="reconciler/engine/guards.py: an hour may undo any number of things",
)
async def test_300_deletions_of_1000_wait_for_a_person(world):
    """Hazard 71 and S20: not one of them goes ahead before."""
    connection_id, lefts = await both(world, 1_000, tags_deletions=True)
    for record_id in lefts[:300]:
        world.left.delete(record_id)
    await world.poll()
    await world.settled(connection_id)
    assert world.right.writes == []
    found = await world.status(connection_id)
    assert found.counts.held == 300
    listed = await world.records(connection_id, state=RecordState.HELD)
    assert {view.reason for view in listed.records} == {"mass_change"}

    command = ApproveChanges(tenant_id=TENANT, connection_id=connection_id)
    assert (await world.ask(command)).guarded == ()
    await world.settled(connection_id)
    assert [r.tags for r in world.right.live()].count(TRASH) == 300
    assert (await world.status(connection_id)).counts.deleted == 300


async def test_what_is_few_goes_ahead_and_other_edits_pass_a_tripped_guard(world):
    connection_id, lefts = await both(world, 40, tags_deletions=True)
    for record_id in lefts[:5]:
        world.left.delete(record_id)
    await world.poll()
    await world.settled(connection_id)
    assert [r.tags for r in world.right.live()].count(TRASH) == 5
    for record_id in lefts[5:15]:
        world.left.delete(record_id)
    world.left.edit(lefts[20], given="Anna")
    await world.poll()
    await world.settled(connection_id)
    assert [r.tags for r in world.right.live()].count(TRASH) == 5, "10 an hour"
    assert world.right.find("p20@example.org").fields["GIVEN"] == "Anna"


@pytest.mark.behaviour(
    33,
    broken_by="reconciler/engine/guards.py: a cleared field does not count for the"
    " guard",
)
async def test_b33_fields_that_many_contacts_lose_at_once_wait_for_a_person(world):
    """One cleared field goes across; more of them in an hour than ten do not."""
    connection_id, lefts = await both(world, 30)
    for record_id in lefts[:1]:
        world.left.edit(record_id, family=None)
    await world.poll()
    await world.settled(connection_id)
    assert world.right.find("p0@example.org").fields["FAMILY"] is None

    for record_id in lefts[1:20]:
        world.left.edit(record_id, family=None)
    await world.poll()
    await world.settled(connection_id)
    families = [r.fields["FAMILY"] for r in world.right.live()]
    assert families.count(None) == 1
    (listed,) = {
        view.reason
        for view in (await world.records(connection_id, state=RecordState.HELD)).records
    }
    assert listed == "mass_change"


async def test_a_scan_that_misses_a_fifth_trips_the_guard(world):
    connection_id, lefts = await both(world, 60, tags_deletions=True)
    for record_id in lefts[:15]:
        world.left.vanish(record_id)
    await scan(world, connection_id)
    rows = await world.query(
        "SELECT guard_left_at, guard_right_at FROM reconciler.connections"
    )
    assert rows[0]["guard_right_at"] is not None
    assert rows[0]["guard_left_at"] is None
    assert Side.RIGHT.value == "right"


async def test_an_unsubscribe_is_planned_ahead_of_what_waits_longer(world):
    """Hazard 84: it passes a queue that is full of other writes."""
    connection_id, lefts = await both(world, 60, unsubscribes=Unsubscribes.STATUS)
    world.held_writes = []
    for record_id in lefts[:-1]:
        world.left.edit(record_id, title="Boss")
    await world.poll()
    world.left.put(lefts[-1], consent=Consent.UNSUBSCRIBED)
    await world.poll()

    async def is_planned() -> bool:
        return any(w.is_urgent for job in world.held_writes or () for w in job.writes)

    await until(is_planned)
    await world.release_writes()
    await world.settled(connection_id)
    assert world.right.find("p59@example.org").consent is Consent.UNSUBSCRIBED
