"""Programs: what two users do by turns, drawn from one seed.

A user that has to wait for the other waits, and the other goes on. What a user does
next depends on the seed and on what it was told so far, so that a program is the same
on any database that answers the same.
"""

import asyncio
import datetime
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import asyncpg
import msgspec

from services.chassis.clock import SystemClock
from services.chassis.errors import AlreadyStored, DatabaseUnavailable
from services.chassis.identifiers import Identifiers
from services.chassis.loops import Wake
from services.chassis.queries import Query
from services.chassis.store import Store, Work
from services.connector.errors import Fenced
from tests.contract.stores.stage import SOMEBODY, Stage

START: Final = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
ENDS_CHANCE: Final = 0.25
"""How often a user ends its transaction instead of going on."""
STEP_S: Final = 7.0
"""How much time passes from one step to the next."""
ACTS_PART: Final = 3
"""A program is made of this part of all that can be done."""
EXPECTED: Final = (
    AlreadyStored,
    DatabaseUnavailable,
    Fenced,
    asyncpg.ForeignKeyViolationError,
)

Trace = list[object]


class StepClock(SystemClock):
    """Stands still during a step."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def now(self) -> datetime.datetime:
        return START + datetime.timedelta(seconds=self.passed_s)


class Undone(Exception):
    """A user changes its mind."""


@dataclass(frozen=True, kw_only=True)
class Act:
    """Something that a user can do in a transaction."""

    name: str
    do: Callable[[Any], Awaitable[object]]
    weight: int
    is_narrow: bool
    """It locks one row at most, or several in an order that is fixed."""
    group: str = ""
    """What has the same goes together: one of it makes little sense alone."""


async def _nothing(_work: object) -> None:
    """Do nothing."""


COMMIT: Final = Act(name="commit", do=_nothing, weight=0, is_narrow=True)
ROLL_BACK: Final = Act(name="roll back", do=_nothing, weight=0, is_narrow=True)


class Recorder:
    """A transaction that notes every answer."""

    def __init__(self, transaction: Any, answers: list[object]) -> None:
        self._transaction = transaction
        self._answers = answers
        self.after_commit = transaction.after_commit

    async def fetch(self, query: Query) -> Any:
        rows = await self._transaction.fetch(query)
        self._answers.append((query.name, unordered(rows)))
        return rows

    async def fetch_row(self, query: Query) -> Any:
        row = await self._transaction.fetch_row(query)
        self._answers.append((query.name, plain(row and dict(row))))
        return row

    async def execute(self, query: Query) -> Any:
        count = await self._transaction.execute(query)
        self._answers.append((query.name, count))
        return count


def act(
    *, weight: int = 2, is_narrow: bool = False, group: str = ""
) -> Callable[[Any], Any]:
    """Mark a player's method as something it may do."""

    def mark(method: Any) -> Any:
        method.act = (weight, is_narrow, group or method.__name__)
        return method

    return mark


class Player:
    """One user: at most one transaction, at most one statement under way."""

    work_class: ClassVar[type[Work]] = Work

    def __init__(
        self, stage: Stage, number: int, *, seed: int, clock: StepClock
    ) -> None:
        self.number = number
        self.clock = clock
        self.source = random.Random(f"{seed} {number}")
        self.task: asyncio.Task[Any] | None = None
        self.doing = COMMIT
        self.answers: list[object] = []
        """What each statement came to since somebody asked."""
        self.store: Store[Any] = Store(
            stage.users[number],
            self.work_class,
            clock=clock,
            identifiers=Identifiers(clock, random.Random(f"{seed} {number} ids")),
            relay_wake=Wake(),
        )
        self._open: AbstractAsyncContextManager[Any] | None = None
        self._work: Any = None
        acts = [
            Act(
                name=name,
                do=method,
                weight=method.act[0],
                is_narrow=method.act[1],
                group=method.act[2],
            )
            for name in sorted(dir(self))
            if hasattr(method := getattr(self, name), "act")
        ]
        # Both users do the same few things all program long: that leads further.
        groups = sorted({each.group for each in acts})
        chosen = random.Random(seed).sample(groups, len(groups) // ACTS_PART)
        self._acts = [each for each in acts if each.group in chosen]

    @property
    def is_waiting(self) -> bool:
        return self.task is not None

    @property
    def is_inside(self) -> bool:
        """Whether a transaction is open."""
        return self._work is not None

    def start(self, *, must_end: bool = False) -> None:
        """Begin the next thing."""
        lot = self.source.random()
        if self.is_inside and (must_end or lot < ENDS_CHANCE):
            self.doing = self.one([COMMIT, COMMIT, COMMIT, ROLL_BACK])
        else:
            weights = [each.weight for each in self._acts]
            self.doing = self.source.choices(self._acts, weights)[0]
        self.task = asyncio.ensure_future(self._do(self.doing))

    def start_end(self) -> None:
        """End what is open."""
        self.doing = COMMIT
        self.task = asyncio.ensure_future(self._do(COMMIT))

    async def finish(self) -> tuple[list[object], object]:
        """Return what came of a task that is done."""
        task, self.task = self.task, None
        answers, self.answers[:] = list(self.answers), []
        assert task is not None
        error = task.exception()
        if error is None:
            return answers, plain(task.result())
        if not isinstance(error, EXPECTED):
            raise error
        if not isinstance(error, Fenced):
            await self._leave(error)
        told = "" if isinstance(error, asyncpg.PostgresError) else str(error)
        return answers, f"{type(error).__name__}: {told}"

    async def prepare(self) -> None:
        """Store what both users go by from the start."""

    def one(self, choices: Iterable[Any]) -> Any:
        """Draw one."""
        return self.source.choice(list(choices))

    def some(self, choices: Iterable[Any], *, most: int = 3) -> list[Any]:
        """Draw a few, in order, at least one."""
        there = sorted(choices)
        count = self.source.randint(1, min(most, len(there)))
        return sorted(self.source.sample(there, count))

    def maybe(self, value: Any, *, chance: float = 0.5) -> Any:
        """Return the value, or None."""
        return value if self.source.random() < chance else None

    def time(self) -> datetime.datetime:
        """Draw a time near now."""
        passed_s = self.source.uniform(-30 * STEP_S, 2 * STEP_S)
        return self.clock.now() + datetime.timedelta(seconds=passed_s)

    async def _do(self, what: Act) -> object:
        if what is COMMIT:
            return await self._leave(None)
        if what is ROLL_BACK:
            return await self._leave(Undone())
        if self._work is None:
            self._open = self.store.transaction(SOMEBODY)
            self._work = await self._open.__aenter__()
            self._work.transaction = Recorder(self._work.transaction, self.answers)
        return await what.do(self._work)

    async def _leave(self, error: BaseException | None) -> None:
        opened, self._open, self._work = self._open, None, None
        if opened is None:
            return
        try:
            await opened.__aexit__(
                type(error) if error else None, error, error and error.__traceback__
            )
        except BaseException as raised:
            if raised is not error:
                raise


async def play(
    stage: Stage, players_class: type[Player], *, seed: int, steps: int
) -> Trace:
    """Run a program to its end; returns what every step came to, then the tables."""
    source, clock = random.Random(seed), StepClock()
    players = [
        players_class(stage, number, seed=seed, clock=clock)
        for number in range(len(stage.users))
    ]
    for player in players:
        await player.prepare()
    trace: Trace = []
    for step in range(steps):
        clock.passed_s = step * STEP_S
        idle = [player for player in players if not player.is_waiting]
        wide = any(p.is_waiting and not p.doing.is_narrow for p in players)
        player = source.choice(idle)
        # Which rows a wide statement holds while it waits for one is up to the
        # database, so the other does nothing now that depends on it.
        player.start(must_end=wide and player.is_inside)
        await _settle(stage, players, trace, step=step)
    while inside := [p for p in players if p.is_inside and not p.is_waiting]:
        inside[0].start_end()
        await _settle(stage, players, trace, step=steps)
    contents = await stage.contents()
    trace.extend((name, _sorted(plain(rows))) for name, rows in contents.items())
    return trace


async def _settle(
    stage: Stage, players: list[Player], trace: Trace, *, step: int
) -> None:
    """Note what is done, and what that lets others do, until all are done or wait."""
    while True:
        tasks = [player.task for player in players if player.task is not None]
        await stage.settle(tasks)
        done = [p for p in players if p.task is not None and p.task.done()]
        for player in done:
            answers, result = await player.finish()
            trace.append((step, player.number, player.doing.name, result, answers))
        if not done:
            waiting = [p.number for p in players if p.is_waiting]
            if waiting:
                trace.append((step, "waiting", waiting))
            return


def plain(value: Any) -> Any:
    """Return a value without types and orders that do not matter."""
    if isinstance(value, msgspec.Struct):
        fields = {name: getattr(value, name) for name in value.__struct_fields__}
        return (type(value).__name__, plain(fields))
    if isinstance(value, dict):
        return _sorted((plain(key), plain(each)) for key, each in value.items())
    if isinstance(value, set | frozenset):
        return _sorted(plain(each) for each in value)
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC)
    return str(value) if isinstance(value, str) else value


def unordered(rows: Iterable[Any]) -> list[Any]:
    """Return rows whose order the query does not promise."""
    return _sorted(plain(dict(row)) for row in rows)


def difference(here: Trace, there: Trace) -> str:
    """Say where two traces part, with what led to it; nothing if they do not."""
    for number in range(max(len(here), len(there))):
        pair = here[number : number + 1], there[number : number + 1]
        if pair[0] != pair[1]:
            before = "\n".join(
                f"  {entry}" for entry in here[max(0, number - 12) : number]
            )
            return f"{before}\nmemory:   {pair[0]}\npostgres: {pair[1]}"
    return ""


def _sorted(values: Iterable[Any]) -> list[Any]:
    return sorted(values, key=repr)
