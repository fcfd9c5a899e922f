"""A service's own commands beside ``serve`` and ``migrate``, such as making a key.

An errand needs the database alone, so it works while NATS and the service are down;
what it has to tell other services goes into the outbox as usual.
"""

import argparse
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from services.chassis import database, migrations, peers, roles
from services.chassis.clock import Clock, SystemClock
from services.chassis.config import Settings
from services.chassis.identifiers import Identifiers
from services.chassis.loops import Wake
from services.chassis.store import Store, Work


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What an errand works with."""

    settings: Any
    clock: Clock
    identifiers: Identifiers
    store: Store[Work]


@dataclass(frozen=True, kw_only=True)
class Errand:
    """One command of a service: its name, its arguments and what it does."""

    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    do: Callable[[Desk, argparse.Namespace], Awaitable[int]]
    """Returns the exit code."""


async def run(
    service: str, settings: Settings, *, errand: Errand, arguments: argparse.Namespace
) -> int:
    """Open the database, do the errand and return its exit code.

    Raises:
        NotMigrated: The schema is older than this code.
        BadConfiguration: The role could do what a service must not.
    """
    clock = SystemClock()
    identifiers = Identifiers(clock)
    door = peers.of(settings, service=service).database
    async with database.connect(
        door.url,
        papers=door.papers,
        password_file=door.password_file,
        schema=service,
        clock=clock,
        connections_max=1,
        timeout_s=settings.start_timeout_s,
    ) as opened:
        await migrations.check(opened, service=service)
        await roles.check(opened, service=service)
        # The running service's relay sends what is told here: nothing to wake.
        store = Store(
            opened, Work, clock=clock, identifiers=identifiers, relay_wake=Wake()
        )
        desk = Desk(
            settings=settings, clock=clock, identifiers=identifiers, store=store
        )
        return await errand.do(desk, arguments)
