"""What the services of a world stand on where its servers are real."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from deploy.local import nats
from proto.base import Command
from services.chassis import bus, database, migrations, process
from services.chassis.bus import Bus
from services.chassis.config import Settings
from services.chassis.identifiers import Identifiers
from services.chassis.outbox import Relay
from services.chassis.process import Runtime
from tests.fakes.loop import Life, VirtualClock
from tests.servers import Database as Place
from tests.simulation.real.aside import Aside
from tests.simulation.real.bus import RealBroker, RealBus
from tests.simulation.real.database import RealDatabase, RealUser
from tests.simulation.world import SERVICES, Replica, World, runtime_of


class RealParts:
    """A database and a broker outside of this process."""

    def __init__(
        self, world: World, *, place: Place, server: nats.Server, aside: Aside
    ) -> None:
        self.database = RealDatabase(place, aside, world.source("database"))
        self.broker = RealBroker(server, aside, world.source("broker"))
        self.addresses = {
            service: {
                "database_url": place.service_url(service),
                "nats_url": server.url,
                "nats_seed_file": server.seed_file(service),
            }
            for service in SERVICES
        }
        self._world = world
        self._server = server
        self._life = Life("api")
        self._stack = contextlib.AsyncExitStack()
        self._api: RealBus

    async def begin(self) -> None:
        """Connect as the api does."""
        connected = await self._stack.enter_async_context(
            bus.connect(
                self._server.url,
                service="api",
                seed_file=self._server.seed_file("api"),
                clock=self._world.clock,
            )
        )
        self._api = RealBus(connected, self.broker, life=self._life)

    async def ask(self, command: Command[Any]) -> Any:
        """Send a command as the api does."""
        return await self._api.request(command)

    async def end(self) -> None:
        """Close the api's connection."""
        await self._stack.aclose()

    @contextlib.asynccontextmanager
    async def stand(
        self,
        replica: Replica,
        *,
        settings: Settings,
        identifiers: Identifiers,
        clock: VirtualClock,
    ) -> AsyncIterator[Runtime[Any]]:
        """Open what a service stands on; all of it can be cut at any moment."""
        service = replica.service
        relays: list[Relay] = []
        async with contextlib.AsyncExitStack() as stack:
            opened = await stack.enter_async_context(
                database.connect(settings.database_url, schema=service, clock=clock)
            )
            user = RealUser(opened, self.database, service)
            replica.cut = user.kill
            await migrations.check(user, service=service)
            connected: Bus = await stack.enter_async_context(
                bus.connect(
                    settings.nats_url,
                    service=service,
                    seed_file=settings.nats_seed_file,
                    clock=clock,
                    on_reconnected=lambda: process.hasten(relays, clock=clock),
                )
            )
            wrapped: Any = RealBus(connected, self.broker, life=replica.life)

            def cut() -> None:
                user.kill()
                wrapped.kill()

            replica.cut = cut
            yield await runtime_of(
                service,
                settings=settings,
                identifiers=identifiers,
                clock=clock,
                database=user,
                bus=wrapped,
                relays=relays,
            )
