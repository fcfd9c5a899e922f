"""Apps made up for tests of pushes, one for each form, and how their vendors sign.

``unsigned`` proves nothing besides its address; ``given`` signs time and body with a
secret it was given; ``client`` signs method, address, body and time with the secret of
its client, and tells of several accounts.
"""

import base64
import contextlib
import datetime
import hmac
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec

from proto.connector import AuthMethod, Capabilities
from proto.errors import ErrorCode
from proto.ids import AccountId, AppId, TenantId
from proto.pushes import PushAccount, PushClient, ReadPushClient
from services.chassis import health
from services.chassis.errors import BusUnavailable, CommandFailed
from services.chassis.loops import Wake
from services.connector.clients import Clients
from services.connector.hints import Hints
from services.connector.manifest import (
    Limits,
    Manifest,
    PushAddress,
    PushFacts,
    PushProof,
)
from services.connector.port import Heard, Push
from services.connector.pushing import Keys, Site, Target
from services.connector.registry import Entry, Registry
from services.connector.webhooks import Listener
from tests.integration.connector_vendor import FakeApp

TENANT = TenantId("tnt_1")
ACCOUNT = AccountId("acct_1")
UNSIGNED, GIVEN, CLIENT = AppId("unsigned"), AppId("given"), AppId("client")
CLIENT_SECRET = b"the client's own secret"
URL = "https://tandem.example/in"
KEYS = Keys([bytes(range(32)), bytes(range(32, 64))])


class UnsignedApp(FakeApp):
    @staticmethod
    def hear(push: Push, *, secret: bytes) -> Heard | None:
        assert secret == b""
        return Heard()


class GivenApp(FakeApp):
    @staticmethod
    def hear(push: Push, *, secret: bytes) -> Heard | None:
        stamp = push.headers.get("x-stamp", "")
        signed = sign_given(secret, stamp=stamp, body=push.body)
        if not hmac.compare_digest(
            signed.encode(), push.headers.get("x-sign", "").encode()
        ):
            return None
        return Heard(sent_at=moment(int(stamp)) if stamp else None)


class ClientApp(FakeApp):
    @staticmethod
    def hear(push: Push, *, secret: bytes) -> Heard | None:
        stamp = push.headers.get("x-stamp", "")
        signed = sign_client(secret, url=push.url, stamp=stamp, body=push.body)
        if not hmac.compare_digest(
            signed.encode(), push.headers.get("x-sign", "").encode()
        ):
            return None
        events = msgspec.json.decode(push.body, type=list[dict[str, str]])
        return Heard(
            vendor_account_ids=tuple(event["portal"] for event in events),
            sent_at=moment(int(stamp)),
        )


def sign_given(secret: bytes, *, stamp: str, body: bytes) -> str:
    return hmac.digest(secret, stamp.encode() + b"." + body, "sha256").hex()


def sign_client(secret: bytes, *, url: str, stamp: str, body: bytes) -> str:
    text = b"POST" + url.encode() + body + stamp.encode()
    return base64.b64encode(hmac.digest(secret, text, "sha256")).decode()


def moment(stamp: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(stamp, tz=datetime.UTC)


def manifest(app: AppId, push: PushFacts | None) -> Manifest:
    return Manifest(
        app=app,
        name=app.title(),
        tier="bronze",
        auth_method=AuthMethod.OAUTH,
        limits=Limits(calls_per_second=100, timeout_s=2.0),
        capabilities=Capabilities(),
        push=push,
    )


def registry() -> Registry:
    found: dict[AppId, tuple[Any, PushFacts | None]] = {
        UNSIGNED: (UnsignedApp, PushFacts(asks_by_get=True)),
        GIVEN: (GivenApp, PushFacts(signed_with=PushProof.GIVEN)),
        CLIENT: (
            ClientApp,
            PushFacts(address=PushAddress.CLIENT, signed_with=PushProof.CLIENT),
        ),
        AppId("silent"): (FakeApp, None),
    }
    return Registry(
        {
            app: Entry(manifest(app, push), app_class)
            for app, (app_class, push) in found.items()
        }
    )


def target(app: AppId = UNSIGNED, account_id: str = ACCOUNT) -> Target:
    return Target(app, TENANT, None if app == CLIENT else AccountId(account_id))


class FakeAuth:
    """Knows the client; or has none, or is away."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_away = False
        self.away_from: int | None = None
        """With which request it goes away."""
        self.secret: bytes | None = CLIENT_SECRET

    async def request(self, command: Any, *, timeout_s: float = 10.0) -> Any:
        assert isinstance(command, ReadPushClient)
        self.asked += 1
        is_late = self.away_from is not None and self.asked >= self.away_from
        if self.is_away or is_late:
            raise BusUnavailable("away")
        if self.secret is None or command.app != CLIENT:
            raise CommandFailed(ErrorCode.CLIENT_MISSING, "None.")
        return PushClient(
            secret=self.secret.decode(),
            accounts=tuple(
                PushAccount(vendor_account_id=f"portal-{n}", account_id=f"acct_{n}")
                for n in (1, 2)
            ),
        )


class Pushed:
    """A listener that somebody pushes to."""

    def __init__(self, store: Any, clock: Any, *, every_s: float = 2.0) -> None:
        self.clock = clock
        self.auth = FakeAuth()
        self.reading = Wake()
        self.hints = Hints(
            store,
            reading=self.reading,
            every_s=every_s,
            writing_s=every_s,
            clock=clock,
        )
        self.listener = Listener(
            registry(),
            site=Site(KEYS, URL),
            clients=Clients(self.auth, clock),
            hints=self.hints,
            clock=clock,
        )
        self.session: Any = None
        self.port = 0

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator["Pushed"]:
        async with (
            health.listening(
                self.listener.server(), host="127.0.0.1", port=0
            ) as self.port,
            aiohttp.ClientSession(f"http://127.0.0.1:{self.port}") as self.session,
        ):
            yield self

    @property
    def waiting(self) -> list[str]:
        return [account_id for _, account_id in self.hints._waiting]

    def stamp(self, ahead_s: float = 0.0) -> str:
        return str(int(self.clock.now().timestamp() + ahead_s))

    async def send(
        self, path: str, body: bytes = b"{}", *, method: str = "POST", **headers: str
    ) -> int:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        async with self.session.request(
            method, path, data=body if method == "POST" else None, headers=named
        ) as answer:
            assert await answer.read() == b""
            return answer.status

    async def push(
        self, app: AppId, body: bytes = b"{}", *, stamp: str | None = None
    ) -> int:
        """Push as the vendor would."""
        whose = target(app)
        path = KEYS.path(whose)
        stamp = self.stamp() if stamp is None else stamp
        if app == UNSIGNED:
            return await self.send(path, body)
        if app == GIVEN:
            secret = KEYS.signing_secrets(whose)[0]
            sign = sign_given(secret, stamp=stamp, body=body)
        else:
            sign = sign_client(CLIENT_SECRET, url=URL + path, stamp=stamp, body=body)
        return await self.send(path, body, X_Stamp=stamp, X_Sign=sign)
