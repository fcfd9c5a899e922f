"""Settings of auth, read from ``AUTH_*``."""

from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta

from services.chassis import addresses
from services.chassis.config import Seconds, SecondsOrNone, Settings
from services.chassis.errors import BadConfiguration

TOKEN_TIMEOUT_S_MAX: Final = 20
"""Nobody who waits for a token, or for a new account, waits for a slower app."""


class Config(Settings, frozen=True, kw_only=True):
    """What auth needs besides what every service needs."""

    key_ring_file: Path
    """The keys that credentials are encrypted with; see ``vault``."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts besides the installed apps' own that app clients may name: names,
    ``*.example.org`` for all below one, or ``*`` for all that are public."""
    private_addresses: tuple[str, ...] = ()
    """Networks and host names that app clients may name although not public."""
    authorise_hosts: tuple[str, ...] = ()
    """Hosts besides an app's own that its clients may send people's browsers to."""
    authorisation_age_s_max: Seconds = 600.0
    """How long a person may take between the start and the callback."""
    refresh_margin_s: SecondsOrNone = 120.0
    """How long before its expiry a token is renewed: this or up to half of it more,
    another for each account, and half the token's life at most."""
    refresh_timeout_s: Annotated[float, Meta(gt=0, le=TOKEN_TIMEOUT_S_MAX)] = 15.0
    """How long an app's token endpoint may take."""
    refresh_lease_s: Seconds = 30.0
    """How long one replica alone may refresh a credential; more than the timeout."""
    refresh_pause_s: Seconds = 10.0
    """How long nobody asks again when the app did not take a refresh."""
    refusal_confirm_s: Seconds = 60.0
    """A refused or unanswered refresh is tried once more, not before this time."""

    def __post_init__(self) -> None:
        """Refuse what can never work, every fault at once."""
        faults = addresses.faults(
            self.private_addresses, variable="AUTH_PRIVATE_ADDRESSES"
        )
        faults += addresses.faults_of_hosts(
            self.allowed_hosts, variable="AUTH_ALLOWED_HOSTS"
        )
        if self.refresh_lease_s <= self.refresh_timeout_s:
            faults += ["AUTH_REFRESH_LEASE_S must be more than AUTH_REFRESH_TIMEOUT_S"]
        if faults:
            raise BadConfiguration(faults)
