"""A database restored from a backup is older than the apps: look first, then write."""

from proto.connector import FollowAccount
from services.chassis.queries import Query
from tests.integration.reconciler.world import TENANT, until

ELSEWHERE = "UPDATE reconciler.connections SET epoch = '1/1'"


async def test_nothing_is_planned_before_both_sides_are_scanned_again(world):
    """Hazard 79: what people did since the backup is found, nobody is made twice."""
    left = world.left.add("ann@example.org", "Ann", "Smith")
    world.right.add("ann@example.org", "Ann", "Smith")
    connection_id = await world.start()
    world.held_scans = []
    async with world.reconcilers[0].database.transaction(TENANT) as transaction:
        await transaction.execute(Query("restore", ELSEWHERE, ()))
        # The backup is from before the two were linked.
        await transaction.execute(Query("lose", "DELETE FROM reconciler.links", ()))
    world.left.edit(left, given="Anna")
    world.left.add("bob@example.org", "Bob", "Smith")
    await world.poll()

    async def is_asked() -> bool:
        return len(world.held_scans or ()) == 2

    await until(is_asked)
    assert world.right.writes == world.left.writes == []
    assert {type(job) for job in world.held_scans} == {FollowAccount}

    await world.release_scans()
    await world.live(connection_id)
    assert world.left.twins() == world.right.twins() == []
    assert world.right.people() == world.left.people()
    assert len(world.right.people()) == 2
    rows = await world.query("SELECT epoch FROM reconciler.connections")
    assert rows[0]["epoch"] not in ("", "1/1")
