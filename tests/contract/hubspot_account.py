"""One account of the HubSpot emulator: called as an app, used by people."""

import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TypeVar

import aiohttp
from yarl import URL

from proto.ids import RecordId
from proto.record import Record
from services.connector import exchange, manifest
from services.connector.apps import hubspot
from services.connector.apps.hubspot.app import App
from services.connector.errors import CallFailed
from services.connector.port import Answer, Call, Facts, Operation, Snapshot
from tests.contract.hubspot_caller import CONTACTS, NOON, description
from tests.emulators.core.limits import Limits
from tests.emulators.core.oauth import Grant, TokenPolicy
from tests.emulators.hubspot.emulator import SCOPES, Emulator, running
from tests.emulators.hubspot.settings import Settings

T = TypeVar("T")
FOLDER = Path(hubspot.__file__).parent
MANIFEST = manifest.load(FOLDER / "manifest.toml")
PAGES_MAX = 200


def new_app(base_url: str = "https://api.hubapi.com") -> App:
    """Return an app that knows nothing of its account yet."""
    return App(MANIFEST, Facts(base_url=base_url))


class Account:
    """The emulator's only account, with the app as its manifest has it."""

    def __init__(self, emulator: Emulator, session: aiohttp.ClientSession) -> None:
        self.emulator = emulator
        self.behaviour = emulator.behaviour
        (self.held,) = emulator.accounts.values()
        self._session = session
        grant = Grant(
            client_id="emulated-client",
            account_id=self.held.account_id,
            scopes=frozenset(MANIFEST.oauth.scopes if MANIFEST.oauth else SCOPES),
        )
        token = emulator.server.issue(grant).access_token
        self._headers = {"Authorization": f"Bearer {token}"}
        self.app = new_app(emulator.url)
        self.calls: list[Call] = []
        self.fails_on = ""
        """A call to a path with this in it gets no answer."""

    async def run(self, operation: Operation[T]) -> T:
        """Run an operation to its end."""
        try:
            call = next(operation)
            while True:
                reply = await self._made(call)
                if isinstance(reply, CallFailed):
                    call = operation.throw(reply)
                else:
                    call = operation.send(reply)
        except StopIteration as stop:
            result: T = stop.value
            return result

    async def _made(self, call: Call) -> Answer | CallFailed:
        self.calls.append(call)
        if self.fails_on and self.fails_on in call.path:
            return self.app.meaning_of(Answer(status=500, headers={}, body=b""))
        found = description()
        if found is not None and call.body is not None:
            found.check_question(
                method=call.method, path=call.path, body=json.loads(call.body)
            )
        url: URL = exchange.url_of(call, base_url=self.emulator.url)
        kind = {"Content-Type": call.content_type} if call.body is not None else {}
        async with self._session.request(
            call.method, url, data=call.body, headers=self._headers | kind
        ) as response:
            answer = Answer(
                status=response.status,
                headers=exchange.headers_of(response.headers),
                body=await response.read(),
            )
        is_taken = answer.status in call.accepts
        return answer if is_taken else self.app.meaning_of(answer)

    async def scan(self) -> tuple[dict[RecordId, Record], str]:
        """Read everybody; return them, and where changes go on."""
        found: dict[RecordId, Record] = {}
        cursor = None
        for _ in range(PAGES_MAX):
            page = await self.run(self.app.scan(cursor))
            found |= {one.record_id: one for one in page.records}
            if page.resume is not None:
                return found, page.resume
            cursor = page.next
        raise AssertionError("the scan has no end")

    async def changes(self, cursor: str) -> tuple[dict[RecordId, Record], str]:
        """Read what changed, and where changes go on."""
        found: dict[RecordId, Record] = {}
        for _ in range(PAGES_MAX):
            page = await self.run(self.app.changes(cursor))
            found |= {one.record_id: one for one in page.records}
            if page.resume is not None:
                return found, page.resume
            assert page.next is not None
            cursor = page.next
        raise AssertionError("the changes have no end")

    async def read(self, *ids: RecordId) -> tuple[Snapshot, ...]:
        """Read contacts by id."""
        return await self.run(self.app.get(ids))

    def asked(self) -> list[str]:
        """Return what was called since the last time, by method and place."""
        found = [
            f"{one.method} {one.path.removeprefix(CONTACTS) or '/'}"
            for one in self.calls
        ]
        self.calls.clear()
        return found

    def act(self, name: str, contact_id: str = "", **about: object) -> RecordId:
        """Do as people do; return the id of the contact that it leaves."""
        return RecordId(
            self.emulator.act(self.held, name, contact_id=contact_id, **about)
        )

    def add(self, count: int, *, of: str = "person") -> list[RecordId]:
        """Make contacts by hand."""
        return [
            self.act("create", properties={"email": f"{of}{number}@example.org"})
            for number in range(count)
        ]

    def edit(self, ids: Sequence[RecordId], **properties: str) -> None:
        """Edit contacts by hand."""
        for each in ids:
            self.act("edit", each, properties=properties)


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[Account]:
    """Run an emulator without limits, at noon, and yield its account."""
    settings = Settings(
        limits=Limits(),
        search_limits=Limits(),
        tokens=TokenPolicy(is_rotating=False),
    )
    async with running(settings) as emulator, aiohttp.ClientSession() as session:
        emulator.clock.freeze(NOON.timestamp())
        yield Account(emulator, session)
