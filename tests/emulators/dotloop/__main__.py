"""Run the emulator alone: `python -m tests.emulators.dotloop --port 0`."""

import argparse
import asyncio
import pathlib
import signal
import sys

import msgspec

from tests.emulators.core.http import Refusal
from tests.emulators.core.limits import Limits
from tests.emulators.dotloop.doors import AUTHORIZE_PATH, TOKEN_PATH
from tests.emulators.dotloop.emulator import running
from tests.emulators.dotloop.settings import CALLS_PER_MINUTE, Settings
from tests.emulators.dotloop.wire import Seed

DEFAULTS = Settings()


def main() -> int:
    """Read the options, serve until told to stop."""
    options = _options()
    try:
        asyncio.run(_serve(options))
    except (OSError, msgspec.MsgspecError, ValueError) as err:
        print(f"cannot start: {err}", file=sys.stderr)
        return 1
    except Refusal as refusal:
        print(f"cannot start: {refusal.reply.body.decode()}", file=sys.stderr)
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.emulators.dotloop")
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=int, default=0, help="port; 0 takes a free one")
    add("--account", action="append", metavar="NAME", help="repeat for several")
    add("--redirect-uri", action="append", metavar="URI", help="a registered one")
    add("--seed-file", type=pathlib.Path, metavar="FILE", help="contacts, as JSON")
    add(
        "--calls-per-minute",
        type=int,
        default=CALLS_PER_MINUTE,
        help="of one user; 0 is unlimited (%(default)s)",
    )
    return parser.parse_args()


async def _serve(options: argparse.Namespace) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    (client,) = DEFAULTS.clients
    uris = tuple(options.redirect_uri or client.redirect_uris)
    settings = Settings(
        clients=(msgspec.structs.replace(client, redirect_uris=uris),),
        accounts=tuple(options.account or DEFAULTS.accounts),
        limits=Limits(
            requests_per_window=options.calls_per_minute or None, window_s=60.0
        ),
    )
    async with running(settings, address=options.host, port=options.port) as emulator:
        first = next(iter(emulator.accounts.values()))
        if options.seed_file is not None:
            raw = options.seed_file.read_bytes()
            for seed in msgspec.json.decode(raw, type=list[Seed]):
                first.create(seed, who="seed")
        ready = {
            "ready": True,
            "url": emulator.url,
            "authorize_url": emulator.url + AUTHORIZE_PATH,
            "token_url": emulator.url + TOKEN_PATH,
            "account_ids": list(emulator.accounts),
        }
        print(msgspec.json.encode(ready).decode(), flush=True)
        await stopping.wait()


if __name__ == "__main__":
    sys.exit(main())
