"""Services as the chassis stands them up, on real servers, for its own tests."""

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator, Awaitable, Callable

from deploy.local import nats
from proto.connector import ContactsObserved
from proto.ids import AccountId, TenantId
from services.chassis import migrations, outbox, process
from services.chassis.clock import SystemClock
from services.chassis.config import Settings
from services.chassis.process import Runtime
from services.chassis.tenancy import ALL_TENANTS
from tests.servers import Database

TENANT = TenantId("tnt_1")
ACCOUNT = AccountId("acct_1")
EVENT = ContactsObserved(
    tenant_id=TENANT,
    account_id=ACCOUNT,
    records=(),
    read_at=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
)


@contextlib.asynccontextmanager
async def service(
    name: str, database: Database, broker: nats.Server
) -> AsyncIterator[Runtime[Settings]]:
    url = database.service_url(name)
    await migrations.apply(
        database.owner_url(name), service=name, role=migrations.role_of(url)
    )
    settings = Settings(
        database_url=url, nats_url=broker.url, nats_seed_file=broker.seed_file(name)
    )
    async with process.standing(name, settings, clock=SystemClock()) as runtime:
        yield runtime


@contextlib.asynccontextmanager
async def relaying(*runtimes: Runtime[Settings]) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for runtime in runtimes:
            group.create_task(runtime.relay.run(stopping))
        yield
        stopping.set()


async def waiting(runtime: Runtime[Settings]) -> int:
    row = await runtime.database.reader(ALL_TENANTS).fetch_row(
        outbox.Q["count_outbox"](now=runtime.clock.now())
    )
    assert row is not None
    return row["waiting"]


async def until(
    condition: Callable[[], Awaitable[bool]], *, seconds: float = 10.0
) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.01)


async def is_empty(runtime: Runtime[Settings]) -> bool:
    return await waiting(runtime) == 0
