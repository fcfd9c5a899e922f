"""Two vendors, a stand-in for connector and auth on the real bus, and reconcilers.

The stand-in does what jobs say, mechanically, and repeats or shuffles its answers
where a test asks for it; whatever is decided is decided by the reconciler.
"""

import asyncio
import contextlib
import datetime
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from deploy.local import nats
from proto.auth import Account, AccountConnected, AccountLost, AccountState, GetAccount
from proto.base import Event
from proto.connector import (
    AccountDescription,
    AccountReading,
    ContactsObserved,
    ContactsWritten,
    DescribeAccount,
    FollowAccount,
    ReadAccountProgress,
    ReadNow,
    ReadRecords,
    ScanPart,
    WriteContacts,
)
from proto.erasure import EraseTraces
from proto.errors import ErrorCode
from proto.ids import AccountId, ConnectionId, ScanId, TenantId
from proto.reconciler import (
    Connection,
    ConnectionAct,
    ConnectionState,
    ConnectionStatus,
    CreateConnection,
    End,
    GetConnection,
    GetStatus,
    ListRecords,
    Records,
    RecordState,
    Settings,
    TellConnection,
)
from proto.record import Presence, Record
from services.chassis import migrations, outbox, process
from services.chassis.clock import SystemClock
from services.chassis.config import Settings as ServiceSettings
from services.chassis.database import Row
from services.chassis.errors import CommandFailed
from services.chassis.process import Runtime
from services.chassis.queries import Query
from services.chassis.store import Work
from services.chassis.tenancy import ALL_TENANTS
from services.connector import erasing
from services.reconciler import service
from services.reconciler.config import Config
from tests.integration.reconciler.vendor import LEFT_IDS, RIGHT_IDS, Vendor
from tests.servers import Database

TENANT = TenantId("tnt_1")
QUIET = (ConnectionState.LIVE, ConnectionState.PAUSED, ConnectionState.NEEDS_ATTENTION)


class World:
    """Everything one test needs."""

    def __init__(self, database: Database, broker: nats.Server) -> None:
        self.database = database
        self.broker = broker
        self.left = Vendor("acct_left", "lefty", LEFT_IDS)
        self.right = Vendor("acct_right", "righty", RIGHT_IDS)
        self.vendors = {v.account_id: v for v in (self.left, self.right)}
        self.lost: set[AccountId] = set()
        self.followed: dict[AccountId, FollowAccount] = {}
        self.held_writes: list[WriteContacts] | None = None
        """Jobs that wait, where a test holds them back."""
        self.held_scans: list[FollowAccount] | None = None
        self.repeats = 1
        """How often each answer and observation is told."""
        self.shuffle: random.Random | None = None
        self.part_records = 500
        self.clock_s = 0.0
        """How far the connector's clock is ahead of ours."""
        self.jobs: list[object] = []
        self.connector: Runtime[ServiceSettings]
        self.auth: Runtime[ServiceSettings]
        self.api: Runtime[ServiceSettings]
        self.reconcilers: list[Runtime[Config]] = []

    def now(self) -> datetime.datetime:
        ahead = datetime.timedelta(seconds=self.clock_s)
        return self.connector.clock.now() + ahead

    async def tell(self, *events: Event) -> None:
        """Publish as the connector does: through its outbox."""
        told = [event for event in events for _ in range(self.repeats)]
        if self.shuffle is not None:
            self.shuffle.shuffle(told)
        async with self.connector.store(Work).transaction(TENANT) as work:
            await work.send(*told)

    async def poll(self) -> None:
        """Tell what changed at both vendors, as a poll would."""
        for vendor in self.vendors.values():
            if self._is_read(vendor.account_id):
                await self.show(vendor, vendor.take_changes())

    async def show(self, vendor: Vendor, records: Sequence[Record]) -> None:
        for start in range(0, len(records), 500):
            await self.tell(
                ContactsObserved(
                    tenant_id=TENANT,
                    account_id=vendor.account_id,
                    records=tuple(records[start : start + 500]),
                    read_at=self.now(),
                )
            )

    def _is_read(self, account_id: AccountId) -> bool:
        job = self.followed.get(account_id)
        return job is not None and job.is_wanted and account_id not in self.lost

    async def follow(self, work: Work, job: FollowAccount) -> None:
        self.jobs.append(job)
        known = self.followed.get(job.account_id)
        if known is not None and known.asked_at > job.asked_at:
            return
        self.followed[job.account_id] = job
        if job.scan_id is None:
            return
        if self.held_scans is not None:
            self.held_scans.append(job)
            return
        await work.send(*self.scan_parts(job.account_id, job.scan_id))

    def scan_parts(
        self, account_id: AccountId, scan_id: ScanId
    ) -> list[ContactsObserved]:
        """Read everything an account has, in parts and in any order."""
        records = self.vendors[account_id].live()
        size = self.part_records
        pages = [records[i : i + size] for i in range(0, len(records), size)] or [[]]
        told = [
            ContactsObserved(
                tenant_id=TENANT,
                account_id=account_id,
                records=tuple(page),
                read_at=self.now(),
                scan=ScanPart(
                    scan_id=scan_id,
                    part=number,
                    part_count=len(pages) if number == len(pages) - 1 else None,
                ),
            )
            for number, page in enumerate(pages)
            for _ in range(self.repeats)
        ]
        if self.shuffle is not None:
            self.shuffle.shuffle(told)
        return told

    async def release_scans(self) -> None:
        held, self.held_scans = self.held_scans or [], None
        for job in held:
            assert job.scan_id is not None
            await self.tell(*self.scan_parts(job.account_id, job.scan_id))

    async def take_note(self, _work: Work, message: Event) -> None:
        self.jobs.append(message)

    async def read_now(self, work: Work, job: ReadNow) -> None:
        self.jobs.append(job)
        vendor = self.vendors[job.account_id]
        await work.send(
            ContactsObserved(
                tenant_id=TENANT,
                account_id=job.account_id,
                records=tuple(vendor.take_changes()[:500]),
                read_at=work.clock.now(),
            )
        )

    async def read_records(self, work: Work, job: ReadRecords) -> None:
        self.jobs.append(job)
        vendor = self.vendors[job.account_id]
        gone = [
            Record(record_id=i, presence=Presence.MISSING)
            for i in job.record_ids
            if i not in vendor.records
        ]
        wanted = (*job.record_ids, *job.control_ids)
        there = [vendor.records[i] for i in wanted if i in vendor.records]
        await work.send(
            ContactsObserved(
                tenant_id=TENANT,
                account_id=job.account_id,
                records=tuple(there + gone),
                read_at=self.now(),
                is_by_id=True,
            )
        )

    async def write(self, work: Work, job: WriteContacts) -> None:
        self.jobs.append(job)
        if self.held_writes is not None:
            self.held_writes.append(job)
            return
        await work.send(*self.carry_out(job))

    def carry_out(self, job: WriteContacts) -> list[ContactsWritten]:
        vendor = self.vendors[job.account_id]
        results = []
        for write in job.writes:
            source = self.vendors[write.source.account_id] if write.source else None
            now = self.connector.clock.now()
            results.append(vendor.carry_out(write, source=source, now=now))
        if self.shuffle is not None:
            self.shuffle.shuffle(results)
        answer = ContactsWritten(
            tenant_id=TENANT,
            account_id=job.account_id,
            connection_id=job.connection_id,
            results=tuple(results),
        )
        return [answer] * self.repeats

    async def release_writes(self) -> None:
        held, self.held_writes = self.held_writes or [], None
        for job in held:
            await self.tell(*self.carry_out(job))

    async def erase(self, work: Work, job: EraseTraces) -> None:
        """Do as the connector does, in its own tables."""
        self.jobs.append(job)
        await erasing.erase_traces(work, job, bus=self.connector.bus)

    async def describe(self, command: DescribeAccount) -> AccountDescription:
        self._check(command.tenant_id, command.account_id)
        return self.vendors[command.account_id].describe()

    async def progress(self, command: ReadAccountProgress) -> AccountReading:
        vendor = self.vendors[command.account_id]
        return AccountReading(
            account_id=command.account_id, record_count=len(vendor.live())
        )

    async def account(self, command: GetAccount) -> Account:
        self._check(command.tenant_id, command.account_id)
        is_lost = command.account_id in self.lost
        return Account(
            account_id=command.account_id,
            app=self.vendors[command.account_id].app,
            state=AccountState.LOST if is_lost else AccountState.CONNECTED,
        )

    def _check(self, tenant_id: TenantId, account_id: AccountId) -> None:
        if tenant_id != TENANT or account_id not in self.vendors:
            raise CommandFailed(ErrorCode.NOT_FOUND, "There is no such account.")

    async def lose(self, vendor: Vendor) -> None:
        self.lost.add(vendor.account_id)
        async with self.auth.store(Work).transaction(TENANT) as work:
            now = work.clock.now()
            await work.send(
                AccountLost(tenant_id=TENANT, account_id=vendor.account_id, at=now)
            )

    async def find_again(self, vendor: Vendor) -> None:
        self.lost.discard(vendor.account_id)
        async with self.auth.store(Work).transaction(TENANT) as work:
            now = work.clock.now()
            await work.send(
                AccountConnected(tenant_id=TENANT, account_id=vendor.account_id, at=now)
            )

    async def create(
        self, *, tenant_id: TenantId = TENANT, **changes: object
    ) -> Connection:
        values: dict[str, object] = {
            "name": "Both",
            "left": End(account_id=self.left.account_id),
            "right": End(account_id=self.right.account_id),
        }
        settings = Settings(**{**values, **changes})  # type: ignore[arg-type]
        return await self.ask(CreateConnection(tenant_id=tenant_id, settings=settings))

    async def ask(self, command):
        """Ask the reconciler as the api does."""
        return await self.api.bus.request(command)

    async def act(self, connection_id: ConnectionId, act: str) -> Connection:
        return await self.ask(
            TellConnection(
                tenant_id=TENANT, connection_id=connection_id, act=ConnectionAct(act)
            )
        )

    async def start(self, **changes: object) -> ConnectionId:
        """Create a connection, start it and wait until it is live and quiet."""
        created = await self.create(**changes)
        await self.act(created.connection_id, "start")
        await self.settled(created.connection_id)
        return created.connection_id

    async def status(self, connection_id: ConnectionId) -> ConnectionStatus:
        return await self.ask(GetStatus(tenant_id=TENANT, connection_id=connection_id))

    async def state(self, connection_id: ConnectionId) -> ConnectionState:
        found = await self.ask(
            GetConnection(tenant_id=TENANT, connection_id=connection_id)
        )
        return found.state

    async def records(
        self,
        connection_id: ConnectionId,
        *,
        state: RecordState | None = None,
        email: str = "",
    ) -> Records:
        return await self.ask(
            ListRecords(
                tenant_id=TENANT,
                connection_id=connection_id,
                state=state,
                email=email,
                limit=500,
            )
        )

    async def settled(self, connection_id: ConnectionId) -> ConnectionStatus:
        """Wait until nothing is left to do: no message, nothing dirty, no write."""

        async def is_settled() -> bool:
            if not await self.is_idle():
                return False
            status = await self.status(connection_id)
            progress = status.progress
            return (
                status.state in QUIET
                and not progress.to_plan
                and not progress.to_write
                and await self.is_idle()
            )

        await until(is_settled)
        return await self.status(connection_id)

    async def live(self, connection_id: ConnectionId) -> None:
        """Wait until a connection is live, and then until it is quiet."""

        async def is_live() -> bool:
            return await self.state(connection_id) is ConnectionState.LIVE

        await until(is_live)
        await self.settled(connection_id)

    async def query(self, text: str, *values: object) -> list[Row]:
        """Look into the reconciler's tables."""
        return (
            await self.reconcilers[0]
            .database.reader(TENANT)
            .fetch(Query("look", text, values))
        )

    async def is_idle(self) -> bool:
        """Say whether every outbox is empty."""
        runtimes = [self.connector, self.auth, *self.reconcilers]
        for runtime in runtimes:
            if await waiting(runtime):
                return False
        return True


async def waiting(runtime: Runtime) -> int:
    row = await runtime.database.reader(ALL_TENANTS).fetch_row(
        outbox.Q["count_outbox"](now=runtime.clock.now())
    )
    assert row is not None
    return int(row["waiting"])


async def until(
    condition: Callable[[], Awaitable[bool]], *, seconds: float = 30.0
) -> None:
    """Wait for something that has to come."""
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def running(
    world: World, *, replicas: int = 1, **settings: object
) -> AsyncIterator[World]:
    """Run the stand-ins and so many reconcilers."""
    stopping = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        world.connector = await stack.enter_async_context(_standing(world, "connector"))
        world.auth = await stack.enter_async_context(_standing(world, "auth"))
        world.api = await stack.enter_async_context(_standing(world, "api"))
        await world.connector.bus.answer(DescribeAccount, world.describe)
        await world.connector.bus.answer(ReadAccountProgress, world.progress)
        await world.auth.bus.answer(GetAccount, world.account)
        receiver = world.connector.receiver(
            world.connector.store(Work),
            {
                FollowAccount: world.follow,
                ReadNow: world.read_now,
                ReadRecords: world.read_records,
                WriteContacts: world.write,
                AccountLost: world.take_note,
                AccountConnected: world.take_note,
                EraseTraces: world.erase,
            },
        )
        async with asyncio.TaskGroup() as group:
            for part in (
                receiver.run,
                world.connector.relay.run,
                world.auth.relay.run,
            ):
                group.create_task(part(stopping))
            for _ in range(replicas):
                runtime = await stack.enter_async_context(
                    _standing(world, "reconciler", Config, **settings)
                )
                world.reconcilers.append(runtime)
                group.create_task(service.serve(runtime, stopping))
            try:
                yield world
            finally:
                stopping.set()


@contextlib.asynccontextmanager
async def _standing(world: World, name: str, kind=ServiceSettings, **settings: object):
    url = world.database.service_url(name)
    await migrations.apply(
        world.database.owner_url(name), service=name, role=migrations.role_of(url)
    )
    values = {
        "database_url": url,
        "nats_url": world.broker.url,
        "nats_seed_file": world.broker.seed_file(name),
        **settings,
    }
    async with process.standing(name, kind(**values), clock=SystemClock()) as runtime:
        yield runtime
