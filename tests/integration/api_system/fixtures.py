"""Fixtures of the api's tests: one running api for each module."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from deploy.local import nats, postgres
from tests import servers
from tests.integration.api_system import others, running
from tests.integration.api_system.running import System


@contextlib.asynccontextmanager
async def alone(
    postgres_server: postgres.Server, nats_server: nats.Server, **settings: Any
) -> AsyncIterator[System]:
    """Run an api with a database and stand-ins of its own until the block ends."""
    async with (
        servers.fresh_database(postgres_server, template="prepared") as database,
        others.answering(nats_server) as answering,
        running.running(database, nats_server, others=answering, **settings) as started,
    ):
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(
    postgres_server: postgres.Server, nats_server: nats.Server
) -> AsyncIterator[System]:
    """The api, running, with a database and stand-ins of its own."""
    async with alone(postgres_server, nats_server) as started:
        yield started
