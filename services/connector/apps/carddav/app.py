"""The operations of a CardDAV account. What a card holds is in ``fields``."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote, urlsplit

from proto.connector import Container
from proto.errors import ErrorCode
from proto.fields import Field
from proto.ids import ContainerId, RecordId
from proto.record import Presence, Record
from services.connector.apps.carddav import (
    calls,
    cards,
    discovery,
    fields,
    tags,
    walk,
    wire,
)
from services.connector.apps.carddav.cards import Card
from services.connector.apps.carddav.discovery import Place
from services.connector.apps.carddav.values import BadValue
from services.connector.apps.carddav.wire import Resource
from services.connector.errors import CallFailed
from services.connector.manifest import Manifest
from services.connector.port import (
    Answer,
    Change,
    CreateResult,
    Exists,
    Facts,
    Identity,
    Missing,
    Moved,
    NewRecord,
    Operation,
    Page,
    Refused,
    Snapshot,
    UpdateResult,
    Written,
)

GET_CARDS_MAX = 100
"""Cards a call reads by id, as the manifest says; photos make them large."""
SEARCH_TEXTS_MAX = 50

_STORED = (200, 201, 204)
_VALUE_REFUSED = (400, 413, 415, 422)


class App:
    """One CardDAV account."""

    def __init__(self, manifest: Manifest, facts: Facts) -> None:
        self._manifest = manifest
        self._facts = facts
        # Where the books are does not move; asking again would double the calls.
        self._place: Place | None = None
        self._first: ContainerId | None = None
        self._rest = walk.Rest()

    def meaning_of(self, answer: Answer) -> CallFailed:
        """Say what an answer with an unaccepted status means."""
        return calls.meaning_of(answer)

    def verify(self) -> Operation[Identity]:
        """Find the address books, which takes the credentials."""
        place = yield from discovery.find(self._facts)
        host = urlsplit(self._facts.base_url).netloc.rpartition("@")[2].lower()
        # One book of a person is an account of its own: it is all that is synced.
        path = place.homes[0] if place.is_book else place.principal or place.homes[0]
        who = self._facts.username or path
        return Identity(
            vendor_account_id=f"{host}{path}", display_name=f"{who} at {host}"
        )

    def describe_fields(self) -> Operation[tuple[Field, ...]]:
        """Return the fields, which are the same for every account."""
        yield from ()
        return fields.FIELDS

    def list_containers(self) -> Operation[tuple[Container, ...]]:
        """Read the address books."""
        books = yield from self._list_books()
        return tuple(
            Container(
                container_id=ContainerId(book.path),
                name=book.name or book.path.strip("/").rpartition("/")[2],
            )
            for book in books
        )

    def scan(self, cursor: str | None) -> Operation[Page]:
        """Read one page of every live card; None starts."""
        if cursor is None:
            start = yield from walk.begin_scan(self._facts)
            self._place = start.place
        else:
            start = walk.decode(cursor)
        return (yield from self._page(start))

    def changes(self, cursor: str) -> Operation[Page]:
        """Read one page of what changed since a ``resume`` or ``next`` cursor."""
        start = walk.decode(cursor)
        if not start.todo:
            start = yield from walk.begin_changes(start, facts=self._facts)
        return (yield from self._page(start))

    def _page(self, cursor: walk.Cursor) -> Operation[Page]:
        page_size = self._manifest.limits.page_size
        return walk.read_page(
            cursor, facts=self._facts, page_size=page_size, rest=self._rest
        )

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        """Read cards by id."""
        by_book: dict[str, list[str]] = {}
        for record_id in record_ids:
            book = record_id.rpartition("/")[0] + "/"
            by_book.setdefault(book, []).append(record_id)
        found: list[Snapshot] = []
        for book, paths in by_book.items():
            for chunk in _chunks(paths, GET_CARDS_MAX):
                cards_read = yield from calls.fetch_all(book, chunk, facts=self._facts)
                found.extend(_snapshot(one) for one in cards_read)
        return tuple(found)

    def find_by_email(self, emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        """Read the live cards that have one of these emails, in any spelling."""
        wanted = {_spelled(e) for e in emails if e.strip() and e.isprintable()}
        found: dict[RecordId, Record] = {}
        for chunk in _chunks(sorted(wanted), SEARCH_TEXTS_MAX):
            # Contains, not equals: servers do not trim what they compare.
            body = wire.query("EMAIL", chunk, match="contains")
            for one in walk.records_of((yield from self._search(body))):
                held = one.fields.get(fields.EMAILS)
                if wanted & _emails(held):
                    found[one.record_id] = one
        return tuple(found.values())

    def find_by_markers(
        self, markers: Sequence[str]
    ) -> Operation[Mapping[str, Record]]:
        """Read the cards whose UIDs are our markers."""
        wanted = {marker for marker in markers if marker and marker.isprintable()}
        found: dict[str, Record] = {}
        for chunk in _chunks(sorted(wanted), SEARCH_TEXTS_MAX):
            body = wire.query("UID", chunk, match="contains")
            for one in (yield from self._search(body)):
                card = _parsed(one)
                uid = fields.uid(card) if card else ""
                shown = walk.records_of([one]) if uid in wanted else ()
                found.update((uid, record) for record in shown)
        return found

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        """Create one card, in the connection's book or the account's first one."""
        marker = new.marker or str(uuid.uuid4())
        try:
            card = fields.create(marker, new.fields)
            tags.write(card, add=new.tags)
        except BadValue as err:
            return Refused(code=ErrorCode.VALUE_REFUSED, field_id=err.field_id)
        book = next(iter(new.containers), None) or (yield from self._first_book())
        if book is None:
            return Refused(code=ErrorCode.NOT_FOUND)
        path = f"{discovery.folder(book)}{quote(marker, safe='')}.vcf"
        answer = yield from calls.store(
            path, card.text(), condition=("If-None-Match", "*")
        )
        if answer.status in _STORED:
            return (yield from self._written(path, answer=answer, card=card))
        self._first = None
        return (yield from self._not_created(marker, path=path, answer=answer))

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Change exactly this of a card just read; the rest stays as it is."""
        record = snapshot.record
        if record.presence is not Presence.LIVE:
            return Missing()
        card = _parsed_raw(snapshot.raw)
        if card is None or fields.is_group(card) or not record.version:
            return Refused(code=ErrorCode.APP_REFUSED)
        before = card.text()
        try:
            fields.write(card, change.fields)
            tags.write(
                card,
                add=change.memberships.tags_add,
                remove=change.memberships.tags_remove,
            )
        except BadValue as err:
            return Refused(code=ErrorCode.VALUE_REFUSED, field_id=err.field_id)
        if card.text() == before:
            return Written(record=record)
        path, condition = record.record_id, ("If-Match", record.version)
        answer = yield from calls.store(path, card.text(), condition=condition)
        if answer.status in _STORED:
            return (yield from self._written(path, answer=answer, card=card))
        return _not_updated(answer)

    def _find_place(self) -> Operation[Place]:
        if self._place is None:
            self._place = yield from discovery.find(self._facts)
        return self._place

    def _first_book(self) -> Operation[ContainerId | None]:
        """Return where a card goes that belongs nowhere; kept until it fails."""
        if self._first is None:
            yield from self._list_books()
        return self._first

    def _list_books(self) -> Operation[tuple[Resource, ...]]:
        place = yield from self._find_place()
        books = yield from discovery.list_books(place, facts=self._facts)
        self._first = next((ContainerId(book.path) for book in books), None)
        return books

    def _search(self, body: bytes) -> Operation[list[calls.Fetched]]:
        books = yield from self._list_books()
        found: list[calls.Fetched] = []
        for book in books:
            found.extend((yield from calls.search(book.path, body, facts=self._facts)))
        return found

    def _written(
        self, path: str, *, answer: Answer, card: Card
    ) -> Operation[Written | Refused]:
        """Return the card as it now is: a server may change what it is given.

        One that answers with an entity tag says that it kept every byte; any other
        is asked.
        """
        record_id = RecordId(path)
        etag = answer.headers.get("etag", "")
        if etag and not etag.startswith("W/"):
            return Written(record=fields.record(record_id, etag=etag, card=card))
        one = yield from calls.fetch(path)
        if one.text is None:
            # Written, and taken away by somebody since.
            return Written(record=fields.missing(record_id), is_read_after=True)
        return Written(record=_snapshot(one).record, is_read_after=True)

    def _not_created(
        self, marker: str, *, path: str, answer: Answer
    ) -> Operation[CreateResult]:
        if answer.status == 412:
            one = yield from calls.fetch(path)
            card = _parsed(one)
            if card and fields.uid(card) == marker:
                return Exists(record_id=RecordId(path))
        elif answer.status in (403, 409):
            # The marker is taken, perhaps under another path; or there is no book.
            found = yield from self.find_by_markers([marker])
            if marker in found:
                return Exists(record_id=found[marker].record_id)
        elif answer.status in _VALUE_REFUSED:
            return Refused(code=ErrorCode.VALUE_REFUSED)
        return Refused(code=ErrorCode.APP_REFUSED)


def _not_updated(answer: Answer) -> UpdateResult:
    if answer.status == 412:
        return Moved()
    if answer.status in (404, 410):
        return Missing()
    if answer.status in _VALUE_REFUSED:
        return Refused(code=ErrorCode.VALUE_REFUSED)
    return Refused(code=ErrorCode.APP_REFUSED)


def _snapshot(one: calls.Fetched) -> Snapshot:
    """Return a card with its text; one that is no contact has no fields."""
    record_id = RecordId(one.path)
    if one.text is None:
        return Snapshot(record=fields.missing(record_id))
    record = fields.record(record_id, etag=one.etag, card=_parsed(one))
    return Snapshot(record=record, raw=one.text.encode())


def _parsed(one: calls.Fetched) -> Card | None:
    return _parsed_raw((one.text or "").encode())


def _parsed_raw(raw: bytes) -> Card | None:
    try:
        return cards.parse(raw.decode())
    except (cards.Unreadable, UnicodeDecodeError):
        return None


def _emails(value: object) -> set[str]:
    items = value if isinstance(value, tuple) else ()
    return {_spelled(item.value) for item in items}


def _spelled(email: str) -> str:
    return email.strip().lower()


def _chunks(values: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (values[i : i + size] for i in range(0, len(values), size))
