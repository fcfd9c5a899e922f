"""What makes a service a process: start, ``migrate``, signals, ordered stop.

A service's ``__main__`` calls ``run`` with its ``serve``; everything that a service
stands on is opened here and handed over as a ``Runtime``.
"""

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

import structlog
from aiohttp import web

from services.chassis import (
    bus,
    certificates,
    config,
    database,
    dead_letters,
    errands,
    health,
    logs,
    migrations,
    peers,
    roles,
)
from services.chassis.bus import Bus
from services.chassis.clock import Clock, SystemClock
from services.chassis.config import Settings
from services.chassis.database import Database
from services.chassis.errands import Errand
from services.chassis.errors import (
    BadConfiguration,
    BusDenied,
    BusRefused,
    ChassisError,
    DatabaseUnavailable,
    NotMigrated,
    Unavailable,
)
from services.chassis.health import Health
from services.chassis.identifiers import Identifiers
from services.chassis.inbox import Receiver
from services.chassis.outbox import Relay
from services.chassis.patience import Limits
from services.chassis.peers import Door
from services.chassis.store import Store

log = structlog.get_logger()

S = TypeVar("S", bound=Settings)

Listening = Callable[..., AbstractAsyncContextManager[int]]

HASTEN_AFTER_S: Final = 1.0
"""How long after a reconnection everything unreceipted is sent again."""
EXIT_CONFIGURATION: Final = 78
"""EX_CONFIG: starting again without a change will not help."""
EXIT_UNAVAILABLE: Final = 69
"""EX_UNAVAILABLE: starting again later will."""
EXIT_FAULT: Final = 70
"""EX_SOFTWARE: a fault of ours; its frames are in the log."""


@dataclass(frozen=True, kw_only=True)
class Runtime(Generic[S]):
    """What a service stands on. The simulation builds one of its own parts."""

    service: str
    settings: S
    clock: Clock
    identifiers: Identifiers
    database: Database
    bus: Bus
    relay: Relay
    health: Health
    listening: Listening
    """Serves routes at a host and a port."""

    def store(self, work: type[Any]) -> Store[Any]:
        """Return a store that opens the service's kind of unit of work."""
        return Store(
            self.database,
            work,
            clock=self.clock,
            identifiers=self.identifiers,
            relay_wake=self.relay.wake,
        )

    def receiver(self, store: Store[Any], handlers: Any) -> Receiver:
        """Return the receiver of the events and jobs in ``handlers``."""
        return Receiver(
            self.bus,
            store,
            handlers=handlers,
            service=self.service,
            clock=self.clock,
            replay_idle_s=self.settings.replay_idle_s,
        )


class Operations(NamedTuple):
    """Where a service answers those who run it."""

    host: str
    port: int
    setting: str = "HTTP_PORT"


Serve = Callable[[Runtime[Any], asyncio.Event], Awaitable[None]]


def run(
    service: str,
    settings_class: type[S],
    *,
    serve: Serve,
    offering: Sequence[Errand] = (),
) -> int:
    """Run a service, its migrations or one of its errands; return the exit code."""
    arguments = _arguments(service, (*offering, dead_letters.ERRAND))
    try:
        settings = config.load(settings_class, service.upper())
        return _runner()(_work(service, settings, serve=serve, arguments=arguments))
    except (BadConfiguration, NotMigrated, Unavailable) as err:
        faults, code = explain(err, service)
        for fault in faults:
            print(f"{service}: {fault}", file=sys.stderr)  # noqa: T201
        return code
    except Exception:
        # Python would print its message, which may hold the row that was refused.
        log.exception("process_failed")
        return EXIT_FAULT


def explain(err: ChassisError, service: str) -> tuple[list[str], int]:
    """Return what to tell an operator, a line for each fault, and the exit code."""
    if isinstance(err, BadConfiguration):
        return err.faults, EXIT_CONFIGURATION
    if isinstance(err, NotMigrated):
        remedy = f"run `python -m services.{service} migrate` first"
        return [f"{err}: {remedy}"], EXIT_CONFIGURATION
    if isinstance(err, BusDenied):
        fault = f"NATS does not let this service use {err.subject}"
        remedy = "load deploy/nats/permissions.conf of this release into NATS"
        return [f"{fault}: {remedy}, then start the service again"], EXIT_CONFIGURATION
    if isinstance(err, BusRefused):
        fault = f"NATS refuses to keep this service's streams ({err})"
        return [f"{fault}: see services/chassis/README.md"], EXIT_CONFIGURATION
    is_database = isinstance(err, DatabaseUnavailable)
    part, setting = ("Postgres", "DATABASE") if is_database else ("NATS", "NATS")
    variable = f"{service.upper()}_{setting}_URL"
    fault = f"{part} cannot be reached ({err}): is it running, at {variable}?"
    return [fault], EXIT_UNAVAILABLE


@contextlib.asynccontextmanager
async def standing(
    service: str,
    settings: S,
    *,
    clock: Clock,
    on_denied: Callable[[str], None] | None = None,
) -> AsyncIterator[Runtime[S]]:
    """Open what a service stands on, in order; close it in the other order.

    ``on_denied`` is told what NATS does not let the service say or hear.
    """
    identifiers = Identifiers(clock)
    checks = Health()
    relays: list[Relay] = []
    doors = peers.of(settings, service=service)
    if faults := certificates.plain_listeners(settings, service=service):
        raise BadConfiguration(faults)
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            _database(service, settings, door=doors.database, clock=clock)
        )
        connected = await stack.enter_async_context(
            bus.connect(
                doors.bus.url,
                papers=doors.bus.papers,
                service=service,
                seed_file=settings.nats_seed_file,
                clock=clock,
                timeout_s=settings.start_timeout_s,
                public_replicas=settings.nats_public_replicas,
                on_reconnected=lambda: hasten(relays, clock=clock),
                on_denied=_unready(checks, and_then=on_denied),
            )
        )
        relay = Relay(
            pool,
            connected,
            service=service,
            clock=clock,
            idle_s=settings.outbox_idle_s,
        )
        relays.append(relay)
        await connected.receive_receipts(relay.take)
        _add_checks(checks, pool=pool, connected=connected)
        yield Runtime(
            service=service,
            settings=settings,
            clock=clock,
            identifiers=identifiers,
            database=pool,
            bus=connected,
            relay=relay,
            health=checks,
            listening=health.listening,
        )


@contextlib.asynccontextmanager
async def _database(
    service: str, settings: Settings, *, door: Door, clock: Clock
) -> AsyncIterator[Database]:
    """Open the database, and make sure that it is as this code needs it."""
    async with database.connect(
        door.url,
        papers=door.papers,
        password_file=door.password_file,
        schema=service,
        clock=clock,
        connections_max=settings.database_connections_max,
        timeout_s=settings.start_timeout_s,
    ) as pool:
        await migrations.check(pool, service=service)
        await roles.check(pool, service=service)
        yield pool


async def serve_until(
    runtime: Runtime[Any],
    stopping: asyncio.Event,
    *work: Callable[[asyncio.Event], Awaitable[None]],
    operations: Operations | None = None,
) -> None:
    """Run a service's parts, its relay and operators' routes until told to stop.

    What is in hand gets ``stop_timeout_s`` to end by itself: commands are answered
    while what their handlers need is still open.
    """
    application = web.Application()
    application.add_routes(runtime.health.routes())
    settings = runtime.settings
    where = operations or Operations(settings.http_host, settings.http_port)
    limits = Limits(connections_max=settings.http_connections_max)
    async with runtime.listening(application, **where._asdict(), limits=limits):
        log.info("started", port=settings.http_port)
        tasks = [
            asyncio.ensure_future(part(stopping)) for part in (runtime.relay.run, *work)
        ]
        await asyncio.wait(
            [asyncio.ensure_future(stopping.wait()), *tasks],
            return_when=asyncio.FIRST_COMPLETED,
        )
        log.info("stopping")
        stopping.set()
        tasks.append(
            asyncio.ensure_future(runtime.bus.settle(timeout_s=settings.stop_timeout_s))
        )
        _done, late = await asyncio.wait(tasks, timeout=settings.stop_timeout_s)
        for task in late:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result
    log.info("stopped", count=len(late))


def _work(
    service: str, settings: S, *, serve: Serve, arguments: argparse.Namespace
) -> Coroutine[Any, Any, int]:
    """Return what the command line asks for."""
    errand: Errand | None = arguments.errand
    if errand is not None:
        # What an errand prints is its result: the log goes elsewhere.
        logs.configure(service, settings.log_level, stream=sys.stderr)
        return errands.run(service, settings, errand=errand, arguments=arguments)
    logs.configure(service, settings.log_level)
    if arguments.command == "migrate":
        return _migrate(service, settings)
    return _serve(service, settings, serve=serve)


async def _serve(service: str, settings: S, *, serve: Serve) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    denied: list[str] = []

    def stop(subject: str) -> None:
        # Whatever else it did would be half done, and nobody would hear of it.
        denied.append(subject)
        stopping.set()

    clock = SystemClock()
    async with standing(service, settings, clock=clock, on_denied=stop) as runtime:
        await serve(runtime, stopping)
    if denied:
        raise BusDenied(denied[0])
    return 0


async def _migrate(service: str, settings: Settings) -> int:
    door = peers.of(settings, service=service).migration
    names = await migrations.apply(
        door.url,
        papers=door.papers,
        password_file=door.password_file,
        service=service,
        role=migrations.role_of(settings.database_url),
    )
    log.info("migrated", count=len(names))
    return 0


async def hasten(relays: Sequence[Relay], *, clock: Clock) -> None:
    """Send everything without a receipt again, because the broker was away."""
    # Receivers first need a moment to make their consumers anew: a message that
    # nobody is subscribed to is not kept.
    await clock.sleep(HASTEN_AFTER_S)
    for relay in relays:
        with contextlib.suppress(DatabaseUnavailable):
            await relay.hasten()


def _unready(
    checks: Health, *, and_then: Callable[[str], None] | None
) -> Callable[[str], None]:
    """Return what is told a subject that NATS denies us."""

    def denied(subject: str) -> None:
        checks.fail("bus_permissions")
        if and_then is not None:
            and_then(subject)

    return denied


def _add_checks(checks: Health, *, pool: Database, connected: Bus) -> None:
    async def check_database() -> str:
        try:
            await pool.fetch_row(database.PING)
        except DatabaseUnavailable:
            return "unreachable"
        return ""

    async def check_bus() -> str:
        return "" if connected.is_connected else "unreachable"

    checks.add("database", check_database)
    checks.add("bus", check_bus)


def _runner() -> Callable[..., int]:
    """Return uvloop's runner where it is installed; it saves a fifth of the time."""
    try:
        import uvloop  # noqa: PLC0415
    except ImportError:
        return asyncio.run
    runner: Callable[..., int] = uvloop.run
    return runner


def _arguments(service: str, offered: Sequence[Errand]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"python -m services.{service}",
        description=f"Tandem's {service} service.",
        epilog=f"Settings are read from {service.upper()}_* variables; see the"
        f" service's README.md.",
    )
    parser.set_defaults(errand=None)
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("serve", help="serve requests and messages (the default)")
    commands.add_parser("migrate", help="apply the migrations and exit")
    for errand in offered:
        command = commands.add_parser(errand.name, help=errand.help)
        command.set_defaults(errand=errand)
        errand.add_arguments(command)
    return parser.parse_args()
