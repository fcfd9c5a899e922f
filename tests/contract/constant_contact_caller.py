"""A caller of the Constant Contact emulator that believes nothing it is told.

Every answer under `/v3` is checked against the vendor's own description. Where that is
missing, the rules are still tried, and one test says that the shapes were not checked.
"""

from typing import Any

import aiohttp

from tests.contract import emulator_caller, vendor_specs
from tests.contract.emulator_caller import Reply
from tests.emulators.constant_contact.emulator import Emulator

ALL_SCOPES = "contact_data account_read offline_access"
_UNDOCUMENTED = {405, 429}
"""Statuses that the vendor's guide has and its description leaves out."""


def swagger() -> vendor_specs.Swagger | None:
    """Return the vendor's description, if it is there."""
    path = vendor_specs.find("constantcontact", "*vendor-verbatim*.yaml")
    return None if path is None else vendor_specs.load(path)


class Caller(emulator_caller.Caller):
    """Call one emulator as one authorised application."""

    emulator_kind = Emulator
    asked_scopes = ALL_SCOPES

    def __init__(self, emulator: Emulator, session: aiohttp.ClientSession) -> None:
        super().__init__(emulator, session)
        self._swagger = swagger()

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

    async def authorize(self, scopes: str = ALL_SCOPES) -> Reply:
        """Walk through consent as a browser would and swap the code for tokens."""
        back = await self.consent({"scope": scopes})
        return await self.exchange(back["code"])


calling = Caller.calling
authorize_query = Caller.authorize_query
