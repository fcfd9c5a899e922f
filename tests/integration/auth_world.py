"""auth as processes would run it, a stand-in connector, and an emulated vendor."""

import asyncio
import base64
import contextlib
import datetime
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import asyncpg
import msgspec
import structlog.testing

from deploy.local import nats, postgres
from proto.auth import (
    Account,
    AddAccount,
    Authorisation,
    BeginAuthorisation,
    CompleteAuthorisation,
    CredentialKind,
    IssueToken,
    SetAppClient,
    Token,
)
from proto.base import Command
from proto.connector import (
    App,
    Apps,
    AuthMethod,
    Capabilities,
    CredentialField,
    ListApps,
    OAuthFacts,
    VerifiedAccount,
    VerifyAccount,
)
from proto.errors import ErrorCode, Retry
from proto.ids import AccountId, AppId, TenantId
from services.auth import service
from services.auth.config import Config
from services.chassis import process
from services.chassis.config import Settings
from services.chassis.errors import CommandFailed
from services.chassis.process import Runtime
from tests.contract.emulator_caller import CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, Form
from tests.emulators.constant_contact.emulator import (
    AUTHORIZE_PATH,
    TOKEN_PATH,
    Emulator,
)
from tests.emulators.constant_contact.settings import Settings as VendorSettings
from tests.emulators.core.emulator import serving
from tests.fakes.clock import MovableClock
from tests.servers import Database, migrated_database

TENANT = TenantId("tnt_1")
OTHER_TENANT = TenantId("tnt_2")
MAIL = AppId("constant_contact")
CARDS = AppId("carddav")
BROWSER = "the cookie of one window"
PASSWORD = "correct horse battery staple"
API_KEY = "key-of-ada-7c1f"
BEARER_TOKEN = "pat-of-ada-93d2"
KEYED = AppId("keyed")
TOKENED = AppId("tokened")
FORMED = tuple(
    App(
        app=app,
        name=app.title(),
        tier="bronze",
        auth_method=method,
        credential_fields=(CredentialField(name=name, label="Secret", is_secret=True),),
        capabilities=Capabilities(),
    )
    for app, method, name in (
        (KEYED, AuthMethod.API_KEY, "api_key"),
        (TOKENED, AuthMethod.BEARER, "token"),
    )
)
"""Apps that are authorised by what a person gives, and by no address of their own."""
CARDS_URL = "http://127.0.0.1:1/dav"
TABLES = ("outbox", "authorisations", "credentials", "accounts", "app_clients")
"""What a test leaves behind, those that belong to others first."""
TOKEN_ROUTE = f"POST {TOKEN_PATH}"


Identify = Callable[[Token], Awaitable[VerifiedAccount | None]]
"""Returns whose a token is; None if the app refuses it."""


class World:
    """One vendor, one connector, one api, and auth in any number."""

    def __init__(
        self, *, database: Database, broker: nats.Server, emulator: Emulator
    ) -> None:
        self.database = database
        self.broker = broker
        self.emulator = emulator
        self.clock = MovableClock()
        self.api: Runtime[Settings]
        self.connector: Runtime[Settings]
        self.connector_says: ErrorCode | None = None
        """How the connector refuses to prove an account, if it does."""
        self.further_apps: tuple[App, ...] = ()
        """Apps beside the usual two; auth remembers what it has heard of them."""
        self.identify: dict[AppId, Identify] = {}
        """How the connector asks the servers of further apps."""
        self.identity = ""
        """What the connector says instead of the vendor's own account id."""
        self.while_proved: Callable[[], Awaitable[object]] | None = None
        """What happens before the connector says whose an account is."""
        self.secrets = {CLIENT_SECRET, PASSWORD, API_KEY, BEARER_TOKEN}
        """Everything that must not be seen in a log or in a reply."""

    @property
    def vendor_ids(self) -> list[str]:
        return list(self.emulator.accounts)

    async def reset(self) -> None:
        """Forget what an earlier test did, here and at the vendor."""
        # One table at a time: auth goes on meanwhile, and locks in its own order.
        for table in TABLES:
            await self.rows(f"DELETE FROM auth.{table}")
        self.clock.ahead_s = 0.0
        self.connector_says = None
        self.identity = ""
        self.while_proved = None
        self.emulator.faults.clear()
        self.emulator.statistics.reset()
        self.emulator.server.policy.access_token_lifetime_s = 86_400
        self.emulator.server.policy.is_rotating = True

    def move(self, seconds: float) -> None:
        """Let time pass for us and for the vendor."""
        self.clock.move(seconds)
        self.emulator.clock.advance(seconds)

    def token_calls(self) -> int:
        return self.emulator.statistics.report().calls.get(TOKEN_ROUTE, 0)

    async def ask(self, command: Command[Any]) -> Any:
        """Send a command as the api; no reply may hold a secret."""
        reply = await self.api.bus.request(command)
        encoded = msgspec.json.encode(reply).decode()
        assert not [secret for secret in self.all_secrets() if secret in encoded]
        return reply

    async def refusal(self, command: Command[Any]) -> CommandFailed:
        """Return the error that a command of the api is answered with."""
        return await refused(self.ask(command))

    async def issue(
        self,
        account_id: AccountId,
        *,
        version_min: int = 0,
        accepted_at: datetime.datetime | None = None,
        tenant_id: TenantId = TENANT,
    ) -> Token:
        """Ask for a token as the connector."""
        command = IssueToken(
            tenant_id=tenant_id,
            account_id=account_id,
            version_min=version_min,
            accepted_at=accepted_at,
        )
        token = await self.connector.bus.request(command, timeout_s=20)
        self.secrets.add(token.secret)
        return token

    async def set_client(self, app: AppId = MAIL, **changes: str) -> None:
        values = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET} | changes
        await self.ask(SetAppClient(tenant_id=TENANT, app=app, **values))

    async def begin(
        self, account_id: AccountId | None = None, *, app: AppId = MAIL
    ) -> Authorisation:
        return await self.ask(
            BeginAuthorisation(
                tenant_id=TENANT,
                app=app,
                redirect_uri=REDIRECT_URI,
                browser=BROWSER,
                account_id=account_id,
            )
        )

    async def consent(
        self, url: str, *, vendor_id: str = "", decision: str = "approve"
    ) -> dict[str, str]:
        """Decide on the vendor's page as a person; return what the callback gets."""
        async with aiohttp.ClientSession() as browser:
            async with browser.get(url) as page:
                assert page.status == 200, await page.text()
                form = Form(await page.text())
            fields = {
                **form.fields,
                "account_id": vendor_id or self.vendor_ids[0],
                "decision": decision,
            }
            async with browser.post(url, data=fields, allow_redirects=False) as back:
                location = back.headers["Location"]
        assert location.startswith(REDIRECT_URI)
        return dict(parse_qsl(urlsplit(location).query))

    async def authorise(
        self, *, vendor_id: str = "", instead_of: AccountId | None = None
    ) -> Account:
        """Walk the whole way."""
        begun = await self.begin(instead_of)
        back = await self.consent(begun.authorise_url, vendor_id=vendor_id)
        return await self.ask(completion(back))

    async def add_password(
        self,
        password: str = PASSWORD,
        *,
        base_url: str = CARDS_URL,
        account_id: AccountId | None = None,
    ) -> Account:
        return await self.ask(
            AddAccount(
                tenant_id=TENANT,
                app=CARDS,
                values={
                    "base_url": base_url,
                    "username": "ada",
                    "password": password,
                },
                account_id=account_id,
            )
        )

    async def rows(self, query: str, *values: object) -> list[Mapping[str, Any]]:
        connection = await asyncpg.connect(self.database.admin_url)
        try:
            return await connection.fetch(query, *values)
        finally:
            await connection.close()

    @contextlib.asynccontextmanager
    async def locking(self) -> AsyncIterator[Callable[[str], Awaitable[object]]]:
        """Hold what is locked inside until the end of the block."""
        connection = await asyncpg.connect(self.database.admin_url)
        try:
            transaction = connection.transaction()
            await transaction.start()
            yield connection.execute
            await transaction.rollback()
        finally:
            await connection.close()

    async def told(self, name: str) -> int:
        """Return how many events of a name wait for their receipts."""
        pattern = f"evt.auth.{name}.%"
        found = await self.rows(
            "SELECT count(*) FROM auth.outbox WHERE subject LIKE $1", pattern
        )
        return found[0]["count"]

    def all_secrets(self) -> set[str]:
        server = self.emulator.server
        return self.secrets | set(server._access) | set(server._refresh)

    @contextlib.asynccontextmanager
    async def auth(self, **changes: Any) -> AsyncIterator[Runtime[Config]]:
        """Run one more auth."""
        stopping = asyncio.Event()
        changes = {"private_addresses": ("127.0.0.0/8",), **changes}
        async with standing(self, "auth", Config, **changes) as runtime:
            serving = asyncio.create_task(service.serve(runtime, stopping))
            try:
                yield runtime
            finally:
                stopping.set()
                await serving

    def app(self, app: AppId = MAIL, **facts: Any) -> App:
        """Return an app at the vendor, with some facts changed."""
        standard = {
            "authorise_url": self.emulator.url + AUTHORIZE_PATH,
            "token_url": self.emulator.url + TOKEN_PATH,
            "scopes": ("account_read", "contact_data", "offline_access"),
            "issuer": "https://issuer.example",
        }
        return App(
            app=app,
            name=app.replace("_", " ").title(),
            tier="bronze",
            auth_method=AuthMethod.OAUTH,
            oauth=OAuthFacts(**{**standard, **facts}),
            capabilities=Capabilities(),
        )

    async def list_apps(self, _command: ListApps) -> Apps:
        cards = App(
            app=CARDS,
            name="CardDAV",
            tier="bronze",
            auth_method=AuthMethod.PASSWORD,
            capabilities=Capabilities(),
        )
        return Apps(apps=(cards, self.app(), *FORMED, *self.further_apps))

    async def verify(self, command: VerifyAccount) -> VerifiedAccount:
        """Do as the connector does: try the token, ask for a newer one once."""
        if self.connector_says is not None:
            raise CommandFailed(self.connector_says, "No answer.", retry=Retry.LATER)
        version_min = 0
        while True:
            token = await self.connector.bus.request(
                IssueToken(
                    tenant_id=command.tenant_id,
                    account_id=command.account_id,
                    version_min=version_min,
                )
            )
            identify = self.identify.get(command.app, self._identity_of)
            identity = await identify(token)
            if identity is not None:
                if self.while_proved is not None:
                    await self.while_proved()
                return identity
            version_min = token.version + 1

    async def _identity_of(self, token: Token) -> VerifiedAccount | None:
        if token.kind is CredentialKind.API_KEY or token.secret == BEARER_TOKEN:
            is_right = token.secret in (API_KEY, BEARER_TOKEN)
            mark = f"{token.kind} of Ada"
            return (
                VerifiedAccount(vendor_account_id=mark, display_name="Ada")
                if is_right
                else None
            )
        if token.kind is CredentialKind.BASIC:
            if token.secret != PASSWORD:
                return None
            return VerifiedAccount(
                vendor_account_id=self.identity or f"{token.base_url}/{token.username}",
                display_name=token.username,
            )
        grant = self.emulator.server.check(token.secret)
        if grant is None:
            return None
        return VerifiedAccount(
            vendor_account_id=grant.account_id,
            display_name=self.emulator.accounts[grant.account_id].name,
        )


def completion(back: Mapping[str, str], **changes: Any) -> CompleteAuthorisation:
    """Return the command for what came back to the callback."""
    values = {
        "tenant_id": TENANT,
        "browser": BROWSER,
        "state": back["state"],
        "code": back.get("code", ""),
        "error": back.get("error", ""),
    }
    return CompleteAuthorisation(**{**values, **changes})


async def refused(request: Any) -> CommandFailed:
    """Return the error of a request that must have one."""
    try:
        reply = await request
    except CommandFailed as err:
        return err
    raise AssertionError(f"answered with a {type(reply).__name__}")


def write_key_ring(path: Path, *, key_id: str = "k1") -> Path:
    """Write a key ring with one new key."""
    key = base64.b64encode(os.urandom(32)).decode()
    path.write_bytes(msgspec.json.encode({"active": key_id, "keys": {key_id: key}}))
    return path


@contextlib.asynccontextmanager
async def opened(
    postgres_server: postgres.Server,
    broker: nats.Server,
    *,
    settings: VendorSettings | None = None,
) -> AsyncIterator[World]:
    """Open everything but auth; at the end no secret may be in any log entry."""
    async with (
        migrated_database(postgres_server, "api", "auth", "connector") as database,
        serving(Emulator(settings or VendorSettings())) as emulator,
    ):
        world = World(database=database, broker=broker, emulator=emulator)
        with structlog.testing.capture_logs() as entries:
            async with (
                standing(world, "api", Settings) as world.api,
                standing(world, "connector", Settings) as world.connector,
            ):
                await world.connector.bus.answer(ListApps, world.list_apps)
                await world.connector.bus.answer(VerifyAccount, world.verify)
                yield world
        logged = repr(entries)
        assert not [secret for secret in world.all_secrets() if secret in logged]
        assert "command_failed" not in logged, logged


@contextlib.asynccontextmanager
async def standing(
    world: World, name: str, settings_class: type[Any], **changes: Any
) -> AsyncIterator[Runtime[Any]]:
    """Open what one service stands on, on the world's clock."""
    settings = settings_class(
        database_url=world.database.service_url(name),
        nats_url=world.broker.url,
        nats_seed_file=world.broker.seed_file(name),
        **changes,
    )
    async with process.standing(name, settings, clock=world.clock) as runtime:
        yield runtime
