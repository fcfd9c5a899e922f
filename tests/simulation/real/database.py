"""A service's way to real Postgres: with places to die at, and faults on request."""

import asyncio
import contextlib
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import asyncpg

from proto.ids import TenantId
from services.chassis.database import Database, Row, Transaction
from services.chassis.errors import DatabaseUnavailable
from services.chassis.queries import Query
from services.chassis.tenancy import Scope
from tests.fakes.chance import Fickle
from tests.fakes.database.faults import NO_FAULTS, DatabaseFaults
from tests.servers import Database as Place
from tests.simulation.real import loop
from tests.simulation.real.aside import Aside

Watch = Callable[[str, str], None]

DEADLOCK_MS: Final = 50
"""How soon Postgres looks for one; each is counted, and none is excused."""


class RealDatabase(Fickle):
    """The tables of every service, and what befalls those who use them."""

    def __init__(self, place: Place, aside: Aside, source: random.Random) -> None:
        self.faults: DatabaseFaults = NO_FAULTS
        self.counts: Counter[str] = Counter()
        """Empty: how often each thing goes wrong is counted in memory only."""
        self.watch: Watch | None = None
        self.witness: Any = None
        """Nobody is told what a commit wrote."""
        self.is_away = False
        self.source = source
        self._place = place
        self._aside = aside
        self._reader = aside.call(asyncpg.connect(place.admin_url))
        self._admin = aside.call(asyncpg.connect(place.server.url))
        self._run(f"ALTER DATABASE {place.name} SET deadlock_timeout = {DEADLOCK_MS}")

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return the rows of a table, such as ``reconciler.links``."""
        # Tables are named by the simulation itself, never by what it reads.
        found = self._aside.call(self._reader.fetch(f"SELECT * FROM {table}"))
        return [dict(row) for row in found]

    def tables(self) -> list[str]:
        """Return the names of all tables."""
        found = self._aside.call(
            self._reader.fetch(
                "SELECT schemaname || '.' || tablename AS name FROM pg_tables"
                " WHERE schemaname IN ('auth', 'connector', 'reconciler')"
                " ORDER BY name"
            )
        )
        return [row["name"] for row in found]

    @property
    def deadlock_count(self) -> int:
        """How many deadlocks Postgres had to break."""
        found = self._aside.call(
            self._admin.fetchval(
                "SELECT deadlocks FROM pg_stat_database WHERE datname = $1",
                self._place.name,
            )
        )
        return int(found or 0)

    def go_away(self) -> None:
        """Break every connection and take no new one."""
        self.is_away = True
        self._run(f"ALTER DATABASE {self._place.name} CONNECTION LIMIT 0")
        self._run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = $1 AND pid <> $2",
            self._place.name,
            self._reader.get_server_pid(),
        )

    def come_back(self) -> None:
        """Take connections again."""
        self._run(f"ALTER DATABASE {self._place.name} CONNECTION LIMIT -1")
        self.is_away = False

    def close(self) -> None:
        """Let nothing of it be connected any more."""
        self._aside.call(self._reader.close())
        self._aside.call(self._admin.close())

    def _run(self, statement: str, *values: object) -> None:
        self._aside.call(self._admin.execute(statement, *values))


class RealUser(Database):
    """What one process of a service uses as its database."""

    def __init__(self, opened: Database, database: RealDatabase, service: str) -> None:
        super().__init__(opened._pool, schema=service)
        self._database = database
        self._service = service

    def kill(self) -> None:
        """Cut the connections: what is not committed by now is rolled back."""
        self._pool.terminate()

    @contextlib.asynccontextmanager
    async def transaction(
        self, scope: Scope, *, is_reading: bool = False
    ) -> AsyncIterator[Transaction]:
        """Open a transaction; it is committed when the block ends well."""
        database = self._database
        self.come_by("open")
        if database.happens(database.faults.refusals):
            raise DatabaseUnavailable("ConnectionRefusedError")
        context = super().transaction(scope, is_reading=is_reading)
        with loop.running().working():
            opened = await context.__aenter__()
        try:
            yield _Watched(opened, self)
            self.come_by("commit")
            if database.happens(database.faults.lost_commits):
                raise DatabaseUnavailable("ConnectionDoesNotExistError")
        except BaseException:
            with loop.running().working():
                await context.__aexit__(*sys.exc_info())
            raise
        with loop.running().working():
            await context.__aexit__(None, None, None)
        self.come_by("committed")
        if database.happens(database.faults.unknown_commits):
            raise DatabaseUnavailable("ConnectionDoesNotExistError")

    async def fetch(self, query: Query) -> list[Row]:
        """Run one reading query that is about no tenant."""
        self.come_by(query.name)
        with loop.running().working():
            return await super().fetch(query)

    def come_by(self, what: str) -> None:
        """Be somewhere that everything may end."""
        if self._database.watch is not None:
            self._database.watch(self._service, what)

    async def meet(self, query: Query) -> None:
        """Come by a statement, which may go wrong."""
        self.come_by(query.name)
        if self._database.happens(self._database.faults.failures):
            await asyncio.sleep(0)
            raise DatabaseUnavailable("ConnectionDoesNotExistError")


class _Watched(Transaction):
    """An open transaction, each statement of which is a place."""

    def __init__(self, opened: Transaction, user: RealUser) -> None:
        super().__init__(opened._connection, opened.scope, role=opened._role)
        self._after_commit = opened._after_commit
        self._user = user

    async def narrow(self, tenant_id: TenantId) -> None:
        """Serve one tenant from now on."""
        self._user.come_by("narrow")
        with loop.running().working():
            await super().narrow(tenant_id)

    async def fetch(self, query: Query) -> list[Row]:
        """Run a query and return its rows."""
        await self._user.meet(query)
        with loop.running().working():
            return await super().fetch(query)

    async def fetch_row(self, query: Query) -> Row | None:
        """Run a query and return its first row."""
        await self._user.meet(query)
        with loop.running().working():
            return await super().fetch_row(query)

    async def execute(self, query: Query) -> int:
        """Run a statement and return how many rows it touched."""
        await self._user.meet(query)
        with loop.running().working():
            return await super().execute(query)
