"""A bare caller of the Pipedrive emulator, which believes nothing that it is told.

Every answer of the newer version of the API is checked against the vendor's own
description, where that is.
"""

import copy
from typing import Any

import aiohttp

from tests.contract import emulator_caller, vendor_openapi, vendor_specs
from tests.contract.emulator_caller import Reply
from tests.contract.vendor_openapi import OpenApi
from tests.emulators.pipedrive.emulator import Emulator

API = "/api/v2"
PERSONS = f"{API}/persons"
MARKETING = "marketing_status"


def description() -> OpenApi | None:
    """Return the vendor's description, if it is there."""
    path = vendor_specs.find("pipedrive", "pipedrive-v2-openapi.yaml")
    return None if path is None else vendor_openapi.load(path)


class Caller(emulator_caller.Caller):
    """Call one emulator as one authorised application."""

    emulator_kind = Emulator

    def __init__(self, emulator: Emulator, session: aiohttp.ClientSession) -> None:
        super().__init__(emulator, session)
        self.token = self.emulator.issue(self.account).access_token
        self.description = description()

    def check(self, method: str, path: str, reply: Reply) -> None:
        """Check an answer, where there is a description and it says of that status."""
        if self.description is None or not path.startswith(API) or reply.status >= 400:
            return
        self.description.check(
            method=method,
            path=path.removeprefix(API),
            status=reply.status,
            body=_told(reply.body),
        )

    async def done(self, method: str, path: str, body: Any = None) -> Any:
        """Return what a call that succeeds is about."""
        reply = await self.call(method, path, body)
        assert reply.status == 200, reply
        assert reply.body["success"] is True
        return reply.body["data"]

    async def create(self, email: str = "", **more: Any) -> int:
        """Create a person; return their id."""
        emails = [{"value": email, "primary": True, "label": "work"}] if email else []
        body = {"name": "Ann", "emails": emails, **more}
        made = await self.done("POST", PERSONS, body)
        found: int = made["id"]
        return found


def _told(body: Any) -> Any:
    """Return an answer without what the description has in words alone.

    The last page's cursor is null, and the marketing status is there where it was asked
    for.
    """
    found = copy.deepcopy(body)
    more = found.get("additional_data") or {}
    if more.get("next_cursor", "") is None:
        del more["next_cursor"]
    data = found["data"]
    for one in data if isinstance(data, list) else [data]:
        if one.get(MARKETING) in ("no_consent", "unsubscribed", "subscribed"):
            del one[MARKETING]
    return found


calling = Caller.calling
