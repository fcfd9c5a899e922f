"""Builds the connector and wires its parts; the only module here that does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager

import aiohttp

from services.chassis import process
from services.chassis.addresses import Guard
from services.chassis.process import Runtime
from services.chassis.retention import Keeper, Rule
from services.connector import config, exchange, handlers, pushing, registry
from services.connector.accounts import EAGER_PART
from services.connector.clients import Clients
from services.connector.config import Config
from services.connector.credentials import Credentials
from services.connector.handlers import Descriptions, Desk
from services.connector.hints import Hints
from services.connector.poller import Poller
from services.connector.pushing import Site
from services.connector.registry import Registry
from services.connector.store import ConnectorWork
from services.connector.transport import Transport
from services.connector.turns import Leases
from services.connector.webhooks import Listener
from services.connector.writer import Writer

Work = Callable[[asyncio.Event], Awaitable[None]]
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
    guard = Guard(settings.private_addresses, allowed=settings.allowed_hosts)
    guard.know(url for entry in apps for url in entry.manifest.urls())
    async with open_session(guard) as session:
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
            site=site_of(settings),
        )
        receiver = runtime.receiver(store, handlers.messages(desk))
        rules = (Rule("journal", writer.prune), Rule("limits", leases.prune))
        keeper = Keeper([*receiver.rules(), *rules], clock=clock)
        work = (receiver.run, leases.run, poller.run, writer.run, keeper.run)
        await _serve_desk(runtime, desk, work=work, stopping=stopping)


async def _serve_desk(
    runtime: Runtime[Config],
    desk: Desk,
    *,
    work: Sequence[Work],
    stopping: asyncio.Event,
) -> None:
    """Answer commands and pushes while the work goes on."""
    age_s_max = runtime.settings.description_age_s_max
    descriptions = Descriptions(desk.clock, age_s_max=age_s_max)
    for command, handler in handlers.commands(desk, descriptions).items():
        await runtime.bus.answer(command, handler)
    async with listening_to_pushes(runtime, desk) as hints:
        more = [each.run for each in hints]
        await process.serve_until(runtime, stopping, *work, *more)


def site_of(settings: Config) -> Site | None:
    """Return where apps push to; None where that is not set up."""
    if settings.push_port is None or settings.push_key_file is None:
        return None
    return Site(pushing.load(settings.push_key_file), settings.push_url)


@contextlib.asynccontextmanager
async def listening_to_pushes(
    runtime: Runtime[Config], desk: Desk
) -> AsyncIterator[tuple[Hints, ...]]:
    """Listen for what apps push, where that is set up; yields what is to be run."""
    settings, clock = runtime.settings, runtime.clock
    if desk.site is None:
        yield ()
        return
    hints = Hints(
        desk.store,
        reading=desk.reading,
        every_s=settings.push_every_s,
        writing_s=settings.poll_interval_s / EAGER_PART,
        clock=clock,
    )
    listener = Listener(
        desk.registry,
        site=desk.site,
        clients=Clients(desk.bus, clock),
        hints=hints,
        clock=clock,
    )
    async with runtime.listening(
        listener.server(),
        host=settings.push_host,
        port=settings.push_port,
        setting="CONNECTOR_PUSH_PORT",
        certificate=config.certificate(settings),
    ):
        yield (hints,)
