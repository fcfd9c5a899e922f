"""Mailchimp's operations: they yield calls and receive answers."""

from collections.abc import Mapping, Sequence

from proto.connector import Container
from proto.fields import Field
from proto.ids import ContainerId, RecordId
from proto.record import Record
from services.connector.apps.mailchimp import answers, fields, wire
from services.connector.apps.mailchimp.audiences import Catalogue, MemberFields
from services.connector.apps.mailchimp.reading import Reader
from services.connector.apps.mailchimp.writing import Writer
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


class App:
    """One Mailchimp account, with all its audiences.

    Keep it as long as the account is used: it remembers the audiences and their merge
    fields, which are otherwise read again before the first member is.
    """

    def __init__(self, manifest: Manifest, _facts: Facts) -> None:
        self._catalogue = Catalogue()
        self._reader = Reader(self._catalogue, page_size=manifest.limits.page_size)
        self._writer = Writer(self._catalogue, self._reader)

    def meaning_of(self, answer: Answer) -> CallFailed:
        """Say what an answer with an unaccepted status means."""
        return answers.meaning_of(answer)

    def verify(self) -> Operation[Identity]:
        """Read whose account it is."""
        query = (("fields", "account_id,account_name"),)
        answer = yield Call(method="GET", path="/", query=query)
        account = answer.decode(wire.Account)
        return Identity(
            vendor_account_id=account.account_id,
            display_name=account.account_name or account.account_id,
        )

    def describe_fields(self) -> Operation[tuple[Field, ...]]:
        """Read the merge fields of all audiences."""
        audiences = yield from self._catalogue.read()
        found: dict[str, MemberFields] = {}
        for list_id in audiences:
            found[list_id] = yield from self._catalogue.fields_of(list_id)
        return fields.describe(found.values())

    def list_containers(self) -> Operation[tuple[Container, ...]]:
        """Read the audiences."""
        audiences = yield from self._catalogue.read()
        return tuple(
            Container(container_id=ContainerId(one.list_id), name=one.name)
            for one in audiences.values()
        )

    def scan(self, cursor: str | None) -> Operation[Page]:
        """Read one page of every member who is not archived."""
        return self._reader.scan(cursor)

    def changes(self, cursor: str) -> Operation[Page]:
        """Read one page of changes, and of who was archived."""
        return self._reader.changes(cursor)

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        """Read members by id, one a call."""
        return self._reader.get(record_ids)

    def find_by_email(self, emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        """Read who has these addresses, one address and audience a call."""
        return self._reader.find_by_email(emails)

    def find_by_markers(
        self, _markers: Sequence[str]
    ) -> Operation[Mapping[str, Record]]:
        """Find nothing: a member has no place for a mark that nobody sees."""
        yield from ()
        return {}

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        """Create one member."""
        return self._writer.create(new)

    def create_many(
        self, news: Sequence[NewRecord]
    ) -> Operation[tuple[CreateResult, ...]]:
        """Create members, five hundred a call."""
        return self._writer.create_many(news)

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Change one member; what is not mentioned stays."""
        return self._writer.update(snapshot, change)
