"""A bare caller of the Mailchimp emulator that believes nothing it is told.

Every answer about audiences is checked against the vendor's own description, where that
is.
"""

from typing import Any

import aiohttp

from tests.contract import emulator_caller, vendor_specs
from tests.contract.emulator_caller import Reply
from tests.contract.vendor_specs import Swagger
from tests.emulators.mailchimp.emulator import Emulator
from tests.emulators.mailchimp.members import PREFIX

LISTS = f"{PREFIX}/lists"


def description() -> Swagger | None:
    """Return the vendor's description, if it is there."""
    path = vendor_specs.find("mailchimp", "*list-id*.yml")
    return None if path is None else vendor_specs.load(path)


class Caller(emulator_caller.Caller):
    """Call one emulator as one authorised application."""

    emulator_kind = Emulator

    def __init__(self, emulator: Emulator, session: aiohttp.ClientSession) -> None:
        super().__init__(emulator, session)
        self.token = emulator.issue(self.account).access_token
        self.list_id = next(iter(self.account.audiences))
        self.members = f"{LISTS}/{self.list_id}/members"
        self._description = description()

    def check(self, method: str, path: str, reply: Reply) -> None:
        """Check an answer about audiences against the description."""
        place = path.partition("?")[0]
        if self._description is None or not place.startswith(LISTS):
            return
        if place == LISTS:
            # The page of audiences is in another part of the description.
            for one in reply.body.get("lists", ()):
                self._description.check(
                    method=method, path=f"{LISTS}/{one['id']}", status=200, body=one
                )
            return
        self._description.check(
            method=method, path=path, status=reply.status, body=reply.body
        )

    async def done(self, method: str, path: str, body: Any = None) -> Any:
        """Return the body of a call that succeeds."""
        reply = await self.call(method, path, body)
        assert reply.status < 300, reply
        return reply.body

    async def create(self, email: str, status: str = "subscribed", **more: Any) -> Any:
        """Create a member; return them as answered."""
        body = {"email_address": email, "status": status} | more
        return await self.done("POST", self.members, body)

    async def batch(self, *members: Any, query: str = "", **more: Any) -> Any:
        """Send a batch; return the answer."""
        path = f"{LISTS}/{self.list_id}{query}"
        return await self.done("POST", path, {"members": members} | more)

    async def problem(
        self, method: str, path: str, body: Any = None
    ) -> tuple[Any, ...]:
        """Return status and title of a call that fails, and the fields at fault."""
        reply = await self.call(method, path, body)
        assert reply.content_type == "application/problem+json"
        faults = [one["field"] for one in reply.body.get("errors", ())]
        return (reply.status, reply.body["title"], *faults)


calling = Caller.calling
