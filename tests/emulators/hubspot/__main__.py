"""Run the emulator alone: `python -m tests.emulators.hubspot --port 0`."""

import argparse
import asyncio
import signal
import sys

import msgspec

from tests.emulators.hubspot import command_line
from tests.emulators.hubspot.emulator import (
    AUTHORIZE_PATH,
    TOKEN_PATH,
    running,
)
from tests.emulators.hubspot.problems import Refused
from tests.emulators.hubspot.writing import Writer


def main() -> int:
    """Read the options, serve until told to stop."""
    options = command_line.parse()
    try:
        asyncio.run(_serve(options))
    except (OSError, msgspec.MsgspecError, ValueError) as err:
        print(f"cannot start: {err}", file=sys.stderr)
        return 1
    except Refused as refused:
        print(f"cannot start: {refused.fault.message}", file=sys.stderr)
        return 1
    return 0


async def _serve(options: argparse.Namespace) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    settings = command_line.settings(options)
    async with running(settings, address=options.host, port=options.port) as emulator:
        first = next(iter(emulator.accounts.values()))
        if options.seed_file is not None:
            seeds = options.seed_file.read_bytes()
            writer = Writer(first, who="seed")
            for seed in msgspec.json.decode(seeds, type=list[dict[str, str]]):
                writer.create(seed)
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
