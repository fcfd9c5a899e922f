"""One account on an emulator: an app's operations run against it, and people act.

Does what an app may expect of the transport and no more. The app is the one that the
registry has under the account's id, with a token of the scopes in its manifest.
"""

import contextlib
import functools
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import aiohttp
import msgspec

from proto import codec
from proto.ids import AppId, RecordId
from proto.record import Record
from services.connector import exchange, registry
from services.connector.errors import CallFailed, Meaning
from services.connector.manifest import Manifest
from services.connector.port import Answer, Call, Facts, Operation, Page, Snapshot
from tests.contract import driving
from tests.emulators.core.emulator import Emulator, serving
from tests.emulators.core.faults import Fault
from tests.emulators.core.settings import unlimited

T = TypeVar("T")
PAGES_MAX = 1_000
TOKEN_LIFETIME_S = 365 * 86_400
"""No test outlives its token, whatever it does to the clock."""
Between = Callable[[Page], object]


def folder_of(app: str) -> Path:
    """Return the folder of an app's code, facts and fixtures."""
    return Path(registry.__file__).with_name("apps") / app


def manifest_of(app: str) -> Manifest:
    """Return an app's facts."""
    return _catalogue().entry(AppId(app)).manifest


def new_app(app: str, base_url: str = "") -> Any:
    """Return an app that knows nothing of its account yet."""
    manifest, kind = _catalogue().entry(AppId(app))
    return kind(manifest, Facts(base_url=base_url or manifest.base_url))


@functools.cache
def _catalogue() -> registry.Registry:
    return registry.load()


class Account:
    """An emulator's only account; an app's own adds what people there have and do."""

    app_id: ClassVar[str]
    emulator_kind: ClassVar[type[Emulator[Any]]]
    api_path: ClassVar[str] = ""
    """What an account's address has behind the host."""

    def __init__(self, emulator: Any, session: aiohttp.ClientSession) -> None:
        self.emulator = emulator
        self.behaviour = emulator.behaviour
        (self.held,) = emulator.accounts.values()
        self._session = session
        self._base_url = emulator.url + self.api_path
        oauth = manifest_of(self.app_id).oauth
        # Some vendors separate them by commas, and a manifest has those in one text.
        scopes = frozenset(",".join(oauth.scopes if oauth else ()).split(",")) - {""}
        token = emulator.issue(self.held, scopes).access_token
        self._headers = emulator.proof(token)
        self.calls: list[Call] = []
        self.fails_on = ""
        """A call to a path with this in it gets no answer."""
        self.restart()

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(cls, **behaviour: Any) -> AsyncIterator[Self]:
        """Run an emulator without limits, with some choices the other way round."""
        settings: Any = unlimited(cls.emulator_kind.settings_kind())
        settings.tokens.access_token_lifetime_s = TOKEN_LIFETIME_S
        settings.behaviour = type(settings.behaviour)(**behaviour)
        async with (
            serving(cls.emulator_kind(settings)) as emulator,
            aiohttp.ClientSession() as session,
        ):
            # It would repeat a PUT by itself whose answer is lost.
            session._retry_connection = False
            yield cls(emulator, session)

    # As the connector does.

    def restart(self) -> None:
        """Forget what the app remembers, as another process would not know it."""
        self.app = new_app(self.app_id, self._base_url)

    async def run(self, operation: Operation[T]) -> T:
        """Run an operation to its end and return its result."""
        return await driving.carry_out(operation, self._reply)

    async def _reply(self, call: Call) -> Answer | CallFailed:
        """Call as the transport does: only what is no write is called again."""
        self.check(call)
        for _ in range(1 if call.is_write else 2):
            self.calls.append(call)
            if self.fails_on and self.fails_on in call.path:
                return self.app.meaning_of(Answer(status=500, headers={}, body=b""))
            try:
                answer = await self._answer(call)
            except aiohttp.ClientConnectionError:
                continue
            is_taken = answer.status in call.accepts
            return answer if is_taken else self.app.meaning_of(answer)
        return CallFailed(Meaning.NO_ANSWER, "the connection was dropped")

    async def _answer(self, call: Call) -> Answer:
        kind = {"Content-Type": call.content_type} if call.body is not None else {}
        async with self._session.request(
            call.method,
            exchange.url_of(call, base_url=self._base_url),
            data=call.body,
            headers=self._headers | dict(call.headers) | kind,
            allow_redirects=False,
        ) as response:
            return Answer(
                status=response.status,
                headers=exchange.headers_of(response.headers),
                body=await response.read(),
            )

    def check(self, call: Call) -> None:
        """Check what is asked against the vendor's description, where there is one."""

    async def scan(
        self, between: Between | None = None
    ) -> tuple[dict[RecordId, Record], str]:
        """Read everybody; return them, and where changes go on.

        Args:
            between: Called after each page but the last.
        """
        return await self._read(self.app.scan, None, between)

    async def changes(
        self, cursor: str, between: Between | None = None
    ) -> tuple[dict[RecordId, Record], str]:
        """Read what changed, and where changes go on."""
        return await self._read(self.app.changes, cursor, between)

    async def _read(
        self, operation: Any, cursor: str | None, between: Between | None
    ) -> tuple[dict[RecordId, Record], str]:
        found: dict[RecordId, Record] = {}
        for _ in range(PAGES_MAX):
            page = await self.run(operation(cursor))
            found |= {one.record_id: one for one in page.records}
            if page.resume is not None:
                return found, page.resume
            assert page.next is not None
            cursor = page.next
            if between is not None:
                between(page)
        raise AssertionError("the listing has no end")

    async def read(self, *ids: RecordId) -> tuple[Snapshot, ...]:
        """Read contacts by id."""
        return await self.run(self.app.get(ids))

    def asked(self) -> list[str]:
        """Return what was called since the last time, by method and path."""
        found = [f"{one.method} {one.path}" for one in self.calls]
        self.calls.clear()
        return found

    # As people and the vendor do.

    def act(self, name: str, contact_id: str | int = "", **about: object) -> RecordId:
        """Do as people do; return the id of the contact that it leaves."""
        if contact_id:
            about["contact_id"] = contact_id
        return RecordId(str(self.emulator.act(self.held, name, **about)))

    def seed(self, contacts: list[Any]) -> list[RecordId]:
        """Put contacts into the account, as if they had always been there."""
        ids = self.emulator.admin.fill(self.held, codec.encode(contacts))
        return [RecordId(str(each)) for each in ids]

    def shown(self) -> list[Any]:
        """Return every contact whole, as the vendor keeps it."""
        return msgspec.to_builtins(self.emulator.admin.contacts_of(self.held))

    def fault(self, **rule: Any) -> None:
        """Have some calls go wrong."""
        self.emulator.faults.add(Fault(**rule))

    def revoke(self) -> None:
        """Kill all tokens."""
        self.emulator.server.revoke(self.held.account_id)
