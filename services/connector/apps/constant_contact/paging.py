"""The vendor's page links: followed as they are, from the host of the account on."""

import urllib.parse
from collections.abc import Sequence
from typing import Protocol, TypeVar

from services.connector.apps.constant_contact import wire
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Call, Operation


class Linked(Protocol):
    """A page that may tell where the next one is."""

    @property
    def links(self) -> wire.Links | None:
        """Return the page's links."""


P = TypeVar("P", bound=Linked)


class Pager:
    """Follows links, as long as they stay below the path of the base address."""

    def __init__(self, base_url: str) -> None:
        self._prefix = urllib.parse.urlsplit(base_url).path.rstrip("/")

    def next_of(self, page: Linked) -> str:
        """Return the link to the next page, or nothing.

        Raises:
            CallFailed: The link leads out of the API.
        """
        href = page.links.next.href if page.links and page.links.next else ""
        if href and not href.startswith(f"{self._prefix}/"):
            raise CallFailed(Meaning.BROKEN, "a link that leads elsewhere")
        return href

    def read_all(
        self,
        path: str,
        *,
        into: type[P],
        limit: int,
        pages_max: int,
        query: Sequence[tuple[str, str]] = (),
    ) -> Operation[list[P]]:
        """Read a short collection whole, or what a query asks for of a longer one.

        Raises:
            CallFailed: It has more pages than the vendor's own limits allow.
        """
        call = Call(method="GET", path=path, query=(*query, ("limit", str(limit))))
        pages: list[P] = []
        while len(pages) < pages_max:
            answer = yield call
            pages.append(answer.decode(into))
            link = self.next_of(pages[-1])
            if not link:
                return pages
            call = follow(link)
        raise CallFailed(Meaning.BROKEN, "a collection without an end")


def follow(link: str, *, accepts: tuple[int, ...] = (200,)) -> Call:
    """Return the call that reads the page behind a link."""
    return Call(method="GET", path=link, from_origin=True, accepts=accepts)
