"""What an app's ``manifest.toml`` may say, checked strictly when it is read."""

from pathlib import Path

import msgspec

from proto.connector import App, AuthMethod, Capabilities, OAuthFacts
from proto.ids import AppId


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the app's vendor allows, per vendor account."""

    calls_per_second: float
    calls_per_day: int | None = None
    concurrent_calls: int = 4
    page_size: int = 500
    timeout_s: float = 30.0
    """How long an answer may take before the call counts as unanswered."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An app's facts: hosts, authorisation, limits, capabilities."""

    app: AppId
    name: str
    tier: str
    base_url: str = ""
    """Where the API is; empty when a person gives the address of their server."""
    auth_method: AuthMethod
    oauth: OAuthFacts | None = None
    limits: Limits
    capabilities: Capabilities
    docs_url: str = ""
    headers: dict[str, str] = {}
    """Sent with every call."""

    def as_app(self) -> App:
        """Return what other services may know of the app."""
        return App(
            app=self.app,
            name=self.name,
            tier=self.tier,
            auth_method=self.auth_method,
            oauth=self.oauth,
            capabilities=self.capabilities,
            docs_url=self.docs_url,
        )


def load(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        msgspec.ValidationError: Something is missing, unknown or of another type.
    """
    return msgspec.toml.decode(path.read_bytes(), type=Manifest)
