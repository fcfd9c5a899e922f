"""A bare caller of an emulator, which believes nothing that it is told.

A vendor's caller adds what is called there, and checks answers against the vendor's own
description where there is one.
"""

import base64
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any, ClassVar, NamedTuple, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp

from tests.emulators.core.emulator import Emulator, serving

CLIENT_ID = "emulated-client"
CLIENT_SECRET = "emulated-secret"
REDIRECT_URI = "http://127.0.0.1/callback"
VERIFIER = "v" * 64
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


class Reply(NamedTuple):
    """What came back."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def location(self) -> str | None:
        """Return where a redirect leads."""
        return self.headers.get("Location")

    @property
    def content_type(self) -> str:
        """Return the kind of body, without parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0]


class Caller:
    """Call one emulator as one application."""

    emulator_kind: ClassVar[type[Emulator[Any]]]
    asked_scopes: ClassVar[str] = ""
    """What the application asks for, as the vendor writes it."""

    def __init__(self, emulator: Any, session: aiohttp.ClientSession) -> None:
        self.emulator = emulator
        self.account = next(iter(emulator.accounts.values()))
        self.token = ""
        self._session = session

    @classmethod
    @contextlib.asynccontextmanager
    async def calling(cls, settings: Any = None) -> AsyncIterator[Self]:
        """Run an emulator whose time stands still at noon, and yield its caller."""
        kind = cls.emulator_kind
        async with (
            serving(kind(settings or kind.settings_kind())) as emulator,
            aiohttp.ClientSession() as session,
        ):
            emulator.clock.freeze(NOON.timestamp())
            yield cls(emulator, session)

    async def send(self, method: str, path: str, **options: Any) -> Reply:
        """Send a request as it is, without a token, and check nothing."""
        async with self._session.request(
            method, self.emulator.url + path, allow_redirects=False, **options
        ) as reply:
            raw = await reply.read()
            is_json = reply.content_type.endswith("json") and raw
            body = json.loads(raw) if is_json else raw.decode()
            return Reply(reply.status, body, reply.headers.copy())

    async def call(self, method: str, path: str, body: Any = None) -> Reply:
        """Call the API and check the answer against the description."""
        headers = self.emulator.proof(self.token)
        reply = await self.send(method, path, json=body, headers=headers)
        self.check(method, path, reply)
        return reply

    def check(self, method: str, path: str, reply: Reply) -> None:
        """Check an answer against the vendor's description, where there is one."""

    async def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Use the emulator's own administration."""
        reply = await self.send(method, f"/_emulator{path}", json=body)
        assert reply.status < 300, reply
        return reply.body

    async def of_account(self, method: str, path: str, body: Any = None) -> Any:
        """Use the administration of this caller's account."""
        account_path = f"/accounts/{self.account.account_id}{path}"
        return await self.admin(method, account_path, body)

    async def act(self, act: str, **body: Any) -> str:
        """Do as a person does; return the contact's id."""
        done = await self.of_account("POST", "/acts", [{"act": act, **body}])
        return done["contact_ids"][0]

    async def consent(
        self, changes: Mapping[str, str] | None = None, *, decision: str = "approve"
    ) -> dict[str, str]:
        """Open the page, send its form; return what the redirect carries."""
        path = self.emulator.vendor.authorize_path
        query = self.authorize_query() | dict(changes or {})
        page = await self.send("GET", f"{path}?{urlencode(query)}")
        assert page.status == 200, page
        assert page.content_type == "text/html"
        form = Form(page.body).fields | {"decision": decision}
        form["account_id"] = self.account.account_id
        done = await self.send("POST", path, data=form)
        assert done.status == 302, done
        assert done.location is not None
        assert done.location.startswith(REDIRECT_URI + "?")
        return dict(parse_qsl(urlsplit(done.location).query))

    async def exchange(self, code: str, **changes: str) -> Reply:
        """Swap a code for tokens."""
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT_URI,
            "code_verifier": VERIFIER,
        }
        return await self.ask_token(**fields | changes)

    async def refresh(self, refresh_token: str) -> Reply:
        """Ask for a new access token."""
        return await self.ask_token(
            grant_type="refresh_token", refresh_token=refresh_token
        )

    async def ask_token(self, *, secret: str = CLIENT_SECRET, **fields: str) -> Reply:
        """Call the token endpoint; the secret is where the vendor wants it."""
        headers = {}
        if self.emulator.vendor.dialect.takes_secret_in_body:
            fields = {"client_id": CLIENT_ID, "client_secret": secret} | fields
        else:
            headers["Authorization"] = aiohttp.encode_basic_auth(CLIENT_ID, secret)
        path = self.emulator.vendor.token_path
        return await self.send("POST", path, data=fields, headers=headers)

    @classmethod
    def authorize_query(cls) -> dict[str, str]:
        """Return the parameters of a proper authorize request."""
        digest = hashlib.sha256(VERIFIER.encode()).digest()
        return {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": REDIRECT_URI,
            "scope": cls.asked_scopes,
            "state": "a state & more",
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }


class Form(HTMLParser):
    """Read the hidden fields and options of the one form on a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.options: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "input":
            self.fields[found["name"] or ""] = found["value"] or ""
        elif tag == "option":
            self.options.append(found["value"] or "")
