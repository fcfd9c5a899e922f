"""Fixtures of the api's tests: one running api for each module."""

from collections.abc import AsyncIterator

import pytest_asyncio

from deploy.local import nats, postgres
from tests import servers
from tests.integration.api_system import others, running
from tests.integration.api_system.running import System


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(
    postgres_server: postgres.Server, nats_server: nats.Server
) -> AsyncIterator[System]:
    """The api, running, with a database and stand-ins of its own."""
    async with (
        servers.fresh_database(postgres_server, template="prepared") as database,
        others.answering(nats_server) as answering,
        running.running(database, nats_server, others=answering) as started,
    ):
        yield started
