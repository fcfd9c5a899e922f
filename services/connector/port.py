"""What an app offers: operations that yield calls and receive answers.

An app does no I/O. Each operation is a generator; ``transport.drive`` runs it.
An operation sees only answers whose status it listed in ``Call.accepts``; for any
other the transport asks ``App.meaning_of`` and raises ``errors.CallFailed``.
"""

import datetime
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Protocol, TypeAlias, TypeVar, runtime_checkable

import msgspec

from proto import codec
from proto.connector import Container
from proto.errors import ErrorCode
from proto.fields import Field, Fields
from proto.ids import ContainerId, FieldId, RecordId
from proto.record import Consent, Memberships, Record
from services.connector.errors import CallFailed, Meaning
from services.connector.manifest import Manifest

ANSWER_BYTES_MAX = 16 * 1024 * 1024
"""A longer answer is cut off by the transport and counts as broken."""

TAKEN_BYTES_MAX = 64 * 1024 * 1024
"""The same for an answer that is taken piece by piece, and never held as a whole."""

T = TypeVar("T")


class Taker(Protocol):
    """Takes the body of an answer as it comes, so that it need not fit into memory."""

    def feed(self, part: bytes, /) -> None:
        """Take the next piece; what is wrong with it is told later, not raised."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request, without credentials; the transport adds those."""

    method: str
    path: str
    """Path (may carry a query string) below the account's base address."""
    from_origin: bool = False
    """The path starts at the root of the base address' host instead, as the links
    that a server hands out do; the host stays the same."""
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    content_type: str = "application/json"
    accepts: tuple[int, ...] = (200,)
    """Statuses that the operation handles itself."""
    is_write: bool = False
    """A write is never repeated: without an answer its outcome is unknown."""
    wait_s: float = 0.0
    """How long to wait before it, as where an app does later what it was asked to."""
    take: Callable[[], Taker] | None = None
    """Makes what the body of a successful answer is fed to; another for each try."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back, with a status that the call accepts."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    """Empty where it was taken."""
    taken: Taker | None = None
    """What the call's ``take`` made, after it was fed all."""

    def decode(self, into: type[T]) -> T:
        """Return the JSON body as ``into``.

        Raises:
            CallFailed: The body is not what the app documents.
        """
        try:
            return codec.decode(self.body, into, bytes_max=ANSWER_BYTES_MAX)
        except codec.Undecodable as err:
            raise CallFailed(Meaning.BROKEN, f"undecodable answer: {err}") from err


Operation: TypeAlias = Generator[Call, Answer, T]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What an app may know of the account it works for; no secrets."""

    base_url: str
    """Origin and path prefix that ``Call.path`` is put behind; no trailing slash."""
    username: str = ""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who the app says the account is."""

    vendor_account_id: str
    display_name: str


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a scan or of changes."""

    records: tuple[Record, ...]
    next: str | None = None
    """Cursor of the next page of this pass; None when this was the last one."""
    resume: str | None = None
    """On the last page: the cursor from which ``changes`` goes on."""
    expected_count: int | None = None
    """Records in all, where the app tells at the start of a scan. A scan that ends
    with far fewer is not believed."""
    left_out_count: int = 0
    """What is in that number and on this page, and is no record for us."""
    is_reread: bool = False
    """On a page of changes: it shows people again of whom nothing tells whether they
    changed, and is no reason to look again sooner."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A record just read, with what the app needs to write it back whole."""

    record: Record
    raw: bytes = b""
    """The app's own form; nobody else looks inside."""


class NewRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record to be created."""

    fields: Fields
    containers: tuple[ContainerId, ...] = ()
    tags: tuple[str, ...] = ()
    consent: Consent = Consent.UNKNOWN
    """At most this much; the app's weakest form where it is unknown."""
    marker: str = ""
    """Unique text of ours (a UUID); kept in the record where the app can."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of a record just read; all else of it stays as it is."""

    fields: Fields = {}
    """Exactly the fields to set; ``None`` clears."""
    memberships: Memberships = Memberships()
    """Containers by id and tags by name."""
    consent: Consent = Consent.UNKNOWN
    """Tighten it to this; unknown leaves it alone. Nothing ever loosens it."""

    def __bool__(self) -> bool:
        """Say whether anything is to be changed."""
        return bool(
            self.fields or self.memberships or self.consent is not Consent.UNKNOWN
        )


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """The write was applied; the record is the app's own answer."""

    record: Record
    is_read_after: bool = False
    """The answer does not tell it, so that it was read by another call after the write:
    somebody may have edited it in between (hazard 37)."""


class Exists(msgspec.Struct, frozen=True, kw_only=True):
    """Not created: the app already has a record with this email or marker."""

    record_id: RecordId


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """Not written: the app's own check says the record is no longer as read."""


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """Not written: there is no such record."""


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Not written: the app does not accept this record."""

    code: ErrorCode
    field_id: FieldId | None = None


class Unsure(msgspec.Struct, frozen=True, kw_only=True):
    """Sent, and the app does not tell of this one: it may be written or not."""


class Alone(msgspec.Struct, frozen=True, kw_only=True):
    """Not created with the others: by itself it is told what becomes of it."""


CreateResult: TypeAlias = Written | Exists | Refused | Unsure
BatchResult: TypeAlias = CreateResult | Alone
UpdateResult: TypeAlias = Written | Moved | Missing | Refused | Unsure


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """One of several updates that go to the app together."""

    snapshot: Snapshot
    change: Change


class App(Protocol):
    """One app, for one account. A class in ``apps/<app>/app.py`` named ``App``."""

    def __init__(self, manifest: Manifest, facts: Facts) -> None:
        """Keep the manifest and the account's facts; no work here."""

    def meaning_of(self, answer: Answer) -> CallFailed:
        """Say what an answer with an unaccepted status means."""

    def verify(self) -> Operation[Identity]:
        """Make the cheapest call that proves the credentials."""

    def describe_fields(self) -> Operation[tuple[Field, ...]]:
        """Read the fields, custom ones included."""

    def list_containers(self) -> Operation[tuple[Container, ...]]:
        """Read the lists, folders or address books."""

    def scan(self, cursor: str | None) -> Operation[Page]:
        """Read one page of every live record; None starts."""

    def changes(self, cursor: str) -> Operation[Page]:
        """Read one page of what changed since a ``resume`` or ``next`` cursor.

        Deleted records come with that presence where the app tells. May repeat
        records that did not change, must not leave out any that did.
        """

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        """Read records by id, in any order, at most ``capabilities.get_batch``.

        An id that the app does not know is ``MISSING``, which proves nothing yet;
        only what the app itself calls deleted is ``DELETED``.
        """

    def find_by_email(self, emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        """Read the live records that have one of these emails, in any spelling."""

    def find_by_markers(
        self, markers: Sequence[str]
    ) -> Operation[Mapping[str, Record]]:
        """Read the records that carry our markers, by marker; none where none can."""

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        """Create one record, with its containers and tags."""

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Change exactly this of a record just read; the rest stays as it is.

        Asked only for what the manifest's capabilities say, and only for what the
        record lacks. A consent that was read is never resent as a looser one.
        """


class BatchApp(App, Protocol):
    """An app that takes several writes in one call, as its manifest says.

    Asked only for two or more. A call that the app refuses as a whole fails with the
    meaning ``REFUSED``, and nothing of it is done; then it is asked for in halves.
    """

    def create_many(
        self, news: Sequence[NewRecord]
    ) -> Operation[tuple[BatchResult, ...]]:
        """Create records; one result each, in their order.

        Asked for where ``capabilities.create_batch`` is above 1, for at most so many.
        Who is to be created alone is created by ``create``, right afterwards or later.
        """

    def update_many(
        self, updates: Sequence[Update]
    ) -> Operation[tuple[UpdateResult, ...]]:
        """Change records, each of them once; one result each, in their order.

        Asked for where ``capabilities.update_batch`` is above 1, for at most so many.
        """


@runtime_checkable
class Selective(Protocol):
    """Has a say in whom ``create_many`` is asked for, where it cannot be anybody."""

    def together(self, news: Sequence[NewRecord]) -> Sequence[Sequence[int]]:
        """Return who may be created with whom, by their places; all others go alone.

        Makes no call, and answers at once.
        """


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody sent to a push address, to the byte; nothing of it is believed."""

    url: str
    """The whole address, as the app knows it."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    method: str = "POST"


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """All that is taken from a push: which accounts to read sooner."""

    vendor_account_ids: tuple[str, ...] = ()
    """Whose records changed, by the app's own ids, where one address serves several
    accounts; otherwise the address says it."""
    sent_at: datetime.datetime | None = None
    """When it was signed, as signed along; every signed push has to say."""


class PushApp(App, Protocol):
    """An app that tells of changes, as its manifest's ``push`` says."""

    @staticmethod
    def hear(push: Push, *, secret: bytes) -> Heard | None:
        """Check a push on its raw body; None where the secret did not sign it.

        Pure, quick, and for whatever bytes: strangers call it. Whether it is too old
        or came before is decided elsewhere.

        Args:
            secret: Empty where the manifest says that pushes are not signed.
        """
