"""ActiveCampaign's operations: they yield calls and receive answers."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from proto.connector import Container
from proto.fields import Field
from proto.ids import ContainerId, RecordId
from proto.record import Record
from services.connector.apps.activecampaign import answers, fields, wire
from services.connector.apps.activecampaign.catalogue import Catalogue
from services.connector.apps.activecampaign.reading import Reader
from services.connector.apps.activecampaign.writing import Writer
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

API_PATH = "/api/3"


class App:
    """One ActiveCampaign account.

    Keep it as long as the account is used: it remembers custom fields, lists and tags.
    """

    def __init__(self, manifest: Manifest, facts: Facts) -> None:
        # People copy an address with the path or, as the vendor shows it, without.
        self._prefix = "" if facts.base_url.endswith(API_PATH) else API_PATH
        self._host = (urlsplit(facts.base_url).netloc.rpartition("@")[2]).lower()
        self._catalogue = Catalogue(self._prefix)
        self._reader = Reader(
            self._catalogue, prefix=self._prefix, page_size=manifest.limits.page_size
        )
        self._writer = Writer(self._catalogue, self._reader, prefix=self._prefix)

    def meaning_of(self, answer: Answer) -> CallFailed:
        """Say what an answer with an unaccepted status means."""
        return answers.meaning_of(answer)

    def verify(self) -> Operation[Identity]:
        """Read whose key it is; an account is known by its host."""
        answer = yield Call(method="GET", path=f"{self._prefix}/users/me")
        user = answer.decode(wire.OneUser).user
        who = user.email or user.username
        name = f"{who} at {self._host}" if who else self._host
        return Identity(vendor_account_id=self._host, display_name=name)

    def describe_fields(self) -> Operation[tuple[Field, ...]]:
        """Read the custom fields; the others are the same in every account."""
        return fields.describe((yield from self._catalogue.read()))

    def list_containers(self) -> Operation[tuple[Container, ...]]:
        """Read the lists."""
        lists = yield from self._catalogue.read_lists()
        return tuple(
            Container(container_id=ContainerId(list_id), name=name)
            for list_id, name in lists.items()
        )

    def scan(self, cursor: str | None) -> Operation[Page]:
        """Read one page of everybody."""
        return self._reader.scan(cursor)

    def changes(self, cursor: str) -> Operation[Page]:
        """Read one page of changes, and of who unsubscribed."""
        return self._reader.changes(cursor)

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        """Read contacts by id, a hundred a call."""
        return self._reader.get(record_ids)

    def find_by_email(self, emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        """Read the contacts with these addresses, one address a call."""
        return self._reader.find_by_email(emails)

    def find_by_markers(
        self, _markers: Sequence[str]
    ) -> Operation[Mapping[str, Record]]:
        """Find nothing: a contact has no place for a mark that nobody sees."""
        yield from ()
        return {}

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        """Create one contact."""
        return self._writer.create(new)

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Change one contact; what is not mentioned stays."""
        return self._writer.update(snapshot, change)
