"""The options of the emulator run alone."""

import argparse
import pathlib

from tests.emulators.constant_contact.settings import (
    REQUESTS_PER_DAY,
    REQUESTS_PER_SECOND,
    Settings,
)
from tests.emulators.core.limits import Limits
from tests.emulators.core.oauth import Client, TokenPolicy

DEFAULTS = Settings()
PORT_MAX = 65_535
_DESCRIPTION = (
    "Stand in for Constant Contact: its OAuth server, the contacts part of its v3 API,"
    " and an administration under /_emulator. One JSON line on standard output says"
    " when it listens and where. Everything is kept in memory. See README.md beside"
    " this program."
)


def parse() -> argparse.Namespace:
    """Read the command line, or end the process with what is wrong with it."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.emulators.constant_contact", description=_DESCRIPTION
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
            requests_per_second=options.requests_per_second,
            requests_per_day=options.requests_per_day,
        ),
        tokens=TokenPolicy(
            access_token_lifetime_s=options.access_token_lifetime_s,
            is_rotating=not options.long_lived_refresh_tokens,
        ),
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
        "--requests-per-second",
        type=_limit,
        default=REQUESTS_PER_SECOND,
        metavar="N|unlimited",
        help="calls a second and application (%(default)s)",
    )
    add(
        "--requests-per-day",
        type=_limit,
        default=REQUESTS_PER_DAY,
        metavar="N|unlimited",
        help="calls a day and application (%(default)s)",
    )
    add(
        "--access-token-lifetime-s",
        type=_seconds,
        default=DEFAULTS.tokens.access_token_lifetime_s,
        metavar="SECONDS",
        help="(%(default)s)",
    )
    add(
        "--long-lived-refresh-tokens",
        action="store_true",
        help="return the same refresh token at each refresh instead of rotating",
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
