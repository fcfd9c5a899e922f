"""A user of a real Radicale server as a stage, and cards in the terms of RFC 6350.

The stages on other servers of the standard are in modules called after them.
Another program's view: what is put in and seen is read and written here by ``vobject``
where that matters, and by plain text where it does not.
"""

import asyncio
import contextlib
import itertools
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, Self, TypeVar

import aiohttp
import vobject

from deploy.local import radicale
from proto.auth import CredentialKind, Token
from proto.fields import Address, FieldKind, Item, Role, Value
from proto.ids import RecordId
from tests.contract.conformance import cards, shapes
from tests.contract.conformance.cards import SAMPLES, Card
from tests.contract.conformance.least import Least
from tests.contract.conformance.shapes import Form, Shape
from tests.contract.conformance.stage import Stage

PASSWORD: Final = "secret"
USERS: Final = {f"user{number}": PASSWORD for number in range(600)}
NAME_PARTS: Final[Mapping[Role, str]] = {
    Role.NAME_FAMILY: "family",
    Role.NAME_GIVEN: "given",
    Role.NAME_MIDDLE: "additional",
    Role.NAME_PREFIX: "prefix",
    Role.NAME_SUFFIX: "suffix",
}
TEXTS: Final[Mapping[Role, str]] = {
    Role.JOB_TITLE: "title",
    Role.NOTE: "note",
    Role.BIRTHDAY: "bday",
    Role.ANNIVERSARY: "x-anniversary",
}
DATES: Final = (Role.BIRTHDAY, Role.ANNIVERSARY)
ITEMS: Final[Mapping[Role, str]] = {
    Role.EMAIL: "email",
    Role.PHONE: "tel",
    Role.WEBSITE: "url",
    Role.ADDRESS: "adr",
}
TYPES: Final[Mapping[str, str]] = {"mobile": "CELL"}
LABELS: Final[Mapping[str, str]] = {"cell": "mobile"}
EXTRA: Final = "X-SHOE-SIZE"
S = TypeVar("S", bound="Server")
_numbers = itertools.count()


def new_user() -> str:
    """Return a user of the server whom nobody in this process had before."""
    return f"user{next(_numbers)}"


class Server(Protocol):
    """A real server with users, who have one book each."""

    @property
    def url(self) -> str: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def book_path(self, user: str) -> str: ...
    def book_directory(self, user: str) -> Path: ...
    def forget_sync_tokens(self, user: str) -> None: ...


@contextlib.contextmanager
def running(server: S) -> Iterator[S]:
    """Run a server until the block ends; it is bound to no event loop."""
    try:
        asyncio.run(server.start())
        yield server
    finally:
        asyncio.run(server.stop())


class CardDAV(Stage):
    """One address book of one user."""

    app = "carddav"
    multiple: ClassVar[Mapping[Role, str]] = {
        Role.EMAIL: "work",
        Role.PHONE: "work",
        Role.WEBSITE: "work",
        Role.ADDRESS: "work",
    }
    shape = Shape(
        fields={
            **shapes.texts(*NAME_PARTS, Role.COMPANY, Role.JOB_TITLE, Role.NOTE),
            Role.NAME_FULL: Form(is_derived=True),
            Role.EMAIL: shapes.several(FieldKind.EMAIL, "home", "work", "other"),
            Role.PHONE: shapes.several(
                FieldKind.PHONE, "mobile", "home", "work", "fax", "other"
            ),
            Role.WEBSITE: shapes.several(FieldKind.URL, "home", "work", "other"),
            Role.ADDRESS: shapes.several(FieldKind.ADDRESS, "home", "work", "other"),
            **dict.fromkeys(DATES, Form(kind=FieldKind.DATE, is_year_optional=True)),
        },
        has_tags=True,
    )
    least = Least(
        # No call is bound to a number of cards: RFC 6352 section 8.7 and RFC 6578 let a
        # server say "too many" as it likes. What has to be kept is ours: an answer has
        # 16 MiB at most. Half of it for cards, and half for XML and escapes, leaves 41
        # KiB for each of 200: a photo of 30 KiB, as address books keep them small.
        page_size=200,
        changes_page_size=200,
        # Whose address it is and where their books are (RFC 6352 section 7.1.1, RFC
        # 5397), which books there are, and the names in the one (RFC 6578).
        scan_calls=4,
        # The books with their tokens: a new one has to be noticed, a gone one too.
        idle_calls=1,
        # The same, and what changed in the book.
        changes_calls=2,
        # One query tests any number of texts (RFC 6352 section 10.5), and as many as
        # are sent are compared with every card. In 10,000 of them Radicale's filter
        # takes 25 s for 50, and 120 s for 500 (2026-11-27); a call is given up after
        # 60 s.
        find_batch=50,
        # Which book is the first; those of the scan may be gone by now.
        create_calls=1,
        # PUT replaces a card whole (RFC 6352 section 6.3.2), so that what it holds has
        # to be known, although If-Match would tell of an edit since. Unlike a listing,
        # nothing tells beforehand how large these are: half as many leave each twice
        # the room, 82 KiB.
        read_batch=100,
    )

    # Radicale parses and stores each card when it lists a book for the first time.
    scanned_max: ClassVar[int | None] = 10_000

    def __init__(
        self, server: Server, user: str, *, session: aiohttp.ClientSession
    ) -> None:
        self._server = server
        self._session = session
        self.username = user
        self.base_url = server.url
        self._book = server.book_path(user)
        self._password = PASSWORD
        self._version = 1

    @staticmethod
    def serving(_shared: Path, own: Path) -> AbstractContextManager["Server"]:
        """Run a server with many users, who each have one empty book."""
        return running(radicale.Server(own, users=USERS))

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, server: Server) -> AsyncIterator[Self]:
        """Take a user whom no other test has, with an empty book."""
        async with aiohttp.ClientSession() as session:
            yield cls(server, new_user(), session=session)

    def full(self, number: int) -> Card:
        """Return somebody with every property that is read from a card."""
        return {
            **self.plain(number),
            **{role: SAMPLES[role] for role in (*NAME_PARTS, *TEXTS)},
            Role.COMPANY: SAMPLES[Role.COMPANY],
            Role.EMAIL: (
                Item(value=cards.email_of(number), label="work"),
                Item(value=f"home{number}@example.org", label="home"),
            ),
            Role.PHONE: (
                Item(value=SAMPLES[Role.PHONE_WORK], label="work"),
                Item(value=SAMPLES[Role.PHONE_MOBILE], label="mobile"),
            ),
            Role.WEBSITE: (Item(value=SAMPLES[Role.WEBSITE], label="work"),),
            Role.ADDRESS: (Item(value=cards.ADDRESS, label="home"),),
        }

    def token(self, *, version_min: int) -> Token:
        """Return user and password."""
        self._version = max(self._version, version_min)
        return Token(
            kind=CredentialKind.BASIC,
            secret=self._password,
            username=self.username,
            version=self._version,
        )

    async def add(self, people: Sequence[Card]) -> list[RecordId]:
        """Put cards into the book, as another program would."""
        made = []
        for card in people:
            name = str(uuid.uuid4())
            path = f"{self._book}{name}.vcf"
            vcard = vobject.vCard()
            vcard.add("uid").value = name
            _write(vcard, card)
            await self._put(path, vcard.serialize())
            made.append(RecordId(path))
        return made

    async def fill(self, people: Iterable[Card]) -> None:
        """Put cards where the server keeps them, as a restored backup would.

        Their names are long, as some programs make them, so that many cards are also
        very many characters.
        """
        self._keep(_files(people))

    def _keep(self, files: Iterable[tuple[str, str]]) -> None:
        """Put cards by name where the server keeps them."""
        folder = self._server.book_directory(self.username)
        for name, text in files:
            (folder / name).write_text(text, newline="")

    async def edit(self, record_id: RecordId, changes: Card) -> None:
        """Change a card, as another program would."""
        vcard = await self._read(record_id)
        assert vcard is not None
        _write(vcard, changes)
        await self._put(record_id, vcard.serialize())

    async def delete(self, record_id: RecordId) -> None:
        """Delete a card."""
        await self._call("DELETE", record_id)

    async def see(self, record_id: RecordId) -> Card | None:
        """Return a card as it lies on the server."""
        vcard = await self._read(record_id)
        return None if vcard is None else _card(vcard)

    async def find(self, email: str) -> list[RecordId]:
        """Return the cards with an address, whatever its case."""
        return [
            RecordId(f"{self._book}{path.name}")
            for path in sorted(self._server.book_directory(self.username).glob("*.vcf"))
            if email.lower() in path.read_text(encoding="utf-8").lower()
        ]

    async def enrich(self, record_id: RecordId) -> None:
        """Give a card a property that nobody knows."""
        text = await self._text(record_id)
        assert text is not None
        more = f"{EXTRA};X-FOOT=left:42\r\nEND:VCARD"
        await self._put(record_id, text.replace("END:VCARD", more))

    async def extras(self, record_id: RecordId) -> object:
        """Return that property, with its parameter."""
        text = await self._text(record_id)
        assert text is not None
        return [line for line in text.splitlines() if line.startswith(EXTRA)]

    async def tag(self, record_id: RecordId, names: Sequence[str]) -> None:
        """Give a card categories."""
        vcard = await self._read(record_id)
        assert vcard is not None
        held = await self.tags_of(record_id)
        _drop(vcard, "categories")
        vcard.add("categories").value = [*sorted(held), *names]
        await self._put(record_id, vcard.serialize())

    async def tags_of(self, record_id: RecordId) -> set[str]:
        """Return a card's categories."""
        vcard = await self._read(record_id)
        assert vcard is not None
        lines = vcard.contents.get("categories", [])
        return {name for line in lines for name in line.value}

    def revoke(self) -> None:
        """Have the password be another."""
        self._password = "forgotten"

    async def forget_changes(self) -> None:
        """Have the server forget its sync tokens."""
        self._server.forget_sync_tokens(self.username)

    async def _read(self, record_id: RecordId) -> Any:
        text = await self._text(record_id)
        return None if text is None else vobject.readOne(text)

    async def _text(self, record_id: RecordId) -> str | None:
        status, text = await self._call("GET", record_id, accepts=(200, 404))
        return text if status == 200 else None

    async def _put(self, path: str, text: str) -> None:
        await self._call("PUT", path, body=text)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: str | None = None,
        accepts: tuple[int, ...] = (200, 201, 204),
    ) -> tuple[int, str]:
        async with self._session.request(
            method,
            self.base_url + path,
            data=None if body is None else body.encode(),
            headers={
                "Authorization": aiohttp.encode_basic_auth(self.username, PASSWORD),
                "Content-Type": "text/vcard; charset=utf-8",
            },
        ) as response:
            text = await response.text()
            assert response.status in accepts, (response.status, text)
            return response.status, text


def _files(people: Iterable[Card]) -> Iterator[tuple[str, str]]:
    for number, card in enumerate(people):
        name = f"{uuid.uuid4()}-{'long-' * 15}{uuid.UUID(int=number)}"
        vcard = vobject.vCard()
        vcard.add("uid").value = name
        _write(vcard, card)
        yield f"{name}.vcf", vcard.serialize()


def _write(vcard: Any, changes: Card) -> None:
    """Set what a card says of these roles; None empties."""
    names = vcard.n.value if "n" in vcard.contents else vobject.vcard.Name()
    for role, value in changes.items():
        if role in NAME_PARTS:
            setattr(names, NAME_PARTS[role], value or "")
        elif role is Role.COMPANY:
            _drop(vcard, "org")
            if value:
                vcard.add("org").value = [value]
        elif role in ITEMS:
            _drop(vcard, ITEMS[role])
            for item in value if isinstance(value, tuple) else ():
                _add_item(vcard, ITEMS[role], item)
        else:
            _drop(vcard, TEXTS[role])
            if value:
                _add_text(vcard, TEXTS[role], value)
    _drop(vcard, "n")
    _drop(vcard, "fn")
    vcard.add("n").value = names
    vcard.add("fn").value = f"{names.given} {names.family}".strip() or "Nobody"


def _add_text(vcard: Any, name: str, text: str) -> None:
    line = vcard.add(name)
    if text.startswith("--"):
        line.params["X-APPLE-OMIT-YEAR"] = ["1604"]
        text = text.replace("--", "1604-", 1)
    line.value = text


def _add_item(vcard: Any, name: str, item: Item) -> None:
    line = vcard.add(name)
    line.type_param = TYPES.get(item.label, item.label.upper())
    line.value = item.value
    if isinstance(item.value, Address):
        line.value = vobject.vcard.Address(
            street=item.value.street,
            city=item.value.city,
            region=item.value.region,
            code=item.value.postal_code,
            country=item.value.country,
        )


def _card(vcard: Any) -> Card:
    """Return what a card says, without what is empty."""
    found: dict[Role, Value] = {}
    if "n" in vcard.contents:
        for role, part in NAME_PARTS.items():
            found[role] = _joined(getattr(vcard.n.value, part))
    for role, name in TEXTS.items():
        found[role] = _text(vcard.contents[name][0]) if name in vcard.contents else None
    if "org" in vcard.contents:
        found[Role.COMPANY] = vcard.org.value[0]
    for role, name in ITEMS.items():
        found[role] = tuple(map(_item, vcard.contents.get(name, [])))
    return {role: value for role, value in found.items() if value}


def _text(line: Any) -> str:
    """Return what a line says; a day of any year is written with a year of its own."""
    text = str(line.value)
    for year in line.params.get("X-APPLE-OMIT-YEAR", ()):
        text = text.replace(f"{year}-", "--", 1)
    return text


def _item(line: Any) -> Item:
    label = str(line.params.get("TYPE", [""])[0]).lower()
    value = line.value
    if isinstance(value, vobject.vcard.Address):
        value = Address(
            street=_joined(value.street),
            city=_joined(value.city),
            region=_joined(value.region),
            postal_code=_joined(value.code),
            country=_joined(value.country),
        )
    return Item(value=value, label=LABELS.get(label, label))


def _joined(part: str | list[str]) -> str:
    return part if isinstance(part, str) else " ".join(part)


def _drop(vcard: Any, name: str) -> None:
    vcard.contents.pop(name, None)
