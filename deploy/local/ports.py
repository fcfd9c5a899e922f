"""Free TCP ports on loopback that stay ours across restarts of a server."""

import random
import socket
from collections import deque
from collections.abc import Collection
from pathlib import Path

from deploy.local.errors import CannotStart

LOOPBACK = "127.0.0.1"
_LOWEST_PORT = 15_000
_EPHEMERAL_START_DEFAULT = 32_768
_TRIES_MAX = 200
_REMEMBERED_MAX = 1_000

_given: deque[int] = deque(maxlen=_REMEMBERED_MAX)
"""What this process chose last: their servers may not listen yet."""


def free_port(besides: Collection[int] = ()) -> int:
    """Return a port nobody listens on, below the range that clients are given.

    It is none of `besides` and none that this process chose before. A port of the
    ephemeral range would be lost while its server is down: a client that reconnects
    may be handed that very port as its own and connect to itself.
    """
    highest = _ephemeral_start() - 1
    for _ in range(_TRIES_MAX):
        # Nothing secret: any port will do.
        port = random.randint(_LOWEST_PORT, highest)  # noqa: S311
        if port not in besides and port not in _given and is_free(port):
            _given.append(port)
            return port
    raise CannotStart(
        part="A local server",
        reason=f"no free port was found between {_LOWEST_PORT} and {highest}.",
        remedy="Stop some of the programs that listen on this machine and try again.",
    )


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of loopback right now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Servers set this too: without it a port just closed would look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _ephemeral_start() -> int:
    try:
        text = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
        start = int(text.split()[0])
    except (OSError, ValueError, IndexError):
        return _EPHEMERAL_START_DEFAULT
    return start if start > _LOWEST_PORT + 1_000 else _EPHEMERAL_START_DEFAULT
