"""A database with two users, whichever it is: theirs to use, and ours to look into."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, Protocol

import asyncpg

from proto.ids import TenantId
from services.chassis import database as chassis_database
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from tests import servers
from tests.fakes.database import reconciler_connections, schema
from tests.fakes.database.database import MemoryDatabase, MemoryUser
from tests.fakes.database.faults import DatabaseFaults
from tests.fakes.database.locks import Patience

USERS: Final = 2
SOMEBODY: Final = TenantId("tnt_somebody")
"""Whom programs serve: their steps are about several tenants each.

So neither database is bound by row-level security here, which has tests of its own.
"""
LOOK_S: Final = 0.03
"""A statement that takes longer may be waiting for a lock."""
DEADLOCK_MS: Final = 10
"""Shorter than that, so that who waits first has looked for a deadlock by then."""
TURNS: Final = 8
"""Turns of the loop in which whatever can go on in memory does."""
IDENTITY: Final = """
SELECT system.system_identifier || '/' || checkpoint.timeline_id
FROM pg_control_system() AS system, pg_control_checkpoint() AS checkpoint
"""
WAITING: Final = """
SELECT count(*)
FROM pg_locks
WHERE NOT granted AND locktype IN ('transactionid', 'tuple')
"""

Tasks = Sequence[asyncio.Task[Any]]


class Stage(Protocol):
    """Where a program runs."""

    service: str
    users: Sequence[Database]

    async def settle(self, tasks: Tasks) -> None:
        """Return once each task is done or waits for a lock."""

    async def contents(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows of every table, by its name."""


class MemoryStage:
    """Two users of a database in memory."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.database = MemoryDatabase(
            random.Random(1),
            faults=DatabaseFaults(yields=0.0, delays=0.0),
            patience=Patience(deadlock_s=0.0),
            is_bound=False,
        )
        self.users: list[MemoryUser] = [
            self.database.as_service(service) for _ in range(USERS)
        ]

    async def settle(self, tasks: Tasks) -> None:
        while True:
            for _ in range(TURNS):
                await asyncio.sleep(0)
            waiting = sum(user.is_waiting for user in self.users)
            pending = sum(not task.done() for task in tasks)
            # When all wait it is a deadlock, and one of them is about to give way.
            if not pending or (waiting == pending and waiting < USERS):
                return

    async def contents(self) -> dict[str, list[dict[str, Any]]]:
        return {
            name: self.database.rows(f"{self.service}.{name}")
            for name in schema.SERVICES[self.service]
        }


class PostgresStage:
    """Two users of a real Postgres."""

    def __init__(
        self, service: str, *, users: Sequence[Database], admin: asyncpg.Connection
    ) -> None:
        self.service = service
        self.users = users
        self._admin = admin
        self._begun: set[asyncio.Task[Any]] = set()
        """What either user waits for, whoever else is asked about."""

    async def settle(self, tasks: Tasks) -> None:
        self._begun = {task for task in {*self._begun, *tasks} if not task.done()}
        while left := [task for task in tasks if not task.done()]:
            done, _ = await asyncio.wait(
                left, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED
            )
            # When all wait it is a deadlock, and one of them is about to give way.
            under_way = sum(not task.done() for task in self._begun)
            is_quiet = not done and under_way < USERS
            if is_quiet and await self._admin.fetchval(WAITING) >= len(left):
                return

    async def contents(self) -> dict[str, list[dict[str, Any]]]:
        identity = await self._admin.fetchval(IDENTITY)
        return {
            name: [
                _placed(row, identity)
                for row in await self._admin.fetch(
                    f"SELECT * FROM {self.service}.{name}"
                )
            ]
            for name in schema.SERVICES[self.service]
        }

    async def clear(self) -> None:
        """Begin anew."""
        names = ", ".join(f"{self.service}.{n}" for n in schema.SERVICES[self.service])
        await self._admin.execute(f"TRUNCATE {names}")
        if self.service == "reconciler":
            for name in ("marks", "numbers"):
                await self._admin.execute(f"ALTER SEQUENCE reconciler.{name} RESTART")


def _placed(row: Mapping[str, Any], identity: str) -> dict[str, Any]:
    """Return a row as if this database were the one in memory."""
    is_here = row.get("epoch") == identity
    return {**row, "epoch": reconciler_connections.IDENTITY} if is_here else {**row}


@contextlib.asynccontextmanager
async def postgres_stage(
    database: servers.Database, service: str
) -> AsyncIterator[PostgresStage]:
    """Connect two users, and ourselves, to a database with the service's tables."""
    async with contextlib.AsyncExitStack() as stack:
        admin = await asyncpg.connect(database.admin_url)
        stack.push_async_callback(admin.close)
        await admin.execute(
            f"ALTER DATABASE {database.name} SET deadlock_timeout = '{DEADLOCK_MS}ms'"
        )
        users = [
            await stack.enter_async_context(
                chassis_database.connect(
                    database.admin_url,
                    schema=service,
                    clock=SystemClock(),
                    connections_max=2,
                )
            )
            for _ in range(USERS)
        ]
        yield PostgresStage(service, users=users, admin=admin)
