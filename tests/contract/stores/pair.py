"""Two users whose every step a test writes down: what is done, and what has to wait."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from deploy.local import postgres
from services.auth.store import AuthWork
from services.chassis.identifiers import Identifiers
from services.chassis.loops import Wake
from services.chassis.store import Store, Work
from services.chassis.tenancy import ALL_TENANTS
from services.connector.store import ConnectorWork
from tests import servers
from tests.contract.stores import stage
from tests.contract.stores.program import StepClock, Undone
from tests.contract.stores.stage import SOMEBODY, MemoryStage, Stage

Do = Callable[[Any], Awaitable[Any]]


class User:
    """One of the two, with a transaction that opens with what is done first."""

    def __init__(self, number: int, *, where: Stage, work: type[Work]) -> None:
        self.clock = StepClock()
        self._stage = where
        self._store: Store[Any] = Store(
            where.users[number],
            work,
            clock=self.clock,
            identifiers=Identifiers(self.clock, random.Random(number)),
            relay_wake=Wake(),
        )
        self._open: AbstractAsyncContextManager[Any] | None = None
        self._work: Any = None
        self._task: asyncio.Task[Any] | None = None

    async def does(self, do: Do) -> Any:
        """Do something that waits for nobody."""
        await self._start(do)
        return await self.goes_on()

    async def waits(self, do: Do) -> None:
        """Do something that has to wait for the other user."""
        await self._start(do)
        assert self._task is not None
        assert not self._task.done(), f"did not wait: {self._task!r}"

    async def goes_on(self) -> Any:
        """Return what came of what was begun."""
        task, self._task = self._task, None
        assert task is not None
        await self._stage.settle([task])
        assert task.done(), "still waits"
        return task.result()

    async def commits(self) -> None:
        """End the transaction well."""
        await self._end(None)

    async def rolls_back(self) -> None:
        """End the transaction as if nothing had been."""
        undone = Undone()
        with contextlib.suppress(Undone):
            await self._end(undone)

    async def _start(self, do: Do) -> None:
        self._task = asyncio.ensure_future(self._do(do))
        await self._stage.settle([self._task])

    async def _do(self, do: Do) -> Any:
        if self._work is None:
            self._open = self._store.transaction(SOMEBODY)
            self._work = await self._open.__aenter__()
        # What a test does in one transaction is the work of several in a service.
        self._work.transaction.scope = ALL_TENANTS
        return await do(self._work)

    async def _end(self, error: BaseException | None) -> None:
        opened, self._open, self._work = self._open, None, None
        if opened is not None:
            await opened.__aexit__(error and type(error), error, None)

    async def leaves(self) -> None:
        """Go, whatever is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.rolls_back()


WORK: Final[dict[str, type[Work]]] = {
    "auth": AuthWork,
    "connector": ConnectorWork,
    "reconciler": Work,
}


@contextlib.asynccontextmanager
async def seated(
    kind: str, service: str, *, server: postgres.Server
) -> AsyncIterator[tuple[User, User]]:
    """Seat two users of a service at a database in memory, or at a real one."""
    async with contextlib.AsyncExitStack() as stack:
        if kind == "memory":
            where: Stage = MemoryStage(service)
        else:
            real = servers.migrated_database(server, service)
            database = await stack.enter_async_context(real)
            where = await stack.enter_async_context(
                stage.postgres_stage(database, service)
            )
        ann, bob = (
            User(number, where=where, work=WORK[service]) for number in range(2)
        )
        stack.push_async_callback(ann.leaves)
        stack.push_async_callback(bob.leaves)
        yield ann, bob
