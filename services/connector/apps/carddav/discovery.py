"""From the address a person gives to the address books of the account.

The address may be the server, a principal, a folder of books or one book.
"""

import msgspec

from services.connector.apps.carddav import calls, wire
from services.connector.apps.carddav.wire import Resource
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Facts, Operation

WELL_KNOWN = "/.well-known/carddav"
REDIRECTS_MAX = 5
HOMES_MAX = 20
BOOKS_MAX = 200


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the books of an account are."""

    homes: tuple[str, ...]
    """Folders of books; or the one book itself."""
    is_book: bool = False
    principal: str = ""
    """Whom the server takes us for; empty where it does not say."""


def find(facts: Facts) -> Operation[Place]:
    """Find where the books are, from the address of the account.

    Raises:
        CallFailed: There are none at this address, or they are on another host.
    """
    for start in (base_path(facts), WELL_KNOWN):
        resource = yield from _look(start, facts=facts)
        if resource is None:
            continue
        if resource.is_book:
            return Place(
                homes=(folder(resource.path),),
                is_book=True,
                principal=resource.principal or "",
            )
        principal = resource.principal or ""
        if not resource.homes and principal:
            resource = yield from _look(principal, facts=facts)
        if resource and resource.homes:
            homes = tuple(dict.fromkeys(folder(path) for path in resource.homes))
            return Place(homes=homes[:HOMES_MAX], principal=folder(principal))
    raise CallFailed(Meaning.REFUSED, "no address books at this address")


def list_books(place: Place, *, facts: Facts) -> Operation[tuple[Resource, ...]]:
    """Read the books of an account with their sync tokens, ordered by path."""
    books = {}
    for home in place.homes:
        # One level below a book are all its cards: those are not asked for.
        answer = yield from calls.ask(home, depth=0 if place.is_book else 1)
        found = calls.read(answer, path=home, facts=facts)
        for resource in found.resources:
            if resource.is_book:
                path = folder(resource.path)
                books[path] = msgspec.structs.replace(resource, path=path)
    if len(books) > BOOKS_MAX:
        raise CallFailed(Meaning.REFUSED, f"more than {BOOKS_MAX} address books")
    return tuple(books[path] for path in sorted(books))


def base_path(facts: Facts) -> str:
    """Return the path of the address that the person gave."""
    return folder(wire.path_of(facts.base_url, url=facts.base_url) or "/")


def folder(path: str) -> str:
    """Return a path with the slash at its end that a collection has."""
    return path if path.endswith("/") or not path else f"{path}/"


def _look(start: str, *, facts: Facts) -> Operation[Resource | None]:
    """Ask what is at a path, following redirects on this host; None if nothing is."""
    path = start
    for _ in range(REDIRECTS_MAX + 1):
        answer = yield from calls.ask(
            path, depth=0, accepts=(207, *calls.REDIRECTS, 400, 404, 405, 410, 501)
        )
        if answer.status == 207:
            found = calls.read(answer, path=path, facts=facts)
            return next(iter(found.resources), None)
        if answer.status not in calls.REDIRECTS:
            return None
        url = calls.url_of(path, facts)
        target = wire.path_of(answer.headers.get("location", ""), url=url)
        if target is None:
            raise CallFailed(Meaning.REFUSED, "redirected to another host")
        path = target
    raise CallFailed(Meaning.BROKEN, f"more than {REDIRECTS_MAX} redirects")
