"""An app of two halves, as most are: one reads, the other writes.

The app itself says whose account it is, what an answer means and which fields there
are. What both halves remember of the account is given to both. An app whose vendor has
lists, or a place for our marks, says so in place of what is here.
"""

from collections.abc import Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from proto.connector import Container
from proto.ids import RecordId
from proto.record import Record
from services.connector.port import (
    BatchResult,
    Change,
    CreateResult,
    NewRecord,
    Operation,
    Page,
    Snapshot,
    Update,
    UpdateResult,
)


class Reads(Protocol):
    """The half that reads; its operations are those of ``port.App``."""

    def scan(self, cursor: str | None) -> Operation[Page]:
        """Read one page of every live record."""

    def changes(self, cursor: str) -> Operation[Page]:
        """Read one page of what changed."""

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        """Read records by id."""

    def find_by_email(self, emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        """Read the live records that have one of these emails."""


class Writes(Protocol):
    """The half that writes one record at a time."""

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        """Create one record."""

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Change exactly this of a record."""


class CreatesMany(Writes, Protocol):
    """Creates may go together."""

    def create_many(
        self, news: Sequence[NewRecord]
    ) -> Operation[tuple[BatchResult, ...]]:
        """Create records; one result each, in their order."""


class WritesMany(CreatesMany, Protocol):
    """Creates and updates may go together."""

    def update_many(
        self, updates: Sequence[Update]
    ) -> Operation[tuple[UpdateResult, ...]]:
        """Change records; one result each, in their order."""


W = TypeVar("W", bound=Writes)
C = TypeVar("C", bound=CreatesMany)
M = TypeVar("M", bound=WritesMany)


class Halves(Generic[W]):
    """An app that writes one record a call."""

    def __init__(self, reader: Reads, writer: W) -> None:
        self._reader = reader
        self._writer = writer

    def list_containers(self) -> Operation[tuple[Container, ...]]:
        """Tell none."""
        yield from ()
        return ()

    def scan(self, cursor: str | None) -> Operation[Page]:
        """Read one page of every live record."""
        return self._reader.scan(cursor)

    def changes(self, cursor: str) -> Operation[Page]:
        """Read one page of what changed."""
        return self._reader.changes(cursor)

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        """Read records by id."""
        return self._reader.get(record_ids)

    def find_by_email(self, emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        """Read the live records that have one of these emails."""
        return self._reader.find_by_email(emails)

    def find_by_markers(
        self, _markers: Sequence[str]
    ) -> Operation[Mapping[str, Record]]:
        """Find nothing: there is no place for our marks, or nothing looks for them."""
        yield from ()
        return {}

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        """Create one record."""
        return self._writer.create(new)

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Change one record; what is not mentioned stays."""
        return self._writer.update(snapshot, change)


class CreatingHalves(Halves[C], Generic[C]):
    """An app that creates several records a call, and changes one."""

    def create_many(
        self, news: Sequence[NewRecord]
    ) -> Operation[tuple[BatchResult, ...]]:
        """Create records, as many a call as the manifest says."""
        return self._writer.create_many(news)


class WritingHalves(CreatingHalves[M], Generic[M]):
    """An app that creates and changes several records a call."""

    def update_many(
        self, updates: Sequence[Update]
    ) -> Operation[tuple[UpdateResult, ...]]:
        """Change records, as many a call as the manifest says."""
        return self._writer.update_many(updates)
