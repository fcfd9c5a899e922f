"""The certificate that a listener of ours shows, as its files hold it at the moment.

Before it is shown it is tried: whoever calls the public name has to take it. One that
is renewed is shown to the next client, without a restart.
"""

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog
from cryptography import x509
from prometheus_client import Gauge

from services.chassis import addresses, tls
from services.chassis.config import Settings
from services.chassis.errors import BadConfiguration

log = structlog.get_logger()

LOOK_S: Final = 5.0
"""How often the files are looked at."""
_ROUNDS: Final = 8
"""More than any handshake has."""

ENDS = Gauge(
    "tandem_certificate_ends_seconds",
    "When a certificate that is shown ends, in seconds since 1970",
    ["setting"],
)


class Files(NamedTuple):
    """Where a certificate is, and whom it has to convince."""

    certificate_file: Path
    key_file: Path
    host: str
    """By which name or address clients call."""
    authority_file: Path | None
    """Whom clients trust; None: whom everybody trusts, as the system has them."""
    prefix: str
    """What its settings begin with, such as ``API_TLS``."""


class Certificate:
    """What a listener shows to its clients."""

    def __init__(self, files: Files) -> None:
        """Load it.

        Raises:
            BadConfiguration: Clients would not take it.
        """
        self._files = files
        self._seen = self._state()
        try:
            self._shown = self._load()
        except OSError as err:
            raise BadConfiguration([_fault(files, err)]) from err
        self.context = tls.server_context(files.certificate_file, files.key_file)
        """What connections are begun with; it hands over to the newest one."""
        self.context.sni_callback = self._hand_over

    async def watch(self) -> None:
        """Show what the files hold from now on, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Take over what is new in the files, if clients would take it."""
        seen = await asyncio.to_thread(self._state)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._shown = await asyncio.to_thread(self._load)
        except OSError as err:
            # The files may be half written: the next look sees the rest of them.
            log.warning("certificate_not_taken", reason=tls.reason_of(err))
            return
        log.info("certificate_taken")

    def _hand_over(self, connection: Any, _name: str | None, _context: Any) -> None:
        connection.context = self._shown

    def _state(self) -> Sequence[tuple[int, int, int]]:
        found = []
        for path in (self._files.certificate_file, self._files.key_file):
            try:
                state = path.stat()
            except OSError:
                continue
            found.append((state.st_mtime_ns, state.st_size, state.st_ino))
        return found

    def _load(self) -> ssl.SSLContext:
        files = self._files
        context = tls.server_context(files.certificate_file, files.key_file)
        convince(context, host=files.host, authority_file=files.authority_file)
        ENDS.labels(f"{files.prefix}_CERTIFICATE_FILE").set(_end(files))
        return context


def convince(shown: ssl.SSLContext, *, host: str, authority_file: Path | None) -> None:
    """Shake hands as a client at ``host`` does, without a network.

    Raises:
        OSError: The client would not take the certificate.
    """
    trusting = ssl.create_default_context(cafile=authority_file)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(to_client, to_server, server_hostname=host)
    server = shown.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(_ROUNDS):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            if side is client:
                return
    raise OSError("the handshake does not end")


def plain_listeners(settings: Settings, *, service: str) -> list[str]:
    """Return what is wrong with the addresses where it listens without TLS."""
    prefix = service.upper()
    return [
        f"{prefix}_{name} is not of this machine alone, and there is no TLS there:"
        f" listen on 127.0.0.1 behind what has it, or, only if the network itself is"
        f" encrypted or is one of this machine, list {host} in {prefix}_UNENCRYPTED"
        for name, host in settings.plain_hosts().items()
        if not addresses.is_loopback(host) and host not in settings.unencrypted
    ]


def faults(
    certificate_file: Path | None, key_file: Path | None, *, url: str, prefix: str
) -> list[str]:
    """Return what is wrong with settings of a certificate among each other."""
    if (certificate_file is None) != (key_file is None):
        return [f"{prefix}_CERTIFICATE_FILE and {prefix}_KEY_FILE need each other"]
    if certificate_file is not None and not url.startswith("https://"):
        return [
            f"{prefix}_CERTIFICATE_FILE is set, and the public address is not https"
        ]
    return []


def _end(files: Files) -> float:
    found = x509.load_pem_x509_certificates(files.certificate_file.read_bytes())
    return found[0].not_valid_after_utc.timestamp()


def _fault(files: Files, err: OSError) -> str:
    fault = f"{files.prefix}_CERTIFICATE_FILE: "
    if not isinstance(err, ssl.SSLCertVerificationError):
        return f"{fault}it or its key cannot be used: {tls.reason_of(err)}"
    fault += f"clients at {files.host} would not take it: {tls.reason_of(err)}"
    if files.authority_file is None:
        fault += (
            ". Give the whole chain; if clients trust an authority of your own, name it"
            f" in {files.prefix}_AUTHORITY_FILE"
        )
    return fault
