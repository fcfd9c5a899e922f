"""Builds the connector and wires its parts; the only module here that does."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import aiohttp

from services.chassis import process
from services.chassis.addresses import Guard
from services.chassis.process import Runtime
from services.chassis.retention import Keeper, Rule
from services.connector import exchange, handlers, registry
from services.connector.config import Config
from services.connector.credentials import Credentials
from services.connector.handlers import Descriptions, Desk
from services.connector.poller import Poller
from services.connector.registry import Registry
from services.connector.store import ConnectorWork
from services.connector.transport import Transport
from services.connector.turns import Leases
from services.connector.writer import Writer

OpenSession = Callable[[Guard], AbstractAsyncContextManager[aiohttp.ClientSession]]


async def serve(runtime: Runtime[Config], stopping: asyncio.Event) -> None:
    """Run the connector with the apps of the catalogue until told to stop."""
    await serve_apps(runtime, stopping, apps=registry.load())


async def serve_apps(
    runtime: Runtime[Config],
    stopping: asyncio.Event,
    *,
    apps: Registry,
    open_session: OpenSession = exchange.session,
) -> None:
    """Run the connector with these apps until told to stop."""
    settings, clock = runtime.settings, runtime.clock
    store = runtime.store(ConnectorWork)
    async with open_session(Guard(settings.private_addresses)) as session:
        credentials = Credentials(runtime.bus, clock)
        transport = Transport(
            session, apps, credentials=credentials, settings=settings, clock=clock
        )
        leases = Leases(
            store,
            transport,
            owner=str(runtime.identifiers.uuid()),
            lease_s=settings.lease_s,
            clock=clock,
        )
        poller = Poller(
            store,
            transport,
            leases=leases,
            settings=settings,
            clock=clock,
            identifiers=runtime.identifiers,
        )
        writer = Writer(store, transport, leases=leases, settings=settings, clock=clock)
        desk = Desk(
            bus=runtime.bus,
            store=store,
            registry=apps,
            transport=transport,
            credentials=credentials,
            clock=clock,
            reading=poller.turns.wake,
            writing=writer.turns.wake,
        )
        descriptions = Descriptions(clock, age_s_max=settings.description_age_s_max)
        for command, handler in handlers.commands(desk, descriptions).items():
            await runtime.bus.answer(command, handler)
        receiver = runtime.receiver(store, handlers.messages(desk))
        keeper = Keeper([*receiver.rules(), Rule("journal", writer.prune)], clock=clock)
        await process.serve_until(
            runtime,
            stopping,
            *(receiver.run, leases.run, poller.run, writer.run, keeper.run),
        )
