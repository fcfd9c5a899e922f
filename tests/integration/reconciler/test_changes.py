"""What follows from edits, deletions, lost answers and refusals."""

import asyncio

import pytest

from proto.connector import ContactsObserved, ReadRecords
from proto.ids import ScanId
from proto.reconciler import RecordState
from tests.integration.reconciler.world import TENANT, until


@pytest.mark.behaviour(28, broken_by="mutant everything_is_written")
async def test_b28_an_edit_makes_one_write_and_an_idle_pass_none(world):
    """Both ways; our own writes do not come back."""
    left = world.left.add("ann@example.org", "Ann", "Smith")
    right = world.right.add("ann@example.org", "Ann", "Smith")
    connection_id = await world.start()
    assert world.left.writes == world.right.writes == []

    world.left.edit(left, given="Anna")
    await world.poll()
    await world.settled(connection_id)
    assert world.right.value(right, "given") == "Anna"
    assert (len(world.left.writes), len(world.right.writes)) == (0, 1)
    assert list(world.right.writes[0][2]) == ["GIVEN"]

    world.right.edit(right, title="Boss")
    await world.poll()
    await world.settled(connection_id)
    assert world.left.value(left, "title") == "Boss"
    assert (len(world.left.writes), len(world.right.writes)) == (1, 1)

    for _ in range(3):
        await world.poll()
        await world.show(world.left, world.left.live())
        await world.show(world.right, world.right.live())
        await world.settled(connection_id)
    assert (len(world.left.writes), len(world.right.writes)) == (1, 1)
    counts = (await world.status(connection_id)).counts
    assert (counts.updated_left, counts.updated_right) == (1, 1)


@pytest.mark.behaviour(
    34,
    broken_by="reconciler/engine/plan.py: only one side is ever written",
)
async def test_b34_different_fields_edited_on_both_sides_are_both_kept(world):
    left = world.left.add("ann@example.org", "Ann", "Smith", "Chef")
    right = world.right.add("ann@example.org", "Ann", "Smith", "Chef")
    connection_id = await world.start()

    world.left.edit(left, family="Jones")
    world.right.edit(right, title="Boss")
    await world.poll()
    await world.settled(connection_id)

    assert world.left.people() == world.right.people()
    assert world.left.people() == {("ann@example.org", "Ann", "Jones", "Boss")}


@pytest.mark.behaviour(
    35,
    broken_by="reconciler/planner.py: losing values are not stored",
)
async def test_b35_the_losing_value_of_a_conflict_is_kept(world):
    left = world.left.add("ann@example.org", "Ann", "Smith", "Chef")
    right = world.right.add("ann@example.org", "Ann", "Smith", "Chef")
    connection_id = await world.start()

    world.left.edit(left, title="Boss")
    world.right.edit(right, title="Clerk")
    await world.poll()
    await world.settled(connection_id)

    assert world.right.value(right, "title") == "Boss"
    rows = await world.query(
        "SELECT side, fields FROM reconciler.losses WHERE connection_id = $1",
        connection_id,
    )
    assert [(r["side"], r["fields"]) for r in rows] == [("right", b'{"TITLE":"Clerk"}')]


async def test_an_older_state_never_replaces_a_newer_one(world):
    """Observations are compared with what is stored, whatever their order."""
    left = world.left.add("ann@example.org", "Ann", "Smith")
    right = world.right.add("ann@example.org", "Ann", "Smith")
    connection_id = await world.start()
    stale = world.left.records[left]
    read_at = world.connector.clock.now()

    world.left.edit(left, given="Anna")
    await world.poll()
    await world.settled(connection_id)
    await world.tell(
        ContactsObserved(
            tenant_id=TENANT,
            account_id=world.left.account_id,
            records=(stale,),
            read_at=read_at,
        )
    )
    await world.settled(connection_id)

    assert world.right.value(right, "given") == "Anna"
    assert len(world.right.writes) == 1


async def test_a_create_whose_answer_is_lost_is_found_again(world):
    """Hazard: an unknown outcome is looked up, never sent again blindly."""
    world.left.add("ann@example.org", "Ann", "Smith")
    world.right.lose_answers = 1

    connection_id = await world.start()

    assert world.right.looks == 1
    assert len(world.right.live()) == 1
    assert (await world.status(connection_id)).counts.in_sync == 1


async def test_an_update_whose_answer_is_lost_is_found_again(world):
    left = world.left.add("ann@example.org", "Ann", "Smith")
    right = world.right.add("ann@example.org", "Ann", "Smith")
    connection_id = await world.start()

    world.right.lose_answers = 1
    world.left.edit(left, given="Anna")
    await world.poll()
    await world.settled(connection_id)

    assert world.right.looks == 1
    assert world.right.value(right, "given") == "Anna"
    assert len(world.right.writes) == 1


async def test_a_write_that_was_lost_is_planned_again_after_a_second_look(world):
    """An app without marks may show it late; one look that finds nobody is no proof."""
    world.left.add("ann@example.org", "Ann", "Smith")
    world.right.drop_writes = 1

    connection_id = await world.start()

    assert world.right.looks == 2
    assert len(world.right.live()) == len(world.right.writes) == 1
    assert (await world.status(connection_id)).counts.in_sync == 1


async def test_a_write_that_nobody_ever_answers_is_looked_up(database, nats_server):
    """The connector may have lost a job: the intent does not wait for ever."""
    from tests.integration.reconciler.world import World, running  # noqa: PLC0415

    world = World(database, nats_server)
    world.left.add("ann@example.org", "Ann", "Smith")
    world.held_writes = []
    options = {"answer_s": 0.5, "write_age_s": 0.2, "sweep_s": 0.2}
    async with running(world, **options):
        created = await world.create()
        await world.act(created.connection_id, "start")

        async def is_lost() -> bool:
            return bool(world.held_writes)

        await until(is_lost)
        world.held_writes = None
        await world.settled(created.connection_id)

    assert world.right.looks >= 1
    assert len(world.right.live()) == 1


@pytest.mark.behaviour(
    29,
    broken_by="reconciler/engine/fold.py: a refused write counts as one that came to"
    " nothing",
)
async def test_b29_a_refused_record_is_shown_and_heals_when_it_changes(world):
    """It never stops the others."""
    world.right.refused_emails = {"bad@example.org"}
    bad = world.left.add("bad@example.org", "Bad", "One")
    world.left.add("good@example.org", "Good", "One")

    connection_id = await world.start()
    status = await world.status(connection_id)
    assert (status.counts.failed, status.counts.in_sync) == (1, 1)
    (failed,) = (await world.records(connection_id, state=RecordState.FAILED)).records
    assert failed.reason == "value_refused"

    world.left.edit(bad, email="fixed@example.org")
    await world.poll()
    await world.settled(connection_id)
    assert world.left.people() == world.right.people()
    assert (await world.status(connection_id)).counts.failed == 0


@pytest.mark.behaviour(36, 38, broken_by="mutant no_tombstones")
async def test_b38_a_deleted_contact_is_neither_deleted_nor_made_again(world):
    """Nor after another scan, which finds its counterpart there."""
    left = world.left.add("ann@example.org", "Ann", "Smith")
    right = world.right.add("ann@example.org", "Ann", "Smith")
    connection_id = await world.start()

    world.left.delete(left)
    await world.poll()
    await world.settled(connection_id)
    world.right.edit(right, given="Anna")
    await world.poll()
    await world.settled(connection_id)
    await world.act(connection_id, "pause")
    await world.act(connection_id, "resume")
    await world.live(connection_id)

    assert world.left.live() == []
    assert len(world.right.live()) == 1
    assert world.left.writes == world.right.writes == []
    (gone,) = (await world.records(connection_id, state=RecordState.DELETED)).records
    assert gone.reason == "deleted_left"


async def test_a_record_that_a_scan_does_not_show_is_read_again(world):
    """Absence is not deletion: the connector is asked for the record itself."""
    world.left.add("ann@example.org", "Ann", "Smith")
    hidden = world.left.add("bob@example.org", "Bob", "Smith")
    connection_id = await world.start()

    page = [r for r in world.left.live() if r.record_id != hidden]
    shown, world.left.records = world.left.records, {r.record_id: r for r in page}
    (event,) = world.scan_parts(world.left.account_id, ScanId("scan_partial"))
    world.left.records = shown
    await world.tell(event)
    await world.settled(connection_id)

    (job,) = [job for job in world.jobs if isinstance(job, ReadRecords)]
    assert job.record_ids == (hidden,)
    assert (await world.status(connection_id)).counts.in_sync == 2
    assert len(world.right.live()) == 2


async def test_an_edit_while_a_write_is_on_its_way_is_not_lost(world):
    left = world.left.add("ann@example.org", "Ann", "Smith")
    right = world.right.add("ann@example.org", "Ann", "Smith")
    connection_id = await world.start()

    world.held_writes = []
    world.left.edit(left, given="Anna")
    await world.poll()
    while not world.held_writes:
        await asyncio.sleep(0.02)
    world.left.edit(left, given="Annabel")
    await world.poll()
    while not await world.is_idle():
        await asyncio.sleep(0.02)
    await world.release_writes()
    await world.settled(connection_id)

    assert world.right.value(right, "given") == "Annabel"


async def test_a_record_seen_before_its_creates_answer_makes_no_second_link(world):
    """A poll may show what we created before the answer to the create is here."""
    world.left.add("ann@example.org", "Ann", "Smith")
    world.held_writes = []
    created = await world.create()
    await world.act(created.connection_id, "start")
    while not world.held_writes:
        await asyncio.sleep(0.02)
    held, world.held_writes = world.held_writes, None
    answers = [answer for job in held for answer in world.carry_out(job)]
    await world.poll()

    async def is_seen() -> bool:
        found = await world.records(created.connection_id)
        return len(found.records) == 2

    await until(is_seen)
    await world.tell(*answers)
    await world.settled(created.connection_id)

    (only,) = (await world.records(created.connection_id)).records
    assert only.state is RecordState.IN_SYNC
    assert len(world.left.live()) == len(world.right.live()) == 1


@pytest.mark.behaviour(
    21,
    broken_by="reconciler/engine/mapping.py: the email is not mapped",
)
async def test_b21_a_link_outlives_a_change_of_email(world):
    left = world.left.add("ann@example.org", "Ann", "Smith")
    right = world.right.add("ann@example.org", "Ann", "Smith")
    connection_id = await world.start()

    world.left.edit(left, email="new@example.org")
    await world.poll()
    await world.settled(connection_id)

    assert world.right.value(right, "email") == "new@example.org"
    (found,) = (await world.records(connection_id, email="NEW@example.org")).records
    assert (found.left_record_id, found.right_record_id) == (left, right)
    assert (await world.records(connection_id, email="ann@example.org")).records == ()
