"""Real Postgres and NATS servers for tests.

Import the fixtures into a `conftest.py`. Every test gets a database of its own, copied
from a template in the one Postgres of the test process, and every test file a NATS of
its own. Servers are bound to no event loop, so a test may stop, kill and start them.
"""

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from deploy.local import databases, nats, postgres
from services.chassis import migrations

_numbers = itertools.count(1)


@dataclass(frozen=True, kw_only=True)
class Database:
    """A database of one test, and how each role reaches it."""

    name: str
    server: postgres.Server

    @property
    def admin_url(self) -> str:
        return self.server.dsn(database=self.name)

    def owner_url(self, service: str) -> str:
        role = databases.owner_role(service)
        return self.server.dsn(role=role, database=self.name)

    def service_url(self, service: str) -> str:
        role = databases.service_role(service)
        return self.server.dsn(role=role, database=self.name)


@asynccontextmanager
async def fresh_database(
    server: postgres.Server, *, template: str = "template1"
) -> AsyncIterator[Database]:
    """Create a database from a template nobody is connected to; drop it after."""
    name = f"test_{next(_numbers)}"
    await server.create_database(name, template=template)
    try:
        yield Database(name=name, server=server)
    finally:
        await server.start()
        await server.drop_database(name)


@asynccontextmanager
async def migrated_database(
    server: postgres.Server, *services: str
) -> AsyncIterator[Database]:
    """Create a database with the tables of some services; drop it after.

    The migrations run once in a test process; later databases are copies.
    """
    template = "_".join(("migrated", *sorted(services)))
    if not await server.has_database(template):
        await _migrate(server, services, into=template)
    async with fresh_database(server, template=template) as fresh:
        yield fresh


@pytest.fixture(scope="session")
def servers_directory() -> Iterator[Path]:
    """A short-lived directory for the servers' data, gone after the session."""
    path = Path(tempfile.mkdtemp(prefix="tandem-test-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(servers_directory: Path) -> Iterator[postgres.Server]:
    """A Postgres server that forgets on power loss, with the services' roles."""
    server = postgres.Server(
        servers_directory / "postgres",
        programs=postgres.find_programs(),
        durable=False,
    )
    try:
        asyncio.run(_start_with_roles(server))
        yield server
    finally:
        asyncio.run(server.stop(immediate=True))


@pytest.fixture(scope="module")
def nats_server(servers_directory: Path) -> Iterator[nats.Server]:
    """A NATS server with the production accounts and permissions."""
    yield from running_nats(servers_directory, secured=True)


@pytest.fixture(scope="module")
def open_nats_server(servers_directory: Path) -> Iterator[nats.Server]:
    """A NATS server without users, for tests of the chassis alone."""
    yield from running_nats(servers_directory, secured=False)


def running_nats(directory: Path, *, secured: bool) -> Iterator[nats.Server]:
    """Run a NATS server with nothing in it until the generator is closed."""
    server = nats.Server(
        directory / f"nats_{next(_numbers)}",
        program=nats.find_program(),
        keys_directory=directory / "keys",
        secured=secured,
    )
    try:
        asyncio.run(server.start())
        yield server
    finally:
        asyncio.run(server.stop())


@pytest_asyncio.fixture
async def database(postgres_server: postgres.Server) -> AsyncIterator[Database]:
    """An empty database with the services' schemas and roles, for one test."""
    async with fresh_database(postgres_server, template="prepared") as fresh:
        yield fresh


async def _migrate(
    server: postgres.Server, services: Sequence[str], *, into: str
) -> None:
    await server.create_database(into, template="prepared")
    made = Database(name=into, server=server)
    try:
        for service in services:
            role = databases.service_role(service)
            await migrations.apply(made.owner_url(service), service=service, role=role)
    except BaseException:
        # A template that lacks tables would mislead every later test.
        await server.drop_database(into)
        raise


async def _start_with_roles(server: postgres.Server) -> None:
    await server.start()
    await server.create_database("prepared")
    await databases.prepare(server.dsn(database="prepared"))
