"""The listing of contacts: pages, and syncs by a token that lasts a week."""

import itertools
import zlib
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from tests.emulators.core.account import account_of
from tests.emulators.core.http import Call, Reply, Router, json_reply
from tests.emulators.core.paging import CursorInvalid, decode_cursor, encode_cursor
from tests.emulators.google_contacts import problems, views
from tests.emulators.google_contacts.account import Account
from tests.emulators.google_contacts.asking import READ, asked_of
from tests.emulators.google_contacts.book import Contact

SYNC_TOKEN_LIFETIME_S: Final = 7 * 86_400
PAGE_SIZE: Final = 100
PAGE_SIZE_MAX: Final = 1000
ORDER: Final = "LAST_MODIFIED_ASCENDING"
_MALFORMED: Final = {"resourceName": 17, "names": "none"}


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a pass is, in a page token; or ended, in a sync token."""

    is_sync: bool
    after: int
    """Changes up to this number are known."""
    since: int = -1
    """Where the sync that this is a page of began; -1: it is no sync."""
    until: int = 0
    """What was the newest change when the pass began."""
    full_at: float
    """When the last full pass began."""
    question: int
    """All other parameters have to be the same as in the first call."""


class Listing:
    """Serve the listing of all accounts."""

    def __init__(self, accounts: dict[str, Account]) -> None:
        self._accounts = accounts

    def register(self, router: Router) -> None:
        """Put the resource on its path."""
        router.add("GET", "/v1/people/me/connections", self.list, scope=READ)

    def list(self, call: Call) -> Reply:
        """Return a page of all contacts, or of those that changed."""
        account, query = account_of(call, self._accounts), call.query()
        mask, sources = asked_of(call)
        size = _size(query)
        if query.get("sortOrder", ORDER) != ORDER:
            raise problems.bad("This emulator sorts by the time of change alone.")
        place = _place(account, query)
        if call.is_under("empty_listing"):
            place = msgspec.structs.replace(place, after=place.until)
        rows = _rows(account, place)
        page = list(itertools.islice(rows, size))
        is_more = next(rows, None) is not None
        if not is_more and call.is_under("endless_listing"):
            is_more, page = True, page[:0]
        shown = [
            views.person(
                one,
                mask,
                sources=sources,
                state=one.listed,
                is_listing=True,
                is_sync=place.since >= 0,
            )
            for _, one in page
        ]
        body: dict[str, Any] = {}
        if call.is_under("malformed_page"):
            shown = [_MALFORMED, *shown[1:]]
        if shown:
            body["connections"] = shown
        if place.since < 0 and (total := account.book.listed_count()):
            body |= {"totalPeople": total, "totalItems": total}
        after = page[-1][0] if page else place.after
        if is_more:
            rest = msgspec.structs.replace(place, is_sync=False, after=after)
            body["nextPageToken"] = encode_cursor(rest)
        elif query.get("requestSyncToken") == "true":
            end = msgspec.structs.replace(place, is_sync=True, after=place.until)
            body["nextSyncToken"] = encode_cursor(end)
        return json_reply(body)


def _place(account: Account, query: dict[str, str]) -> Place:
    question = _question(query)
    now, newest = account.clock.now(), account.book.newest_listed()
    page_token, sync_token = query.get("pageToken", ""), query.get("syncToken", "")
    if not page_token and not sync_token:
        return Place(
            is_sync=False, after=0, until=newest, full_at=now, question=question
        )
    place = _read(page_token or sync_token, is_sync=not page_token)
    if place.question != question:
        raise problems.bad(
            "Sync token or page token is invalid: request parameters must match."
        )
    if now - place.full_at > SYNC_TOKEN_LIFETIME_S:
        raise problems.expired()
    if page_token:
        return place
    return Place(
        is_sync=False,
        after=place.after,
        since=place.after,
        until=newest,
        full_at=place.full_at,
        question=question,
    )


def _rows(account: Account, place: Place) -> Iterator[tuple[int, Contact]]:
    """Yield who belongs on the pages from here on."""
    for number, contact in account.book.listed_after(place.after):
        assert contact.listed is not None
        if place.since >= 0 or not contact.listed.is_deleted:
            yield number, contact


def _read(text: str, *, is_sync: bool) -> Place:
    try:
        place = decode_cursor(text, Place)
    except CursorInvalid as err:
        raise problems.bad("Request contains an invalid argument.") from err
    if place.is_sync != is_sync:
        raise problems.bad("Request contains an invalid argument.")
    return place


def _size(query: dict[str, str]) -> int:
    text = query.get("pageSize", "0")
    if not (text.isascii() and text.isdigit() and int(text) <= PAGE_SIZE_MAX):
        raise problems.bad("Page size must be between 1 and 1000.")
    return int(text) or PAGE_SIZE


def _question(query: dict[str, str]) -> int:
    names = ("personFields", "sources", "pageSize", "sortOrder", "requestSyncToken")
    return zlib.crc32(repr([query.get(name) for name in names]).encode())
