"""How long each table's rows are kept: the declaration, and the loop that keeps to it.

Every service declares its tables in ``kept.py``; a test compares with the catalogue,
and docs/privacy.md shows the whole. What goes by age goes here, in batches, found by
index; what goes with its parent goes with it.
"""

import asyncio
import enum
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple

import msgspec

from services.chassis import loops
from services.chassis.clock import Clock

EVERY_S: Final = 600.0
"""How often what is too old is looked for."""


class Data(enum.StrEnum):
    """What a table holds, by what it takes to keep it safe."""

    CONTACTS = "contacts"
    """Values of the people in the apps, and what tells who they are."""
    TRACES = "traces"
    """What only tells that a contact was there: ids, digests, counts."""
    MEMBERS = "members"
    """People of the tenant: their addresses, sessions and acts."""
    SECRETS = "secrets"
    """What lets somebody in; never in the clear."""
    SETTINGS = "settings"
    """What somebody chose, and names of theirs."""
    OPERATION = "operation"
    """What keeps the services going."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """How long the rows of one table are kept."""

    table: str
    data: Data
    how_long: str
    """In words: a time, or the parent whose end is theirs."""
    by: tuple[str, ...]
    """The queries that take them away, or the constraint; none: they stay."""


KEPT: Final = (
    Kept(
        table="outbox",
        data=Data.CONTACTS,
        how_long="until the receipt",
        by=("close_outbox",),
    ),
    Kept(
        table="inbox",
        data=Data.OPERATION,
        how_long="3 days",
        by=("forget_messages",),
    ),
    Kept(
        table="attempts",
        data=Data.OPERATION,
        how_long="3 days",
        by=("forget_attempts",),
    ),
    Kept(
        table="dead_letters",
        data=Data.CONTACTS,
        how_long="30 days",
        by=("forget_dead_letters",),
    ),
)
"""The tables that every service has."""


class Rule(NamedTuple):
    """A step that takes away a batch of what is too old; True if there may be more."""

    name: str
    step: Callable[[], Awaitable[bool]]


class Keeper:
    """Goes through a service's rules again and again, one after the other."""

    def __init__(self, rules: Sequence[Rule], *, clock: Clock) -> None:
        self._rules = tuple(rules)
        self._clock = clock

    async def run(self, stopping: asyncio.Event) -> None:
        """Keep to the rules until told to stop."""
        async with asyncio.TaskGroup() as group:
            for rule in self._rules:
                group.create_task(
                    loops.forever(
                        f"retention_{rule.name}",
                        rule.step,
                        clock=self._clock,
                        stopping=stopping,
                        idle_s=EVERY_S,
                    )
                )
