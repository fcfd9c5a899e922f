"""Settings of auth, read from ``AUTH_*``."""

from pathlib import Path

from services.chassis import addresses
from services.chassis.config import Settings
from services.chassis.errors import BadConfiguration


class Config(Settings, frozen=True, kw_only=True):
    """What auth needs besides what every service needs."""

    key_ring_file: Path
    """The keys that credentials are encrypted with; see ``vault``."""
    private_addresses: tuple[str, ...] = ()
    """Networks and host names that app clients may name although not public."""
    authorisation_age_s_max: int = 600
    """How long a person may take between the start and the callback."""
    refresh_margin_s: int = 120
    """How long before its expiry a token is renewed; half its life at most."""
    refresh_timeout_s: float = 15.0
    """How long an app's token endpoint may take."""
    refresh_lease_s: float = 30.0
    """How long one replica alone may refresh a credential; more than the timeout."""
    refresh_pause_s: float = 10.0
    """How long nobody asks again when the app did not take a refresh."""
    refusal_confirm_s: float = 60.0
    """A refused or unanswered refresh is tried once more, not before this time."""

    def __post_init__(self) -> None:
        """Refuse what can never work, every fault at once."""
        faults = addresses.faults(
            self.private_addresses, variable="AUTH_PRIVATE_ADDRESSES"
        )
        if faults:
            raise BadConfiguration(faults)
