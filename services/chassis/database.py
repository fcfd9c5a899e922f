"""Postgres: a pool, transactions, and its faults under names of our own.

The only importer of asyncpg.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import asyncpg
import structlog
from prometheus_client import Counter

from proto.ids import TenantId
from services.chassis import config, queries, tenancy
from services.chassis.clock import Clock
from services.chassis.errors import (
    AlreadyStored,
    BadConfiguration,
    DatabaseUnavailable,
)
from services.chassis.queries import Query
from services.chassis.tenancy import ALL_TENANTS, Scope
from services.chassis.tls import Papers

log = structlog.get_logger()

STATEMENT_TIMEOUT_S: Final = 60.0
CONNECT_TIMEOUT_S: Final = 5.0
LOCK_TIMEOUT_MS: Final = 10_000
IDLE_IN_TRANSACTION_TIMEOUT_MS: Final = 30_000

QUERIES = Counter("tandem_database_queries", "Statements sent to Postgres")

PING: Final = queries.load(Path(__file__).parent / "sql" / "queries.sql")[
    "check_database"
]()

Row: TypeAlias = Mapping[str, Any]

_UNREACHABLE = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InternalClientError,
    ConnectionError,
    TimeoutError,
    OSError,
)
_RETRIABLE = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)


@contextlib.contextmanager
def own_errors() -> Iterator[None]:
    """Turn the driver's exceptions into the chassis's."""
    try:
        yield
    except asyncpg.UniqueViolationError as err:
        raise AlreadyStored(err.constraint_name or "") from err
    except _UNREACHABLE as err:
        raise DatabaseUnavailable(type(err).__name__) from err
    except _RETRIABLE as err:
        raise DatabaseUnavailable(type(err).__name__) from err
    except asyncpg.InterfaceError as err:
        # A pool or connection that was closed under our hands.
        raise DatabaseUnavailable(type(err).__name__) from err


@contextlib.contextmanager
def address_errors(setting: str) -> Iterator[None]:
    """Tell an address that can never work from a server that is away.

    Raises:
        BadConfiguration: Names the setting, and never repeats the address.
    """
    try:
        yield
    except asyncpg.ClientConfigurationError as err:
        fault = (
            "is no address like postgresql://user@host:5432/database, or has an"
            " sslmode or sslrootcert that cannot be used"
        )
        raise BadConfiguration([f"{setting} {fault}"]) from err
    except asyncpg.InvalidCatalogNameError as err:
        fault = "names a database that Postgres does not have; create it first"
        raise BadConfiguration([f"{setting} {fault}"]) from err
    except asyncpg.InvalidAuthorizationSpecificationError as err:
        fault = "has a role or password that Postgres refuses; correct it"
        raise BadConfiguration([f"{setting} {fault}"]) from err


class Transaction:
    """One open transaction. Statements go out in the order they are awaited."""

    def __init__(self, connection: Any, scope: Scope, *, role: str = "") -> None:
        self._connection = connection
        self._role = role
        self.scope = scope
        """Whom it serves; Postgres shows it nobody else's rows."""
        self._after_commit: list[Callable[[], None]] = []

    async def fetch(self, query: Query) -> list[Row]:
        """Run a query and return its rows."""
        QUERIES.inc()
        with own_errors():
            rows: list[Row] = await self._connection.fetch(query.text, *query.values)
        return rows

    async def fetch_row(self, query: Query) -> Row | None:
        """Run a query and return its first row."""
        QUERIES.inc()
        with own_errors():
            row: Row | None = await self._connection.fetchrow(query.text, *query.values)
        return row

    async def execute(self, query: Query) -> int:
        """Run a statement and return how many rows it touched."""
        QUERIES.inc()
        with own_errors():
            tag: str = await self._connection.execute(query.text, *query.values)
        count = tag.rsplit(" ", 1)[-1]
        return int(count) if count.isdigit() else 0

    async def narrow(self, tenant_id: TenantId) -> None:
        """Serve one tenant from now on, in a transaction that began for all.

        The way back does not exist: nothing widens what a transaction sees.
        """
        assert self.scope is ALL_TENANTS, "it serves one tenant already"
        with own_errors():
            await self._connection.execute(
                tenancy.narrowing(tenant_id, role=self._role)
            )
        self.scope = tenant_id

    def after_commit(self, action: Callable[[], None]) -> None:
        """Call ``action`` once the transaction is committed for sure."""
        self._after_commit.append(action)

    def committed(self) -> None:
        """Run what was to wait for the commit."""
        for action in self._after_commit:
            action()


class Database:
    """A pool of connections as one service's role, in that service's schema."""

    def __init__(self, pool: Any, *, schema: str) -> None:
        self._pool = pool
        self._role = tenancy.all_tenants_role(schema)

    @contextlib.asynccontextmanager
    async def transaction(
        self, scope: Scope, *, is_reading: bool = False
    ) -> AsyncIterator[Transaction]:
        """Open a transaction; it is committed when the block ends well.

        Args:
            scope: Whom it serves.
            is_reading: Have Postgres refuse whatever writes.

        Raises:
            DatabaseUnavailable: Also when it is not known whether it committed.
        """
        # One round trip for both.
        begin = "BEGIN READ ONLY; " if is_reading else "BEGIN; "
        begin += tenancy.beginning(scope, role=self._role)
        async with self._connection() as connection:
            transaction = Transaction(connection, scope, role=self._role)
            try:
                with own_errors():
                    await connection.execute(begin)
                yield transaction
            except BaseException:
                with contextlib.suppress(DatabaseUnavailable), own_errors():
                    await connection.execute("ROLLBACK")
                raise
            with own_errors():
                await connection.execute("COMMIT")
        transaction.committed()

    def reader(self, scope: Scope) -> "Reader":
        """Return what reads for a tenant, or for all, one query at a time."""
        return Reader(self, scope)

    async def fetch(self, query: Query) -> list[Row]:
        """Run one reading query that is about no tenant; it sees no tenant's rows."""
        QUERIES.inc()
        async with self._connection() as connection:
            with own_errors():
                rows: list[Row] = await connection.fetch(query.text, *query.values)
            return rows

    async def fetch_row(self, query: Query) -> Row | None:
        """Run such a query and return its first row."""
        rows = await self.fetch(query)
        return rows[0] if rows else None

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        """Borrow a connection; a pool that has none for too long counts as away."""
        with own_errors():
            connection = await self._pool.acquire(timeout=CONNECT_TIMEOUT_S)
        try:
            yield connection
        finally:
            with contextlib.suppress(DatabaseUnavailable), own_errors():
                await asyncio.shield(self._pool.release(connection))


class Reader:
    """Runs reading queries for one scope, each in a transaction of its own."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database = database
        self._scope = scope

    async def fetch(self, query: Query) -> list[Row]:
        """Run a query and return its rows."""
        async with self._database.transaction(self._scope, is_reading=True) as reading:
            return await reading.fetch(query)

    async def fetch_row(self, query: Query) -> Row | None:
        """Run a query and return its first row."""
        async with self._database.transaction(self._scope, is_reading=True) as reading:
            return await reading.fetch_row(query)


Source: TypeAlias = Reader | Transaction
"""What a query that only reads may be run on."""


async def _keep_session(_connection: Any) -> None:
    """Skip the pool's reset and its round trip: no code here changes a session.

    The pool itself still rolls back what a cancelled task left open.
    """


@contextlib.asynccontextmanager
async def connect(
    url: str,
    *,
    schema: str,
    clock: Clock,
    connections_max: int = 10,
    timeout_s: float = 60.0,
    papers: Papers | None = None,
    password_file: Path | None = None,
) -> AsyncIterator[Database]:
    """Open a pool, waiting for Postgres up to ``timeout_s``.

    Args:
        url: Where Postgres is, and as whom it is called.
        schema: Whose tables are meant where none is said.
        clock: What waiting is measured with.
        connections_max: How many connections there may be.
        timeout_s: How long Postgres may be away.
        papers: What TLS is made with; None: as the address says.
        password_file: Where the password is; None: as the address says.

    Raises:
        DatabaseUnavailable: Postgres did not answer in that time.
        BadConfiguration: The address can never work.
    """
    dial = _dialling(url, papers=papers, password_file=password_file)
    pool = await _create_pool(
        dial, schema=schema, clock=clock, size=connections_max, timeout_s=timeout_s
    )
    try:
        yield Database(pool, schema=schema)
    finally:
        try:
            await asyncio.wait_for(pool.close(), timeout=CONNECT_TIMEOUT_S)
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            pool.terminate()


async def open_one(
    url: str,
    *,
    papers: Papers | None = None,
    password_file: Path | None = None,
    **options: Any,
) -> Any:
    """Open a connection of the driver, with the files as they are at this moment.

    Raises:
        OSError: Postgres is away, or a file cannot be read.
    """
    if papers is not None:
        # Whom the system trusts is a file of hundreds of kilobytes.
        options["ssl"] = await asyncio.to_thread(papers.context)
    if password_file is not None:
        options["password"] = _password(password_file)
    return await asyncpg.connect(url, **options)


def _password(path: Path) -> str:
    try:
        return config.read_secret(path).decode()
    except (BadConfiguration, UnicodeDecodeError) as err:
        # It was in order at the start: somebody is just replacing it.
        raise OSError("the password cannot be read") from err


def _dialling(
    url: str, *, papers: Papers | None, password_file: Path | None
) -> Callable[..., Awaitable[Any]]:
    """Return what makes each of a pool's connections."""

    async def dial(*_address: Any, **options: Any) -> Any:
        options |= {"papers": papers, "password_file": password_file}
        return await open_one(url, **options)

    return dial


async def _create_pool(
    dial: Callable[..., Awaitable[Any]],
    *,
    schema: str,
    clock: Clock,
    size: int,
    timeout_s: float,
) -> Any:
    give_up_at = clock.monotonic() + timeout_s
    delay_s = 0.1
    setting = f"{schema.upper()}_DATABASE_URL"
    while True:
        try:
            with own_errors(), address_errors(setting):
                return await asyncpg.create_pool(
                    connect=dial,
                    min_size=1,
                    max_size=size,
                    timeout=CONNECT_TIMEOUT_S,
                    command_timeout=STATEMENT_TIMEOUT_S,
                    reset=_keep_session,
                    server_settings={
                        "search_path": schema,
                        "application_name": f"tandem-{schema}",
                        "timezone": "UTC",
                        "lock_timeout": str(LOCK_TIMEOUT_MS),
                        "idle_in_transaction_session_timeout": str(
                            IDLE_IN_TRANSACTION_TIMEOUT_MS
                        ),
                    },
                )
        except DatabaseUnavailable as err:
            if clock.monotonic() >= give_up_at:
                raise
            log.info("waiting_for_database", reason=str(err))
            await clock.sleep(delay_s)
            delay_s = min(delay_s * 2, 2.0)
