"""One WebDAV call each: what is sent, and what its answer means.

Every function is an operation of the port: it yields calls and returns values.
"""

import functools
import operator
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from services.connector.apps.carddav import wire
from services.connector.apps.carddav.wire import Malformed, Multistatus, Resource
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Answer, Call, Facts, Operation

CARD_TYPE: Final = "text/vcard; charset=utf-8"
REDIRECTS: Final = (301, 302, 303, 307, 308)
LOCKED_WAITS_S: Final = (0.5, 2.0)
"""Xandikos 0.4 locks a book while it writes a card, and refuses another one meanwhile;
nothing happens then (RFC 4918 section 11.3)."""
_GONE: Final = (404, 410)
_LOCKED: Final = 423

_MEANINGS: Mapping[int, Meaning] = {
    401: Meaning.UNAUTHORISED,
    403: Meaning.FORBIDDEN,
    404: Meaning.BROKEN,
    410: Meaning.BROKEN,
    413: Meaning.REFUSED,
    429: Meaning.RATE_LIMITED,
    503: Meaning.UNAVAILABLE,
    507: Meaning.QUOTA_EXHAUSTED,
}


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """A card as the server holds it; without text it is gone."""

    path: str
    etag: str = ""
    text: str | None = None


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """Which cards of a book changed since a token, and the token after that."""

    sizes: Mapping[str, int | None]
    """By path, in order, removed ones too; the size in bytes where the server tells."""
    removed: frozenset[str]
    """Paths of which the server says that they were removed."""
    token: str
    is_partial: bool
    """The server cut the answer short: the rest is behind the new token."""


def meaning_of(answer: Answer) -> CallFailed:
    """Say what an answer means whose status no operation expects."""
    status = answer.status
    if status >= 500:
        # Behind a 5xx a write may have been applied all the same.
        meaning = _MEANINGS.get(status, Meaning.NO_ANSWER)
    elif status >= 400:
        meaning = _MEANINGS.get(status, Meaning.REFUSED)
    else:
        meaning = Meaning.BROKEN
    wait = answer.headers.get("retry-after", "").strip()
    # A date would need a clock to be worth anything; the back-off does without.
    retry_after_s = float(wait) if wait.isascii() and wait.isdigit() else None
    return CallFailed(meaning, f"status {status}", retry_after_s=retry_after_s)


def ask(
    path: str, *, depth: int, accepts: tuple[int, ...] = (207,)
) -> Operation[Answer]:
    """Ask for the properties of a resource, or of its children too."""
    answer = yield Call(
        method="PROPFIND",
        path=path,
        from_origin=True,
        headers=(("Depth", str(depth)),),
        body=wire.propfind(),
        content_type=wire.XML_TYPE,
        accepts=accepts,
    )
    return answer


def read(answer: Answer, *, path: str, facts: Facts) -> Multistatus:
    """Return the multistatus of an answer.

    Raises:
        CallFailed: It is none.
    """
    try:
        if isinstance(answer.taken, wire.Reader):
            return answer.taken.close()
        return wire.parse(answer.body, url=url_of(path, facts))
    except Malformed as err:
        raise CallFailed(Meaning.BROKEN, f"malformed multistatus: {err}") from err


def url_of(path: str, facts: Facts) -> str:
    """Return the address of a path on the account's server."""
    scheme, _, rest = facts.base_url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}{path}"


def list_changes(book: str, token: str, *, facts: Facts) -> Operation[Listing]:
    """Read what changed in a book since a token; everything for an empty one.

    Raises:
        CallFailed: With CURSOR_EXPIRED, if the server no longer knows the token.
    """
    call = _report(
        book, wire.sync_collection(token), accepts=(207, 403, 404, 409, 410, 412)
    )
    # Servers tell of a whole book at once, however many cards are in it.
    reader = functools.partial(wire.Reader, url_of(book, facts))
    answer = yield msgspec.structs.replace(call, take=reader)
    if answer.status != 207:
        is_named = wire.names_error(answer.body, "valid-sync-token")
        # A refusal that names nothing may be one of access, as far as 403 goes.
        if token and (is_named or answer.status != 403):
            detail = f"status {answer.status} for a sync token"
            raise CallFailed(Meaning.CURSOR_EXPIRED, detail)
        raise meaning_of(answer)
    found = read(answer, path=book, facts=facts)
    if not found.sync_token:
        raise CallFailed(Meaning.BROKEN, "no sync token in the answer")
    is_partial = any(r.status == 507 and r.path == book for r in found.resources)
    if is_partial and found.sync_token == token:
        raise CallFailed(Meaning.BROKEN, "a partial answer that leads nowhere")
    listed = [
        r
        for r in found.resources
        # At the beginning some servers also tell of what was removed long ago.
        if is_card(r.path, book) and (token or r.status not in _GONE)
    ]
    listed.sort(key=operator.attrgetter("path"))
    return Listing(
        sizes={r.path: r.size for r in listed},
        removed=frozenset(r.path for r in listed if r.status in _GONE),
        token=found.sync_token,
        is_partial=is_partial,
    )


def is_card(path: str, book: str) -> bool:
    """Tell whether a path is directly below a book, and no collection."""
    name = path.removeprefix(book)
    return name != path and bool(name) and "/" not in name


def fetch_all(
    book: str, paths: Sequence[str], *, facts: Facts
) -> Operation[tuple[Fetched, ...]]:
    """Read cards of one book, each of them in any case."""
    if not paths:
        return ()
    if len(paths) == 1:
        return (yield from _fetch_in_book(paths[0]))
    found = yield from _multiget(book, paths, facts=facts)
    if found is None:
        half = len(paths) // 2
        first = yield from fetch_all(book, paths[:half], facts=facts)
        second = yield from fetch_all(book, paths[half:], facts=facts)
        return (*first, *second)
    by_path = {resource.path: resource for resource in found}
    cards: list[Fetched] = []
    for path in paths:
        card = _answered(path, by_path.get(path))
        cards.extend([card] if card else (yield from _fetch_in_book(path)))
    return tuple(cards)


def _multiget(
    book: str, paths: Sequence[str], *, facts: Facts
) -> Operation[tuple[Resource, ...] | None]:
    """Ask for some cards at once; None if the answer cannot be read.

    Photos can make it too large, and one card with a character that XML cannot
    carry spoils it all. Fewer cards at a time help; one alone comes without XML.
    """
    try:
        answer = yield _report(book, wire.multiget(paths), accepts=(207, *_GONE))
        if answer.status in _GONE:
            return tuple(Resource(path=path, status=404) for path in paths)
        return wire.parse(answer.body, url=url_of(book, facts)).resources
    except Malformed:
        return None
    except CallFailed as err:
        if err.meaning is not Meaning.BROKEN:
            raise
        return None


def fetch(path: str) -> Operation[Fetched]:
    """Read one card."""
    answer = yield Call(
        method="GET",
        path=path,
        from_origin=True,
        headers=(("Accept", "text/vcard"),),
        accepts=(200, *_GONE),
    )
    if answer.status in _GONE:
        return Fetched(path=path)
    try:
        text = answer.body.decode()
    except UnicodeDecodeError:
        # Not a card that could be written back; what it is not cannot be parsed.
        text = ""
    etag = wire.strong(answer.headers.get("etag", ""))
    return Fetched(path=path, etag=etag, text=text)


def search(book: str, body: bytes, *, facts: Facts) -> Operation[tuple[Fetched, ...]]:
    """Read the cards of a book that a query finds; none if the book is gone."""
    answer = yield _report(book, body, depth=1, accepts=(207, *_GONE))
    if answer.status in _GONE:
        return ()
    found = read(answer, path=book, facts=facts)
    if any(r.status == 507 for r in found.resources):
        raise CallFailed(Meaning.BROKEN, "more cards match than the server tells")
    return tuple(
        card for r in found.resources if (card := _answered(r.path, r)) and card.text
    )


def store(path: str, text: str, *, condition: tuple[str, str]) -> Operation[Answer]:
    """Write a card under a condition; any refusal of this card is accepted.

    Raises:
        CallFailed: It stays locked, perhaps this card alone.
    """
    call = Call(
        method="PUT",
        path=path,
        from_origin=True,
        headers=(condition,),
        body=text.encode(),
        content_type=CARD_TYPE,
        accepts=(200, 201, 204, 400, 403, 404, 405, 409, 410, 412, 413, 415, 422, 423),
        is_write=True,
    )
    for wait_s in (0.0, *LOCKED_WAITS_S):
        answer = yield msgspec.structs.replace(call, wait_s=wait_s)
        if answer.status != _LOCKED:
            return answer
    raise CallFailed(Meaning.BROKEN, "locked")


def _fetch_in_book(path: str) -> Operation[tuple[Fetched, ...]]:
    return ((yield from fetch(path)),)


def _answered(path: str, resource: Resource | None) -> Fetched | None:
    """Return what an answer says of a card; None if it does not say it whole."""
    if resource is None:
        return None
    if resource.status in _GONE:
        return Fetched(path=path)
    if resource.card is None or not resource.etag:
        return None
    return Fetched(path=path, etag=resource.etag, text=resource.card)


def _report(
    book: str, body: bytes, *, accepts: tuple[int, ...], depth: int = 0
) -> Call:
    return Call(
        method="REPORT",
        path=book,
        from_origin=True,
        headers=(("Depth", str(depth)),),
        body=body,
        content_type=wire.XML_TYPE,
        accepts=accepts,
    )
