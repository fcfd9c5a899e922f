"""One account of the Dotloop emulator: called as an app, with its own page size."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import msgspec
from yarl import URL

from proto.ids import RecordId
from proto.record import Record
from services.connector import manifest
from services.connector.apps import dotloop
from services.connector.apps.dotloop.app import App
from services.connector.errors import CallFailed
from services.connector.port import Answer, Call, Facts, Operation
from tests.emulators.core.limits import Limits
from tests.emulators.core.oauth import Grant
from tests.emulators.dotloop.account import Account
from tests.emulators.dotloop.emulator import SCOPES, Emulator, running
from tests.emulators.dotloop.settings import Behaviour, Settings
from tests.emulators.dotloop.wire import Body

T = TypeVar("T")
FOLDER = Path(dotloop.__file__).parent
MANIFEST = manifest.load(FOLDER / "manifest.toml")
PAGES_MAX = 1_000


def new_app() -> App:
    return App(MANIFEST, Facts(base_url=MANIFEST.base_url))


class Vendor:
    """The emulator's only account, and an app for it."""

    def __init__(self, emulator: Emulator, session: aiohttp.ClientSession) -> None:
        self.emulator = emulator
        self.account: Account = next(iter(emulator.accounts.values()))
        self._session = session
        self.app = new_app()
        self.calls: list[Call] = []
        grant = Grant(
            client_id="emulated-client",
            account_id=self.account.account_id,
            scopes=SCOPES,
        )
        self._token = emulator.server.issue(grant).access_token

    def add(self, count: int) -> list[int]:
        """Add contacts as the user does."""
        made = [
            self.account.create(
                Body(first_name=f"Person {number}", email=f"p{number}@example.org"),
                who="user",
            )
            for number in range(count)
        ]
        return [contact.id for contact in made]

    def edit(self, contact_id: int, **texts: str) -> None:
        entry = self.account.contacts[contact_id]
        self.account.edit(entry, msgspec.convert(texts, Body), who="user")

    def delete(self, contact_id: int) -> None:
        self.account.delete(self.account.contacts[contact_id], who="user")

    async def run(self, operation: Operation[T]) -> T:
        """Run an operation to its end and return its result."""
        try:
            call = next(operation)
            while True:
                reply = await self._reply(call)
                if isinstance(reply, CallFailed):
                    call = operation.throw(reply)
                else:
                    call = operation.send(reply)
        except StopIteration as stop:
            return stop.value

    async def _reply(self, call: Call) -> Answer | CallFailed:
        self.calls.append(call)
        url = URL(f"{self.emulator.url}/public/v2{call.path}", encoded=True)
        async with self._session.request(
            call.method,
            url.with_query(call.query) if call.query else url,
            data=call.body,
            headers={
                "Authorization": f"Bearer {self._token}",
                "Content-Type": call.content_type,
            },
        ) as response:
            answer = Answer(
                status=response.status,
                headers={name.lower(): text for name, text in response.headers.items()},
                body=await response.read(),
            )
        known = answer.status in call.accepts
        return answer if known else self.app.meaning_of(answer)

    async def scan(self, between: Any = None) -> tuple[dict[RecordId, Record], str]:
        """Read everybody; ``between`` is called after each page but the last."""
        return await self._read(None, "scan", between)

    async def changes(
        self, cursor: str, between: Any = None
    ) -> tuple[dict[RecordId, Record], str]:
        """Read what changed."""
        return await self._read(cursor, "changes", between)

    async def _read(
        self, cursor: str | None, name: str, between: Any
    ) -> tuple[dict[RecordId, Record], str]:
        found: dict[RecordId, Record] = {}
        for _ in range(PAGES_MAX):
            page = await self.run(getattr(self.app, name)(cursor))
            found |= {one.record_id: one for one in page.records}
            if page.resume is not None:
                return found, page.resume
            cursor = page.next
            if between is not None:
                between(page)
        raise AssertionError("the listing has no end")


@contextlib.asynccontextmanager
async def connected(**behaviour: Any) -> AsyncIterator[Vendor]:
    settings = Settings(limits=Limits(window_s=60.0), behaviour=Behaviour(**behaviour))
    async with running(settings) as emulator, aiohttp.ClientSession() as session:
        yield Vendor(emulator, session)
