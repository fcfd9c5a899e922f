"""What the REST interface shows: Structs of its own, so that a message may change.

Every field is always present; empty is ``null`` or an empty text or list.
"""

from typing import TypeVar

import msgspec

from proto.auth import AccountState, ClientChecked, ClientPart, Verdict
from proto.base import Instant, Reply
from proto.connector import App, AuthMethod
from proto.fields import FieldKind, Role
from proto.reconciler import ConnectionState, ConnectionStatus, RecordState, Side
from proto.reconciler import RecordView as Contact
from proto.record import Consent
from services.api.content import reasons

V = TypeVar("V", bound="View")


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what is shown."""


def show(value: Reply | msgspec.Struct, into: type[V]) -> V:
    """Return the fields of a message that a view shows."""
    return msgspec.convert(value, into, from_attributes=True)


class CapabilitiesView(View, frozen=True, kw_only=True):
    """What an app can do."""

    detects_deletions: bool
    detects_unsubscribes: bool
    has_consent: bool
    can_unsubscribe: bool
    can_tag: bool
    can_change_containers: bool
    can_find_by_email: bool
    refuses_duplicate_emails: bool
    writes_conditionally: bool
    least_consent: Consent
    most_consent: Consent


class CredentialFieldView(View, frozen=True, kw_only=True):
    """One value that a person gives for an account of an app."""

    name: str
    label: str
    is_secret: bool
    help: str
    placeholder: str


class AppView(View, frozen=True, kw_only=True):
    """An app that can be connected."""

    app: str
    name: str
    tier: str
    auth_method: AuthMethod
    credential_fields: tuple[CredentialFieldView, ...]
    """What ``POST /v1/accounts`` takes for this app, in the order to ask for it."""
    capabilities: CapabilitiesView
    docs_url: str
    redirect_uri: str | None
    """To be registered at the app with the client id; None where there is no OAuth."""


def show_app(app: App, *, redirect_uri: str) -> AppView:
    """Return an app as it is shown."""
    is_oauth = app.auth_method is AuthMethod.OAUTH
    return AppView(
        app=app.app,
        name=app.name,
        tier=app.tier,
        auth_method=app.auth_method,
        credential_fields=tuple(
            show(field, CredentialFieldView) for field in app.credential_fields
        ),
        capabilities=show(app.capabilities, CapabilitiesView),
        docs_url=app.docs_url,
        redirect_uri=redirect_uri if is_oauth else None,
    )


class ClientView(View, frozen=True, kw_only=True):
    """A tenant's own client of an app, without its secret."""

    app: str
    client_id: str
    redirect_uri: str


class FindingView(View, frozen=True, kw_only=True):
    """What the app says to one part of a client."""

    part: ClientPart
    verdict: Verdict
    detail: str


class ClientCheckView(View, frozen=True, kw_only=True):
    """What the app says to a tenant's own client."""

    app: str
    client_id: str
    redirect_uri: str
    verdict: Verdict
    """Refused if any part is, accepted if all are."""
    findings: list[FindingView]


def show_check(
    checked: ClientChecked, *, app: str, redirect_uri: str
) -> ClientCheckView:
    """Return a check as it is shown."""
    verdicts = {finding.verdict for finding in checked.findings}
    verdict = Verdict.UNKNOWN
    if Verdict.REFUSED in verdicts:
        verdict = Verdict.REFUSED
    elif verdicts == {Verdict.ACCEPTED}:
        verdict = Verdict.ACCEPTED
    return ClientCheckView(
        app=app,
        client_id=checked.client_id,
        redirect_uri=redirect_uri,
        verdict=verdict,
        findings=[show(finding, FindingView) for finding in checked.findings],
    )


class AccountView(View, frozen=True, kw_only=True):
    """An authorised login at an app."""

    account_id: str
    app: str
    state: AccountState
    vendor_account_id: str
    display_name: str
    base_url: str
    scopes: tuple[str, ...]
    created_at: Instant | None


class OptionView(View, frozen=True, kw_only=True):
    """One choice of a choice field."""

    option_id: str
    label: str


class FieldView(View, frozen=True, kw_only=True):
    """A field of an account's records."""

    field_id: str
    label: str
    kind: FieldKind
    role: Role
    is_multiple: bool
    is_writable: bool
    options: tuple[OptionView, ...]
    length_max: int
    count_max: int


class ContainerView(View, frozen=True, kw_only=True):
    """A list, folder or address book."""

    container_id: str
    name: str


class DescriptionView(View, frozen=True, kw_only=True):
    """What an account offers to a connection."""

    account_id: str
    app: str
    fields: tuple[FieldView, ...]
    containers: tuple[ContainerView, ...]
    capabilities: CapabilitiesView


class AuthorisationView(View, frozen=True, kw_only=True):
    """An authorisation that was just begun."""

    authorisation_id: str
    authorise_url: str
    expires_at: Instant


class AuthorisationStateView(View, frozen=True, kw_only=True):
    """How an authorisation stands."""

    authorisation_id: str
    app: str
    state: str
    """``waiting``, ``opened``, ``done``, ``failed`` or ``expired``."""
    reason: str
    account_id: str | None
    expires_at: Instant


class CountsView(View, frozen=True, kw_only=True):
    """Contacts by state, and what has been done."""

    in_sync: int
    pending: int
    excluded: int
    duplicate: int
    held: int
    failed: int
    deleted: int
    merged: int
    linked: int
    created_left: int
    created_right: int
    updated_left: int
    updated_right: int
    erased: int


class ProgressView(View, frozen=True, kw_only=True):
    """How far the present scan and sync are."""

    scanned_left: int
    scanned_right: int
    scan_done_left: bool
    scan_done_right: bool
    to_plan: int
    to_write: int
    done: int
    failed: int
    seconds_left: int | None


class TroubleView(View, frozen=True, kw_only=True):
    """Why an account cannot be read at the moment; it is tried again by itself."""

    side: Side
    code: str
    detail: str


class StatusView(View, frozen=True, kw_only=True):
    """State, counts and progress of a connection."""

    connection_id: str
    state: ConnectionState
    attention: str
    attention_detail: str
    """What a person can do about it."""
    attention_side: Side | None
    troubles: tuple[TroubleView, ...]
    counts: CountsView
    progress: ProgressView


def show_status(status: ConnectionStatus) -> StatusView:
    """Return a status as it is shown, with words for what is wrong."""
    errors = ((Side.LEFT, status.left_error), (Side.RIGHT, status.right_error))
    return StatusView(
        connection_id=status.connection_id,
        state=status.state,
        attention=status.attention,
        attention_detail=reasons.sentence(status.attention),
        attention_side=status.attention_side,
        troubles=tuple(
            TroubleView(side=side, code=code.value, detail=reasons.sentence(code.value))
            for side, code in errors
            if code is not None
        ),
        counts=show(status.counts, CountsView),
        progress=show(status.progress, ProgressView),
    )


class LinkView(View, frozen=True, kw_only=True):
    """The bond of two records that a person made."""

    link_id: str


class RecordView(View, frozen=True, kw_only=True):
    """One contact of a connection."""

    link_id: str
    left_record_id: str | None
    right_record_id: str | None
    name: str
    email: str
    state: RecordState
    reason: str
    reason_detail: str
    """What a person can do about it."""
    fields: tuple[str, ...]
    changed_at: Instant


def show_record(record: Contact) -> RecordView:
    """Return a contact as it is shown, with words for why it is not in sync."""
    return RecordView(
        **msgspec.structs.asdict(record), reason_detail=reasons.sentence(record.reason)
    )


class ApiKeyView(View, frozen=True, kw_only=True):
    """An API key without its text."""

    key_id: str
    name: str
    hint: str
    scopes: tuple[str, ...]
    created_at: Instant
    created_by: str
    """The id of a person or a key, or ``command_line``; empty where not known."""
    expires_at: Instant | None
    revoked_at: Instant | None
    last_used_at: Instant | None


class NewApiKeyView(ApiKeyView, frozen=True, kw_only=True):
    """A new API key, the only time that its text is shown."""

    key: str


class PersonView(View, frozen=True, kw_only=True):
    """A person of the tenant."""

    person_id: str
    email: str
    role: str
    created_at: Instant
    last_signed_in_at: Instant | None
    has_second_factor: bool


class SessionView(View, frozen=True, kw_only=True):
    """One session of the person who is signed in."""

    session_id: str
    is_current: bool
    """Whether it is the one that asks."""
    created_at: Instant
    seen_at: Instant
    expires_at: Instant
    remote: str
    browser: str


class SignedInView(View, frozen=True, kw_only=True):
    """Who is signed in, and what they may do."""

    person_id: str
    email: str
    role: str
    scopes: tuple[str, ...]
    session_id: str


class AuditEntryView(View, frozen=True, kw_only=True):
    """One line of the audit log."""

    number: int
    at: Instant
    actor: str
    act: str
    object_id: str
    fields: tuple[str, ...]
    outcome: str
    request_id: str
    remote: str
    digest: str
    """In hexadecimal digits; covers this entry and all before it."""


class PasswordResetView(View, frozen=True, kw_only=True):
    """A link by which a password is chosen anew, shown this once."""

    link: str
    expires_at: Instant
