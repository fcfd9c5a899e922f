"""Tandem on this machine, from the command line: up, status, down, keys."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from deploy.local import access, children, foreground, keys, programs, screen
from deploy.local.errors import CannotStart
from deploy.local.layout import Layout
from deploy.local.programs import Options
from deploy.local.supervisor import Supervisor
from proto.subjects import SERVICES

DOWN_TIMEOUT_S = 150.0
"""Longer than the time limits of all parts together."""
_NOT_RUNNING = 3
_TENANT = "local"
"""Who owns what is done with the installation's own key."""


def main() -> int:
    """Run one command; a part that cannot start is told in one paragraph."""
    arguments = _parser().parse_args()
    layout = Layout(arguments.directory)
    commands = {"up": _up, "status": _status, "down": _down, "keys": _keys}
    try:
        return commands[arguments.command](layout, arguments)
    except CannotStart as err:
        print(err, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.local",
        description="Run Tandem on this machine.",
        epilog=(
            "DATABASE_URL (an administrator's address) and NATS_URL replace the"
            " embedded servers."
        ),
    )
    parser.add_argument(
        "--directory",
        type=Path,
        default=Layout().root,
        help="where data, logs and keys are kept (default: .local)",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start everything and keep it running")
    up.add_argument(
        "--demo", action="store_true", help="start the emulator and Radicale too"
    )
    up.add_argument("--api-port", type=_port, help="the port of the REST API")
    commands.add_parser("status", help="show what runs")
    commands.add_parser("down", help="stop what `up` started")
    commands.add_parser("keys", help="print the public keys for a NATS of your own")
    return parser


def _port(text: str) -> int:
    number = int(text)
    if not 0 < number < 65_536:
        raise argparse.ArgumentTypeError("must be from 1 to 65535")
    return number


def _up(layout: Layout, arguments: argparse.Namespace) -> int:
    options = Options(
        database_url=os.environ.get("DATABASE_URL") or None,
        nats_url=os.environ.get("NATS_URL") or None,
        demo=arguments.demo,
        api_port=arguments.api_port,
    )
    asyncio.run(foreground.run(layout, options, greeting=_greeting))
    return 0


async def _greeting(system: Supervisor) -> str:
    await access.create_key(system.layout, system, tenant=_TENANT)
    url, path = system.url("api"), system.layout.keys / "api.key"
    lines = [
        f"Tandem is up: {url}",
        f'Try it: curl -H "Authorization: Bearer $(cat {path})" {url}/v1/apps',
    ]
    if system.options.demo:
        password = system.layout.keys / "radicale.password"
        lines += [
            f"Constant Contact, emulated: {system.url('constant_contact')}",
            f"Address book: {system.url('radicale')}, user {programs.DEMO_USER},"
            f" password in {password}",
        ]
    return "\n".join(lines)


def _status(layout: Layout, _arguments: argparse.Namespace) -> int:
    if layout.holder() is None:
        print(f"Tandem is not running in {layout.root}.")
        return _NOT_RUNNING
    processes = layout.read_state().get("processes", {})
    screen.console().print(screen.table(processes))
    return 0


def _down(layout: Layout, _arguments: argparse.Namespace) -> int:
    pid = layout.holder()
    if pid is None:
        print(f"Tandem is not running in {layout.root}.")
        return 0
    os.kill(pid, signal.SIGTERM)
    if not asyncio.run(children.wait_until_gone(pid, timeout_s=DOWN_TIMEOUT_S)):
        print(f"Process {pid} still runs after {DOWN_TIMEOUT_S:g} s.", file=sys.stderr)
        return 1
    print("Stopped.")
    return 0


def _keys(layout: Layout, _arguments: argparse.Namespace) -> int:
    layout.prepare()
    for service in SERVICES:
        seed = keys.nats_seed(layout.keys, service)
        print(f"{service.upper()}_NKEY={keys.nats_public_key(seed)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
