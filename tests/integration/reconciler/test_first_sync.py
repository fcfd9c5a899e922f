"""The first sync of a connection, on real Postgres and NATS."""

import asyncio
import random

import pytest

from proto.connector import FollowAccount, WriteKind
from proto.reconciler import ConnectionState, RecordState
from tests.integration.reconciler.world import World, running


def fill(world: World, *, both: int, left: int, right: int) -> None:
    for number in range(both):
        world.left.add(f"both{number}@example.org", "Ann", f"Both{number}")
        world.right.add(f"Both{number}@Example.org", "Ann", f"Both{number}")
    for number in range(left):
        world.left.add(f"left{number}@example.org", "Lea", f"Left{number}")
    for number in range(right):
        world.right.add(f"right{number}@example.org", "Rea", f"Right{number}")


def agree(world: World) -> bool:
    """Both vendors hold the same people, up to the case of addresses."""

    def plain(people):
        return {(str(email).lower(), *rest) for email, *rest in people}

    return plain(world.left.people()) == plain(world.right.people())


@pytest.mark.behaviour(
    20,
    25,
    broken_by="reconciler/engine/match.py: no record has an email to be matched by",
)
async def test_b20_people_are_linked_by_email_and_the_others_created(world):
    """Both sides end with everybody once."""
    fill(world, both=30, left=10, right=10)

    connection_id = await world.start()

    status = await world.status(connection_id)
    assert status.state is ConnectionState.LIVE
    assert status.counts.linked == status.counts.in_sync == 50
    assert (status.counts.created_left, status.counts.created_right) == (10, 10)
    assert status.progress.done >= 20
    assert status.progress.seconds_left == 0
    assert agree(world)
    assert len(world.left.live()) == len(world.right.live()) == 50
    assert world.left.twins() == world.right.twins() == []


@pytest.mark.behaviour(
    32,
    33,
    broken_by="reconciler/engine/merge.py: the right wins every conflict",
)
async def test_b32_the_winning_app_decides_at_the_first_match(world):
    """Left wins; an empty value of the winner clears nothing."""
    left = world.left.add("ann@example.org", "Anna", "Smith", None)
    right = world.right.add("ann@example.org", "Ann", "Smith", "Boss")

    await world.start()

    assert world.right.value(right, "given") == "Anna"
    assert world.left.value(left, "title") == "Boss"
    assert len(world.left.writes) == len(world.right.writes) == 1


@pytest.mark.behaviour(
    22,
    broken_by="reconciler/engine/match.py: a contact without email is created all the"
    " same",
)
async def test_b22_contacts_without_email_are_excluded_with_that_reason(world):
    """The option is on by default; off, they are created."""
    world.left.add(None, "No", "Address")
    world.left.add("has@example.org", "Has", "Address")

    connection_id = await world.start()

    (excluded,) = (
        await world.records(connection_id, state=RecordState.EXCLUDED)
    ).records
    assert (excluded.reason, excluded.name) == ("no_email", "No Address")
    assert len(world.right.live()) == 1


@pytest.mark.behaviour(23, broken_by="mutant rivals_ignored")
async def test_b23_two_records_with_one_email_are_reported_and_not_written(world):
    """Neither is written, and everybody else proceeds."""
    world.left.add("twin@example.org", "First", "Twin")
    world.left.add("Twin@example.org", "Second", "Twin")
    right = world.right.add("twin@example.org", "Third", "Twin")
    world.left.add("other@example.org", "Other", "One")

    connection_id = await world.start()

    found = (await world.records(connection_id, state=RecordState.DUPLICATE)).records
    assert {view.name for view in found} >= {"First Twin", "Second Twin"}
    assert world.right.value(right, "given") == "Third"
    assert [kind for kind, _, _ in world.right.writes] == [WriteKind.CREATE]
    assert world.left.writes == []

    # Once one of them is somebody else, the other one is linked by itself.
    second = next(r for r in world.left.live() if "Second" in r.fields.values())
    world.left.edit(second.record_id, email="second@example.org")
    await world.poll()
    await world.settled(connection_id)
    assert agree(world)
    assert world.right.twins() == []


async def test_a_create_waits_for_both_scans(world):
    """Hazard: who is not known yet on the other side must not be created there."""
    fill(world, both=5, left=0, right=0)
    world.held_scans = []
    created = await world.create()
    await world.act(created.connection_id, "start")
    while len(world.held_scans) < 2:
        await asyncio.sleep(0.02)
    first, second = world.held_scans
    await world.tell(*world.scan_parts(first.account_id, first.scan_id))
    while not await world.is_idle():
        await asyncio.sleep(0.02)

    status = await world.status(created.connection_id)
    assert status.state is ConnectionState.SCANNING
    assert status.progress.scan_done_left is (first.account_id == "acct_left")
    assert status.progress.scan_done_left is not status.progress.scan_done_right
    assert status.progress.scanned_left == status.progress.scanned_right == 5
    assert world.left.writes == world.right.writes == []

    await world.tell(*world.scan_parts(second.account_id, second.scan_id))
    await world.settled(created.connection_id)
    assert agree(world)
    assert len(world.left.live()) == len(world.right.live()) == 5


async def test_i8_repeated_and_shuffled_messages_change_nothing(database, nats_server):
    """Invariant I8: parts, observations and answers come often and in any order."""
    world = World(database, nats_server)
    world.repeats, world.shuffle = 3, random.Random(4)
    world.part_records = 7
    fill(world, both=20, left=15, right=15)
    async with running(world, sweep_s=0.2, settle_s=0.2):
        connection_id = await world.start()
        await world.poll()
        await world.settled(connection_id)
        counts = (await world.status(connection_id)).counts

    assert counts.in_sync == counts.linked == 50
    assert (counts.created_left, counts.created_right) == (15, 15)
    assert agree(world)
    assert world.left.twins() == world.right.twins() == []


async def test_two_planners_write_nothing_twice(database, nats_server):
    """Two replicas from the start: leases and versions keep them apart."""
    world = World(database, nats_server)
    fill(world, both=300, left=400, right=300)
    options = {"batch_records": 50, "batches_max": 1, "idle_s": 0.01}
    async with running(world, replicas=2, **options):
        connection_id = await world.start()
        counts = (await world.status(connection_id)).counts

    assert counts.in_sync == counts.linked == 1000
    assert agree(world)
    assert len(world.left.live()) == len(world.right.live()) == 1000
    creates = [w for w in world.left.writes + world.right.writes if w[0] == "create"]
    assert len(creates) == 700


@pytest.mark.parametrize("clock_s", [0.0, -60.0])
async def test_a_scan_asked_for_later_serves_an_earlier_start_too(world, clock_s):
    """Two connections on one account: the connector does the newest scan only.

    Its clock may be behind ours, so it is not asked whether the scan began in time.
    """
    world.clock_s = clock_s
    fill(world, both=3, left=0, right=0)
    world.held_scans = []
    one = await world.create()
    two = await world.create(name="Second", mappings_off=())
    await world.act(one.connection_id, "start")
    await world.act(two.connection_id, "start")
    while len(world.held_scans) < 4:
        await asyncio.sleep(0.02)
    newest: dict[str, FollowAccount] = {j.account_id: j for j in world.held_scans}
    world.held_scans = list(newest.values())
    await world.release_scans()

    await world.settled(one.connection_id)
    await world.settled(two.connection_id)
    assert (await world.status(one.connection_id)).counts.linked == 3
    assert (await world.status(two.connection_id)).counts.linked == 3
