"""Readiness of a service that stands on real servers."""

import asyncio
import contextlib

from tests.integration.chassis_world import TENANT, service


async def test_a_service_without_a_free_connection_is_not_ready(database, nats_server):
    """Asking for readiness once waited until there was a connection."""
    async with (
        service("connector", database, nats_server) as connector,
        contextlib.AsyncExitStack() as taken,
        asyncio.timeout(10),
    ):
        assert await connector.health.faults() == {}
        for _ in range(connector.settings.database_connections_max):
            await taken.enter_async_context(connector.database.transaction(TENANT))
        assert await connector.health.faults() == {"database": "no answer"}
