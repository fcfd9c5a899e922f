"""A bare caller of the Google Contacts emulator that believes nothing it is told.

Every answer is checked against the vendor's discovery document, where that is.
"""

from typing import Any

import aiohttp

from tests.contract import emulator_caller, vendor_discovery, vendor_specs
from tests.contract.emulator_caller import Reply
from tests.contract.vendor_discovery import Discovery
from tests.emulators.google_contacts.asking import EMAIL, WRITE
from tests.emulators.google_contacts.emulator import Emulator

PEOPLE = "/v1/people"
GROUPS = "/v1/contactGroups"
LIST = f"{PEOPLE}/me/connections"
MASK = "names,emailAddresses,phoneNumbers,memberships,metadata,userDefined"
CONTACT = "sources=READ_SOURCE_TYPE_CONTACT"


def description() -> Discovery | None:
    """Return the vendor's description, if it is there."""
    path = vendor_specs.find("google_people", "*.discovery.json")
    return vendor_discovery.load(path) if path is not None else None


class Caller(emulator_caller.Caller):
    """Call one emulator as one authorised application."""

    emulator_kind = Emulator
    asked_scopes = f"{WRITE} {EMAIL}"

    def __init__(self, emulator: Emulator, session: aiohttp.ClientSession) -> None:
        super().__init__(emulator, session)
        self.token = self.new_token()
        self._description = description()

    def new_token(self, *scopes: str) -> str:
        """Return an access token as if somebody had just agreed."""
        return self.emulator.issue(self.account, frozenset(scopes)).access_token

    def check(self, method: str, path: str, reply: Reply) -> None:
        """Check an answer: a yes by the description, a no by the form of all errors."""
        if reply.status >= 400:
            error = reply.body["error"]
            assert error["code"] == reply.status
            assert error["status"].isupper()
        elif self._description is not None:
            self._description.check(method=method, path=path, body=reply.body)

    async def done(self, method: str, path: str, body: Any = None) -> Any:
        """Return the body of a call that succeeds."""
        if self._description is not None:
            self._description.check_question(method=method, path=path, body=body)
        reply = await self.call(method, path, body)
        assert reply.status == 200, reply
        return reply.body

    async def create(self, email: str = "", **fields: Any) -> dict[str, Any]:
        """Create a contact and return it."""
        if email:
            fields["emailAddresses"] = [{"value": email}]
        path = f"{PEOPLE}:createContact?personFields={MASK}&{CONTACT}"
        found: dict[str, Any] = await self.done("POST", path, fields)
        return found

    async def read(self, name: str, mask: str = MASK) -> dict[str, Any]:
        """Return a contact."""
        path = f"/v1/{name}?personFields={mask}&{CONTACT}"
        found: dict[str, Any] = await self.done("GET", path)
        return found

    async def list(self, **more: str) -> Any:
        """Return a page of the listing, with a token for syncing at the end."""
        query = "".join(f"&{name}={text}" for name, text in more.items())
        path = f"{LIST}?personFields={MASK}&{CONTACT}&requestSyncToken=true{query}"
        return await self.done("GET", path)

    async def update(self, person: dict[str, Any], mask: str) -> Reply:
        """Update a contact as it was read, with some fields changed."""
        name = person["resourceName"]
        path = f"/v1/{name}:updateContact?updatePersonFields={mask}"
        return await self.call("PATCH", f"{path}&personFields={MASK}", person)


calling = Caller.calling
