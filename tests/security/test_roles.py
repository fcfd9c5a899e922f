"""A service refuses to start as a role that could do more than it must (hazard 112)."""

import itertools
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from deploy.local import nats, postgres
from proto.ids import TenantId
from proto.subjects import SERVICES
from services.chassis import database as chassis_database
from services.chassis import migrations, process, roles
from services.chassis.clock import SystemClock
from services.chassis.database import PING
from services.chassis.errors import BadConfiguration
from services.chassis.queries import Query
from services.chassis.tenancy import ALL_TENANTS
from tests.security import tenants
from tests.security.conftest import Figures
from tests.security.tenants import OURS, THEIRS
from tests.servers import Database, fresh_database, migrated_database

ROOT = Path(__file__).parents[2]
_START_TIMEOUT_S = 60
_numbers = itertools.count(1)

SEEN = Query("seen", "SELECT tenant_id FROM auth.accounts ORDER BY 1", ())

STRONG = "may do everything, or become a role that may"
OWNER = "owns the tables, or is a member of who does"
REFUSED = {
    "superuser": ("CREATE ROLE {role} LOGIN SUPERUSER", STRONG),
    "bypassrls": ("CREATE ROLE {role} LOGIN BYPASSRLS", STRONG),
    "member of a superuser": (
        "CREATE ROLE {role} LOGIN NOINHERIT; CREATE ROLE {role}_top SUPERUSER;"
        " GRANT {role}_top TO {role}",
        STRONG,
    ),
    "member of a role with bypassrls": (
        "CREATE ROLE {role} LOGIN NOINHERIT; CREATE ROLE {role}_top BYPASSRLS;"
        " GRANT {role}_top TO {role}",
        STRONG,
    ),
    "member of the owner": (
        "CREATE ROLE {role} LOGIN NOINHERIT; GRANT tandem_auth_owner TO {role}",
        OWNER,
    ),
    "owner of one table": (
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA auth TO {role};"
        " ALTER TABLE auth.inbox OWNER TO {role}",
        OWNER,
    ),
    "for all tenants all the time": (
        "CREATE ROLE {role} LOGIN INHERIT; GRANT tandem_auth_all_tenants TO {role}",
        "has the rights of tandem_auth_all_tenants all the time",
    ),
    "never for all tenants": (
        "CREATE ROLE {role} LOGIN",
        "is no member of tandem_auth_all_tenants",
    ),
}
"""Roles to refuse, how they are made, and what is said of them."""


@pytest.fixture
async def migrated(postgres_server: postgres.Server) -> AsyncIterator[Database]:
    async with migrated_database(postgres_server, "auth") as database:
        yield database


@asynccontextmanager
async def opened(
    url: str, *, connections_max: int = 1
) -> AsyncIterator[chassis_database.Database]:
    async with chassis_database.connect(
        url, schema="auth", clock=SystemClock(), connections_max=connections_max
    ) as found:
        yield found


@asynccontextmanager
async def made(database: Database, statements: str) -> AsyncIterator[str]:
    """Make a role for one test, and take it away with what it owns."""
    role = f"tandem_test_{next(_numbers)}"
    admin = await asyncpg.connect(database.admin_url)
    try:
        await admin.execute(statements.format(role=role))
        yield role
    finally:
        await admin.execute(f"REASSIGN OWNED BY {role} TO CURRENT_USER")
        await admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
        await admin.execute(f"DROP ROLE IF EXISTS {role}_top")
        await admin.close()


@pytest.mark.parametrize("kind", REFUSED)
async def test_a_role_that_could_do_more_is_refused(
    migrated: Database, figures: Figures, kind: str
):
    statements, said = REFUSED[kind]
    async with (
        made(migrated, statements) as role,
        opened(tenants.url_of(migrated, role)) as database,
    ):
        with pytest.raises(BadConfiguration) as refused:
            await roles.check(database, service="auth")
    (fault,) = refused.value.faults
    assert fault.startswith(f"AUTH_DATABASE_URL logs in as {role}, which {said}")
    assert "tandem_auth" in fault or "admin.sql" in fault
    figures["roles_refused"] = int(figures.get("roles_refused", 0)) + 1


async def test_the_owner_is_refused(migrated: Database):
    async with opened(migrated.owner_url("auth")) as database:
        with pytest.raises(BadConfiguration, match=OWNER):
            await roles.check(database, service="auth")


@pytest.mark.parametrize("service", SERVICES)
async def test_the_role_that_the_installer_makes_is_taken(
    postgres_server: postgres.Server, service: str
):
    async with (
        migrated_database(postgres_server, service) as database,
        chassis_database.connect(
            database.service_url(service), schema=service, clock=SystemClock()
        ) as found,
    ):
        await roles.check(found, service=service)


@pytest.mark.parametrize("change", ["DISABLE", "NO FORCE"])
async def test_a_table_that_shows_everything_is_refused(
    migrated: Database, change: str
):
    """As somebody may leave it who restored a backup by hand."""
    admin = await asyncpg.connect(migrated.admin_url)
    for table in ("credentials", "outbox"):
        await admin.execute(f"ALTER TABLE auth.{table} {change} ROW LEVEL SECURITY")
    await admin.close()
    async with opened(migrated.service_url("auth")) as database:
        with pytest.raises(BadConfiguration) as refused:
            await roles.check(database, service="auth")
    (fault,) = refused.value.faults
    assert "show every row to everybody: credentials, outbox;" in fault


def test_a_service_that_is_given_the_owner_says_what_to_do(
    migrated: Database, nats_server: nats.Server, tmp_path: Path
):
    """One sentence and the code of a wrong configuration; no traceback, no service."""
    done = _run(migrated.owner_url("auth"), nats_server, tmp_path)
    assert "Traceback" not in done.stderr
    assert OWNER in done.stderr
    assert "use the service's own role tandem_auth" in done.stderr
    assert done.returncode == process.EXIT_CONFIGURATION
    errand = _run(migrated.owner_url("auth"), nats_server, tmp_path, "dead-letters")
    assert OWNER in errand.stderr
    assert errand.returncode == process.EXIT_CONFIGURATION


def _run(
    url: str, nats_server: nats.Server, directory: Path, *arguments: str
) -> "subprocess.CompletedProcess[str]":
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        "AUTH_DATABASE_URL": url,
        "AUTH_NATS_URL": nats_server.url,
        "AUTH_NATS_SEED_FILE": str(nats_server.seed_file("auth")),
        "AUTH_KEY_RING_FILE": str(directory / "none.json"),
    }
    return subprocess.run(
        [sys.executable, "-m", "services.auth", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_START_TIMEOUT_S,
    )


async def test_migrating_without_the_role_of_all_tenants_says_what_to_do(
    postgres_server: postgres.Server,
):
    """An installation of before runs admin.sql once more."""
    async with fresh_database(postgres_server) as database:
        admin = await asyncpg.connect(database.admin_url)
        await admin.execute("CREATE SCHEMA elsewhere")
        await admin.close()
        with pytest.raises(BadConfiguration, match=r"run deploy/postgres/admin\.sql"):
            await migrations.apply(database.admin_url, service="elsewhere", role="")


@pytest.fixture
async def filled(postgres_server: postgres.Server) -> AsyncIterator[Database]:
    async with tenants.filled(postgres_server) as database:
        yield database


async def test_a_connection_remembers_no_tenant(filled: Database):
    """The one connection of a pool, used by one after the other."""
    async with opened(filled.service_url("auth")) as database:
        for tenant_id in (OURS, THEIRS):
            async with database.transaction(tenant_id) as transaction:
                assert await rows(transaction) == [tenant_id]
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no tenant"):
                await database.fetch(SEEN)
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission"):
            # Not the content of rows, and no further than this transaction.
            async with database.transaction(ALL_TENANTS) as transaction:
                await transaction.fetch(Query("b", "SELECT body FROM credentials", ()))
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="no tenant"):
            await database.fetch(SEEN)
        assert await rows(database.reader(OURS)) == [OURS]


async def test_a_transaction_of_all_can_only_become_one_of_one(filled: Database):
    async with opened(filled.service_url("auth")) as database:
        async with database.transaction(ALL_TENANTS) as transaction:
            assert await rows(transaction) == [OURS, THEIRS]
            await transaction.narrow(THEIRS)
            assert await rows(transaction) == [THEIRS]
            with pytest.raises(AssertionError):
                await transaction.narrow(OURS)
        assert await rows(database.reader(OURS)) == [OURS]


@pytest.mark.parametrize(
    "text", ["", "'", "tnt_1'; RESET ROLE; --", "a b", "tnt_\n", "é", "a" * 65]
)
async def test_what_is_no_tenant_serves_nobody(filled: Database, text: str):
    """The name stands in the statement itself, so what could end it is refused."""
    async with opened(filled.service_url("auth")) as database:
        with pytest.raises(ValueError, match="needs a tenant"):
            async with database.transaction(TenantId(text)):
                raise AssertionError("it was opened")
        async with database.transaction(ALL_TENANTS) as transaction:
            with pytest.raises(ValueError, match="needs a tenant"):
                await transaction.narrow(TenantId(text))


async def test_a_reader_cannot_write(filled: Database):
    drop = Query("drop", "DELETE FROM auth.accounts RETURNING tenant_id", ())
    async with opened(filled.service_url("auth")) as database:
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await database.reader(OURS).fetch(drop)
        assert await rows(database.reader(OURS)) == [OURS]


async def test_without_its_role_for_all_tenants_nothing_is_left_open(filled: Database):
    """The statement that begins a transaction may itself be refused."""
    async with (
        made(filled, "CREATE ROLE {role} LOGIN") as role,
        opened(tenants.url_of(filled, role)) as database,
    ):
        for _ in range(2):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                async with database.transaction(ALL_TENANTS):
                    raise AssertionError("it was opened")
        row = await database.fetch_row(PING)
        assert row is not None
        assert row["answer"] == 1


async def rows(source: chassis_database.Source) -> list[TenantId]:
    return [row["tenant_id"] for row in await source.fetch(SEEN)]
