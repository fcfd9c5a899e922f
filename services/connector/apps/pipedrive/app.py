"""Pipedrive's operations: they yield calls and receive answers."""

from collections.abc import Mapping, Sequence

from proto.connector import Container
from proto.fields import Field
from proto.ids import RecordId
from proto.record import Record
from services.connector.apps.pipedrive import answers, fields, wire
from services.connector.apps.pipedrive.catalogue import Catalogue
from services.connector.apps.pipedrive.reading import Reader
from services.connector.apps.pipedrive.writing import Writer
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
    UpdateResult,
)

WHO_PATH = "/api/v1/users/me"
"""The newer version of the API has no users."""


class App:
    """One Pipedrive company, as far as who authorised may see it.

    Keep it as long as the account is used: it remembers the fields.
    """

    def __init__(self, manifest: Manifest, _facts: Facts) -> None:
        self._catalogue = Catalogue()
        self._reader = Reader(self._catalogue, page_size=manifest.limits.page_size)
        self._writer = Writer(self._catalogue)

    def meaning_of(self, answer: Answer) -> CallFailed:
        """Say what an answer with an unaccepted status means."""
        return answers.meaning_of(answer)

    def verify(self) -> Operation[Identity]:
        """Read who authorised, and of which company."""
        answer = yield Call(method="GET", path=WHO_PATH, from_origin=True)
        user = answer.decode(wire.OneUser).data
        company_id = str(user.company_id)
        return Identity(
            vendor_account_id=company_id, display_name=user.company_name or company_id
        )

    def describe_fields(self) -> Operation[tuple[Field, ...]]:
        """Read the fields, those that users defined included."""
        return fields.describe((yield from self._catalogue.read()))

    def list_containers(self) -> Operation[tuple[Container, ...]]:
        """Tell none: persons are in no lists."""
        yield from ()
        return ()

    def scan(self, cursor: str | None) -> Operation[Page]:
        """Read one page of everybody who is not deleted."""
        return self._reader.scan(cursor)

    def changes(self, cursor: str) -> Operation[Page]:
        """Read one page of who changed."""
        return self._reader.changes(cursor)

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        """Read persons by id, a hundred a call."""
        return self._reader.get(record_ids)

    def find_by_email(self, emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        """Read the live persons with these addresses."""
        return self._reader.find_by_email(emails)

    def find_by_markers(
        self, _markers: Sequence[str]
    ) -> Operation[Mapping[str, Record]]:
        """Find nothing: a person has no place for a mark of ours."""
        yield from ()
        return {}

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        """Create one person."""
        return self._writer.create(new)

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Change one person; what is not mentioned stays."""
        return self._writer.update(snapshot, change)
