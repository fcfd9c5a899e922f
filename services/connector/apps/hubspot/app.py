"""HubSpot's operations: they yield calls and receive answers."""

from collections.abc import Mapping, Sequence

from proto.connector import Container
from proto.fields import Field
from proto.ids import RecordId
from proto.record import Record
from services.connector.apps.hubspot import answers, fields, wire
from services.connector.apps.hubspot.catalogue import Catalogue
from services.connector.apps.hubspot.reading import Reader
from services.connector.apps.hubspot.writing import Writer
from services.connector.errors import CallFailed
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
    """One HubSpot account.

    Keep it as long as the account is used: it remembers the properties, which are
    otherwise read again before the first contact is.
    """

    def __init__(self, manifest: Manifest, _facts: Facts) -> None:
        self._catalogue = Catalogue()
        self._reader = Reader(self._catalogue, page_size=manifest.limits.page_size)
        self._writer = Writer(self._catalogue)

    def meaning_of(self, answer: Answer) -> CallFailed:
        """Say what an answer with an unaccepted status means."""
        return answers.meaning_of(answer)

    def verify(self) -> Operation[Identity]:
        """Read whose account it is."""
        answer = yield Call(method="GET", path="/account-info/v3/details")
        account = answer.decode(wire.Account)
        name = account.portal_name or f"{account.portal_id} ({account.ui_domain})"
        return Identity(vendor_account_id=str(account.portal_id), display_name=name)

    def describe_fields(self) -> Operation[tuple[Field, ...]]:
        """Read the properties, the vendor's own and those that users defined."""
        return fields.describe((yield from self._catalogue.read()))

    def list_containers(self) -> Operation[tuple[Container, ...]]:
        """Tell none: a contact does not say in which lists it is."""
        yield from ()
        return ()

    def scan(self, cursor: str | None) -> Operation[Page]:
        """Read one page of every contact that is not archived."""
        return self._reader.scan(cursor)

    def changes(self, cursor: str) -> Operation[Page]:
        """Read one page of changes and of deletions."""
        return self._reader.changes(cursor)

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        """Read contacts by id, a hundred a call."""
        return self._reader.get(record_ids)

    def find_by_email(self, emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        """Read the live contacts with these addresses, a hundred a call."""
        return self._reader.find_by_email(emails)

    def find_by_markers(
        self, _markers: Sequence[str]
    ) -> Operation[Mapping[str, Record]]:
        """Find nothing: a contact has no place for a mark of ours."""
        yield from ()
        return {}

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        """Create one contact."""
        return self._writer.create(new)

    def create_many(
        self, news: Sequence[NewRecord]
    ) -> Operation[tuple[CreateResult, ...]]:
        """Create contacts, a hundred a call."""
        return self._writer.create_many(news)

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Change one contact; what is not mentioned stays."""
        return self._writer.update(snapshot, change)

    def update_many(
        self, updates: Sequence[Update]
    ) -> Operation[tuple[UpdateResult, ...]]:
        """Change contacts, a hundred a call."""
        return self._writer.update_many(updates)
