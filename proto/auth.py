"""Messages owned by auth: accounts, authorisation, tokens.

Secrets appear only in replies to the connector and in commands from the api, on
subjects that only those two may use.
"""

import enum
from typing import ClassVar, Self

import msgspec

from proto.base import Command, Done, Event, Instant, Reply
from proto.ids import AccountId, AppId


class AccountState(enum.StrEnum):
    """Where an account is in its life."""

    UNKNOWN = "unknown"
    PENDING = "pending"
    """Credentials are stored but no call has proved them yet."""
    CONNECTED = "connected"
    LOST = "lost"
    """The app refuses the credentials: a person has to authorise again."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class CredentialKind(enum.StrEnum):
    """How a call proves who it is for."""

    UNKNOWN = "unknown"
    BEARER = "bearer"
    BASIC = "basic"
    API_KEY = "api_key"
    """Sent in the header that the app's manifest names."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class Account(Reply, frozen=True, kw_only=True):
    """One authorised login at one app, without its secrets."""

    account_id: AccountId
    app: AppId
    state: AccountState
    vendor_account_id: str = ""
    """The app's stable id of the account; pinned at the first authorisation."""
    display_name: str = ""
    base_url: str = ""
    """Where the app is, for apps whose address a person gives."""
    scopes: tuple[str, ...] = ()
    created_at: Instant | None = None


class Accounts(Reply, frozen=True, kw_only=True):
    """A page of accounts, oldest first."""

    accounts: tuple[Account, ...]
    next_after: AccountId | None = None


class Authorisation(Reply, frozen=True, kw_only=True):
    """Where to send the person, and until when it is worth it."""

    authorise_url: str
    state: str
    """Single use; the callback must bring it back."""
    expires_at: Instant


class Token(Reply, frozen=True, kw_only=True):
    """What one call needs to prove itself. Held in memory only, 60 s at most."""

    kind: CredentialKind
    secret: str
    """The access token, the API key, or the password."""
    username: str = ""
    base_url: str = ""
    version: int
    """Rises with each refresh; a refused token is reported by its version."""
    expires_at: Instant | None = None
    limited_by: str = ""
    """Says nothing but this: tokens of the same client of an app have the same, also
    those of other tenants. Empty where nobody knows, or there is no client."""


class SetAppClient(Command[Done], frozen=True, kw_only=True):
    """Store a tenant's own client id and secret for an app."""

    owner: ClassVar[str] = "auth"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    app: AppId
    client_id: str
    client_secret: str
    authorise_url: str = ""
    """Only where the app's own addresses are replaced (an emulator, a proxy)."""
    token_url: str = ""
    api_url: str = ""


class ClientPart(enum.StrEnum):
    """What of a client can be wrong."""

    UNKNOWN = "unknown"
    SECRET = "secret"  # noqa: S105
    """The client id and its secret."""
    REDIRECT_URI = "redirect_uri"
    SCOPES = "scopes"

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class Verdict(enum.StrEnum):
    """What a check of one part came to."""

    UNKNOWN = "unknown"
    """The app does not say before a person has signed in, or was away."""
    ACCEPTED = "accepted"
    REFUSED = "refused"

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class ClientFinding(msgspec.Struct, frozen=True, kw_only=True):
    """What the app said to one part of a client."""

    part: ClientPart
    verdict: Verdict
    detail: str = ""
    """What to do; empty where it is accepted."""


class ClientChecked(Reply, frozen=True, kw_only=True):
    """What the app says to a tenant's own client, each part once."""

    client_id: str
    findings: tuple[ClientFinding, ...]


class CheckAppClient(Command[ClientChecked], frozen=True, kw_only=True):
    """Ask an app what it thinks of the stored client, before a person is sent there."""

    owner: ClassVar[str] = "auth"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    reply: ClassVar[type[Reply]] = ClientChecked
    app: AppId
    redirect_uri: str


class BeginAuthorisation(Command[Authorisation], frozen=True, kw_only=True):
    """Start the authorisation of a new account, or of a lost one again."""

    owner: ClassVar[str] = "auth"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    reply: ClassVar[type[Reply]] = Authorisation
    app: AppId
    redirect_uri: str
    browser: str
    """A value bound to the person's browser session; the callback must match it."""
    account_id: AccountId | None = None


class CompleteAuthorisation(Command[Account], frozen=True, kw_only=True):
    """Finish an authorisation with what the app sent to the callback."""

    owner: ClassVar[str] = "auth"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    reply: ClassVar[type[Reply]] = Account
    state: str
    browser: str
    code: str = ""
    issuer: str = ""
    error: str = ""
    """The app's error code when the person or the app said no."""


class AddAccount(Command[Account], frozen=True, kw_only=True):
    """Store an account with what its app's form asks for, once a call proves it."""

    owner: ClassVar[str] = "auth"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    reply: ClassVar[type[Reply]] = Account
    app: AppId
    values: dict[str, str]
    """By the names of the app's ``credential_fields``; secrets are among them."""
    account_id: AccountId | None = None
    """An account of before, whose credential is to be replaced."""


class GetAccount(Command[Account], frozen=True, kw_only=True):
    """Read one account."""

    owner: ClassVar[str] = "auth"
    senders: ClassVar[tuple[str, ...]] = ("api", "reconciler", "connector")
    reply: ClassVar[type[Reply]] = Account
    account_id: AccountId


class ListAccounts(Command[Accounts], frozen=True, kw_only=True):
    """Read a page of a tenant's accounts."""

    owner: ClassVar[str] = "auth"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    reply: ClassVar[type[Reply]] = Accounts
    after: AccountId | None = None
    limit: int = 100


class RemoveAccount(Command[Done], frozen=True, kw_only=True):
    """Forget an account and its credentials; nothing happens at the app."""

    owner: ClassVar[str] = "auth"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    account_id: AccountId


class IssueToken(Command[Token], frozen=True, kw_only=True):
    """Ask for a usable token; refreshed first where that is needed."""

    owner: ClassVar[str] = "auth"
    senders: ClassVar[tuple[str, ...]] = ("connector",)
    reply: ClassVar[type[Reply]] = Token
    account_id: AccountId
    version_min: int = 0
    """One more than the version of a token that the app has just refused."""
    accepted_at: Instant | None = None
    """When the app last accepted a call for this account, as far as the sender knows:
    what it refused before that counts no more."""


class AccountConnected(Event, frozen=True, kw_only=True):
    """An account was authorised, for the first time or again."""

    owner: ClassVar[str] = "auth"
    receivers: ClassVar[tuple[str, ...]] = ("connector", "reconciler")
    addressed_by: ClassVar[tuple[str, ...]] = ("account_id",)
    account_id: AccountId
    at: Instant


class AccountLost(Event, frozen=True, kw_only=True):
    """The app refuses the credentials, or they are gone; nothing is read or written."""

    owner: ClassVar[str] = "auth"
    receivers: ClassVar[tuple[str, ...]] = ("connector", "reconciler")
    addressed_by: ClassVar[tuple[str, ...]] = ("account_id",)
    account_id: AccountId
    at: Instant
