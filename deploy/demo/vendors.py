"""The two apps as their own people use them: fill, edit, delete, look.

Speaks to the Constant Contact emulator's administration and to the CardDAV server
with HTTP of its own, so that what it shows does not depend on Tandem's apps.
"""

import asyncio
import re
from collections.abc import Iterable
from typing import Any, Final

import aiohttp

from deploy.demo import cards
from deploy.demo.people import Person

AT_ONCE_MAX: Final = 16
TIMEOUT_S: Final = 60.0
_FOLDED: Final = re.compile(r"\r?\n[ \t]")
_EMAIL: Final = re.compile(
    r"^(?:[\w-]+\.)?EMAIL(?:;[^:\r\n]*)?:([^\r\n]*)", re.IGNORECASE | re.MULTILINE
)


class VendorRefused(Exception):
    """A vendor's server did not do what its own user asked."""


class ConstantContact:
    """The emulator, through its administration."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def account_id(self) -> str:
        """Return the id of its first account."""
        accounts = await self._call("GET", "/_emulator/accounts")
        return str(accounts[0]["account_id"])

    async def fill(self, people: Iterable[Person]) -> None:
        """Put people into the first account."""
        bodies = [cards.contact(person) for person in people]
        path = f"/_emulator/accounts/{await self.account_id()}/contacts"
        await self._call("POST", path, body=bodies)

    async def contacts(self) -> list[dict[str, Any]]:
        """Return every contact of the first account, deleted ones too."""
        path = f"/_emulator/accounts/{await self.account_id()}/contacts"
        return [shown["contact"] for shown in await self._call("GET", path)]

    async def act(self, *acts: dict[str, Any]) -> None:
        """Do what the account's own staff does in the app."""
        path = f"/_emulator/accounts/{await self.account_id()}/acts"
        await self._call("POST", path, body=list(acts))

    async def _call(self, method: str, path: str, *, body: object = None) -> Any:
        async with self._session.request(method, self._url + path, json=body) as answer:
            if answer.status >= 400:
                raise VendorRefused(f"{method} {path} answered {answer.status}")
            return await answer.json()


class CardDav:
    """A CardDAV server, with one user's address book."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, *, user: str, password: str
    ) -> None:
        self._session = session
        self._authorization = aiohttp.encode_basic_auth(user, password)
        self._url = url
        self._book = f"/{user}/contacts/"

    async def make_book(self) -> None:
        """Make the address book, if it is not there."""
        body = (
            '<?xml version="1.0"?><mkcol xmlns="DAV:"'
            ' xmlns:C="urn:ietf:params:xml:ns:carddav"><set><prop><resourcetype>'
            "<collection/><C:addressbook/></resourcetype>"
            "<displayname>Contacts</displayname></prop></set></mkcol>"
        )
        status, _text = await self._call("MKCOL", self._book, body=body)
        if status not in (201, 405, 409):
            raise VendorRefused(f"MKCOL answered {status}")

    async def fill(self, people: Iterable[Person]) -> None:
        """Put a card for each person into the address book."""
        gate = asyncio.Semaphore(AT_ONCE_MAX)

        async def put(person: Person) -> None:
            async with gate:
                path = f"{self._book}{cards.uid(person)}.vcf"
                await self.put(path, cards.card(person))

        await asyncio.gather(*(put(person) for person in people))

    async def put(self, path: str, card: str) -> None:
        """Store a card."""
        status, _text = await self._call(
            "PUT", path, body=card, content_type="text/vcard; charset=utf-8"
        )
        if status not in (201, 204):
            raise VendorRefused(f"PUT answered {status}")

    async def delete(self, path: str) -> None:
        """Delete a card."""
        status, _text = await self._call("DELETE", path)
        if status not in (200, 204):
            raise VendorRefused(f"DELETE answered {status}")

    async def card_of(self, email: str) -> tuple[str, str] | None:
        """Return path and text of the card with an email."""
        for path, text in (await self.cards()).items():
            if email.lower() in map(str.lower, _EMAIL.findall(text)):
                return path, text
        return None

    async def cards(self) -> dict[str, str]:
        """Return every card by its path, lines unfolded."""
        paths = await self.paths()
        gate = asyncio.Semaphore(AT_ONCE_MAX)

        async def get(path: str) -> tuple[str, str]:
            async with gate:
                status, text = await self._call("GET", path)
            if status != 200:
                raise VendorRefused(f"GET answered {status}")
            return path, _FOLDED.sub("", text)

        return dict(await asyncio.gather(*(get(path) for path in paths)))

    async def paths(self) -> list[str]:
        """Return the paths of all cards."""
        body = (
            '<?xml version="1.0"?>'
            '<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>'
        )
        status, text = await self._call(
            "PROPFIND", self._book, body=body, headers={"Depth": "1"}
        )
        if status != 207:
            raise VendorRefused(f"PROPFIND answered {status}")
        hrefs = re.findall(r"<(?:\w+:)?href>([^<]+)</(?:\w+:)?href>", text)
        return [href for href in dict.fromkeys(hrefs) if href.endswith(".vcf")]

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: str | None = None,
        content_type: str = "application/xml; charset=utf-8",
        headers: dict[str, str] | None = None,
    ) -> tuple[int, str]:
        sent = {
            "Authorization": self._authorization,
            "Content-Type": content_type,
            **(headers or {}),
        }
        async with self._session.request(
            method,
            self._url + path,
            data=None if body is None else body.encode(),
            headers=sent,
        ) as answer:
            return answer.status, await answer.text()
