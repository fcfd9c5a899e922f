"""The connector's own process, on a Postgres and a NATS of its own.

Auth and the reconciler are played here: one issues a stage's tokens, the other receipts
what it is told and counts it. So what the process spends is the connector's alone.
"""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import msgspec

from deploy.local import children, databases, nats, postgres
from proto.auth import IssueToken, Token
from proto.base import Message
from proto.connector import ContactsObserved, ContactsWritten, FollowAccount
from proto.ids import AccountId, AppId, ScanId, TenantId
from services.chassis import migrations, process
from services.chassis.clock import SystemClock
from services.chassis.config import Settings
from services.chassis.process import Runtime
from services.chassis.store import Work
from tests.contract.conformance.proxy import Proxy
from tests.contract.conformance.stage import Stage

TENANT: Final = TenantId("tnt_bench")
SERVICES: Final = ("auth", "connector", "reconciler")
REPOSITORY: Final = Path(__file__).parents[2]
REQUEST_TIMEOUT_S: Final = 600
"""A server that is as busy as this one is slow; that is not what is measured."""
STARTED_S: Final = 60.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Servers:
    """A Postgres and a NATS with what the services need."""

    def __init__(self, directory: Path) -> None:
        self.postgres = postgres.Server(
            directory / "postgres", programs=postgres.find_programs(), durable=True
        )
        self.nats = nats.Server(
            directory / "nats",
            program=nats.find_program(),
            keys_directory=directory / "keys",
            secured=True,
        )
        self.directory = directory

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Servers"]:
        """Run both until the block ends."""
        try:
            await self.postgres.start()
            await self.nats.start()
            yield self
        finally:
            await self.nats.stop()
            await self.postgres.stop(immediate=True)

    @contextlib.asynccontextmanager
    async def database(self, name: str) -> AsyncIterator[str]:
        """Make a database with the services' tables; drop it after."""
        await self.postgres.create_database(name)
        await databases.prepare(self.postgres.dsn(database=name))
        for service in SERVICES:
            owner = self._url(databases.owner_role(service), name)
            role = databases.service_role(service)
            await migrations.apply(owner, service=service, role=role)
        try:
            yield name
        finally:
            await self.postgres.drop_database(name)

    def settings(self, service: str, *, database: str) -> Settings:
        """Return the settings with which a service stands on these."""
        return Settings(
            database_url=self._url(databases.service_role(service), database),
            nats_url=self.nats.url,
            nats_seed_file=self.nats.seed_file(service),
        )

    def _url(self, role: str, database: str) -> str:
        return self.postgres.dsn(role=role, database=database)


class Peers:
    """Auth and the reconciler, as far as one account needs them."""

    def __init__(self, stage: Stage, proxy: Proxy, reconciler: Runtime[Any]) -> None:
        self._stage = stage
        self._proxy = proxy
        self._reconciler = reconciler
        self.seen: set[str] = set()
        """The ids that were told."""
        self.parts: set[int] = set()
        self.part_count: int | None = None

    async def issue(self, command: IssueToken) -> Token:
        """Answer with the stage's token, for the proxy's address."""
        token: Token = self._stage.token(version_min=command.version_min)
        return msgspec.structs.replace(
            token, base_url=self._proxy.url, username=self._stage.username
        )

    async def take(self, _work: Work, message: Message) -> None:
        """Note what a scan shows; the receipt goes out with the transaction."""
        assert isinstance(message, ContactsObserved)
        if message.scan is None:
            return
        self.seen.update(record.record_id for record in message.records)
        self.parts.add(message.scan.part)
        if message.scan.part_count is not None:
            self.part_count = message.scan.part_count

    async def ignore(self, _work: Work, _message: Message) -> None:
        """Have nothing to do with it."""

    async def follow(self) -> None:
        """Ask for a scan."""
        async with self._reconciler.store(Work).transaction(TENANT) as work:
            await work.send(
                FollowAccount(
                    tenant_id=TENANT,
                    account_id=AccountId("acct_bench"),
                    app=AppId(self._stage.app),
                    is_wanted=True,
                    scan_id=ScanId("scan_1"),
                    asked_at=self._reconciler.clock.now(),
                )
            )

    @property
    def is_done(self) -> bool:
        """Say whether every part of the scan was told."""
        return self.part_count is not None and len(self.parts) == self.part_count


@contextlib.asynccontextmanager
async def standing(
    servers: Servers, stage: Stage, *, name: str, proxy: Proxy
) -> AsyncIterator[tuple["Spent", Peers]]:
    """Run the connector's process with its peers; yield what it spends, and them.

    Its database and its log are called after ``name``.
    """
    stopping = asyncio.Event()
    clock = SystemClock()
    async with (
        servers.database(f"bench_{name}") as database,
        process.standing(
            "auth", servers.settings("auth", database=database), clock=clock
        ) as auth,
        process.standing(
            "reconciler", servers.settings("reconciler", database=database), clock=clock
        ) as reconciler,
        asyncio.TaskGroup() as group,
    ):
        peers = Peers(stage, proxy, reconciler)
        await auth.bus.answer(IssueToken, peers.issue)
        receiver = reconciler.receiver(
            reconciler.store(Work),
            {ContactsObserved: peers.take, ContactsWritten: peers.ignore},
        )
        try:
            async with _serving(servers, database) as child:
                # The connector makes the stream. Who asked for it before would ask
                # again too late for the first part, which comes once more after 15 s.
                group.create_task(receiver.run(stopping))
                group.create_task(reconciler.relay.run(stopping))
                yield Spent(child), peers
        finally:
            stopping.set()


@contextlib.asynccontextmanager
async def _serving(servers: Servers, database: str) -> AsyncIterator[children.Child]:
    """Run ``python -m services.connector`` until the block ends."""
    settings = servers.settings("connector", database=database)
    child = children.spawn(
        [sys.executable, "-m", "services.connector", "serve"],
        name="connector",
        log_path=servers.directory / f"connector_{database}.log",
        environment={
            "PATH": os.defpath,
            "CONNECTOR_DATABASE_URL": settings.database_url,
            "CONNECTOR_NATS_URL": settings.nats_url,
            "CONNECTOR_NATS_SEED_FILE": str(settings.nats_seed_file),
            "CONNECTOR_CALLS_PER_SECOND_MAX": "0",
            "CONNECTOR_REQUEST_TIMEOUT_S": str(REQUEST_TIMEOUT_S),
            "CONNECTOR_PRIVATE_ADDRESSES": "127.0.0.0/8",
        },
        directory=REPOSITORY,
    )
    try:
        async with asyncio.timeout(STARTED_S):
            while '"started"' not in child.log_tail(50):
                assert child.exit_code is None, child.log_tail(20)
                await asyncio.sleep(0.05)
        yield child
    finally:
        await child.stop(signal_number=signal.SIGTERM, timeout_s=30.0)


class Spent:
    """What a process has spent so far, by the kernel's own count."""

    def __init__(self, child: children.Child) -> None:
        self._child = child
        self._place = Path(f"/proc/{child.pid}")

    def cpu_s(self) -> float:
        """Return the seconds of processor time, of its threads too."""
        # The name in front may hold blanks and brackets.
        fields = (self._place / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory_mib(self, *, is_peak: bool) -> float:
        """Return the resident memory, as it is or as it was at most."""
        name = "VmHWM" if is_peak else "VmRSS"
        status = (self._place / "status").read_text()
        found = re.search(rf"{name}:\s+(\d+)", status)
        assert found is not None
        return int(found[1]) / 1024

    def log_tail(self) -> str:
        """Return the end of its log."""
        return self._child.log_tail(10)
