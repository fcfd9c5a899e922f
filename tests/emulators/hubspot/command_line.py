"""The options of the emulator run alone."""

import argparse
import pathlib

from tests.emulators.core.limits import Limits
from tests.emulators.core.oauth import Client, TokenPolicy
from tests.emulators.hubspot.settings import (
    REQUESTS_PER_DAY,
    REQUESTS_PER_WINDOW,
    Behaviour,
    Settings,
)

DEFAULTS = Settings()
PORT_MAX = 65_535
_DESCRIPTION = (
    "Stand in for HubSpot: its OAuth server, the contacts part of its CRM API,"
    " and an administration under /_emulator. One JSON line on standard output says"
    " when it listens and where. Everything is kept in memory. See README.md beside"
    " this program."
)


def parse() -> argparse.Namespace:
    """Read the command line, or end the process with what is wrong with it."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.emulators.hubspot", description=_DESCRIPTION
    )
    _add_place(parser)
    _add_client(parser)
    _add_rules(parser)
    return parser.parse_args()


def settings(options: argparse.Namespace) -> Settings:
    """Return what the emulator starts with."""
    default = DEFAULTS.clients[0]
    return Settings(
        clients=(
            Client(
                client_id=options.client_id,
                client_secret=options.client_secret or None,
                redirect_uris=tuple(options.redirect_uri or default.redirect_uris),
            ),
        ),
        accounts=tuple(options.account or DEFAULTS.accounts),
        limits=Limits(
            requests_per_window=options.requests_per_window,
            requests_per_day=options.requests_per_day,
        ),
        tokens=TokenPolicy(
            access_token_lifetime_s=options.access_token_lifetime_s,
            refresh_token_lifetime_s=DEFAULTS.tokens.refresh_token_lifetime_s,
            is_rotating=False,
        ),
        behaviour=Behaviour(search_lag_s=options.search_lag_s),
        seed=options.seed,
    )


def _add_place(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=_port, default=0, help="port; 0 takes a free one (%(default)s)")
    add(
        "--account",
        action="append",
        metavar="NAME",
        help="name of a vendor account; repeat for several (one by default)",
    )
    add(
        "--seed-file",
        type=pathlib.Path,
        metavar="FILE",
        help="JSON array of contacts for the first account",
    )
    add("--seed", type=int, default=1, help="of all randomness (%(default)s)")


def _add_client(parser: argparse.ArgumentParser) -> None:
    client = DEFAULTS.clients[0]
    add = parser.add_argument
    add("--client-id", default=client.client_id, help="(%(default)s)")
    add(
        "--client-secret",
        default=client.client_secret,
        help="empty for a public client, which must use PKCE (%(default)s)",
    )
    add(
        "--redirect-uri",
        action="append",
        metavar="URI",
        help=f"registered redirect URI; repeat for several ({client.redirect_uris[0]})",
    )


def _add_rules(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--requests-per-window",
        type=_limit,
        default=REQUESTS_PER_WINDOW,
        metavar="N|unlimited",
        help="calls in ten seconds and account (%(default)s)",
    )
    add(
        "--requests-per-day",
        type=_limit,
        default=REQUESTS_PER_DAY,
        metavar="N|unlimited",
        help="calls a day and account (%(default)s)",
    )
    add(
        "--access-token-lifetime-s",
        type=_seconds,
        default=DEFAULTS.tokens.access_token_lifetime_s,
        metavar="SECONDS",
        help="(%(default)s)",
    )
    add(
        "--search-lag-s",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="how far searches are behind (%(default)s)",
    )


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= PORT_MAX:
        raise argparse.ArgumentTypeError(f"must be from 0 to {PORT_MAX}")
    return number


def _limit(text: str) -> int | None:
    if text == "unlimited":
        return None
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1, or unlimited")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return number
