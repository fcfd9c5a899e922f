"""The connector's settings: pace, leases and what may wait."""

import re
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from msgspec import Meta

from services.chassis import addresses, certificates
from services.chassis.certificates import Certificate, Files
from services.chassis.config import PORT_MAX, Count, Seconds, SecondsOrNone, Settings
from services.chassis.errors import BadConfiguration

_URL: Final = re.compile(r"https?://[\w.\[\]:-]+(/[\w./~-]*[\w~-])?", re.ASCII)


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
    push_port: Annotated[int, Meta(ge=0, le=PORT_MAX)] | None = None
    """Where apps push changes to; none: nowhere, and accounts are polled alone. 0 takes
    a free port."""
    push_host: str = "127.0.0.1"
    push_url: str = ""
    """The origin, and the path before ``/push`` if any, by which apps reach it."""
    push_tls_certificate_file: Path | None = None
    """The certificate for that address, with its chain; without it what speaks TLS is
    in front. It is read anew when it changes, as is its key."""
    push_tls_key_file: Path | None = None
    push_tls_authority_file: Path | None = None
    """Whom apps trust, if that is not whom everybody trusts."""
    push_key_file: Path | None = None
    """The keys that push addresses are made with: base64 of 32 random bytes a line."""
    push_every_s: Seconds = 2.0
    """How soon after a read that a push asked for another one can ask again."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts besides the installed apps' own that accounts may be at: names,
    ``*.example.org`` for all below one, or ``*`` for all that are public."""
    private_addresses: tuple[str, ...] = ()
    """Networks and host names that accounts may be at although they are not public."""

    def __post_init__(self) -> None:
        """Refuse what can never work, every fault at once."""
        faults = addresses.faults(
            self.private_addresses, variable="CONNECTOR_PRIVATE_ADDRESSES"
        )
        faults += addresses.faults_of_hosts(
            self.allowed_hosts, variable="CONNECTOR_ALLOWED_HOSTS"
        )
        if self.push_port is not None:
            faults += self._push_faults()
        if faults:
            raise BadConfiguration(faults)

    def _push_faults(self) -> list[str]:
        faults = []
        if self.push_key_file is None:
            faults.append(
                "CONNECTOR_PUSH_KEY_FILE is not set, as CONNECTOR_PUSH_PORT is"
            )
        if not _URL.fullmatch(self.push_url):
            faults.append(
                "CONNECTOR_PUSH_URL must be where apps reach CONNECTOR_PUSH_PORT,"
                " such as https://tandem.example.org"
            )
        faults += certificates.faults(
            self.push_tls_certificate_file,
            self.push_tls_key_file,
            url=self.push_url,
            prefix="CONNECTOR_PUSH_TLS",
        )
        return faults

    def plain_hosts(self) -> dict[str, str]:
        """Return, by setting, where the connector listens without TLS."""
        is_plain = self.push_port is not None and self.push_tls_certificate_file is None
        more = {"PUSH_HOST": self.push_host} if is_plain else {}
        return {**super().plain_hosts(), **more}


def certificate(settings: Config) -> Certificate | None:
    """Return what is shown to apps that push; None where something in front does that.

    Raises:
        BadConfiguration: They would not take it.
    """
    if settings.push_tls_certificate_file is None or settings.push_tls_key_file is None:
        return None
    return Certificate(
        Files(
            settings.push_tls_certificate_file,
            settings.push_tls_key_file,
            host=urlsplit(settings.push_url).hostname or "",
            authority_file=settings.push_tls_authority_file,
            prefix="CONNECTOR_PUSH_TLS",
        )
    )
