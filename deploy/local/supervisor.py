"""The whole local system: servers, migrations, services, kept running until stopped.

`async with Supervisor(layout, options) as system:` returns when every service is
ready and leaves nothing running, whatever happens inside.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime

from deploy.local import (
    databases,
    environment,
    keys,
    migration,
    nats,
    outside,
    part,
    ports,
    postgres,
    programs,
    radicale,
)
from deploy.local.errors import CannotStart
from deploy.local.keeper import Keeper, Report
from deploy.local.layout import REPOSITORY, Layout
from deploy.local.part import Part, Program, Ready
from deploy.local.programs import DEMO_USER, Options
from proto.subjects import SERVICES

DATABASE = "tandem"
DEATHS_AT_START_MAX = 3
_SERVERS = ("nats", "postgres")
_STOP_ORDER = ("api", "connector", "reconciler", "auth")


def _unheard(_report: Report) -> None:
    """Take reports when nobody else wants them."""


class Supervisor:
    """One running installation; see `Options` for what can be changed."""

    def __init__(
        self,
        layout: Layout,
        options: Options | None = None,
        *,
        report: Callable[[Report], None] = _unheard,
    ) -> None:
        self.layout = layout
        self.options = options or Options()
        self.postgres: postgres.Server | None = None
        """The embedded server, unless DATABASE_URL replaces it."""
        self.nats: nats.Server | None = None
        """The embedded server, unless NATS_URL replaces it."""
        self.radicale: radicale.Server | None = None
        """The demo's CardDAV server; `DEMO_USER` has an address book there."""
        self._keepers: dict[str, Keeper] = {}
        self._services: dict[str, str] = {}
        self._place: environment.Place | None = None
        self._listener = report
        self._ports: dict[str, int] = {}
        """By name, so that addresses stay the same from run to run."""
        self._held = ExitStack()
        self._started_at = datetime.now(UTC)

    async def __aenter__(self) -> "Supervisor":
        """Start everything; return when all services are ready."""
        self._held.enter_context(self.layout.locked())
        try:
            known = self.layout.read_state().get("ports", {})
            self._ports = {k: v for k, v in known.items() if isinstance(v, int)}
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_exception: object) -> None:
        """Stop everything in order."""
        await self.stop()

    @property
    def keepers(self) -> Mapping[str, Keeper]:
        """What runs, by name: postgres, nats, and each replica of each service."""
        return self._keepers

    def url(self, name: str) -> str:
        """Return where a process answers, such as `url("api")`."""
        return self._keepers[name].part.url

    def operations_url(self, name: str) -> str:
        """Return where a service shows its health and its metrics."""
        kept = self._keepers[name].part
        assert isinstance(kept, Program), "servers have no such routes"
        return kept.operations_url

    def pids(self) -> dict[str, int]:
        """Return the process ids of what runs now, by name."""
        running = {name: k.part.pid for name, k in self._keepers.items()}
        return {name: pid for name, pid in running.items() if pid is not None}

    @property
    def admin_url(self) -> str:
        """Return the administrator's address of the database."""
        assert self._place is not None, "known once the system has started"
        return self._place.admin_url

    def settings(self, service: str) -> dict[str, str]:
        """Return what the first replica of a service finds in its environment."""
        assert self._place is not None, "known once the system has started"
        return {
            **environment.of_service(
                service,
                place=self._place,
                http_port=self._ports[service],
                operations_port=self._ports[_operations(service, service=service)],
            ),
            **self.options.environment_of(service),
        }

    async def kill(self, name: str) -> None:
        """Kill a process with SIGKILL; it starts again by itself."""
        await self._keepers[name].end_at_once()

    @asynccontextmanager
    async def down(self, name: str, *, kill: bool = True) -> AsyncIterator[None]:
        """Keep a process down inside of the block; it starts again after."""
        async with self._keepers[name].down(kill=kill):
            yield

    async def restart(self, name: str) -> None:
        """Stop a process in order, start it again, return when it is ready."""
        async with self.down(name, kill=False):
            pass
        await self.until_ready(name)

    async def until_ready(self, *names: str) -> None:
        """Wait until the named processes, or all of them, are ready."""
        wanted = names or tuple(self._keepers)
        try:
            async with asyncio.timeout(self.options.ready_timeout_s):
                for name in wanted:
                    await self._keepers[name].until_ready()
        except TimeoutError as err:
            raise self._not_ready(wanted) from err

    async def stop(self) -> None:
        """Stop what runs, services first, servers last; then let go of the lock."""
        faults: list[BaseException] = []
        for names in self._stop_order():
            finished = (self._keepers[name].finish() for name in names)
            results = await asyncio.gather(*finished, return_exceptions=True)
            faults += [fault for fault in results if fault is not None]
        self._held.close()
        if faults:
            # Everything else has been stopped all the same.
            raise faults[0]

    def _stop_order(self) -> list[list[str]]:
        """Return the names of what stops at one time: what asks before what answers."""
        services = [
            [name for name, service in self._services.items() if service == stopping]
            for stopping in _STOP_ORDER
        ]
        known = {*self._services, *_SERVERS}
        others = [name for name in self._keepers if name not in known]
        servers = [[name] for name in _SERVERS if name in self._keepers]
        return [*services, others, *servers]

    async def _start(self) -> None:
        place = await self._start_servers()
        self._place = place
        passwords = dict(place.passwords)
        await databases.prepare(place.admin_url, passwords=passwords)
        layout, options = self.layout, self.options
        await _together(
            migration.migrate(service, layout=layout, options=options, place=place)
            for service in SERVICES
        )
        for name, service in programs.replicas_of(self.options):
            self._begin_service(name, service=service, place=place)
        if self.options.demo:
            self._begin_demo()
        await self._all_ready()

    async def _start_servers(self) -> environment.Place:
        layout, options = self.layout, self.options
        work = []
        if options.database_url is None:
            work.append(self._start_postgres())
        if options.nats_url is None:
            work.append(self._start_nats())
        else:
            work.append(outside.check_nats(options.nats_url))
        await _together(work)
        passwords = {}
        if self.postgres is None:
            passwords = {r: keys.password(layout.keys, r) for r in environment.roles()}
        own_database = self.postgres.dsn(database=DATABASE) if self.postgres else ""
        return environment.Place(
            admin_url=options.database_url or own_database,
            passwords=passwords,
            nats_url=options.nats_url or (self.nats.url if self.nats else ""),
            keys=layout.keys,
        )

    async def _start_postgres(self) -> None:
        server = postgres.Server(
            self.layout.postgres,
            programs=self.options.postgres_programs or postgres.find_programs(),
            durable=self.options.durable,
            port=self._port("postgres"),
            log_path=self.layout.log("postgres"),
        )
        self.postgres = server
        await self._first_start("postgres", server)
        if not await server.has_database(DATABASE):
            await server.create_database(DATABASE)

    async def _start_nats(self) -> None:
        server = nats.Server(
            self.layout.nats,
            program=nats.find_program(),
            keys_directory=self.layout.keys,
            secured=True,
            port=self._port("nats"),
            log_path=self.layout.log("nats"),
        )
        self.nats = server
        await self._first_start("nats", server)

    async def _first_start(self, name: str, server: Part) -> None:
        """Start a server here and now, so that its error is the one that is told."""
        keeper = self._keep(name, server)
        await server.start()
        keeper.begin()
        await keeper.until_ready()

    def _begin_service(
        self, name: str, *, service: str, place: environment.Place
    ) -> None:
        asked = self.options.api_port if name == "api" else None
        if asked and not ports.is_free(asked):
            raise part.port_taken(name, asked)
        port = asked or self._port(name)
        self._ports[name] = port
        apart = _operations(name, service=service)
        ready_port = port if apart == name else self._port(apart)
        settings = {
            **environment.of_service(
                service, place=place, http_port=port, operations_port=ready_port
            ),
            **self.options.environment_of(service),
        }
        self._services[name] = service
        self._begin(
            name,
            self.options.command_of(service),
            port=port,
            ready=Ready("/readyz", ready_port),
            settings=settings,
        )

    def _begin_demo(self) -> None:
        port = self._port("constant_contact")
        command = programs.emulator(
            port,
            api_url=f"http://{ports.LOOPBACK}:{self._ports['api']}",
            arguments=self.options.emulator_arguments,
        )
        self._begin("constant_contact", command, port=port)
        self.radicale = radicale.Server(
            self.layout.radicale,
            users={DEMO_USER: keys.password(self.layout.keys, "radicale")},
            port=self._port("radicale"),
            log_path=self.layout.log("radicale"),
        )
        self._keep("radicale", self.radicale).begin()

    def _begin(
        self,
        name: str,
        command: programs.Command,
        *,
        port: int,
        ready: Ready | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        program = Program(
            name,
            command=command,
            environment={**environment.inherited(), **(settings or {})},
            directory=REPOSITORY,
            log_path=self.layout.log(name),
            port=port,
            ready=ready,
        )
        self._keep(name, program).begin()

    def _keep(self, name: str, kept: Part) -> Keeper:
        kept.stop_timeout_s = self.options.stop_timeout_s
        self._keepers[name] = Keeper(name, kept, report=self._hear)
        return self._keepers[name]

    async def _all_ready(self) -> None:
        async def one(keeper: Keeper) -> None:
            if not await keeper.until_ready(deaths_max=DEATHS_AT_START_MAX):
                raise keeper.explain()

        try:
            async with asyncio.timeout(self.options.ready_timeout_s):
                await _together(one(keeper) for keeper in self._keepers.values())
        except TimeoutError as err:
            raise self._not_ready(tuple(self._keepers)) from err

    def _not_ready(self, names: tuple[str, ...]) -> CannotStart:
        late = [n for n in names if self._keepers[n].state != "ready"]
        return CannotStart(
            part=", ".join(late),
            reason=f"not ready after {self.options.ready_timeout_s:g} s.",
            remedy=f"The logs are in {self.layout.log('x').parent}.",
        )

    def _port(self, name: str) -> int:
        """Return the port of the run before, or another if that is taken."""
        port = self._ports.get(name)
        if port is None or not ports.is_free(port):
            port = ports.free_port(besides=self._ports.values())
        self._ports[name] = port
        return port

    def _hear(self, report: Report) -> None:
        # The file is for people to look at: a full disk stops nothing.
        with suppress(OSError):
            self.layout.write_state(self._described())
        self._listener(report)

    def _described(self) -> dict[str, object]:
        return {
            "pid": os.getpid(),
            "started_at": self._started_at.isoformat(timespec="seconds"),
            "ports": self._ports,
            "processes": {
                name: {
                    "state": keeper.state,
                    "pid": keeper.part.pid,
                    "url": keeper.part.url,
                    "restarts": keeper.restart_count,
                    "log": str(keeper.part.log_path),
                }
                for name, keeper in self._keepers.items()
            },
        }


def _operations(name: str, *, service: str) -> str:
    """Return what a process's port for operators goes by."""
    return f"{name}-operations" if service in environment.APART else name


async def _together(work: Iterable[Coroutine[object, object, None]]) -> None:
    """Do things at one time; the first failure ends the others and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            for piece in list(work):
                group.create_task(piece)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
