"""What an app's ``manifest.toml`` may say, checked strictly when it is read."""

import enum
from pathlib import Path

import msgspec

from proto.connector import (
    SECRET_NAMES,
    App,
    AuthMethod,
    Capabilities,
    CredentialField,
    OAuthFacts,
)
from proto.ids import AppId


class CountedBy(enum.StrEnum):
    """Whose calls a vendor counts together."""

    ACCOUNT = "account"
    CLIENT = "client"
    """All accounts that one client is authorised for, whosever they are."""


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the app's vendor allows, and whom it counts."""

    counted_by: CountedBy = CountedBy.ACCOUNT
    """Of the second and of the day; calls under way are always an account's."""
    calls_per_second: float
    calls_per_day: int | None = None
    concurrent_calls: int = 4
    concurrent_writes: int | None = None
    """How many of them may be writes; None: all of them."""
    page_size: int = 500
    timeout_s: float = 30.0
    """How long an answer may take before the call counts as unanswered."""


class PushAddress(enum.StrEnum):
    """Whose the address is that an app pushes to."""

    ACCOUNT = "account"
    CLIENT = "client"
    """One for all accounts of a tenant's client; each push names the account."""


class PushProof(enum.StrEnum):
    """What proves a push, besides the address that nobody can guess."""

    NONE = "none"
    GIVEN = "given"
    """A secret that we make, and the app is given along with the address."""
    CLIENT = "client"
    """The secret of the tenant's client."""


class PushFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the app tells of changes."""

    address: PushAddress = PushAddress.ACCOUNT
    signed_with: PushProof = PushProof.NONE
    asks_by_get: bool = False
    """The app asks by GET whether the address is there before it uses it."""
    shown_after_s: float = 0.0
    """How long a listing may leave out what was pushed already; after so long it is
    read once more."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An app's facts: hosts, authorisation, limits, capabilities."""

    app: AppId
    name: str
    tier: str
    base_url: str = ""
    """Where the API is; empty when a person gives the address of their server, or the
    app names one for each account."""
    hosts: tuple[str, ...] = ()
    """Hosts at or below which accounts are that have addresses of their own."""
    auth_method: AuthMethod
    oauth: OAuthFacts | None = None
    credential_fields: tuple[CredentialField, ...] = ()
    """What a person gives where no browser authorises; shown in this order."""
    key_header: str = "Authorization"
    """The header that carries an API key, behind ``key_prefix``."""
    key_prefix: str = ""
    limits: Limits
    capabilities: Capabilities
    docs_url: str = ""
    headers: dict[str, str] = {}
    """Sent with every call."""
    push: PushFacts | None = None
    """None where the app tells nothing, or is not listened to."""

    def __post_init__(self) -> None:
        """Check that the form asks for what the method needs, and for no more."""
        names = [field.name for field in self.credential_fields]
        if len(set(names)) < len(names):
            raise ValueError("credential_fields has a name twice")
        if set(names) != self._needed_names():
            needed = ", ".join(sorted(self._needed_names())) or "nothing"
            raise ValueError(f"credential_fields must ask for: {needed}")
        secret = SECRET_NAMES.get(self.auth_method)
        if any(
            field.is_secret != (field.name == secret)
            for field in self.credential_fields
        ):
            raise ValueError(f"of credential_fields {secret} alone is secret")
        if (
            self.limits.counted_by is CountedBy.CLIENT
            and self.auth_method is not AuthMethod.OAUTH
        ):
            raise ValueError("limits are counted by a client that this method has not")
        if (
            self.push is not None
            and self.push.signed_with is PushProof.CLIENT
            and self.auth_method is not AuthMethod.OAUTH
        ):
            raise ValueError("push is signed with a client that this method has not")

    def _needed_names(self) -> set[str]:
        secret = SECRET_NAMES.get(self.auth_method)
        if secret is None:
            return set()
        needed = {secret}
        if self.auth_method is AuthMethod.PASSWORD:
            needed.add("username")
        if not self.base_url:
            needed.add("base_url")
        return needed

    def urls(self) -> tuple[str, ...]:
        """Return where accounts can be: servers, a star standing for all below one."""
        told = self.oauth.address if self.oauth else None
        below = (*self.hosts, *(told.hosts if told else ()))
        stars = (f"https://{star}{host}" for host in below for star in ("", "*."))
        return (*((self.base_url,) if self.base_url else ()), *stars)

    def as_app(self) -> App:
        """Return what other services may know of the app."""
        return App(
            app=self.app,
            name=self.name,
            tier=self.tier,
            auth_method=self.auth_method,
            oauth=self.oauth,
            credential_fields=self.credential_fields,
            capabilities=self.capabilities,
            docs_url=self.docs_url,
        )


def load(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        msgspec.ValidationError: Something is missing, unknown or of another type.
    """
    return msgspec.toml.decode(path.read_bytes(), type=Manifest)
