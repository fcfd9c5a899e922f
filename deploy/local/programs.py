"""The programs of the local system besides its servers: how each one is started."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from deploy.local import ports
from deploy.local.part import STOP_TIMEOUT_S
from proto.subjects import SERVICES

Command = Sequence[str | Path]

DEMO_USER = "demo"
"""Whose address books the demo's CardDAV server holds."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller may change about the local system."""

    database_url: str | None = None
    """An administrator's address, instead of an embedded Postgres."""
    nats_url: str | None = None
    """Instead of an embedded NATS; it must know the keys of this installation."""
    postgres_programs: Path | None = None
    durable: bool = True
    """Whether embedded Postgres survives a power cut; tests need not."""
    demo: bool = False
    """Start the emulator and Radicale too."""
    emulator_arguments: tuple[str, ...] = ()
    """What the emulator is told besides its port and where browsers come back."""
    api_port: int | None = None
    replicas: Mapping[str, int] = msgspec.field(default_factory=dict)
    """How many processes of a service to run, where that is not one."""
    environment: Mapping[str, Mapping[str, str]] = msgspec.field(default_factory=dict)
    """Settings to add or replace, by service."""
    commands: Mapping[str, Command] = msgspec.field(default_factory=dict)
    """Other programs in place of the services, by service."""
    stop_timeout_s: float = STOP_TIMEOUT_S
    """How long each part has to stop by itself."""
    ready_timeout_s: float = 90.0
    """Longer than a service waits for Postgres and NATS at its start."""

    def command_of(self, service: str) -> Command:
        """Return how a service is started; `migrate` is appended to migrate."""
        return self.commands.get(service, (sys.executable, "-m", f"services.{service}"))

    def environment_of(self, service: str) -> Mapping[str, str]:
        """Return the settings to add or replace for one service."""
        # The demo's servers are on this machine, where services call nobody unasked.
        variable = f"{service.upper()}_PRIVATE_ADDRESSES"
        calls = {variable: ports.LOOPBACK} if self.demo else {}
        return {**calls, **self.environment.get(service, {})}


def replicas_of(options: Options) -> list[tuple[str, str]]:
    """Return the service processes as (name, service), first replicas unnumbered."""
    found = []
    for service in SERVICES:
        for number in range(1, options.replicas.get(service, 1) + 1):
            name = service if number == 1 else f"{service}-{number}"
            found.append((name, service))
    return found


def emulator(port: int, *, api_url: str, arguments: Sequence[str]) -> Command:
    """Return the command of the stand-in for Constant Contact."""
    module = "tests.emulators.constant_contact"
    # What a person registers at the vendor, so that a browser finds its way back.
    callback = f"{api_url}/oauth/callback/constant_contact"
    where = ("--port", str(port), "--redirect-uri", callback)
    return (sys.executable, "-m", module, *where, *arguments)
