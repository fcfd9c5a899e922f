"""Messages owned by the connector: apps, reading accounts, writing records."""

import enum
from collections.abc import Mapping
from typing import ClassVar, Final, Self

import msgspec

from proto.base import Command, Event, Instant, Job, Reply
from proto.errors import ErrorCode
from proto.fields import Field, Fields
from proto.ids import (
    AccountId,
    AppId,
    ConnectionId,
    ContainerId,
    IntentId,
    RecordId,
    ScanId,
)
from proto.places import AddressFacts
from proto.record import Consent, Memberships, Record


class AuthMethod(enum.StrEnum):
    """How an account of the app is authorised."""

    UNKNOWN = "unknown"
    OAUTH = "oauth"
    PASSWORD = "password"  # noqa: S105
    API_KEY = "api_key"
    BEARER = "bearer"
    """A token that a person made at the app, and that does not change by itself."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class OAuthFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What auth must know of an app's authorisation server, from its manifest."""

    authorise_url: str
    token_url: str
    scopes: tuple[str, ...]
    client_auth: str = "basic"
    """``basic`` (header) or ``body``."""
    issuer: str = ""
    """Compared with the callback's ``iss`` where the app sends one."""
    sends_issuer: bool = False
    """The app sends ``iss`` with every callback (RFC 9207): none is a wrong one."""
    rotates_refresh_tokens: bool = True
    address: AddressFacts | None = None


class Capabilities(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an app can do. Decides what is offered; app names never do."""

    detects_deletions: bool = False
    detects_unsubscribes: bool = False
    has_consent: bool = False
    """Records tell their consent."""
    can_unsubscribe: bool = False
    """A record's consent can be tightened by us."""
    can_tag: bool = False
    can_change_containers: bool = False
    """Records can be put into containers and taken out."""
    refuses_duplicate_emails: bool = False
    """A create for an email that exists is refused and names the record."""
    can_find_by_email: bool = False
    keeps_marks: bool = False
    """A new record keeps our mark, by which it is found whatever becomes of it."""
    writes_conditionally: bool = False
    """An update can be made to fail if the record changed since it was read."""
    get_batch: int = 1
    """Records one call can read by id."""
    create_batch: int = 1
    """Records one call can create."""
    update_batch: int = 1
    """Records one call can change."""
    least_consent: Consent = Consent.UNKNOWN
    """How much has to be known of somebody's consent to make a record: subscribed where
    whoever is there gets mail. Creates say no more than this or ``most_consent``."""
    most_consent: Consent = Consent.UNKNOWN
    """How much a create says of it where it is known, and need not be."""
    settle_s: int = 5
    """How long after a lost answer a write may still take effect or stay unseen."""


class CredentialField(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One value that a person gives to authorise an account without a browser."""

    name: str
    """One of ``base_url``, ``username``, and the name of the method's secret."""
    label: str
    is_secret: bool = False
    help: str = ""
    """Where the person finds it at the app."""
    placeholder: str = ""


SECRET_NAMES: Final[Mapping[AuthMethod, str]] = {
    AuthMethod.PASSWORD: "password",
    AuthMethod.API_KEY: "api_key",
    AuthMethod.BEARER: "token",
}
"""What the one secret of a form is called, by method."""


class App(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An app of the catalogue, from its manifest."""

    app: AppId
    name: str
    tier: str
    auth_method: AuthMethod
    oauth: OAuthFacts | None = None
    credential_fields: tuple[CredentialField, ...] = ()
    """What a person gives, in this order; none where a browser does it."""
    capabilities: Capabilities
    docs_url: str = ""


class Apps(Reply, frozen=True, kw_only=True):
    """The catalogue, ordered by name."""

    apps: tuple[App, ...]


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """A list, folder or address book of an account."""

    container_id: ContainerId
    name: str


class AccountDescription(Reply, frozen=True, kw_only=True):
    """What an account offers to a connection."""

    account_id: AccountId
    app: AppId
    fields: tuple[Field, ...]
    containers: tuple[Container, ...]
    capabilities: Capabilities


class VerifiedAccount(Reply, frozen=True, kw_only=True):
    """Who the app says an account is."""

    vendor_account_id: str
    display_name: str


class AccountReading(Reply, frozen=True, kw_only=True):
    """How far an account has been read."""

    account_id: AccountId
    scan_id: ScanId | None = None
    is_scanning: bool = False
    record_count: int = 0
    """Records read by the current scan, or by the last one."""
    expected_count: int | None = None
    calls_today: int = 0
    last_read_at: Instant | None = None
    error: ErrorCode | None = None
    """Why the last attempt to read failed, or every write does."""


class ListApps(Command[Apps], frozen=True, kw_only=True):
    """Read the catalogue of apps."""

    owner: ClassVar[str] = "connector"
    senders: ClassVar[tuple[str, ...]] = ("api", "auth", "reconciler")
    reply: ClassVar[type[Reply]] = Apps


class VerifyAccount(Command[VerifiedAccount], frozen=True, kw_only=True):
    """Call the app once with the account's credentials."""

    owner: ClassVar[str] = "connector"
    senders: ClassVar[tuple[str, ...]] = ("auth",)
    reply: ClassVar[type[Reply]] = VerifiedAccount
    answer_s_max: ClassVar[float] = 30.0
    """The answer comes within this time; a silent app is one that cannot be reached."""
    account_id: AccountId
    app: AppId


class DescribeAccount(Command[AccountDescription], frozen=True, kw_only=True):
    """Read an account's fields and containers from the app."""

    owner: ClassVar[str] = "connector"
    senders: ClassVar[tuple[str, ...]] = ("api", "reconciler")
    reply: ClassVar[type[Reply]] = AccountDescription
    answer_s_max: ClassVar[float] = 30.0
    account_id: AccountId


class ReadAccountProgress(Command[AccountReading], frozen=True, kw_only=True):
    """Ask how far an account has been read."""

    owner: ClassVar[str] = "connector"
    senders: ClassVar[tuple[str, ...]] = ("api", "reconciler")
    reply: ClassVar[type[Reply]] = AccountReading
    account_id: AccountId


class FollowAccount(Job, frozen=True, kw_only=True):
    """Say what an account is needed for. The newest ``asked_at`` wins."""

    owner: ClassVar[str] = "connector"
    senders: ClassVar[tuple[str, ...]] = ("reconciler",)
    addressed_by: ClassVar[tuple[str, ...]] = ("account_id",)
    account_id: AccountId
    app: AppId
    is_wanted: bool
    """False when no live connection uses the account: it is not read then."""
    scan_id: ScanId | None = None
    """A complete scan under this id is wanted, unless it is done already."""
    asked_at: Instant


class ReadNow(Job, frozen=True, kw_only=True):
    """Make a followed account due at once."""

    owner: ClassVar[str] = "connector"
    senders: ClassVar[tuple[str, ...]] = ("reconciler",)
    addressed_by: ClassVar[tuple[str, ...]] = ("account_id",)
    account_id: AccountId


class ReadRecords(Job, frozen=True, kw_only=True):
    """Read records by id, because a scan did not show them."""

    owner: ClassVar[str] = "connector"
    senders: ClassVar[tuple[str, ...]] = ("reconciler",)
    addressed_by: ClassVar[tuple[str, ...]] = ("account_id",)
    account_id: AccountId
    record_ids: tuple[RecordId, ...]
    """At most 500."""
    control_ids: tuple[RecordId, ...] = ()
    """There lately. Where it shows none of them either, nothing counts as missed."""


class ScanPart(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which part of a complete scan a batch of observations is."""

    scan_id: ScanId
    part: int
    """From 0; parts may arrive repeated and in any order."""
    part_count: int | None = None
    """Known with the last part only."""


class ContactsObserved(Event, frozen=True, kw_only=True):
    """Records as an account showed them. May be repeated and reordered."""

    owner: ClassVar[str] = "connector"
    receivers: ClassVar[tuple[str, ...]] = ("reconciler",)
    addressed_by: ClassVar[tuple[str, ...]] = ("account_id",)
    account_id: AccountId
    records: tuple[Record, ...]
    """At most 500, and 512 KiB."""
    read_at: Instant
    """When the call was made that showed them: what was true then, or later."""
    scan: ScanPart | None = None
    is_by_id: bool = False
    """They were read by their ids, which lags behind nothing, as listings may."""


class WriteKind(enum.StrEnum):
    """What a write does to a record."""

    UNKNOWN = "unknown"
    CREATE = "create"
    UPDATE = "update"
    LOOK = "look"
    """Writes nothing: finds out what became of an earlier write."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class SourceSeen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The other side's record as it was when a write was decided that hangs on it."""

    account_id: AccountId
    app: AppId
    record_id: RecordId
    version: str = ""
    fields: Fields = {}
    """Every mapped field and its value."""
    consent: Consent = Consent.UNKNOWN
    """A tighter one by now means that the source has changed."""
    seen_at: Instant
    is_gone: bool = False
    """It was there no more: nothing but that is to be so still."""


class ContactWrite(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One intent, with the conditions under which it may be carried out."""

    intent_id: IntentId
    kind: WriteKind
    record_id: RecordId | None = None
    """The record to update or to look at; for a look without one, see ``emails``."""
    fields: Fields = {}
    """Exactly the fields to set; ``None`` clears."""
    seen: Fields = {}
    """These fields of the target as they were when the write was decided."""
    seen_version: str = ""
    seen_created_at: Instant | None = None
    """When the target was made, by what its app told: an id may be given away."""
    containers: tuple[ContainerId, ...] = ()
    """Where a new record is to be."""
    memberships: Memberships = Memberships()
    """What else to change of the record; what is so already is left alone."""
    consent: Consent = Consent.UNKNOWN
    """For a new record; unknown is written as the app's weakest form. For an update:
    tighten it to this, where it is not as tight."""
    is_urgent: bool = False
    """Goes ahead of other writes: it carries an unsubscribe."""
    emails: tuple[str, ...] = ()
    """Raw addresses by which a create or a look finds an existing record."""
    marker: str = ""
    """Our own mark for a new record, where the app can hold one (a card's UID)."""
    source: SourceSeen | None = None
    not_after: Instant
    """Later than this the write is not begun: it is answered ``stale``."""


class WriteContacts(Job, frozen=True, kw_only=True):
    """Carry out intents against one account. Each is answered exactly once."""

    owner: ClassVar[str] = "connector"
    senders: ClassVar[tuple[str, ...]] = ("reconciler",)
    addressed_by: ClassVar[tuple[str, ...]] = ("account_id",)
    account_id: AccountId
    app: AppId
    connection_id: ConnectionId
    writes: tuple[ContactWrite, ...]
    """At most 500, and 512 KiB."""


class WriteOutcome(enum.StrEnum):
    """What became of one write. The reconciler alone decides what follows."""

    UNKNOWN = "unknown"
    """No answer, or none that tells: it may or may not have been applied."""
    WRITTEN = "written"
    """Applied; ``record`` is the app's own answer, or ``is_read_after``."""
    CHANGED = "changed"
    """Not written: the target is no longer as seen; ``record`` is what it is."""
    SOURCE_CHANGED = "source_changed"
    """Not written: the other side moved; ``source_record`` is what it is."""
    EXISTS = "exists"
    """Not created: ``record`` has the email already. For a look: found."""
    MISSING = "missing"
    """The target is gone. For a look: nothing found."""
    REFUSED = "refused"
    """The app said no to this record, for ``reason``."""
    STALE = "stale"
    """Not begun in time, or its account or record could not be had (``reason``)."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class ContactWritten(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to one ``ContactWrite``."""

    intent_id: IntentId
    kind: WriteKind
    outcome: WriteOutcome
    record: Record | None = None
    source_record: Record | None = None
    reason: ErrorCode | None = None
    field: str = ""
    """The field the app refused, where it says so."""
    sent_at: Instant | None = None
    """When the write itself was sent; None if it never was."""
    read_at: Instant
    """When ``record`` (or ``source_record``) was true."""
    is_searched: bool = False
    """A search found ``record``: like a listing, it may show it some seconds old."""
    is_read_after: bool = False
    """A call after the write read ``record``: it may show what was edited since."""


class ContactsWritten(Event, frozen=True, kw_only=True):
    """Outcomes of writes, in any order."""

    owner: ClassVar[str] = "connector"
    receivers: ClassVar[tuple[str, ...]] = ("reconciler",)
    addressed_by: ClassVar[tuple[str, ...]] = ("account_id",)
    account_id: AccountId
    connection_id: ConnectionId
    results: tuple[ContactWritten, ...]
