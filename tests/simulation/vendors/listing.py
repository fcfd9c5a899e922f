"""A book as its vendor lists it: page by page, a little old, searched by email.

What is shown is the state of ``lag_s`` ago, in the order of ids for a whole listing
and of change times for what changed since.
"""

from collections.abc import Callable
from typing import NamedTuple

from proto.record import Consent
from tests.simulation.ledger import State, Status
from tests.simulation.vendors import wire
from tests.simulation.vendors.book import Book, Holder, address_key
from tests.simulation.vendors.messages import Request
from tests.simulation.vendors.ways import Paging, Ways


class Shown(NamedTuple):
    """A record in the state in which a listing shows it."""

    holder: Holder
    state: State

    @property
    def record_id(self) -> str:
        """Return its id."""
        return self.holder.record_id


def page(book: Book, request: Request) -> wire.People:
    """Return one page: of everybody, or of what changed since a time."""
    since = request.first("since")
    if since:
        found = [
            each
            for each in _visible(book)
            if each.state.stamp >= float(since) and _is_told(each.state, book.ways)
        ]
        found.sort(key=lambda each: (each.state.stamp, each.record_id))
        return _cut(book, found, request, place=_change_place)
    found = [each for each in _visible(book) if each.state.is_live]
    found.sort(key=lambda each: each.record_id)
    return _cut(book, found, request, place=_id_place)


def search(book: Book, emails: list[str]) -> wire.People:
    """Return the live records with one of the addresses."""
    wanted = {address_key(email) for email in emails}
    name = book.ways.email_name
    return wire.People(
        people=tuple(
            person_of(each.holder, each.state, book.ways)
            for each in _visible(book)
            if each.state.is_live and address_key(each.state.fields.get(name)) in wanted
        )
    )


def person_of(holder: Holder, state: State, ways: Ways) -> wire.Person:
    """Return a record as the vendor's JSON shows it."""
    is_live = state.is_live
    return wire.Person(
        id=holder.record_id,
        version=state.version,
        changed=state.stamp if ways.tells_changes else None,
        created=holder.born if ways.tells_births else None,
        marker=holder.marker,
        state=state.status.value,
        merged_into=state.merged_into,
        fields=state.fields if is_live else {},
        lists=state.lists if is_live else (),
        tags=state.tags if is_live else (),
        consent=_consent_of(state, ways) if is_live else None,
    )


def _consent_of(state: State, ways: Ways) -> str | None:
    if not ways.has_consent or state.consent is Consent.UNKNOWN:
        return None
    return state.consent.value


def _visible(book: Book) -> list[Shown]:
    moment = book.now() - book.ways.lag_s
    return [
        Shown(holder, state)
        for holder in book.holders.values()
        if (state := holder.at(moment)) is not None
    ]


def _is_told(state: State, ways: Ways) -> bool:
    """Say whether a change of this kind is in the list of changes."""
    if state.status is Status.MERGED:
        return ways.has_tombstones and state.merged_into is not None
    return state.is_live or ways.has_tombstones


def _cut(
    book: Book,
    found: list[Shown],
    request: Request,
    *,
    place: Callable[[Shown], str],
) -> wire.People:
    size = int(request.first("limit", "10"))
    after = request.first("after")
    if book.ways.paging is Paging.OFFSET:
        start = int(after or 0)
    else:
        start = next((i for i, each in enumerate(found) if place(each) > after), None)
        start = len(found) if start is None else start
    shown = found[start : start + size]
    has_more = len(found) > start + size
    onward = str(start + size)
    if shown and book.ways.paging is Paging.KEYSET:
        onward = place(shown[-1])
    return wire.People(
        people=tuple(person_of(each.holder, each.state, book.ways) for each in shown),
        next=onward if has_more else None,
        now=book.clock(book.now()),
        count=len(found),
    )


def _id_place(each: Shown) -> str:
    return each.record_id


def _change_place(each: Shown) -> str:
    return f"{each.state.stamp:017.3f}:{each.record_id}"
