"""A NATS server of the user's own, looked at before anything relies on it."""

import asyncio
import json
from urllib.parse import urlsplit

from deploy.local.errors import CannotStart

GREETING_TIMEOUT_S = 5.0
OLDEST_VERSION = (2, 14)
"""Older servers drop options that the services need, or have known holes."""
_PORT_DEFAULT = 4222
_GREETING_BYTES_MAX = 64 * 1024


async def check_nats(urls: str) -> None:
    """Read the greeting of the first server that answers; refuse what cannot work."""
    faults = []
    for url in urls.split(","):
        try:
            async with asyncio.timeout(GREETING_TIMEOUT_S):
                greeting = await _greeting(url.strip())
        except (OSError, ValueError) as err:
            faults.append(f"{_without_login(url)}: {str(err) or 'no answer in time'}")
            continue
        _judge(greeting)
        return
    raise CannotStart(
        part="NATS",
        reason=f"NATS_URL cannot be reached ({'; '.join(faults)}).",
        remedy=(
            "Check that the server runs and that the address is right, or unset"
            " NATS_URL to use an embedded server."
        ),
    )


async def _greeting(url: str) -> dict[str, object]:
    parts = urlsplit(url if "://" in url else f"nats://{url}")
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port or _PORT_DEFAULT, limit=_GREETING_BYTES_MAX
    )
    try:
        kind, _, text = (await reader.readline()).partition(b" ")
    finally:
        writer.close()
    greeting = json.loads(text) if kind == b"INFO" else None
    if not isinstance(greeting, dict):
        raise ValueError("what listens there is not NATS")
    return greeting


def _judge(greeting: dict[str, object]) -> None:
    version = str(greeting.get("version", ""))
    try:
        numbers = tuple(int(number) for number in version.split(".")[:2])
    except ValueError:
        numbers = ()
    if numbers < OLDEST_VERSION:
        oldest = ".".join(str(number) for number in OLDEST_VERSION)
        raise CannotStart(
            part="NATS",
            reason=f"the server of NATS_URL is version {version or 'unknown'}.",
            remedy=f"Use NATS {oldest} or newer.",
        )
    if greeting.get("jetstream") is not True:
        raise CannotStart(
            part="NATS",
            reason="the server of NATS_URL runs without JetStream.",
            remedy="Start it with deploy/nats/nats.conf, or with `--jetstream`.",
        )


def _without_login(url: str) -> str:
    return url.strip().rpartition("@")[2].rpartition("/")[2]
