"""Runs the demo: `python -m deploy.demo`, or `make demo`.

On a terminal everything stays up afterwards until Ctrl-C; otherwise it ends with 0.
"""

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from typing import Final

import aiohttp

from deploy.demo import people, setting, show
from deploy.demo.browser import LostTheWay
from deploy.demo.rest import ApiRefused, Tandem
from deploy.demo.story import ItWentWrong, Story
from deploy.demo.vendors import CardDav, ConstantContact, VendorRefused
from deploy.local import access, keys, programs
from deploy.local.errors import CannotStart
from deploy.local.layout import Layout
from deploy.local.supervisor import Supervisor

TIMEOUT_S: Final = 120.0


def main() -> int:
    """Run the demo; what goes wrong is told in one paragraph."""
    arguments = _parser().parse_args()
    layout = Layout(arguments.directory)
    try:
        setting.clear(layout)
        crowd = people.small_crowd() if arguments.small else people.crowd()
        return asyncio.run(_run(layout, crowd=crowd, stay=arguments.stay))
    except (ApiRefused, CannotStart, ItWentWrong, LostTheWay, VendorRefused) as err:
        print(f"\nThe demo failed: {err}", file=sys.stderr)
        print(f"Logs are in {layout.log('x').parent}.", file=sys.stderr)
        return 1
    except TimeoutError:
        print("\nThe demo failed: a step took too long.", file=sys.stderr)
        print(f"Logs are in {layout.log('x').parent}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


async def _run(layout: Layout, *, crowd: people.Crowd, stay: bool) -> int:
    show.say("Starting Postgres, NATS, the four services, the emulator and Radicale.")
    options = setting.options(layout)
    async with (
        Supervisor(layout, options) as system,
        aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)
        ) as session,
    ):
        key = await access.create_key(layout, system, tenant="demo")
        story = _story(layout, system, session=session, key=key)
        story.crowd = crowd
        outcome = await story.run()
        show.table(outcome)
        if outcome.agreement is None or not outcome.agreement.is_whole:
            raise ItWentWrong("the two sides do not agree")
        if stay:
            show.addresses(system, key)
            stopping = asyncio.Event()
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, stopping.set)
            await stopping.wait()
    return 0


def _story(
    layout: Layout, system: Supervisor, *, session: aiohttp.ClientSession, key: str
) -> Story:
    emulator, books = system.url("constant_contact"), system.url("radicale")
    password = keys.password(layout.keys, "radicale")
    user = programs.DEMO_USER
    return Story(
        tandem=Tandem(session, system.url("api"), key=key),
        left=ConstantContact(session, emulator),
        right=CardDav(session, books, user=user, password=password),
        crowd=people.Crowd(left=(), right=(), shared_count=0),
        count_calls=lambda: setting.count_calls(session, system),
        client=setting.client(layout, emulator),
        card_login={"base_url": books, "username": user, "password": password},
        say=show.say,
        watch=show.progress(),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.demo",
        description="Show Tandem at work: two apps, 1,250 people, one sync.",
    )
    parser.add_argument(
        "--directory",
        type=Path,
        default=Layout().root / "demo",
        help="where data, logs and keys go; emptied first (default: .local/demo)",
    )
    parser.add_argument(
        "--small", action="store_true", help="with 200 people instead, for a quick look"
    )
    parser.add_argument(
        "--stay",
        action=argparse.BooleanOptionalAction,
        default=sys.stdout.isatty(),
        help="stay up afterwards (default: on a terminal)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
