"""All of Tandem but its api, in one process: the real services on parts in memory.

One seed decides everything. A service runs as replicas that can be stopped, killed
and started; who uses them, and what their vendors are, is the scenario's business.
"""

import base64
import contextlib
import functools
import hashlib
import random
import tempfile
from asyncio import Event
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from proto.base import Command
from services.auth import service as auth_service
from services.auth.config import Config as AuthConfig
from services.auth.transport import TokenEndpoint
from services.chassis import process
from services.chassis.addresses import Guard
from services.chassis.config import Settings
from services.chassis.errors import Unavailable
from services.chassis.health import Health
from services.chassis.identifiers import Identifiers
from services.chassis.outbox import Relay
from services.chassis.process import Runtime
from services.connector import service as connector_service
from services.connector.config import Config as ConnectorConfig
from services.connector.registry import Registry
from services.reconciler import service as reconciler_service
from services.reconciler.config import Config as ReconcilerConfig
from tests.fakes import loop
from tests.fakes.broker import MemoryBroker
from tests.fakes.bus import MemoryBus
from tests.fakes.database.database import MemoryDatabase
from tests.fakes.loop import Life, VirtualClock
from tests.simulation import audits, complaints
from tests.simulation.scenario import SWEEP_S
from tests.simulation.trace import Trace
from tests.simulation.troubles import LEASE_S

SERVICES: Final = ("auth", "connector", "reconciler")
REPLAY_IDLE_S: Final = 3_600.0
"""No operator is there to ask for a replay."""
RESTART_S: Final = 1.0
"""How soon a process is started again that gave up at its start."""

_SECRETIVE: Final = ("auth",)
"""Services whose keys of rows may be secrets, and are different each time."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How fast things go: settings of the services.

    Waits are longer than in production where nothing happens in them, because each
    look at nothing costs time, and shorter where a simulation would wait for them.
    """

    poll_interval_s: float = 30.0
    idle_s: float = 30.0
    """How often the connector looks for itself: no account is read less often."""
    look_s: float = 60.0
    """How often others look who are told of their work as soon as it is there."""
    sweep_s: float = SWEEP_S
    leftovers_every_s: float = 150.0
    settle_s: float = 5.0
    write_age_s: float = 300.0
    answer_s: float = 400.0
    compare_every_s: float = 240.0
    connector_lease_s: float = 30.0
    reconciler_lease_s: float = LEASE_S
    refusal_confirm_s: float = 60.0
    stop_s: float = 20.0
    """How long what is in hand may take when a process is told to stop."""
    skew_s_max: float = 0.0
    """How far the clock of a replica may be from the true time."""
    are_clocks_apart: bool = False
    """The first replica of a service is ahead by that much, and the second behind."""


class Outside(Protocol):
    """The vendors, as far as services reach them."""

    apps: Registry

    def open_session(self, guard: Guard) -> AbstractAsyncContextManager[Any]:
        """Open what the connector makes its calls with."""

    def open_endpoint(
        self, timeout_s: float, *, guard: Guard
    ) -> AbstractAsyncContextManager[TokenEndpoint]:
        """Open what auth calls token endpoints with."""


class Replica:
    """One process of a service, from its start to its end."""

    def __init__(self, service: str, number: int) -> None:
        self.service = service
        self.number = number
        self.life = Life(f"{service}-{number}")
        self.stopping = Event()
        self.cut: Callable[[], None] = _leave
        """Cuts everything that leads out of the process; its tasks end after that."""
        self.is_at_work: Callable[[], bool] = bool
        """Says whether a transaction of it is open, as far as its database tells."""


class Parts(Protocol):
    """What the services stand on: a database, a broker, and the api's way to them."""

    database: Any
    broker: Any
    addresses: dict[str, Any]
    """Settings that say where the parts are; the same for each service."""

    async def begin(self) -> None:
        """Be ready to be used, before anything else happens."""

    async def ask(self, command: Command[Any]) -> Any:
        """Send a command as the api does."""

    def stand(
        self,
        replica: Replica,
        *,
        settings: Settings,
        identifiers: Identifiers,
        clock: VirtualClock,
    ) -> AbstractAsyncContextManager[Runtime[Any]]:
        """Open what a service stands on, as ``chassis.process.standing`` does."""


class World:
    """The services of one simulation and everything that they stand on."""

    def __init__(
        self,
        seed: str,
        outside: Outside,
        *,
        pace: Pace | None = None,
        parts: Callable[["World"], Parts] | None = None,
    ) -> None:
        self.seed = seed
        self.pace = pace or Pace()
        self.loop = loop.running()
        self.clock = VirtualClock(self.loop)
        self.trace = Trace(self.loop)
        self.note = self.trace.note
        self.complaints: list[str] = []
        """What services logged as errors."""
        self.audited = audits.counts()
        """What comparisons had found before."""
        self.counts: Counter[str] = Counter()
        """Rows that were written, by table; and how processes were stopped."""
        self.watch: Callable[[str, int, str], None] | None = None
        """Told the service, the replica and the place that one of its tasks is at."""
        self.stall: Callable[[str, Life, str], None] | None = None
        """Told the same with the process, where one is to stand still."""
        self.witnesses: list[Callable[[str, Any], None]] = []
        """Told the service and the rows of each commit; not by a real database."""
        self.parts = (parts or MemoryParts)(self)
        self.broker, self.database = self.parts.broker, self.parts.database
        self.database.watch = self._be_at_database
        self.database.witness = self._note_commit
        self._outside = outside
        self._replicas: dict[tuple[str, int], Replica] = {}
        self._skews_s: dict[tuple[str, int], float] = {}
        self._starts = 0
        # Back-off and jitter in the services draw from the module itself.
        random.seed(f"{seed} services")
        complaints.listen(self._complain)

    def source(self, name: str) -> random.Random:
        """Return a randomness of its own for one purpose."""
        return random.Random(f"{self.seed} {name}")

    async def ask(self, command: Command[Any]) -> Any:
        """Send a command as the api does."""
        return await self.parts.ask(command)

    @property
    def running(self) -> list[tuple[str, int]]:
        """Return the replicas that run or are about to."""
        return list(self._replicas)

    def start(self, service: str, number: int = 1, *, after_s: float = 0.0) -> None:
        """Start a replica, now or later; it goes on until it is stopped or killed."""
        assert (service, number) not in self._replicas
        replica = self._replicas[service, number] = Replica(service, number)
        replica.life.watch = functools.partial(self._come_by, replica)
        self._starts += 1
        source = self.source(f"identifiers {self._starts}")
        replica.life.start(self._keep_running(replica, after_s=after_s, source=source))

    def kill(self, service: str, number: int = 1) -> None:
        """End a replica where it stands.

        Its transactions roll back, its connections are gone, and what it asked
        vendors is on its way to them all the same.
        """
        replica = self._replicas.pop((service, number))
        self.note("kill", service, number)
        self._end(replica)

    async def stop(self, service: str, number: int = 1) -> bool:
        """End a replica in order, as SIGTERM does.

        Tells whether it came to that: it may be killed, or be stopping already.
        """
        replica = self._replicas[service, number]
        if replica.stopping.is_set():
            return False
        self.note("stop", service, number)
        if replica.is_at_work():
            self.counts["stopped at work"] += 1
        replica.stopping.set()
        await replica.life.ended()
        is_stopped = self._replicas.get((service, number)) is replica
        if is_stopped:
            del self._replicas[service, number]
            self._end(replica)
        return is_stopped

    async def _keep_running(
        self, replica: Replica, *, after_s: float, source: random.Random
    ) -> None:
        """Be a replica, and the supervisor that starts it again if it gives up."""
        if after_s:
            await self.clock.sleep(after_s)
        self.note("start", replica.service, replica.number)
        clock = VirtualClock(self.loop, ahead_s=self._skew_s(replica))
        identifiers = Identifiers(clock, source)
        try:
            standing = self.parts.stand(
                replica,
                settings=self._settings(replica.service),
                identifiers=identifiers,
                clock=clock,
            )
            async with standing as runtime:
                await self._serve(runtime, replica.stopping)
        except Unavailable as err:
            self.note("gave up", replica.service, replica.number, err)
            if not replica.stopping.is_set():
                self.kill(replica.service, replica.number)
                self.start(replica.service, replica.number, after_s=RESTART_S)
        except Exception as err:
            self._complain("service_ended", repr(err))
            raise

    def _end(self, replica: Replica) -> None:
        replica.cut()
        replica.life.end()

    def _serve(self, runtime: Runtime[Any], stopping: Event) -> Awaitable[None]:
        if runtime.service == "auth":
            return auth_service.serve(
                runtime, stopping, open_endpoint=self._outside.open_endpoint
            )
        if runtime.service == "connector":
            return connector_service.serve_apps(
                runtime,
                stopping,
                apps=self._outside.apps,
                open_session=self._outside.open_session,
            )
        return reconciler_service.serve(runtime, stopping)

    def _settings(self, service: str) -> Settings:
        pace = self.pace
        parts = {
            **self.parts.addresses[service],
            "outbox_idle_s": pace.look_s,
            "replay_idle_s": REPLAY_IDLE_S,
            "stop_timeout_s": pace.stop_s,
        }
        if service == "auth":
            return AuthConfig(
                key_ring_file=key_ring(),
                refusal_confirm_s=pace.refusal_confirm_s,
                **parts,
            )
        if service == "connector":
            return ConnectorConfig(
                poll_interval_s=pace.poll_interval_s,
                idle_s=pace.idle_s,
                lease_s=pace.connector_lease_s,
                **parts,
            )
        return ReconcilerConfig(
            idle_s=pace.look_s,
            sweep_s=pace.sweep_s,
            leftovers_every_s=pace.leftovers_every_s,
            settle_s=pace.settle_s,
            write_age_s=pace.write_age_s,
            answer_s=pace.answer_s,
            compare_every_s=pace.compare_every_s,
            lease_s=pace.reconciler_lease_s,
            **parts,
        )

    def _skew_s(self, replica: Replica) -> float:
        key = replica.service, replica.number
        if key not in self._skews_s:
            most = self.pace.skew_s_max
            source = self.source(f"clock of {replica.life.name}")
            apart = most if replica.number % 2 else -most
            is_apart = self.pace.are_clocks_apart
            self._skews_s[key] = apart if is_apart else source.uniform(-most, most)
        return self._skews_s[key]

    def _come_by(self, replica: Replica, place: str) -> None:
        if self.watch is not None:
            self.watch(replica.service, replica.number, place)
        if self.stall is not None:
            self.stall(replica.service, replica.life, place)

    def _be_at_database(self, _service: str, what: str) -> None:
        """Let the task that runs come by a place of the database."""
        life = loop.present_life()
        is_watched = self.watch is not None or self.stall is not None
        if life is not None and (life.is_over or is_watched):
            life.pass_by(f"database {what}")

    def _note_commit(self, service: str, rows: Any) -> None:
        for table, _key, row in rows:
            if row is not None:
                self.counts[f"{service}.{table}"] += 1
                if row.get("is_control"):
                    self.counts["controls"] += 1
        if service in _SECRETIVE:
            self.note("commit", service, *(table for table, _key, _row in rows))
        else:
            self.note("commit", service, *((table, key) for table, key, _row in rows))
        for witness in self.witnesses:
            witness(service, rows)

    def _complain(self, event: str, rest: str) -> None:
        self.note("complaint", event)
        self.complaints.append(f"{event} {rest}")


class MemoryParts:
    """A database and a broker in memory, which do what a seed wants."""

    def __init__(self, world: World) -> None:
        self.database = MemoryDatabase(world.source("database"))
        self.database.watches_order = True
        self.broker = MemoryBroker(world.source("broker"), note=world.note)
        address = {"database_url": "memory", "nats_url": "memory"}
        self.addresses = dict.fromkeys(SERVICES, address)
        self._api = MemoryBus(self.broker, service="api", life=Life("api"))

    async def begin(self) -> None:
        """Be there from the start."""

    async def ask(self, command: Command[Any]) -> Any:
        """Send a command as the api does."""
        return await self._api.request(command)

    @contextlib.asynccontextmanager
    async def stand(
        self,
        replica: Replica,
        *,
        settings: Settings,
        identifiers: Identifiers,
        clock: VirtualClock,
    ) -> AsyncIterator[Runtime[Any]]:
        """Open what a service stands on; it has nothing that needs to be closed."""
        service = replica.service
        user = self.database.as_service(service)
        replica.cut = user.kill
        replica.is_at_work = lambda: user.is_in_use
        relays: list[Relay] = []
        bus: Any = MemoryBus(
            self.broker,
            service=service,
            life=replica.life,
            on_reconnected=lambda: process.hasten(relays, clock=clock),
        )
        await bus.ensure_streams()
        yield await runtime_of(
            service,
            settings=settings,
            identifiers=identifiers,
            clock=clock,
            database=user,
            bus=bus,
            relays=relays,
        )


async def runtime_of(
    service: str,
    *,
    settings: Settings,
    identifiers: Identifiers,
    clock: VirtualClock,
    database: Any,
    bus: Any,
    relays: list[Relay],
) -> Runtime[Any]:
    """Return what a service stands on, with its relay among those to be hastened."""
    relay = Relay(
        database, bus, service=service, clock=clock, idle_s=settings.outbox_idle_s
    )
    relays.append(relay)
    await bus.receive_receipts(relay.take)
    return Runtime(
        service=service,
        settings=settings,
        clock=clock,
        identifiers=identifiers,
        database=database,
        bus=bus,
        relay=relay,
        health=Health(),
        listening=_listening,
    )


@contextlib.asynccontextmanager
async def _listening(_application: object, **_where: object) -> AsyncIterator[int]:
    """Listen to nobody: nobody asks for health or metrics."""
    yield 0


@functools.cache
def key_ring() -> Path:
    """Return the file of a key that all simulations share."""
    folder = tempfile.TemporaryDirectory(prefix="tandem-simulation-")
    _folders.append(folder)
    path = Path(folder.name) / "keys.json"
    key = base64.b64encode(hashlib.sha256(b"the ring").digest()).decode()
    path.write_bytes(msgspec.json.encode({"active": "k1", "keys": {"k1": key}}))
    return path


def _leave() -> None:
    """Have nothing to cut yet."""


_folders: Final[list[tempfile.TemporaryDirectory[str]]] = []
"""Kept until the process ends."""
