"""Fixtures of auth's tests: one vendor and one auth for each module."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.integration.auth_world import World, opened, write_key_ring


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(
    postgres_server, nats_server, tmp_path_factory
) -> AsyncIterator[World]:
    """One vendor, and one auth."""
    ring = write_key_ring(tmp_path_factory.mktemp("auth") / "ring.json")
    async with (
        opened(postgres_server, nats_server) as world,
        world.auth(key_ring_file=ring),
    ):
        yield world


@pytest_asyncio.fixture(loop_scope="module")
async def world(shared: World) -> World:
    """Nothing stored but the vendor's client."""
    await shared.reset()
    await shared.set_client()
    return shared
