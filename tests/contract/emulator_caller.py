"""A bare caller of the Constant Contact emulator that believes nothing it is told.

Every answer under `/v3` is checked against the vendor's own description. Where that is
missing, the rules are still tried, and one test says that the shapes were not checked.
"""

import base64
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp

from tests.contract import vendor_specs
from tests.emulators.constant_contact.account import Account
from tests.emulators.constant_contact.emulator import (
    AUTHORIZE_PATH,
    TOKEN_PATH,
    Emulator,
    running,
)
from tests.emulators.constant_contact.settings import Settings

CLIENT_ID = "emulated-client"
CLIENT_SECRET = "emulated-secret"
REDIRECT_URI = "http://127.0.0.1/callback"
ALL_SCOPES = "contact_data account_read offline_access"
VERIFIER = "v" * 64
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
_UNDOCUMENTED = {405, 429}
"""Statuses that the vendor's guide has and its description leaves out."""


def swagger() -> vendor_specs.Swagger | None:
    """Return the vendor's description, if it is there."""
    path = vendor_specs.find("constantcontact", "*vendor-verbatim*.yaml")
    return None if path is None else vendor_specs.load(path)


class Reply(NamedTuple):
    """What came back."""

    status: int
    body: Any
    location: str | None = None
    content_type: str = ""


class Caller:
    """Call one emulator as one authorised application."""

    def __init__(self, emulator: Emulator, session: aiohttp.ClientSession) -> None:
        self.emulator = emulator
        self.account: Account = next(iter(emulator.accounts.values()))
        self.token = ""
        self._session = session
        self._swagger = swagger()

    async def send(self, method: str, path: str, **options: Any) -> Reply:
        """Send a request as it is, without a token, and check nothing."""
        async with self._session.request(
            method, self.emulator.url + path, allow_redirects=False, **options
        ) as reply:
            raw = await reply.read()
            is_json = reply.content_type == "application/json" and raw
            return Reply(
                reply.status,
                json.loads(raw) if is_json else raw.decode(),
                reply.headers.get("Location"),
                reply.content_type,
            )

    async def call(self, method: str, path: str, body: Any = None) -> Reply:
        """Call the API and check the answer against the description."""
        headers = {"Authorization": f"Bearer {self.token}"}
        reply = await self.send(method, path, json=body, headers=headers)
        self.check(method, path, reply)
        return reply

    def check(self, method: str, path: str, reply: Reply) -> None:
        """Check an answer against the description, where there is one."""
        if self._swagger is None:
            return
        if reply.status not in _UNDOCUMENTED:
            self._swagger.check(
                method=method, path=path, status=reply.status, body=reply.body
            )
        if reply.status in (401, 429):
            self._swagger.check_definition("AuthorizationErrorSchema", reply.body)
        elif reply.status >= 400:
            self._swagger.check_definition("APIErrorSchema", reply.body)

    async def get(self, path: str) -> Any:
        """Return the body of a successful GET."""
        reply = await self.call("GET", path)
        assert reply.status == 200, reply
        return reply.body

    async def put(self, contact_id: str, **body: Any) -> Any:
        """Overwrite a contact successfully."""
        body.setdefault("update_source", "Account")
        reply = await self.call("PUT", f"/v3/contacts/{contact_id}", body)
        assert reply.status == 200, reply
        return reply.body

    async def create(self, address: str | None = None, **body: Any) -> Any:
        """Create a contact successfully."""
        if address is not None:
            body["email_address"] = {"address": address}
        body.setdefault("create_source", "Account")
        reply = await self.call("POST", "/v3/contacts", body)
        assert reply.status == 201, reply
        return reply.body

    async def listed(self, query: str = "") -> list[Any]:
        """Return all contacts of a listing, following its links."""
        path = f"/v3/contacts?{query}"
        found: list[Any] = []
        for _ in range(1000):
            page = await self.get(path)
            found += page["contacts"]
            if "_links" not in page:
                return found
            path = page["_links"]["next"]["href"]
        raise AssertionError("the listing does not end")

    async def ids(self, query: str = "") -> list[str]:
        """Return the ids of all contacts of a listing."""
        return [contact["contact_id"] for contact in await self.listed(query)]

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

    async def authorize(self, scopes: str = ALL_SCOPES) -> Reply:
        """Walk through consent as a browser would and swap the code for tokens."""
        back = await self.consent({"scope": scopes})
        return await self.exchange(back["code"])

    async def consent(
        self, changes: dict[str, str], *, decision: str = "approve"
    ) -> dict[str, str]:
        """Open the page, send its form; return what the redirect carries."""
        query = authorize_query() | changes
        page = await self.send("GET", f"{AUTHORIZE_PATH}?{urlencode(query)}")
        assert page.status == 200, page
        assert page.content_type == "text/html"
        form = Form(page.body).fields | {"decision": decision}
        form["account_id"] = self.account.account_id
        done = await self.send("POST", AUTHORIZE_PATH, data=form)
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
        return await self.ask_token(fields | changes)

    async def refresh(self, refresh_token: str) -> Reply:
        """Ask for a new access token."""
        fields = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await self.ask_token(fields)

    async def ask_token(
        self, fields: dict[str, str], *, secret: str = CLIENT_SECRET
    ) -> Reply:
        """Call the token endpoint."""
        headers = {"Authorization": aiohttp.encode_basic_auth(CLIENT_ID, secret)}
        return await self.send("POST", TOKEN_PATH, data=fields, headers=headers)


@contextlib.asynccontextmanager
async def calling(settings: Settings) -> AsyncIterator[Caller]:
    """Run an emulator whose time stands still at noon, and yield its caller."""
    async with running(settings) as emulator, aiohttp.ClientSession() as session:
        emulator.clock.freeze(NOON.timestamp())
        yield Caller(emulator, session)


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


def authorize_query() -> dict[str, str]:
    """Return the parameters of a proper authorize request."""
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    return {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT_URI,
        "scope": ALL_SCOPES,
        "state": "a state & more",
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
