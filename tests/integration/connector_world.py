"""A connector's parts for tests: real Postgres, a made-up vendor, a clock to move.

Messages are read from the outbox; auth is a fake that issues tokens.
"""

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from proto import codec
from proto.auth import CredentialKind, IssueToken, Token
from proto.connector import (
    ContactsObserved,
    ContactsWritten,
    ContactWrite,
    ContactWritten,
    FollowAccount,
    WriteContacts,
)
from proto.errors import ErrorCode, Retry
from proto.ids import AccountId, ConnectionId, MessageId, ScanId, TenantId
from services.chassis import database as databases
from services.chassis import migrations
from services.chassis.addresses import Guard
from services.chassis.errors import CommandFailed
from services.chassis.identifiers import Identifiers
from services.chassis.loops import Wake
from services.chassis.queries import Query
from services.chassis.store import Store
from services.connector import exchange, handlers
from services.connector.accounts import AccountRef
from services.connector.config import Config
from services.connector.credentials import Credentials
from services.connector.handlers import Desk
from services.connector.poller import Poller
from services.connector.registry import Entry, Registry
from services.connector.store import ConnectorWork
from services.connector.transport import Transport
from services.connector.turns import Leases
from services.connector.writer import Writer
from tests.fakes.clock import SkippingClock
from tests.integration.connector_vendor import APP, FakeApp, Vendor, manifest
from tests.servers import Database

TENANT = TenantId("tnt_1")
ACCOUNT = AccountId("acct_1")
CONNECTION = ConnectionId("conn_1")
REF = AccountRef(TENANT, ACCOUNT, APP)


class FakeAuth:
    """Issues tokens; the test says which, or why not."""

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self.version = 1
        self.asked: list[int] = []
        self.error: CommandFailed | None = None
        self.refresh_s = 0.0
        """How long it takes to get a newer token."""
        self.move: Callable[[float], None] = lambda _seconds: None
        self.limited_by = ""
        """Which client all tokens are of."""
        self.version_max = 1_000
        """Asked for a newer one, it answers with ``refusal``."""
        self.refusal = CommandFailed(
            ErrorCode.CREDENTIALS_REFUSED, "Refused.", retry=Retry.LATER
        )

    async def request(self, command: Any, *, timeout_s: float = 10.0) -> Any:
        assert isinstance(command, IssueToken)
        self.asked.append(command.version_min)
        if self.error is not None:
            raise self.error
        if command.version_min > self.version_max:
            raise self.refusal
        if command.version_min > self.version:
            self.move(self.refresh_s)
        self.version = max(self.version, command.version_min)
        return Token(
            kind=CredentialKind.BEARER,
            secret=f"token-{self.version}",
            base_url=self.vendor.base_url,
            version=self.version,
            limited_by=self.limited_by,
        )


class Replica:
    """One process of the connector, without its loops."""

    def __init__(
        self, store: Store[ConnectorWork], session: Any, world: "World", owner: str
    ) -> None:
        registry = Registry({APP: Entry(world.manifest, world.app_class)})
        self.credentials = Credentials(world.auth, world.clock)
        self.transport = Transport(
            session,
            registry,
            credentials=self.credentials,
            settings=world.settings,
            clock=world.clock,
        )
        self.leases = Leases(
            store,
            self.transport,
            owner=owner,
            lease_s=world.settings.lease_s,
            clock=world.clock,
        )
        self.poller = Poller(
            store,
            self.transport,
            leases=self.leases,
            settings=world.settings,
            clock=world.clock,
            identifiers=world.identifiers,
        )
        self.writer = Writer(
            store,
            self.transport,
            leases=self.leases,
            settings=world.settings,
            clock=world.clock,
        )
        self.handlers = handlers.messages(
            Desk(
                bus=world.auth,
                store=store,
                registry=registry,
                transport=self.transport,
                credentials=self.credentials,
                clock=world.clock,
                reading=Wake(),
                writing=Wake(),
            )
        )

    async def read(self) -> None:
        """Give every account that is due one turn of reading."""
        await self.poller.turns.start_due()
        await self.poller.turns.settle()

    async def write(self) -> None:
        """Give every account that is due one turn of writing."""
        await self.writer.turns.start_due()
        await self.writer.turns.settle()


class World:
    """Everything around the replicas."""

    def __init__(
        self,
        database: Database,
        vendor: Vendor,
        *,
        app_class: type[FakeApp] = FakeApp,
        **capabilities: Any,
    ) -> None:
        self.database = database
        self.app_class = app_class
        self.vendor = vendor
        self.auth = FakeAuth(vendor)
        self.clock = SkippingClock()
        self.auth.move = self.clock.move
        self.identifiers = Identifiers(self.clock)
        self.manifest = manifest(**capabilities)
        self.settings = Config(
            database_url=database.service_url("connector"),
            nats_url="nats://unused",
            calls_per_second_max=0.0,
            lease_s=30.0,
            observations_waiting_max=1_000,
            private_addresses=("127.0.0.0/8",),
        )
        self.pool: databases.Database | None = None
        self.store: Store[ConnectorWork] | None = None
        self._session: Any = None
        self._replicas = 0

    @contextlib.asynccontextmanager
    async def standing(self) -> AsyncIterator["World"]:
        await migrations.apply(
            self.database.owner_url("connector"),
            service="connector",
            role=migrations.role_of(self.settings.database_url),
        )
        async with (
            databases.connect(
                self.settings.database_url, schema="connector", clock=self.clock
            ) as self.pool,
            exchange.session(Guard(self.settings.private_addresses)) as self._session,
        ):
            self.store = Store(
                self.pool,
                ConnectorWork,
                clock=self.clock,
                identifiers=self.identifiers,
                relay_wake=Wake(),
            )
            yield self

    def replica(self) -> Replica:
        self._replicas += 1
        return Replica(self.store, self._session, self, f"replica-{self._replicas}")

    async def receive(self, replica: Replica, message: Any) -> None:
        async with self.store.transaction(message.tenant_id) as work:
            message_id = self.identifiers.new(MessageId)
            assert await work.is_first_sight(message_id, tenant_id=message.tenant_id)
            await replica.handlers[type(message)](work, message)

    async def follow(
        self, replica: Replica, *, scan: str | None = "scan_1", is_wanted: bool = True
    ) -> None:
        message = FollowAccount(
            tenant_id=TENANT,
            account_id=ACCOUNT,
            app=APP,
            is_wanted=is_wanted,
            scan_id=None if scan is None else ScanId(scan),
            asked_at=self.clock.now(),
        )
        await self.receive(replica, message)

    async def ask_to_write(self, replica: Replica, *writes: ContactWrite) -> None:
        message = WriteContacts(
            tenant_id=TENANT,
            account_id=ACCOUNT,
            app=APP,
            connection_id=CONNECTION,
            writes=writes,
        )
        await self.receive(replica, message)

    async def account(self) -> Any:
        async with self.store.transaction(TENANT) as work:
            return await work.get_account(TENANT, ACCOUNT)

    async def take_observed(self) -> list[ContactsObserved]:
        return await self._take(ContactsObserved)

    async def take_results(self) -> list[ContactWritten]:
        found = await self._take(ContactsWritten)
        return [result for message in found for result in message.results]

    async def _take(self, kind: Any) -> list[Any]:
        """Return what was told since the last time, as if it were receipted."""
        subject = f"%{'observed' if kind is ContactsObserved else 'written'}%"
        query = Query(
            "take",
            "DELETE FROM outbox WHERE subject LIKE $1 RETURNING payload, message_id",
            (subject,),
        )
        async with self.pool.transaction(TENANT) as transaction:
            rows = await transaction.fetch(query)
        ordered = sorted(rows, key=lambda row: row["message_id"])
        return [codec.decode(row["payload"], kind) for row in ordered]
