"""A bare caller of the ActiveCampaign emulator that believes nothing it is told.

Every answer is checked against the vendor's own description, where that is.
"""

from typing import Any

import aiohttp

from tests.contract import emulator_caller, vendor_openapi, vendor_specs
from tests.contract.emulator_caller import Reply
from tests.contract.vendor_openapi import OpenApi
from tests.emulators.activecampaign.contacts import PREFIX
from tests.emulators.activecampaign.emulator import Emulator

CONTACTS = f"{PREFIX}/contacts"
_UNDESCRIBED = (400, 402, 403, 404, 405, 422, 429)
"""Statuses that the page on errors has and the description of some paths leaves out."""


def description() -> OpenApi | None:
    """Return the vendor's description, if it is there."""
    path = vendor_specs.find("activecampaign", "*openapi.json")
    return None if path is None else vendor_openapi.load(path, is_of_samples=True)


class Caller(emulator_caller.Caller):
    """Call one emulator with the key of one account."""

    emulator_kind = Emulator

    def __init__(self, emulator: Emulator, session: aiohttp.ClientSession) -> None:
        super().__init__(emulator, session)
        self.token = emulator.issue(self.account).access_token
        self._description = description()

    def check(self, method: str, path: str, reply: Reply) -> None:
        """Check an answer against the description."""
        if self._description is None or reply.status in _UNDESCRIBED:
            return
        self._description.check(
            method=method,
            path=path.removeprefix(PREFIX),
            status=reply.status,
            body=reply.body,
        )

    async def done(self, method: str, path: str, body: Any = None) -> Any:
        """Return the body of a call that succeeds."""
        reply = await self.call(method, PREFIX + path, body)
        assert reply.status < 300, reply
        return reply.body

    async def refused(
        self, method: str, path: str, body: Any = None
    ) -> tuple[Any, ...]:
        """Return the status of a call that fails, and what it says."""
        reply = await self.call(method, PREFIX + path, body)
        assert reply.status >= 400, reply
        errors = reply.body.get("errors")
        if errors is None:
            return reply.status, reply.body["message"]
        pointer = errors[0].get("source", {}).get("pointer", "")
        return reply.status, pointer.rpartition("/")[2], errors[0].get("code", "")

    async def create(self, email: str, **more: Any) -> Any:
        """Create a contact; return it as answered."""
        body = {"contact": {"email": email} | more}
        return (await self.done("POST", "/contacts", body))["contact"]


calling = Caller.calling
