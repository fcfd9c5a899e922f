"""One pass over the books of an account, page by page: the cursor and its steps.

A scan is the changes since the beginning. A page lists a book or takes the next
cards of the last listing. Where its names would make the cursor too large the rest is
remembered, and listed again by a process that does not. Whatever a listing names is
read, and it was removed only if the listing says so and it is not found.
"""

import bisect
from collections.abc import Container, Iterable

import msgspec

from proto import codec
from proto.ids import RecordId
from proto.record import Record
from services.connector.apps.carddav import calls, cards, discovery, fields
from services.connector.apps.carddav.calls import Fetched, Listing
from services.connector.apps.carddav.discovery import Place
from services.connector.errors import CallFailed, Meaning
from services.connector.port import ANSWER_BYTES_MAX, Facts, Operation, Page

CHUNK_BYTES_MAX = ANSWER_BYTES_MAX // 2
CARD_BYTES_ASSUMED = 32 * 1024
"""Few cards have a photo; this many bytes stand in where no size is told. An answer
that is too large all the same is asked for in halves."""
WINDOW_CHARACTERS_MAX = 64 * 1024
"""Names kept in a cursor, which is stored with every page."""
REST_CHARACTERS_MAX = 24 * 1024 * 1024
"""Paths remembered beside it; a longer listing is read again behind the last name."""


class Cursor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a pass is. Between passes only ``place`` and ``reached`` are set."""

    place: Place
    reached: dict[str, str]
    """The token of each book up to which it has been read."""
    todo: tuple[tuple[str, str], ...] = ()
    """Books still to read with the token to start from; the first is in hand."""
    token: str = ""
    """The token of the listing in hand; empty before there is one."""
    window: tuple[tuple[str, ...], ...] = ()
    """Names to read, in chunks of one call."""
    removed: tuple[str, ...] = ()
    """Those of them that the listing tells as removed."""
    after: str = ""
    """The listing went on behind this name: it has to be read again."""
    is_partial: bool = False
    """The server cut the listing short: the rest is behind ``token``."""


class Rest:
    """A listing that did not fit into the cursor, as long as this process is at it."""

    def __init__(self) -> None:
        self._book, self._base = "", ""
        self._listing: Listing | None = None

    def find(self, cursor: Cursor, *, book: str, base: str) -> Listing | None:
        """Return the listing that a cursor is in the middle of."""
        found = self._listing
        if found is None or not cursor.after or found.token != cursor.token:
            return None
        return found if (self._book, self._base) == (book, base) else None

    def keep(self, listing: Listing, *, book: str, base: str) -> None:
        """Remember a listing, unless it is too long."""
        is_short = sum(map(len, listing.sizes)) <= REST_CHARACTERS_MAX
        self._book, self._base = book, base
        self._listing = listing if is_short else None

    def forget(self) -> None:
        """Remember none."""
        self._listing = None


def encode(cursor: Cursor) -> str:
    """Return a cursor as text."""
    return codec.encode(cursor).decode()


def decode(text: str) -> Cursor:
    """Return a cursor from its text.

    Raises:
        CallFailed: With CURSOR_EXPIRED, for what is no cursor of ours.
    """
    try:
        return codec.decode(text.encode(), Cursor)
    except codec.Undecodable as err:
        raise CallFailed(Meaning.CURSOR_EXPIRED, f"no cursor: {err}") from err


def begin_scan(facts: Facts) -> Operation[Cursor]:
    """Return the cursor with which every book is read from its beginning."""
    place = yield from discovery.find(facts)
    books = yield from discovery.list_books(place, facts=facts)
    todo = tuple((book.path, "") for book in books)
    return Cursor(place=place, reached={}, todo=todo)


def begin_changes(last: Cursor, *, facts: Facts) -> Operation[Cursor]:
    """Return the cursor with which the books are read that have moved on.

    Raises:
        CallFailed: With CURSOR_EXPIRED, if a book is gone: nobody tells what was
            in it, so all is to be read again.
    """
    books = yield from discovery.list_books(last.place, facts=facts)
    if last.reached.keys() - {book.path for book in books}:
        raise CallFailed(Meaning.CURSOR_EXPIRED, "an address book is gone")
    todo = tuple(
        (book.path, last.reached.get(book.path, ""))
        for book in books
        # A server that does not tell its token has to be asked.
        if not book.sync_token or book.sync_token != last.reached.get(book.path)
    )
    return Cursor(place=last.place, reached=last.reached, todo=todo)


def read_page(
    cursor: Cursor, *, facts: Facts, page_size: int, rest: Rest
) -> Operation[Page]:
    """Read the next cards of a pass, at most one chunk of ``page_size``."""
    expected = None
    while cursor.todo and not cursor.window:
        book, base = cursor.todo[0]
        if cursor.token and not cursor.after and not cursor.is_partial:
            cursor = _close_book(cursor)
            continue
        if cursor.token and not cursor.after:
            base = cursor.token
            cursor = _restart(cursor, base)
        listing = rest.find(cursor, book=book, base=base)
        if listing is None:
            listing = yield from calls.list_changes(book, base, facts=facts)
            rest.keep(listing, book=book, base=base)
        if _is_start_of_only_book(cursor) and not listing.is_partial:
            expected = len(listing.sizes)
        cursor = _take_listing(cursor, listing, page_size=page_size)
        if not cursor.after:
            rest.forget()
        if listing.is_partial and not cursor.window:
            return Page(records=(), next=encode(cursor))
    if not cursor.todo:
        return Page(records=(), resume=encode(cursor))
    book = cursor.todo[0][0]
    paths = [book + name for name in cursor.window[0]]
    found = yield from calls.fetch_all(book, paths, facts=facts)
    removed = {book + name for name in cursor.removed}
    cursor = _without_first_chunk(cursor)
    records = tuple(records_of(found, removed=removed))
    page = _page(cursor, records=records, expected=expected)
    return msgspec.structs.replace(page, left_out_count=len(found) - len(records))


def records_of(
    found: Iterable[Fetched], *, removed: Container[str] = ()
) -> Iterable[Record]:
    """Return cards as records; groups are left out, they are no contacts."""
    for one in found:
        record_id = RecordId(one.path)
        if one.text is None:
            is_removed = one.path in removed
            yield (fields.removed if is_removed else fields.missing)(record_id)
            continue
        try:
            card = cards.parse(one.text)
        except cards.Unreadable:
            yield fields.record(record_id, etag=one.etag, card=None)
            continue
        if not fields.is_group(card):
            yield fields.record(record_id, etag=one.etag, card=card)


def _page(cursor: Cursor, *, records: tuple[Record, ...], expected: int | None) -> Page:
    is_book_done = not (cursor.window or cursor.after or cursor.is_partial)
    if is_book_done:
        cursor = _close_book(cursor)
    if cursor.todo:
        return Page(records=records, next=encode(cursor), expected_count=expected)
    return Page(records=records, resume=encode(cursor), expected_count=expected)


def _is_start_of_only_book(cursor: Cursor) -> bool:
    is_start = not cursor.token and not cursor.reached and len(cursor.todo) == 1
    return is_start and cursor.todo[0][1] == ""


def _close_book(cursor: Cursor) -> Cursor:
    book = cursor.todo[0][0]
    return Cursor(
        place=cursor.place,
        reached={**cursor.reached, book: cursor.token},
        todo=cursor.todo[1:],
    )


def _restart(cursor: Cursor, base: str) -> Cursor:
    """Go on in the same book from the token of a listing that was cut short."""
    todo = ((cursor.todo[0][0], base), *cursor.todo[1:])
    return Cursor(place=cursor.place, reached=cursor.reached, todo=todo)


def _without_first_chunk(cursor: Cursor) -> Cursor:
    chunk = frozenset(cursor.window[0])
    return msgspec.structs.replace(
        cursor,
        window=cursor.window[1:],
        removed=tuple(name for name in cursor.removed if name not in chunk),
    )


def _take_listing(cursor: Cursor, listing: Listing, *, page_size: int) -> Cursor:
    """Put the next names of a listing into the cursor."""
    book = cursor.todo[0][0]
    window: list[list[str]] = []
    bytes_left = cards_left = 0
    characters_left = WINDOW_CHARACTERS_MAX
    after = ""
    # A listing read again starts behind the names that were taken from it before.
    paths = [*listing.sizes]
    for path in paths[bisect.bisect_right(paths, book + cursor.after) :]:
        name = path.removeprefix(book)
        size = listing.sizes[path]
        size = CARD_BYTES_ASSUMED if size is None else size
        is_full = cards_left < 1 or bytes_left < size
        if window and characters_left < len(name):
            if len(window) > 1 and not is_full:
                # A part of a chunk would be a call too many.
                window.pop()
            after = window[-1][-1]
            break
        if is_full:
            window.append([])
            cards_left, bytes_left = page_size, CHUNK_BYTES_MAX
        window[-1].append(name)
        characters_left -= len(name)
        cards_left -= 1
        bytes_left -= size
    return msgspec.structs.replace(
        cursor,
        # The first listing's token: what changes while it is read comes after it.
        token=cursor.token or listing.token,
        window=tuple(tuple(chunk) for chunk in window),
        removed=tuple(
            name for chunk in window for name in chunk if book + name in listing.removed
        ),
        after=after,
        is_partial=listing.is_partial,
    )
