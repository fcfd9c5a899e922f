"""The database of one simulation, and how a service reaches it.

Statements are found by their name: what each does is in the modules of this folder
that are named for the services. Results and errors are those of ``chassis.database``.
"""

import asyncio
import random
import types
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from proto.ids import TenantId
from services.chassis import tenancy
from services.chassis.database import (
    CONNECT_TIMEOUT_S,
    IDLE_IN_TRANSACTION_TIMEOUT_MS,
    Database,
    Transaction,
)
from services.chassis.errors import DatabaseUnavailable
from services.chassis.queries import Query
from services.chassis.tenancy import ALL_TENANTS, Scope
from tests.fakes.chance import Fickle
from tests.fakes.database import catalogue, schema
from tests.fakes.database.faults import NO_FAULTS, DatabaseFaults
from tests.fakes.database.locks import Patience
from tests.fakes.database.ordering import Ordering
from tests.fakes.database.sessions import Session
from tests.fakes.database.tables import Key, Row, Table

IDLE_S_MAX: Final = IDLE_IN_TRANSACTION_TIMEOUT_MS / 1000

Watch = Callable[[str, str], None]
"""Told the service and what it is about to do: the name of a query, ``open``,
``commit`` or, once that is applied, ``committed``."""
Witness = Callable[[str, Sequence[tuple[str, Key, Row | None]]], None]
"""Told the service of each commit with the rows that it wrote."""


class MemoryDatabase(Fickle):
    """The tables of every service."""

    def __init__(
        self,
        source: random.Random,
        *,
        faults: DatabaseFaults = NO_FAULTS,
        patience: Patience | None = None,
        is_bound: bool = True,
    ) -> None:
        self.source = source
        self.faults = faults
        self.patience = patience or Patience()
        self.is_bound = is_bound
        """Whether row-level security holds, as it does not for administrators."""
        self.watch: Watch | None = None
        self.witness: Witness | None = None
        self.is_away = False
        self.counts: Counter[str] = Counter()
        """How often each thing went wrong."""
        self.watches_order = False
        """Whether transactions of the reconciler must lock in its order."""
        self._schemas = {
            service: {name: Table(name, shape) for name, shape in shapes.items()}
            for service, shapes in schema.SERVICES.items()
        }
        self._by_name = {
            f"{service}.{name}": table
            for service, tables in self._schemas.items()
            for name, table in tables.items()
        }
        self._users: list[MemoryUser] = []

    def as_service(self, service: str, *, connections_max: int = 10) -> "MemoryUser":
        """Return what one process of a service uses as its database."""
        user = MemoryUser(
            self,
            service,
            tables=self._schemas[service],
            connections_max=connections_max,
        )
        self._users.append(user)
        return user

    def rows(self, table: str) -> list[Row]:
        """Return what a table holds, such as ``reconciler.links``; change nothing."""
        return self._by_name[table].rows()

    def tables(self) -> list[str]:
        """Return the names of all tables."""
        return list(self._by_name)

    def check(self) -> None:
        """Make sure that nobody holds anything, and that nothing is half there."""
        for tables in self._schemas.values():
            for table in tables.values():
                table.check()

    def go_away(self) -> None:
        """Break every connection and refuse new ones, until ``come_back``."""
        self.is_away = True
        for user in self._users:
            user.break_connections()

    def come_back(self) -> None:
        """Accept connections again."""
        self.is_away = False

    def forget(self, user: "MemoryUser") -> None:
        """Forget a process that is gone."""
        self._users.remove(user)


class MemoryUser(Database):
    """The pool of one process."""

    def __init__(
        self,
        database: MemoryDatabase,
        service: str,
        *,
        tables: dict[str, Table],
        connections_max: int,
    ) -> None:
        super().__init__(pool=None, schema=service)
        self.service = service
        self._database = database
        self._tables = tables
        self._modelled = catalogue.of_service(service)
        self._connections_max = connections_max
        self._open: dict[Session, None] = {}
        self._waiting: list[asyncio.Future[None]] = []
        """Those who wait for a connection, first come first."""
        self._is_dead = False

    @property
    def is_in_use(self) -> bool:
        """Whether a transaction is open."""
        return bool(self._open)

    @property
    def is_waiting(self) -> bool:
        """Whether a statement waits for a lock that somebody else holds."""
        return any(session.is_waiting for session in self._open)

    def transaction(
        self, scope: Scope, *, is_reading: bool = False
    ) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction; it is committed when the block ends well."""
        if scope is not ALL_TENANTS:
            tenancy.check(scope)
        return MemoryTransaction(self, scope, is_reading=is_reading)

    async def fetch(self, query: Query) -> list[Row]:
        """Run one reading query that is about no tenant."""
        session = await self.begin(None)
        try:
            rows = rows_of(await self.run(session, query))
            assert not session.has_written, f"{query.name} writes; open a transaction"
            return rows
        finally:
            self.end(session)

    async def run(self, session: Session, query: Query) -> list[Row] | int:
        """Run one statement; whatever goes wrong ends the transaction, as it does."""
        modelled = self._modelled.get(query.name) or catalogue.missing(
            self.service, query.name
        )
        if session.scope is ALL_TENANTS and self._database.is_bound:
            catalogue.check_for_all(self.service, query.name)
        faults = self._database.faults
        try:
            pause = self._pause(query.name, faults)
            if pause is not None:
                await pause
            self._go_on(session, faults)
            session.statement = query.name
            # Their number was compared when the query was made.
            values = dict(zip(modelled.parameters, query.values))  # noqa: B905
            return await modelled.function(session, **values)
        except BaseException as err:
            session.fail(err)
            raise

    def break_connections(self) -> None:
        """End every open transaction, as when the server goes."""
        for session in self._open:
            session.rollback()

    def kill(self) -> None:
        """End this process: nothing that it still tries reaches the database."""
        self._is_dead = True
        self.break_connections()
        self._database.forget(self)

    async def begin(self, scope: Scope | None) -> Session:
        """Open a transaction, waiting for a connection that is free."""
        database, refusals = self._database, self._database.faults.refusals
        self._tell("open")
        is_refused = self._is_dead or database.is_away
        if is_refused or (refusals and database.happens(refusals)):
            await _step_back()
            raise DatabaseUnavailable("ConnectionRefusedError")
        if len(self._open) >= self._connections_max:
            await self._wait_for_connection()
        seen = scope if database.is_bound else ALL_TENANTS
        session = Session(self._tables, database.patience, scope=seen)
        if database.watches_order and self.service == "reconciler":
            session.ordering = Ordering()
        session.used_at = asyncio.get_running_loop().time()
        self._open[session] = None
        return session

    async def narrow(self, session: Session, tenant_id: TenantId) -> None:
        """Have a session that serves all tenants serve one from now on."""
        faults = self._database.faults
        try:
            pause = self._pause("narrow", faults)
            if pause is not None:
                await pause
            self._go_on(session, faults)
        except BaseException as err:
            session.fail(err)
            raise
        if self._database.is_bound:
            session.scope = tenant_id

    async def commit(self, session: Session) -> None:
        """Commit; what goes wrong leaves it open whether that was done."""
        database, faults = self._database, self._database.faults
        pause = self._pause("commit", faults)
        if pause is not None:
            await pause
        self._go_on(session, faults)
        if faults.lost_commits and database.happens(faults.lost_commits):
            database.counts["lost commit"] += 1
            raise DatabaseUnavailable("ConnectionDoesNotExistError")
        written = session.written() if session.has_written else []
        session.commit()
        if written and database.witness is not None:
            database.witness(self.service, written)
        self._tell("committed")
        if self._is_dead or database.happens(faults.unknown_commits):
            database.counts["unknown commit"] += 1
            await _step_back()
            raise DatabaseUnavailable("ConnectionDoesNotExistError")
        if database.happens(faults.yields):
            await _step_back()

    def end(self, session: Session) -> None:
        """Give the connection back; what is not committed by now is undone."""
        if not session.is_over:
            session.rollback()
        del self._open[session]
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
                break

    async def _wait_for_connection(self) -> None:
        give_up_at = asyncio.get_running_loop().time() + CONNECT_TIMEOUT_S
        while len(self._open) >= self._connections_max:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            try:
                async with asyncio.timeout_at(give_up_at):
                    await waiting
            except TimeoutError as err:
                raise DatabaseUnavailable("TimeoutError") from err
            finally:
                self._waiting.remove(waiting)

    def _pause(self, what: str, faults: DatabaseFaults) -> Awaitable[None] | None:
        """Be somewhere that others may come in between, or everything may end.

        Returns what to wait for. None as often as not: a coroutine for each statement
        would cost more than all that is in it.
        """
        database = self._database
        if database.watch is not None:
            database.watch(self.service, what)
        chance = database.source.random()
        if chance < faults.delays:
            return asyncio.sleep(database.source.uniform(0.0, faults.delay_s_max))
        if chance < faults.delays + faults.yields or self._is_dead:
            return _step_back()
        return None

    def _go_on(self, session: Session, faults: DatabaseFaults) -> None:
        """Begin the next statement, unless something has ended the transaction."""
        if faults.failures and self._database.happens(faults.failures):
            session.rollback()
        # Code that goes on after an error: Postgres would refuse, or undo it.
        assert session.error is None, f"the transaction has failed: {session.error!r}"
        now_s = asyncio.get_running_loop().time()
        if session.is_over or now_s - session.used_at > IDLE_S_MAX:
            raise DatabaseUnavailable("ConnectionDoesNotExistError")
        session.used_at = now_s

    def _tell(self, what: str) -> None:
        if self._database.watch is not None:
            self._database.watch(self.service, what)


class MemoryTransaction(Transaction):
    """One transaction, open as long as the block that it is the context of."""

    def __init__(self, user: MemoryUser, scope: Scope, *, is_reading: bool) -> None:
        super().__init__(connection=None, scope=scope)
        self._user = user
        self._is_reading = is_reading
        self._session: Session

    async def __aenter__(self) -> Transaction:
        self._session = await self._user.begin(self.scope)
        return self

    async def __aexit__(self, kind: object, *_error: object) -> None:
        try:
            if self._is_reading:
                what = self._session.statement
                assert not self._session.has_written, f"{what} writes while reading"
            if kind is None:
                await self._user.commit(self._session)
        finally:
            self._user.end(self._session)
        if kind is None:
            self.committed()

    async def narrow(self, tenant_id: TenantId) -> None:
        """Serve one tenant from now on."""
        assert self.scope is ALL_TENANTS, "it serves one tenant already"
        tenancy.beginning(tenant_id, role="")
        await self._user.narrow(self._session, tenant_id)
        self.scope = tenant_id

    async def fetch(self, query: Query) -> list[Any]:
        """Run a query and return its rows."""
        return rows_of(await self._user.run(self._session, query))

    async def fetch_row(self, query: Query) -> Any:
        """Run a query and return its first row."""
        rows = rows_of(await self._user.run(self._session, query))
        return rows[0] if rows else None

    async def execute(self, query: Query) -> int:
        """Run a statement and return how many rows it touched."""
        result = await self._user.run(self._session, query)
        return result if isinstance(result, int) else len(result)


@types.coroutine
def _step_back() -> Generator[None, None, None]:
    """Let others run first: ``asyncio.sleep(0)`` without what only its delay needs."""
    yield


def rows_of(result: list[Row] | int) -> list[Row]:
    """Return a statement's rows; without RETURNING it has none, only a count."""
    return [] if isinstance(result, int) else result
