"""A bare caller of the HubSpot emulator that believes nothing it is told.

Every answer of the contacts, the properties and the token endpoint is checked against
the vendor's own descriptions, where these are.
"""

import base64
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp

from tests.contract import vendor_openapi, vendor_specs
from tests.contract.emulator_caller import Form
from tests.contract.vendor_openapi import OpenApi
from tests.emulators.core.oauth import Grant
from tests.emulators.hubspot.emulator import (
    AUTHORIZE_PATH,
    SCOPES,
    TOKEN_PATH,
    Emulator,
    running,
)
from tests.emulators.hubspot.settings import Settings

CONTACTS = "/crm/v3/objects/contacts"
PROPERTIES = "/crm/v3/properties/contacts"
CLIENT_ID = "emulated-client"
CLIENT_SECRET = "emulated-secret"
REDIRECT_URI = "http://127.0.0.1/callback"
VERIFIER = "v" * 64
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
DESCRIBED = (CONTACTS, PROPERTIES, TOKEN_PATH)
FILES = ("crm-contacts-v3.json", "crm-properties-v3.json", "oauth-v1.json")


def description() -> OpenApi | None:
    """Return the vendor's descriptions, if they are there."""
    paths = [vendor_specs.find("hubspot", name) for name in FILES]
    there = [path for path in paths if path is not None]
    return vendor_openapi.load(*there) if len(there) == len(FILES) else None


class Reply(NamedTuple):
    """What came back."""

    status: int
    body: Any
    headers: Mapping[str, str]


class Caller:
    """Call one emulator as one authorised application."""

    def __init__(self, emulator: Emulator, session: aiohttp.ClientSession) -> None:
        self.emulator = emulator
        (self.account, *_) = emulator.accounts.values()
        self.token = self.new_token()
        self._session = session
        self._description = description()

    def new_token(self, scopes: frozenset[str] = SCOPES) -> str:
        """Return an access token as if somebody had just agreed."""
        grant = Grant(
            client_id=CLIENT_ID, account_id=self.account.account_id, scopes=scopes
        )
        return self.emulator.server.issue(grant).access_token

    async def send(self, method: str, path: str, **options: Any) -> Reply:
        """Send a request as it is, without a token, and check nothing."""
        async with self._session.request(
            method, self.emulator.url + path, allow_redirects=False, **options
        ) as reply:
            raw = await reply.read()
            is_json = reply.content_type == "application/json" and raw
            body = json.loads(raw) if is_json else raw.decode()
            return Reply(reply.status, body, dict(reply.headers))

    async def call(self, method: str, path: str, body: Any = None) -> Reply:
        """Call the API and check the answer against the description."""
        headers = {"Authorization": f"Bearer {self.token}"}
        reply = await self.send(method, path, json=body, headers=headers)
        self.check(method, path, reply)
        return reply

    def check(self, method: str, path: str, reply: Reply) -> None:
        """Check an answer, where there is a description and it says of that status."""
        if self._description is None or not path.startswith(DESCRIBED):
            return
        body = reply.body
        if reply.status >= 400:
            # The vendor's samples have it and its descriptions do not.
            assert body.pop("status") == "error"
        if reply.status not in (405, 429):
            self._description.check(
                method=method, path=path, status=reply.status, body=body
            )

    async def done(self, method: str, path: str, body: Any = None) -> Any:
        """Return the body of a call that succeeds."""
        reply = await self.call(method, path, body)
        assert reply.status < 300, reply
        return reply.body

    async def create(self, email: str = "", **properties: str) -> str:
        """Create a contact; return its id."""
        values = properties | ({"email": email} if email else {})
        made = await self.done("POST", CONTACTS, {"properties": values})
        return str(made["id"])

    async def read(self, contact_id: str, *names: str) -> dict[str, Any]:
        """Return a contact with some properties."""
        path = f"{CONTACTS}/{contact_id}?properties={','.join(names)}"
        found: dict[str, Any] = await self.done("GET", path)
        return found

    async def search(self, **body: Any) -> Any:
        """Search; return the answer."""
        asked = {"after": "0", "limit": 100, "properties": [], "sorts": []} | body
        asked.setdefault("filterGroups", [])
        return await self.done("POST", f"{CONTACTS}/search", asked)

    async def consent(self, *, decision: str = "approve") -> dict[str, str]:
        """Walk through the consent page; return what the redirect carries."""
        page = await self.send(
            "GET", f"{AUTHORIZE_PATH}?{urlencode(authorize_query())}"
        )
        assert page.status == 200, page
        form = Form(page.body).fields | {"decision": decision}
        form["account_id"] = self.account.account_id
        done = await self.send("POST", AUTHORIZE_PATH, data=form)
        assert done.status == 302, done
        return dict(parse_qsl(urlsplit(done.headers["Location"]).query))

    async def ask_token(self, **fields: str) -> Reply:
        """Call the token endpoint, the client's secret in the form."""
        client = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        reply = await self.send("POST", TOKEN_PATH, data=client | fields)
        if reply.status == 200:
            self.check("POST", TOKEN_PATH, reply)
        return reply

    async def exchange(self, code: str) -> Reply:
        """Swap a code for tokens."""
        return await self.ask_token(
            grant_type="authorization_code",
            code=code,
            redirect_uri=REDIRECT_URI,
            code_verifier=VERIFIER,
        )


@contextlib.asynccontextmanager
async def calling(settings: Settings) -> AsyncIterator[Caller]:
    """Run an emulator whose time stands still at noon, and yield its caller."""
    async with running(settings) as emulator, aiohttp.ClientSession() as session:
        emulator.clock.freeze(NOON.timestamp())
        yield Caller(emulator, session)


def authorize_query() -> dict[str, str]:
    """Return the parameters of a proper authorize request."""
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    return {
        "client_id": CLIENT_ID,
        "redirect_uri": REDIRECT_URI,
        "scope": "oauth crm.objects.contacts.read",
        "state": "a state & more",
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
