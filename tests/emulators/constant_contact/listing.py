"""What all listings share: parameters, limits, and cursors that carry both along."""

import msgspec

from tests.emulators.constant_contact.problems import invalid
from tests.emulators.core.http import Call
from tests.emulators.core.paging import CursorInvalid, decode_cursor, encode_cursor

DEFAULT_LIMIT = 50


class Link(msgspec.Struct, frozen=True):
    """Where to go on."""

    href: str


class Links(msgspec.Struct, frozen=True):
    """The links of a page that is not the last."""

    next: Link


class Place(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A listing, and how far it was read."""

    path: str
    query: dict[str, str]
    stamp: str = ""
    number: int = -1
    count: int | None = None

    def link(self) -> Links:
        """Return the link that goes on from here; it is relative to the host."""
        return Links(Link(f"{self.path}?cursor={encode_cursor(self)}"))

    def limit(self, maximum: int) -> int:
        """Return how many rows a page may have."""
        text = self.query.get("limit", str(DEFAULT_LIMIT))
        if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= maximum:
            raise invalid("limit does not have a valid value")
        return int(text)

    def flag(self, name: str) -> bool:
        """Return a parameter that is `true` or `false`."""
        return self.choice(name, ("true", "false"), default="false") == "true"

    def choice(self, name: str, allowed: tuple[str, ...], *, default: str) -> str:
        """Return a parameter that has one of some values."""
        text = self.query.get(name, default)
        if text != default and text not in allowed:
            raise invalid(f"{name} does not have a valid value")
        return text

    def choices(self, name: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
        """Return a parameter that has several of some values, comma separated."""
        found = self.words(name)
        if not set(found) <= set(allowed):
            raise invalid(f"{name} does not have a valid value")
        return found

    def words(self, name: str, *, count_max: int | None = None) -> tuple[str, ...]:
        """Return the values of a comma separated parameter."""
        if name not in self.query:
            return ()
        found = tuple(word.strip() for word in self.query[name].split(","))
        if not all(found) or (count_max is not None and len(found) > count_max):
            raise invalid(f"{name} does not have a valid value")
        return found


def open_place(call: Call, *, parameters: frozenset[str]) -> Place:
    """Start a listing, or go on where a cursor says."""
    query = call.query()
    if "cursor" in query:
        try:
            place = decode_cursor(query["cursor"], Place)
        except CursorInvalid as err:
            raise invalid("cursor does not have a valid value") from err
        if place.path != call.path:
            raise invalid("cursor does not have a valid value")
        return place
    check_parameters(query, parameters)
    return Place(path=call.path, query=query)


def check_parameters(query: dict[str, str], parameters: frozenset[str]) -> None:
    """Refuse parameters that the contract does not have: they are a caller's slip."""
    for name in query:
        if name not in parameters:
            raise invalid(f"{name} is not a valid query parameter")
