"""The connector as a process: commands, jobs and events over a real broker."""

import asyncio
import contextlib
import datetime
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from proto.auth import (
    Account,
    AccountState,
    CredentialKind,
    GetAccount,
    IssueToken,
    Token,
)
from proto.base import Message
from proto.connector import (
    ContactsObserved,
    ContactsWritten,
    ContactWrite,
    DescribeAccount,
    FollowAccount,
    ListApps,
    ReadAccountProgress,
    VerifyAccount,
    WriteContacts,
    WriteKind,
    WriteOutcome,
)
from proto.errors import ErrorCode, Retry
from proto.ids import AccountId, AppId, ConnectionId, IntentId, ScanId, TenantId
from services.chassis import migrations, process
from services.chassis.clock import SystemClock
from services.chassis.config import Settings
from services.chassis.errors import CommandFailed
from services.chassis.process import Runtime
from services.chassis.store import Work
from services.connector import service
from services.connector.config import Config
from services.connector.registry import Entry, Registry
from tests.integration.connector_vendor import APP, EMAIL, FakeApp, Vendor, manifest

TENANT = TenantId("tnt_1")
ACCOUNT = AccountId("acct_1")


@contextlib.asynccontextmanager
async def runtime_of(name, database, broker, **settings) -> AsyncIterator[Runtime]:
    url = database.service_url(name)
    await migrations.apply(
        database.owner_url(name), service=name, role=migrations.role_of(url)
    )
    kind = Config if name == "connector" else Settings
    values = kind(
        database_url=url,
        nats_url=broker.url,
        nats_seed_file=broker.seed_file(name),
        **settings,
    )
    async with process.standing(name, values, clock=SystemClock()) as runtime:
        yield runtime


class Peers:
    """A connector with the services it talks to, of which two are played here."""

    def __init__(self, connector: Runtime, auth: Runtime, reconciler: Runtime) -> None:
        self.connector = connector
        self.auth = auth
        self.reconciler = reconciler
        self.told: list[Message] = []
        self.refuses = False

    async def issue(self, command: IssueToken) -> Token:
        if self.refuses:
            raise CommandFailed(
                ErrorCode.ACCOUNT_LOST, "Lost.", retry=Retry.AFTER_REAUTH
            )
        return Token(
            kind=CredentialKind.BEARER, secret="t", base_url=self.base_url, version=1
        )

    async def account(self, command: GetAccount) -> Account:
        if command.account_id != ACCOUNT:
            raise CommandFailed(ErrorCode.NOT_FOUND, "No such account.")
        return Account(account_id=ACCOUNT, app=APP, state=AccountState.CONNECTED)

    async def take(self, work: Work, message: Message) -> None:
        work.transaction.after_commit(lambda: self.told.append(message))

    def scan_parts(self) -> set[int]:
        return {
            message.scan.part
            for message in self.told
            if isinstance(message, ContactsObserved) and message.scan is not None
        }

    async def tell(self, message: Message) -> None:
        async with self.reconciler.store(Work).transaction(TENANT) as work:
            await work.send(message)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.02)

    base_url = ""


@pytest.fixture
async def vendor():
    async with Vendor().listening() as listening:
        yield listening


@pytest.fixture
async def peers(database, nats_server, vendor):
    stopping = asyncio.Event()
    apps = Registry({APP: Entry(manifest(), FakeApp)})
    async with (
        runtime_of(
            "connector",
            database,
            nats_server,
            calls_per_second_max=0.0,
            private_addresses=("127.0.0.0/8",),
        ) as connector,
        runtime_of("auth", database, nats_server) as auth,
        runtime_of("reconciler", database, nats_server) as reconciler,
        asyncio.TaskGroup() as group,
    ):
        found = Peers(connector, auth, reconciler)
        found.base_url = vendor.base_url
        await auth.bus.answer(IssueToken, found.issue)
        await auth.bus.answer(GetAccount, found.account)
        receiver = reconciler.receiver(
            reconciler.store(Work),
            {ContactsObserved: found.take, ContactsWritten: found.take},
        )
        group.create_task(receiver.run(stopping))
        group.create_task(reconciler.relay.run(stopping))
        group.create_task(service.serve_apps(connector, stopping, apps=apps))
        yield found
        stopping.set()


async def test_an_account_is_read_and_written_over_the_bus(peers, vendor):
    vendor.add(25)
    now = datetime.datetime.now(datetime.UTC)
    await peers.tell(
        FollowAccount(
            tenant_id=TENANT,
            account_id=ACCOUNT,
            app=APP,
            is_wanted=True,
            scan_id=ScanId("scan_1"),
            asked_at=now,
        )
    )
    await peers.until(lambda: peers.scan_parts() == {0, 1, 2})
    reading = await peers.reconciler.bus.request(
        ReadAccountProgress(tenant_id=TENANT, account_id=ACCOUNT)
    )
    assert (reading.scan_id, reading.is_scanning) == ("scan_1", False)
    assert reading.record_count == 25
    write = ContactWrite(
        intent_id=IntentId("int_1"),
        kind=WriteKind.CREATE,
        fields={EMAIL: "new@example.org"},
        emails=("new@example.org",),
        not_after=now + datetime.timedelta(minutes=1),
    )
    await peers.tell(
        WriteContacts(
            tenant_id=TENANT,
            account_id=ACCOUNT,
            app=APP,
            connection_id=ConnectionId("conn_1"),
            writes=(write,),
        )
    )
    await peers.until(lambda: isinstance(peers.told[-1], ContactsWritten))
    (result,) = peers.told[-1].results
    assert result.outcome is WriteOutcome.WRITTEN
    assert result.record.record_id in vendor.contacts


async def test_commands_are_answered(peers, vendor):
    auth, reconciler = peers.auth.bus, peers.reconciler.bus
    apps = (await reconciler.request(ListApps(tenant_id=TENANT))).apps
    assert [app.app for app in apps] == [APP]
    verified = await auth.request(
        VerifyAccount(tenant_id=TENANT, account_id=ACCOUNT, app=APP)
    )
    assert verified.vendor_account_id == "me-1"
    command = DescribeAccount(tenant_id=TENANT, account_id=ACCOUNT)
    description = await reconciler.request(command)
    assert [field.field_id for field in description.fields] == ["email", "name"]
    vendor.calls.clear()
    assert await reconciler.request(command) == description
    assert vendor.calls == []


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (
            DescribeAccount(tenant_id=TENANT, account_id=AccountId("x")),
            ErrorCode.NOT_FOUND,
        ),
        (
            ReadAccountProgress(tenant_id=TENANT, account_id=AccountId("x")),
            ErrorCode.NOT_FOUND,
        ),
    ],
)
async def test_a_foreign_account_is_not_found(peers, command, code):
    with pytest.raises(CommandFailed) as failure:
        await peers.reconciler.bus.request(command)
    assert failure.value.code is code
    assert failure.value.detail


async def test_refused_credentials_and_unknown_apps_say_what_to_do(peers):
    peers.refuses = True
    with pytest.raises(CommandFailed) as failure:
        await peers.auth.bus.request(
            VerifyAccount(tenant_id=TENANT, account_id=ACCOUNT, app=APP)
        )
    assert failure.value.code is ErrorCode.CREDENTIALS_REFUSED
    assert failure.value.retry is Retry.AFTER_REAUTH
    assert "authorise again" in failure.value.detail
    with pytest.raises(CommandFailed) as failure:
        await peers.auth.bus.request(
            VerifyAccount(tenant_id=TENANT, account_id=ACCOUNT, app=AppId("none"))
        )
    assert failure.value.code is ErrorCode.UNKNOWN_APP


@pytest.mark.parametrize("host", ["10.0.0.1", "[::1]", "169.254.169.254"])
async def test_an_account_at_a_private_address_is_refused(peers, host):
    """Hazard 114: the answer names the setting that allows it where it is meant."""
    peers.base_url = f"https://{host}/dav"
    with pytest.raises(CommandFailed) as failure:
        await peers.auth.bus.request(
            VerifyAccount(tenant_id=TENANT, account_id=ACCOUNT, app=APP)
        )
    assert failure.value.code is ErrorCode.ADDRESS_REFUSED
    assert "CONNECTOR_PRIVATE_ADDRESSES" in failure.value.detail


async def test_it_runs_as_a_process_with_the_real_catalogue(database, nats_server):
    """``migrate``, then ``serve`` until SIGTERM: both end with 0."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "CONNECTOR_DATABASE_URL": database.service_url("connector"),
        "CONNECTOR_MIGRATION_DATABASE_URL": database.owner_url("connector"),
        "CONNECTOR_NATS_URL": nats_server.url,
        "CONNECTOR_NATS_SEED_FILE": str(nats_server.seed_file("connector")),
    }
    assert await ended(await started("migrate", environment)) == 0
    serving = await started("serve", environment)
    seen = b""
    async with asyncio.timeout(30):
        while b'"started"' not in seen:
            line = await serving.stdout.readline()
            assert line, seen
            seen += line
    assert b'"apps_loaded"' in seen
    assert b'"app_left_out"' not in seen
    serving.send_signal(signal.SIGTERM)
    assert await ended(serving) == 0
    refused = await started("serve", {**environment, "CONNECTOR_LEASE_S": "0"})
    assert await ended(refused) == process.EXIT_CONFIGURATION


async def started(command: str, environment: dict[str, str]):
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.connector",
        command,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )


async def ended(child) -> int:
    async with asyncio.timeout(30):
        await child.stdout.read()
        return await child.wait()
