"""A bare caller of the HubSpot emulator that believes nothing it is told.

Every answer of contacts, lists, properties and the token endpoint is checked against
the vendor's own descriptions, where these are.
"""

from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp

from tests.contract import emulator_caller, vendor_openapi, vendor_specs
from tests.contract.emulator_caller import Reply
from tests.contract.vendor_openapi import OpenApi
from tests.emulators.core.limits import Limits
from tests.emulators.hubspot.emulator import SCOPES, TOKEN_PATH, Emulator
from tests.emulators.hubspot.settings import Settings

CONTACTS = "/crm/v3/objects/contacts"
PROPERTIES = "/crm/v3/properties/contacts"
LISTS = "/crm/v3/lists"
DESCRIBED = (CONTACTS, PROPERTIES, LISTS, TOKEN_PATH)
FILES = (
    "crm-contacts-v3.json",
    "crm-lists-v3.json",
    "crm-properties-v3.json",
    "oauth-v1.json",
)


def description() -> OpenApi | None:
    """Return the vendor's descriptions, if they are there."""
    paths = [vendor_specs.find("hubspot", name) for name in FILES]
    there = [path for path in paths if path is not None]
    return vendor_openapi.load(*there) if len(there) == len(FILES) else None


class Caller(emulator_caller.Caller):
    """Call one emulator as one authorised application."""

    emulator_kind = Emulator
    asked_scopes = "oauth crm.objects.contacts.read"

    def __init__(self, emulator: Emulator, session: aiohttp.ClientSession) -> None:
        super().__init__(emulator, session)
        self.token = self.new_token()
        self._description = description()

    def new_token(self, scopes: frozenset[str] = SCOPES) -> str:
        """Return an access token as if somebody had just agreed."""
        return self.emulator.issue(self.account, scopes).access_token

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

    async def ask_token(self, **fields: str) -> Reply:
        """Call the token endpoint, and check what it gives."""
        reply = await super().ask_token(**fields)
        if reply.status == 200:
            self.check("POST", TOKEN_PATH, reply)
        return reply


calling = Caller.calling


def calling_without_limits() -> AbstractAsyncContextManager[Caller]:
    """Call an emulator that answers as often as it is asked; time stands still."""
    return calling(Settings(limits=Limits(), search_limits=Limits()))


authorize_query = Caller.authorize_query
