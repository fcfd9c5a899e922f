"""The installation that the demo and the end-to-end tests run on.

The emulator holds nobody to the vendor's 4 calls a second, so that both are short.
"""

import re
import shutil
from collections.abc import Mapping
from typing import Final

import aiohttp

from deploy.local import keys
from deploy.local.errors import CannotStart
from deploy.local.layout import Layout
from deploy.local.programs import Options
from deploy.local.supervisor import Supervisor

CLIENT_ID: Final = "tandem-demo"
ACCOUNTS: Final = ("Blumen & Café", "Second Shop")
MARKER: Final = "made-by-the-demo"
"""The file that says whose folder it is, and that it may be emptied."""
_CALLS: Final = re.compile(
    r'^tandem_connector_calls_total{app="(\w+)"[^}]*} ([0-9.e+]+)$', re.MULTILINE
)
SERVICES: Final[Mapping[str, Mapping[str, str]]] = {
    "connector": {
        "CONNECTOR_CALLS_PER_SECOND_MAX": "0",
        "CONNECTOR_POLL_INTERVAL_S": "30",
    },
    "api": {"API_REQUESTS_PER_MINUTE_MAX": "6000"},
}


def clear(layout: Layout) -> None:
    """Start from nothing, so that the figures mean something; delete only our own.

    An installation that holds somebody's connections has no marker.
    """
    if layout.holder() is not None:
        return
    marker = layout.root / MARKER
    if layout.root.is_dir():
        if not marker.exists() and any(layout.root.iterdir()):
            raise CannotStart(
                part="The demo",
                reason=f"{layout.root} holds other things.",
                remedy="Name a --directory that is empty or not there yet.",
            )
        shutil.rmtree(layout.root)
    layout.prepare()
    marker.touch()


def options(layout: Layout) -> Options:
    """Return the options of a supervisor with emulator and address book."""
    return Options(
        demo=True,
        environment=SERVICES,
        emulator_arguments=(
            *("--client-id", CLIENT_ID),
            # Joined, because a secret may begin with a dash.
            f"--client-secret={client_secret(layout)}",
            *("--requests-per-second", "unlimited"),
            *("--requests-per-day", "unlimited"),
            *(part for name in ACCOUNTS for part in ("--account", name)),
        ),
    )


async def count_calls(
    session: aiohttp.ClientSession, system: Supervisor
) -> dict[str, int]:
    """Return how many calls Tandem has made to each app, by its own count."""
    url = system.operations_url("connector") + "/metrics"
    async with session.get(url) as answer:
        found: dict[str, int] = {}
        for app, count in _CALLS.findall(await answer.text()):
            found[app] = found.get(app, 0) + int(float(count))
    return found


def client(layout: Layout, emulator: str) -> dict[str, str]:
    """Return the body that makes the emulator's client known to Tandem."""
    return {
        "client_id": CLIENT_ID,
        "client_secret": client_secret(layout),
        "authorise_url": f"{emulator}/oauth2/default/v1/authorize",
        "token_url": f"{emulator}/oauth2/default/v1/token",
        "api_url": f"{emulator}/v3",
    }


def client_secret(layout: Layout) -> str:
    """Return the client secret that both the emulator and Tandem are given."""
    return keys.password(layout.keys, "emulator-client")
