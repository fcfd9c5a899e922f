"""What the tests of the CardDAV app share: accounts on each of its real servers."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Self, TypeVar

import msgspec
import pytest
import pytest_asyncio

from proto.fields import Address
from proto.ids import RecordId
from proto.record import Record
from services.connector import manifest
from services.connector.apps import carddav
from services.connector.apps.carddav.app import App
from services.connector.port import Answer, Call, Facts, Operation, Page, Snapshot
from tests.contract.conformance import stages
from tests.contract.conformance.stages.carddav import Server, new_user
from tests.contract.dialling import Caller

T = TypeVar("T")

FOLDER = Path(carddav.__file__).parent
MANIFEST = manifest.load(FOLDER / "manifest.toml")
PASSWORD = "secret"
RADICALE, XANDIKOS = (
    name for name, kind in stages.every().items() if kind.app == MANIFEST.app
)
MAKING: Final = """<mkcol xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav">
<set><prop><resourcetype><collection/><C:addressbook/></resourcetype></prop></set>
</mkcol>"""
"""Of RFC 6352 section 6.3.1.1."""


def plain(value: str | Address) -> str | Address:
    """Return a value as a card keeps it: one kind of line end, no blanks around."""
    if isinstance(value, Address):
        parts = msgspec.structs.asdict(value)
        return Address(**{name: plain(part) for name, part in parts.items()})
    return value.replace("\r\n", "\n").replace("\r", "\n").strip()


def card(uid: str, *lines: str) -> str:
    """Return a small card as another program would write it."""
    body = "".join(f"{line}\r\n" for line in lines)
    return f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\n{body}END:VCARD\r\n"


def name_of(number: int) -> str:
    """Return what the card of one of many people is called."""
    return f"{number:08}-4c1e-4e1f-9d7a-1f2e3d4c5b6a"


def person(number: int) -> str:
    """Return the card of one of many people."""
    return card(
        name_of(number),
        f"FN:Person {number}",
        f"N:{number};Person;;;",
        f"EMAIL:person{number}@example.org",
    )


class Account:
    """One user of the server: through the app, and as another program would."""

    def __init__(self, server: Server, user: str, *, base: str = "") -> None:
        self.server = server
        self.user = user
        self.book = server.book_path(user)
        self.home = self.book.rstrip("/").rpartition("/")[0] + "/"
        self.app = App(MANIFEST, Facts(base_url=server.url + base, username=user))
        self.caller = Caller(server.url + base, user=user, password=PASSWORD)

    async def __aenter__(self) -> Self:
        await self.caller.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.caller.__aexit__(*error)

    async def run(self, operation: Operation[T]) -> T:
        return await self.caller.run(operation, app=self.app)

    async def read(self, record_id: str) -> Snapshot:
        (snapshot,) = await self.run(self.app.get([RecordId(record_id)]))
        return snapshot

    async def scan(self) -> tuple[list[Record], str]:
        """Read everything; return it and where changes go on."""
        return await self._pass(await self.run(self.app.scan(None)))

    async def changes(self, cursor: str) -> tuple[dict[str, Record], str]:
        """Read what changed, by id, and where changes go on."""
        records, resume = await self._pass(await self.run(self.app.changes(cursor)))
        return {record.record_id: record for record in records}, resume

    async def _pass(self, page: Page) -> tuple[list[Record], str]:
        records = list(page.records)
        while page.next is not None:
            page = await self.run(self.app.changes(page.next))
            records += page.records
        assert page.resume is not None
        return records, page.resume

    async def put(self, path: str, text: str, **headers: str) -> Answer:
        """Store a card, or a whole book, as another program would."""
        call = Call(
            method="PUT",
            path=path,
            from_origin=True,
            body=text.encode(),
            content_type="text/vcard; charset=utf-8",
            headers=tuple(headers.items()),
        )
        return await self._send(call)

    async def make_book(self, name: str, people: Iterable[int]) -> str:
        """Make one more book with some people in it, as another program would."""
        path = f"{self.home}{name}/"
        call = Call(
            method="MKCOL",
            path=path,
            from_origin=True,
            body=MAKING.encode(),
            content_type="application/xml; charset=utf-8",
        )
        await self._send(call)
        for number in people:
            await self.put(f"{path}{name_of(number)}.vcf", person(number))
        return path

    async def edit(self, path: str, *lines: str) -> None:
        """Add lines to a card, as another program would."""
        text = await self.text(path)
        added = "".join(f"{line}\r\n" for line in (*lines, "END:VCARD"))
        await self.put(path, text.replace("END:VCARD\r\n", added))

    async def delete(self, path: str) -> None:
        await self._send(Call(method="DELETE", path=path, from_origin=True))

    async def text(self, path: str) -> str:
        answer = await self._send(Call(method="GET", path=path, from_origin=True))
        return answer.body.decode()

    async def _send(self, call: Call) -> Answer:
        answer = await self.caller.send(call)
        assert answer.status < 300, answer
        return answer


@pytest.fixture(scope="session")
def radicale_server(served: Callable[[str], Server]) -> Server:
    """The Radicale server of the app's stage, where users have one empty book each."""
    return served(RADICALE)


@pytest.fixture(scope="session", params=[RADICALE, XANDIKOS])
def any_server(
    request: pytest.FixtureRequest, served: Callable[[str], Server]
) -> Server:
    """Each server of the app's stages, where users have one empty book each."""
    return served(request.param)


@asynccontextmanager
async def fresh_account(server: Server) -> AsyncIterator[Account]:
    """Return the account of a user whom no other test has."""
    async with Account(server, new_user()) as account:
        # A server may make the book of a user who calls, and no sooner.
        await account.run(account.app.verify())
        account.caller.calls.clear()
        yield account


@pytest_asyncio.fixture
async def account(any_server: Server) -> AsyncIterator[Account]:
    """An account with one empty book, on each server."""
    async with fresh_account(any_server) as fresh:
        yield fresh


@pytest_asyncio.fixture
async def radicale_account(radicale_server: Server) -> AsyncIterator[Account]:
    """An account with one empty book, on the server that refuses a UID twice."""
    async with fresh_account(radicale_server) as fresh:
        yield fresh
