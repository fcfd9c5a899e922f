"""A world with one running reconciler that waits for nothing long."""

import pytest

from tests.integration.reconciler.world import World, running

QUICK = {"sweep_s": 0.2, "settle_s": 0.2, "idle_s": 0.2}


@pytest.fixture
async def world(database, nats_server):
    async with running(World(database, nats_server), **QUICK) as it:
        yield it
