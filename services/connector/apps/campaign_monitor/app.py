"""Campaign Monitor's operations: they yield calls and receive answers."""

from collections.abc import Mapping, Sequence

from proto.connector import Container
from proto.fields import Field
from proto.ids import RecordId
from proto.record import Record
from services.connector.apps.campaign_monitor import answers, fields
from services.connector.apps.campaign_monitor.catalogue import Catalogue
from services.connector.apps.campaign_monitor.reading import Reader
from services.connector.apps.campaign_monitor.writing import Writer
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
    UpdateResult,
)


class App:
    """One login at Campaign Monitor, with all lists that it may see.

    Keep it as long as the account is used: it remembers the lists and their fields.
    """

    def __init__(self, manifest: Manifest, _facts: Facts) -> None:
        self._catalogue = Catalogue()
        self._reader = Reader(self._catalogue, page_size=manifest.limits.page_size)
        self._writer = Writer(self._catalogue)

    def meaning_of(self, answer: Answer) -> CallFailed:
        """Say what an answer with an unaccepted status means."""
        return answers.meaning_of(answer)

    def verify(self) -> Operation[Identity]:
        """Read whose lists they are: an account has no id, and its clients have."""
        clients = yield from self._catalogue.clients()
        if not clients:
            raise CallFailed(Meaning.FORBIDDEN, "an account without clients")
        first = min(clients, key=lambda one: one.client_id)
        more = f" and {len(clients) - 1} more" if len(clients) > 1 else ""
        return Identity(
            vendor_account_id=first.client_id, display_name=f"{first.name}{more}"
        )

    def describe_fields(self) -> Operation[tuple[Field, ...]]:
        """Read the custom fields of all lists."""
        return fields.describe((yield from self._catalogue.describe()))

    def list_containers(self) -> Operation[tuple[Container, ...]]:
        """Read the lists."""
        return self._catalogue.containers()

    def scan(self, cursor: str | None) -> Operation[Page]:
        """Read one page of everybody who is not deleted."""
        return self._reader.scan(cursor)

    def changes(self, cursor: str) -> Operation[Page]:
        """Read one page of what changed."""
        return self._reader.changes(cursor)

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        """Read subscribers by list and address, one a call."""
        return self._reader.get(record_ids)

    def find_by_email(self, emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        """Read whoever has one of these addresses, on any list."""
        return self._reader.find_by_email(emails)

    def find_by_markers(
        self, _markers: Sequence[str]
    ) -> Operation[Mapping[str, Record]]:
        """Find nothing: a subscriber has no place for a mark of ours."""
        yield from ()
        return {}

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        """Put one person on a list, by an import: that is done at once."""
        (result,) = yield from self._writer.create_many((new,))
        return result

    def create_many(
        self, news: Sequence[NewRecord]
    ) -> Operation[tuple[CreateResult, ...]]:
        """Put people on lists, a thousand a call."""
        return self._writer.create_many(news)

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Change one subscriber; what is not mentioned stays."""
        return self._writer.update(snapshot, change)
