"""A preview says what would happen, and nothing of it stays."""

import pytest

from proto.reconciler import RecordState, Side
from services.chassis.store import Work
from services.reconciler import previewing
from services.reconciler.store import connections
from tests.integration.reconciler.world import TENANT

TABLES = ("links", "dirty", "intents", "losses")


@pytest.mark.behaviour(
    26,
    broken_by="reconciler/previewing.py: creates count as updates",
)
async def test_b26_a_preview_comes_to_what_a_sync_then_does(world):
    world.left.add("ann@example.org", "Ann", "Smith", "Chef")
    world.right.add("ann@example.org", "Ann", "Jones")
    world.left.add("bob@example.org", "Bob", "Smith")
    world.right.add("cid@example.org", "Cid", "Smith")
    world.left.add(None, "Dan", "Smith")
    created = await world.create()
    connection_id = created.connection_id
    # Both accounts are read for another connection already.
    other = await world.start(name="Other", direction="to_left", mappings_off=())
    await world.act(other, "pause")
    world.left.writes.clear()
    runtime = world.reconcilers[0]
    stored = await connections.load(
        runtime.database.reader(TENANT), tenant_id=TENANT, connection_id=connection_id
    )
    before = [await world.query(f"SELECT * FROM reconciler.{t}") for t in TABLES]
    batches = []
    found = await previewing.preview(runtime.store(Work), stored, tell=batches.append)
    after = [await world.query(f"SELECT * FROM reconciler.{t}") for t in TABLES]
    assert before == after
    assert batches

    await world.act(connection_id, "start")
    await world.settled(connection_id)
    counts = (await world.status(connection_id)).counts
    assert found.created.get(Side.LEFT, 0) == counts.created_left
    assert found.created.get(Side.RIGHT, 0) == counts.created_right
    assert found.updated.get(Side.RIGHT, 0) == counts.updated_right
    excluded = found.contacts[RecordState.EXCLUDED, "no_email"]
    assert excluded == counts.excluded == 1
    assert found.guarded == ()
