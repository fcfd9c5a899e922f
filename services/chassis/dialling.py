"""The first connection to NATS: waits for the server, and says why there is none.

A wrong key or too old a server does not get better by waiting, so it ends the start.
"""

import asyncio
import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import nats.errors
import nats.js.errors
import nkeys
import structlog
from nats.aio.client import Client

from services.chassis import config
from services.chassis.clock import Clock
from services.chassis.errors import BadConfiguration, BusRefused, BusUnavailable
from services.chassis.tls import Papers

log = structlog.get_logger()

SERVER_VERSION_MIN: Final = (2, 14)
"""Older servers silently ignore settings that we rely on, and have known holes."""
FLUSH_TIMEOUT_S: Final = 10
TRY_S: Final = 5.0
PAUSE_S: Final = 0.25

_REFUSALS: Final = frozenset({10012, 10052, 10074})
"""A consumer's or a stream's settings that cannot be, or not on so few servers.

The server tells these as faults of its own, unlike what it calls a bad request.
"""

_VIOLATION: Final = re.compile(
    r'permissions violation for (?P<act>\w+) to "(?P<subject>[^"]+)"'
)

_AWAY = (
    nats.errors.Error,
    nats.js.errors.Error,
    ConnectionError,
    TimeoutError,
    OSError,
)


class WithoutTls(nats.errors.Error):
    """TLS is wanted, and the server offers none."""


class Unreadable(nats.errors.Error):
    """A file that proves who we are, or who the server is, cannot be read just now."""


class Proof(NamedTuple):
    """The files by which a service and NATS know each other."""

    seed_file: Path | None = None
    papers: Papers | None = None


class InOrder(Client):
    """A client whose ``flush`` ends after the server took all that was sent before.

    The library's own writes its PING to the socket at once, ahead of what is still
    pending: a subscription could begin, or end, after the answer to it. It also takes
    ``tls://`` for a wish, which whoever is in between can take away, and reads files
    once: here they are read for each connection, so that they can be replaced.
    """

    def __init__(self, proof: Proof = Proof()) -> None:  # noqa: B008
        super().__init__()
        self._proof = proof

    async def _process_info(
        self, info: dict[str, Any], initial_connection: bool = False
    ) -> None:
        # Before anything is signed or sent, also when it connects again.
        server = self._current_server
        is_wanted = server is not None and server.uri.scheme == "tls"
        if initial_connection and is_wanted and not info.get("tls_required"):
            raise WithoutTls
        if initial_connection:
            await self._show_again(is_wanted=is_wanted)
        await super()._process_info(info, initial_connection)

    async def _show_again(self, *, is_wanted: bool) -> None:
        seed_file, papers = self._proof
        try:
            if is_wanted and papers is not None:
                self.options["tls"] = await asyncio.to_thread(papers.context)
            if seed_file is not None:
                self._nkeys_seed_str = _read_seed(seed_file, service="")
                self._setup_nkeys_connect()
        except (OSError, BadConfiguration) as err:
            # They were in order at the start: somebody is just replacing them.
            raise Unreadable from err

    async def flush(self, timeout: int = FLUSH_TIMEOUT_S) -> None:  # noqa: ASYNC109
        """Go to the server and back twice: nothing is pending the second time."""
        await super().flush(timeout)
        await super().flush(timeout)


@contextlib.contextmanager
def own_errors() -> Iterator[None]:
    """Turn the client's exceptions into the chassis's."""
    try:
        yield
    except nats.js.errors.APIError as err:
        if isinstance(err, nats.js.errors.BadRequestError) or (
            err.err_code in _REFUSALS
        ):
            raise BusRefused(err.description or type(err).__name__) from err
        raise BusUnavailable(type(err).__name__) from err
    except _AWAY as err:
        raise BusUnavailable(type(err).__name__) from err


def inbox_of(service: str) -> str:
    """Return what the subjects begin with on which a service awaits answers."""
    return f"_INBOX_{service}"


def options(url: str, *, service: str, seed_file: Path | None) -> dict[str, Any]:
    """Return how the client connects, and that it never stops trying.

    Raises:
        BadConfiguration: The seed file cannot be read or holds something else.
    """
    found: dict[str, Any] = {
        "servers": [url],
        "name": f"tandem-{service}",
        "inbox_prefix": inbox_of(service).encode(),
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": 0.25,
        "ping_interval": 5,
        "max_outstanding_pings": 2,
        "allow_reconnect": True,
        "connect_timeout": 2,
    }
    if seed_file is not None:
        found["nkeys_seed_str"] = _read_seed(seed_file, service=service)
    return found


async def dial(
    options: dict[str, Any],
    proof: Proof,
    *,
    service: str,
    heard: list[Exception],
    clock: Clock,
    timeout_s: float,
) -> Client:
    """Return a client that is connected and reconnects by itself for ever.

    ``heard`` is what its error callback was told: the client keeps trying, and says
    nowhere else what goes wrong.

    Raises:
        BusUnavailable: NATS did not answer in that time.
        BadConfiguration: It refuses our key.
    """
    give_up_at = clock.monotonic() + timeout_s
    while True:
        limit_s = max(PAUSE_S, min(TRY_S, give_up_at - clock.monotonic()))
        try:
            with own_errors():
                client = InOrder(proof)
                await asyncio.wait_for(client.connect(**options), timeout=limit_s)
                return client
        except BusUnavailable as err:
            if any("authorization violation" in str(one).lower() for one in heard):
                shown = "PEER_CERTIFICATE" if proof.seed_file is None else "NATS_SEED"
                variable = f"{service.upper()}_{shown}_FILE"
                raise BadConfiguration(
                    [f"NATS refuses this service's key: check {variable}"]
                ) from err
            reason = type(heard[-1]).__name__ if heard else str(err)
            if clock.monotonic() >= give_up_at:
                raise BusUnavailable(reason) from err
            log.info("waiting_for_bus", reason=reason)
            await clock.sleep(PAUSE_S)


def denied_subject(err: Exception) -> str | None:
    """Return the subject that a server's word denies us; None if it denies nothing.

    An answer that comes too late is denied as well, for NATS allows it for a while
    only. Whoever asked has given up by then, so that it is nobody's fault.
    """
    found = _VIOLATION.search(str(err).lower())
    if found is None:
        return None
    is_answer = found["act"] == "publish" and found["subject"].startswith("_inbox_")
    return None if is_answer else found["subject"]


def refuse_old(client: Client) -> None:
    """Refuse a server that lacks what we rely on.

    Raises:
        BadConfiguration: It is too old.
    """
    version = client.connected_server_version
    if (version.major, version.minor) < SERVER_VERSION_MIN:
        wanted = ".".join(map(str, SERVER_VERSION_MIN))
        raise BadConfiguration(
            [f"NATS is {version.major}.{version.minor}; at least {wanted} is needed"]
        )


def _read_seed(path: Path, *, service: str) -> str:
    """Return the seed of a service's key.

    Raises:
        BadConfiguration: The file cannot be read or holds something else.
    """
    seed = config.read_secret(path)
    try:
        nkeys.from_seed(bytearray(seed))
    except (nkeys.NkeysError, ValueError) as err:
        variable = f"{service.upper()}_NATS_SEED_FILE"
        raise BadConfiguration([f"{variable}: {path} holds no nkey seed"]) from err
    return seed.decode("ascii")
