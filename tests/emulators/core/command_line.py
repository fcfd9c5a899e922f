"""Run any emulator alone: its options, and the line that says where it listens."""

import argparse
import asyncio
import pathlib
import signal
import sys
from typing import Any

import msgspec

from tests.emulators.core.emulator import Emulator, serving
from tests.emulators.core.http import Refusal
from tests.emulators.core.settings import Settings

PORT_MAX = 65_535
_DESCRIPTION = (
    "Stand in for {}: its OAuth server, the contacts part of its API, and an"
    " administration under /_emulator. One JSON line on standard output says when it"
    " listens and where. Everything is kept in memory. See README.md beside this"
    " program."
)
_LIMITS = ("requests_per_second", "requests_per_window", "requests_per_day")


def run(kind: type[Emulator[Any]]) -> int:
    """Read the options, serve until told to stop; return the exit status."""
    options = _parser(kind).parse_args()
    try:
        asyncio.run(_serve(kind, options))
    except (OSError, msgspec.MsgspecError, ValueError) as err:
        print(f"cannot start: {err}", file=sys.stderr)
        return 1
    except Refusal as refusal:
        print(f"cannot start: {refusal.reply.body.decode()}", file=sys.stderr)
        return 1
    return 0


async def _serve(kind: type[Emulator[Any]], options: argparse.Namespace) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    made = kind(_settings(options, kind.settings_kind()))
    async with serving(made, address=options.host, port=options.port) as emulator:
        first = next(iter(emulator.accounts.values()))
        if options.seed_file is not None:
            emulator.admin.fill(first, options.seed_file.read_bytes())
        ready = {
            "ready": True,
            "url": emulator.url,
            "account_ids": list(emulator.accounts),
            **_ways_in(emulator),
        }
        print(msgspec.json.encode(ready).decode(), flush=True)
        await stopping.wait()


def _ways_in(emulator: Emulator[Any]) -> dict[str, object]:
    """Return where people and applications get tokens, or a key of each account."""
    vendor = emulator.vendor
    if not vendor.authorize_path:
        accounts = emulator.accounts.values()
        return {"api_keys": [emulator.issue(one).access_token for one in accounts]}
    return {
        "authorize_url": emulator.url + vendor.authorize_path,
        "token_url": emulator.url + vendor.token_path,
    }


def _settings(options: argparse.Namespace, defaults: Settings) -> Settings:
    """Return what the emulator starts with."""
    replace, (client,) = msgspec.structs.replace, defaults.clients
    client = replace(
        client,
        client_id=options.client_id,
        client_secret=options.client_secret or None,
        redirect_uris=tuple(options.redirect_uri or client.redirect_uris),
    )
    behaviour = msgspec.to_builtins(defaults.behaviour) | dict(options.behaviour)
    is_rotating = defaults.tokens.is_rotating and not options.long_lived_refresh_tokens
    return replace(
        defaults,
        clients=(client,),
        accounts=tuple(options.account or defaults.accounts),
        limits=replace(
            defaults.limits, **{name: getattr(options, name) for name in _LIMITS}
        ),
        tokens=replace(
            defaults.tokens,
            access_token_lifetime_s=options.access_token_lifetime_s,
            is_rotating=is_rotating,
        ),
        behaviour=msgspec.convert(behaviour, type(defaults.behaviour), strict=False),
        seed=options.seed,
    )


def _parser(kind: type[Emulator[Any]]) -> argparse.ArgumentParser:
    package = kind.__module__.rpartition(".")[0]
    parser = argparse.ArgumentParser(
        prog=f"python -m {package}", description=_DESCRIPTION.format(kind.vendor.name)
    )
    defaults = kind.settings_kind()
    _add_place(parser)
    _add_client(parser, defaults)
    _add_rules(parser, defaults)
    return parser


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


def _add_client(parser: argparse.ArgumentParser, defaults: Settings) -> None:
    (client,) = defaults.clients
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


def _add_rules(parser: argparse.ArgumentParser, defaults: Settings) -> None:
    add = parser.add_argument
    for name in _LIMITS:
        add(
            f"--{name.replace('_', '-')}",
            type=_limit,
            default=getattr(defaults.limits, name),
            metavar="N|unlimited",
            help=f"the window is {defaults.limits.window_s:g} s (%(default)s)",
        )
    add(
        "--access-token-lifetime-s",
        type=_seconds,
        default=defaults.tokens.access_token_lifetime_s,
        metavar="SECONDS",
        help="(%(default)s)",
    )
    add(
        "--long-lived-refresh-tokens",
        action="store_true",
        help="return the same refresh token at each refresh instead of rotating",
    )
    add(
        "--behaviour",
        action="append",
        type=_choice,
        default=[],
        metavar="NAME=VALUE",
        help="a choice the other way round; repeat for several: "
        + ", ".join(defaults.behaviour.__struct_fields__),
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


def _choice(text: str) -> tuple[str, str]:
    name, is_told, value = text.partition("=")
    if not is_told:
        raise argparse.ArgumentTypeError("must be NAME=VALUE")
    return name, value
