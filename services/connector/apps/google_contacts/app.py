"""Google's operations: they yield calls and receive answers."""

from collections.abc import Mapping, Sequence

from proto.connector import Container
from proto.fields import Field
from proto.ids import RecordId
from proto.record import Record
from services.connector.apps.google_contacts import answers, entries, fields, wire
from services.connector.apps.google_contacts.labels import Labels
from services.connector.apps.google_contacts.reading import Reader
from services.connector.apps.google_contacts.writing import Writer
from services.connector.errors import CallFailed, Meaning
from services.connector.manifest import Manifest
from services.connector.port import (
    Answer,
    Call,
    Change,
    CreateResult,
    Facts,
    Identity,
    NewRecord,
    Operation,
    Page,
    Snapshot,
    Update,
    UpdateResult,
)


class App:
    """The contacts of one Google account.

    Keep it as long as the account is used: it remembers the labels, which are otherwise
    read again before the first contact that has one is.
    """

    def __init__(self, manifest: Manifest, _facts: Facts) -> None:
        self._labels = Labels()
        self._reader = Reader(self._labels, page_size=manifest.limits.page_size)
        self._writer = Writer(self._labels)

    def meaning_of(self, answer: Answer) -> CallFailed:
        """Say what an answer with an unaccepted status means."""
        return answers.meaning_of(answer)

    def verify(self) -> Operation[Identity]:
        """Read whose account it is."""
        answer = yield Call(
            method="GET",
            path="/people/me",
            query=(("personFields", "emailAddresses,metadata"),),
        )
        person = answer.decode(wire.Person)
        account_id = person.resource_name.removeprefix("people/")
        if account_id in ("", "me"):
            raise CallFailed(Meaning.BROKEN, "an account without an id")
        emails = [
            wire.text(one, "value") for one in entries.ordered(person.email_addresses)
        ]
        name = next(filter(None, emails), account_id)
        return Identity(vendor_account_id=account_id, display_name=name)

    def describe_fields(self) -> Operation[tuple[Field, ...]]:
        """Return the fields, which are the same for every account."""
        yield from ()
        return fields.FIELDS

    def list_containers(self) -> Operation[tuple[Container, ...]]:
        """Tell none: an account is one address book, and its groups are labels."""
        yield from ()
        return ()

    def scan(self, cursor: str | None) -> Operation[Page]:
        """Read one page of every contact."""
        return self._reader.scan(cursor)

    def changes(self, cursor: str) -> Operation[Page]:
        """Read one page of changes, deletions and merges."""
        return self._reader.changes(cursor)

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        """Read contacts by id, two hundred a call."""
        return self._reader.get(record_ids)

    def find_by_email(self, _emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        """Find nothing: a search finds beginnings, late, and thirty at most."""
        yield from ()
        return ()

    def find_by_markers(
        self, _markers: Sequence[str]
    ) -> Operation[Mapping[str, Record]]:
        """Find nothing: contacts keep our marks, and nothing looks for them."""
        yield from ()
        return {}

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        """Create one contact."""
        return self._writer.create(new)

    def create_many(
        self, news: Sequence[NewRecord]
    ) -> Operation[tuple[CreateResult, ...]]:
        """Create contacts, two hundred a call."""
        return self._writer.create_many(news)

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Change one contact, unless it was changed since it was read."""
        return self._writer.update(snapshot, change)

    def update_many(
        self, updates: Sequence[Update]
    ) -> Operation[tuple[UpdateResult, ...]]:
        """Change contacts, two hundred a call."""
        return self._writer.update_many(updates)
