"""What goes wrong on our own side: the bus, the database, processes and clocks."""

import dataclasses
import random
from typing import Final

import msgspec

from tests.fakes.broker import BusFaults
from tests.fakes.database.faults import DatabaseFaults

REPLICAS: Final = {"auth": 2, "connector": 2, "reconciler": 2}
SKEW_S: Final = 5.0
"""How far the clocks of our processes are off at the most, either way."""
SLOW_DATABASE: Final = 0.4
"""The share of bad databases that are so slow that transactions run into each other."""
SLOW: Final = DatabaseFaults(delays=0.3, delay_s_max=2.0)
LEASE_S: Final = 10.0
LEASE_SHORT_S: Final = 2.0
"""At a slow database planners are overtaken."""


class Troubles(msgspec.Struct, frozen=True, kw_only=True):
    """What goes wrong on our own side while users act."""

    bus: BusFaults = BusFaults()
    database: DatabaseFaults = DatabaseFaults()
    crash_places_mean: float = 0.0
    """A process ends every so many places that it comes by; 0: never."""
    bus_outages: int = 0
    database_outages: int = 0
    replicas: dict[str, int] = {}
    """Where it is not one."""
    skew_s_max: float = 0.0
    are_clocks_apart: bool = False
    """Each is ahead or behind by the most, in turn."""
    lease_s: float = LEASE_S
    """How long who plans a connection has it for itself."""
    stop_s: float = 20.0
    """How long work in hand may take when a process is told to stop; 0: it is cut."""


def draw(source: random.Random) -> Troubles:
    """Draw what goes wrong."""
    if source.random() < 0.3:
        return Troubles()
    chance = source.random
    is_bad_bus, is_bad_database = chance() < 0.5, chance() < 0.4
    is_slow = is_bad_database and chance() < SLOW_DATABASE
    replicas = source.choice(({}, {}, REPLICAS))
    database = DatabaseFaults()
    if is_bad_database:
        database = _database_faults(source, SLOW if is_slow else database)
    return Troubles(
        bus=_bus_faults(source) if is_bad_bus else BusFaults(),
        database=database,
        crash_places_mean=source.choice((0.0, 0.0, 400.0, 1_500.0)),
        bus_outages=source.choice((0, 0, 0, 1)),
        database_outages=source.choice((0, 0, 0, 1)),
        replicas=REPLICAS if is_slow else replicas,
        lease_s=LEASE_SHORT_S if is_slow else LEASE_S,
        skew_s_max=source.choice((0.0, 0.0, SKEW_S)),
        stop_s=source.choice((0.0, 20.0)),
    )


def _bus_faults(source: random.Random) -> BusFaults:
    def some(most: float) -> float:
        return source.choice((0.0, source.uniform(0.0, most)))

    return BusFaults(
        loses=some(0.1),
        refuses=some(0.05),
        repeats=some(0.2),
        delays=some(0.1),
        delay_s_max=source.choice((2.0, 20.0)),
        loses_receipts=some(0.1),
        loses_commands=some(0.03),
        hurries=some(0.1),
    )


def _database_faults(source: random.Random, pace: DatabaseFaults) -> DatabaseFaults:
    def some(most: float) -> float:
        return source.choice((0.0, source.uniform(0.0, most)))

    return dataclasses.replace(
        pace,
        refusals=some(0.02),
        failures=some(0.01),
        unknown_commits=some(0.01),
        lost_commits=some(0.01),
    )
