"""Tryton's operations: they yield calls and receive answers."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from proto.connector import Container
from proto.fields import Field
from proto.ids import RecordId
from proto.record import Record
from services.connector.apps.tryton import fields, rpc
from services.connector.apps.tryton.reading import Reader
from services.connector.apps.tryton.writing import Writer
from services.connector.errors import CallFailed, Meaning
from services.connector.manifest import Manifest
from services.connector.port import (
    Answer,
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
    """The parties of one database, as one user sees them."""

    def __init__(self, manifest: Manifest, facts: Facts) -> None:
        self._facts = facts
        self._reader = Reader(page_size=manifest.limits.page_size)
        self._writer = Writer()

    def meaning_of(self, answer: Answer) -> CallFailed:
        """Say what an answer with an unaccepted status means."""
        return rpc.meaning_of(answer)

    def verify(self) -> Operation[Identity]:
        """Read something of the user's own, which takes the password."""
        done = yield from rpc.call("model.res.user.get_preferences", True)
        if isinstance(done, rpc.Refusal):
            raise CallFailed(Meaning.FORBIDDEN, "the user has no preferences")
        parts = urlsplit(self._facts.base_url)
        host = parts.netloc.rpartition("@")[2].lower()
        place = f"{host}{parts.path.rstrip('/')}"
        user = self._facts.username
        return Identity(
            vendor_account_id=f"{place}:{user}", display_name=f"{user} at {place}"
        )

    def describe_fields(self) -> Operation[tuple[Field, ...]]:
        """Return the fields, which are the same in every database."""
        yield from ()
        return fields.FIELDS

    def list_containers(self) -> Operation[tuple[Container, ...]]:
        """Tell none: a database is one book of parties, and categories are tags."""
        yield from ()
        return ()

    def scan(self, cursor: str | None) -> Operation[Page]:
        """Read one page of every active party."""
        return self._reader.scan(cursor)

    def changes(self, cursor: str) -> Operation[Page]:
        """Read one page of changes, also of those that were deactivated or replaced."""
        return self._reader.changes(cursor)

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        """Read parties by id, in one call."""
        return self._reader.get(record_ids)

    def find_by_email(self, emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        """Read the active parties with these addresses."""
        return self._reader.find_by_email(emails)

    def find_by_markers(
        self, _markers: Sequence[str]
    ) -> Operation[Mapping[str, Record]]:
        """Find nothing: a party has no place for a mark that nobody sees."""
        yield from ()
        return {}

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        """Create one party."""
        return self._writer.create(new)

    def create_many(
        self, news: Sequence[NewRecord]
    ) -> Operation[tuple[CreateResult, ...]]:
        """Create parties, all in one call."""
        return self._writer.create_many(news)

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Change one party, unless it was changed since it was read."""
        return self._writer.update(snapshot, change)

    def update_many(
        self, updates: Sequence[Update]
    ) -> Operation[tuple[UpdateResult, ...]]:
        """Change parties, all in one call."""
        return self._writer.update_many(updates)
