"""The connector's settings: pace, leases and what may wait."""

from typing import Annotated

from msgspec import Meta

from services.chassis import addresses
from services.chassis.config import Count, Seconds, SecondsOrNone, Settings
from services.chassis.errors import BadConfiguration


class Config(Settings, frozen=True, kw_only=True):
    """Read from ``CONNECTOR_*`` variables."""

    poll_interval_s: Seconds = 300.0
    """How often a quiet account is read; a tenth of it while it changes."""
    request_timeout_s: SecondsOrNone = 0.0
    """Longest wait for an app's answer; 0 takes what its manifest says."""
    calls_per_second_max: Annotated[float, Meta(ge=0)] | None = None
    """Replaces every manifest's pace; 0 means no limit, not even the daily one."""
    concurrent_calls_max: Annotated[int, Meta(ge=0)] = 0
    """Replaces every manifest's number of calls at once; 0 takes the manifest's."""
    accounts_at_once_max: Count = 16
    """Accounts that this process reads at once; it writes to as many more."""
    calls_at_once_max: Count = 256
    idle_s: Seconds = 0.5
    """How often a replica with nothing to do looks for due accounts."""
    lease_s: Seconds = 30.0
    """How long an account stays with a process that no longer says anything."""
    observations_waiting_max: Count = 64
    """Messages of an account without a receipt, above which it is not read on."""
    description_age_s_max: SecondsOrNone = 60.0
    """How long an account's fields and lists are answered from memory."""
    private_addresses: tuple[str, ...] = ()
    """Networks and host names that accounts may be at although they are not public."""

    def __post_init__(self) -> None:
        """Refuse what can never work, every fault at once."""
        faults = addresses.faults(
            self.private_addresses, variable="CONNECTOR_PRIVATE_ADDRESSES"
        )
        if faults:
            raise BadConfiguration(faults)
