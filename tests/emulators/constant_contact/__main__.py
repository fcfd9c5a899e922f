"""Run the emulator alone: `python -m tests.emulators.constant_contact --port 0`."""

import argparse
import asyncio
import signal
import sys

import msgspec

from tests.emulators.constant_contact import command_line
from tests.emulators.constant_contact.emulator import (
    AUTHORIZE_PATH,
    TOKEN_PATH,
    running,
)
from tests.emulators.constant_contact.wire import Seed
from tests.emulators.constant_contact.writing import Writer
from tests.emulators.core.http import Refusal


def main() -> int:
    """Read the options, serve until told to stop."""
    options = command_line.parse()
    try:
        asyncio.run(_serve(options))
    except (OSError, msgspec.MsgspecError, ValueError) as err:
        print(f"cannot start: {err}", file=sys.stderr)
        return 1
    except Refusal as refusal:
        print(f"cannot start: {refusal.reply.body.decode()}", file=sys.stderr)
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
            seeds = msgspec.json.decode(options.seed_file.read_bytes(), type=list[Seed])
            writer = Writer(first, who="seed")
            for seed in seeds:
                writer.seed(seed)
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
