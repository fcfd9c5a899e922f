"""Row-level security, tried over every table that the catalogue has (hazards 112, 113).

No role gets a row of another tenant, or any row without a tenant, whatever it asks.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import asyncpg
import pytest

from deploy.local import databases, postgres
from proto.subjects import SERVICES
from services.chassis import queries, tenancy
from tests.fakes.database import catalogue
from tests.security import tenants
from tests.security.conftest import Figures
from tests.security.tenants import OURS, THEIRS, Table
from tests.servers import Database, migrated_database

SHARED_KEYS: Final = {
    "api.tenants (name)": "an operator's names of tenants; no request can ask for one",
    "api.api_keys (digest)": "of 32 random bytes; a key is what tells the tenant",
    "api.authorisations (link_digest)": "of 32 random bytes; it tells the tenant",
    "api.authorisations (state_digest)": "of 32 random bytes; it tells the tenant",
    "api.sessions (digest)": "of 32 random bytes; a cookie is what tells the tenant",
    "api.invitations (digest)": "of 32 random bytes; it tells the tenant",
    "api.half_sessions (digest)": "of 32 random bytes; a cookie tells the tenant",
    "api.password_resets (digest)": "of 32 random bytes; it tells the tenant",
    "api.audit_entries (entry_id)": "numbered by the database, never by a request",
}
"""Unique keys without the tenant, each with why it tells nobody of another tenant."""

UNREADABLE: Final = {
    "auth.app_clients": ("body", "client_id"),
    "auth.authorisations": ("body", "browser_hash", "redirect_uri"),
    "auth.accounts": ("vendor_account_id", "display_name"),
    "auth.credentials": ("body", "username"),
    "connector.accounts": ("scan_cursor", "changes_cursor"),
    "connector.writes": ("payload", "result"),
    "connector.wanted_reads": ("record_id",),
    "reconciler.accounts": ("description",),
    "reconciler.observations": ("record", "digest"),
    "reconciler.emails": ("email", "record_id"),
    "reconciler.links": ("body", "name", "email"),
    "reconciler.losses": ("fields",),
    "reconciler.suppressions": ("digest",),
    "reconciler.erasures": ("digest", "subject", "remains"),
    "api.api_keys": ("name", "hint"),
    "api.audit_entries": ("actor", "object_id"),
    "api.sessions": ("remote", "browser"),
    "api.invitations": ("created_by",),
    "api.enrolments": ("sealed", "key_id"),
    "api.recovery_codes": ("digest",),
    "api.second_factors": ("last_step",),
}
"""Columns with secrets or contacts that nothing reads for all tenants at once."""

_POLICIES: Final = """
SELECT schemaname || '.' || tablename AS table_name,
    array_agg(policyname::text ORDER BY policyname) AS names
FROM pg_policies
WHERE schemaname = ANY ($1::text[])
GROUP BY 1
"""
_VIEWS: Final = """
SELECT relnamespace::regnamespace || '.' || relname AS name
FROM pg_class
WHERE relnamespace::regnamespace::text = ANY ($1::text[])
    AND relkind IN ('v', 'm')
    AND NOT coalesce('security_invoker=true' = ANY (reloptions), false)
"""
_KEYS: Final = """
SELECT format(
    '%s.%s (%s)', schema.nspname, class.relname,
    (
        SELECT string_agg(attribute.attname, ', ' ORDER BY position)
        FROM unnest(index.indkey) WITH ORDINALITY AS key (number, position)
        JOIN pg_attribute AS attribute
            ON attribute.attrelid = class.oid AND attribute.attnum = key.number
    )
) AS key
FROM pg_index AS index
JOIN pg_class AS class ON class.oid = index.indrelid
JOIN pg_namespace AS schema ON schema.oid = class.relnamespace
JOIN pg_attribute AS tenant
    ON tenant.attrelid = class.oid AND tenant.attname = 'tenant_id'
WHERE schema.nspname = ANY ($1::text[])
    AND index.indisunique
    AND NOT tenant.attnum = ANY (index.indkey)
"""
_FOREIGN_KEYS: Final = """
SELECT constraint_.conrelid::regclass || ': ' || constraint_.conname AS key
FROM pg_constraint AS constraint_
JOIN pg_namespace AS schema ON schema.oid = constraint_.connamespace
WHERE schema.nspname = ANY ($1::text[])
    AND constraint_.contype = 'f'
    AND NOT EXISTS (
        SELECT 1
        FROM pg_attribute AS tenant
        WHERE tenant.attrelid = constraint_.conrelid
            AND tenant.attname = 'tenant_id'
            AND tenant.attnum = ANY (constraint_.conkey)
    )
"""


_RIGHTS: Final = """
SELECT
    has_schema_privilege($1, $2, 'USAGE, CREATE') AS schema,
    has_table_privilege(
        $1, $3, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'
    ) AS rows,
    has_any_column_privilege($1, $3, 'SELECT, INSERT, UPDATE, REFERENCES') AS columns
"""


@pytest.fixture(scope="module")
def shared(postgres_server: postgres.Server) -> Iterator[Database]:
    """A database with all tables and rows of two tenants, which nobody changes."""
    with asyncio.Runner() as runner:
        filled = tenants.filled(postgres_server)
        yield runner.run(filled.__aenter__())
        runner.run(filled.__aexit__(None, None, None))


@pytest.fixture
async def admin(shared: Database) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(shared.admin_url)
    yield connection
    await connection.close()


async def faults(connection: Any) -> list[str]:
    """Say which tables, policies and views do not keep tenants apart."""
    policies = {
        row["table_name"]: list(row["names"])
        for row in await connection.fetch(_POLICIES, list(SERVICES))
    }
    found = []
    for row in await connection.fetch(tenants.TABLES, list(SERVICES)):
        name = f"{row['schema']}.{row['name']}"
        if not row["has_tenant"]:
            if row["name"] not in tenants.EXEMPT:
                found.append(f"{name} has no tenant_id")
        elif not row["is_forced"]:
            found.append(f"{name} does not force row-level security")
        elif policies.get(name) != ["all_tenants", "one_tenant"]:
            found.append(f"{name} has the policies {policies.get(name)}")
    views = await connection.fetch(_VIEWS, list(SERVICES))
    return found + [f"{row['name']} shows what its owner sees" for row in views]


async def test_every_table_keeps_tenants_apart(admin: Any, figures: Figures):
    assert await faults(admin) == []
    found = await tenants.tables(admin)
    assert len(found) > 30
    figures["tables"] = len(found)
    figures["exempt_tables"] = len(tenants.EXEMPT)


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("CREATE TABLE auth.new (tenant_id text)", "does not force"),
        ("CREATE TABLE auth.new (name text)", "has no tenant_id"),
        ("DROP POLICY one_tenant ON auth.accounts", "has the policies"),
        ("ALTER TABLE auth.accounts NO FORCE ROW LEVEL SECURITY", "does not force"),
        ("ALTER TABLE auth.accounts DISABLE ROW LEVEL SECURITY", "does not force"),
        ("CREATE POLICY p ON auth.inbox USING (true)", "has the policies"),
        ("CREATE VIEW auth.seen AS SELECT * FROM auth.accounts", "its owner sees"),
    ],
)
async def test_a_table_without_a_policy_is_found(
    postgres_server: postgres.Server, statement: str, fault: str
):
    """A migration that forgets one must not pass."""
    async with migrated_database(postgres_server, *SERVICES) as database:
        connection = await asyncpg.connect(database.owner_url("auth"))
        try:
            await connection.execute(statement)
            (found,) = await faults(connection)
        finally:
            await connection.close()
    assert fault in found


async def test_nobody_reaches_a_row_of_another_tenant(
    shared: Database, admin: Any, figures: Figures
):
    """Every table, by its service's role and its owner: S3 of the hazards."""
    found = await tenants.tables(admin)
    before = await tenants.contents(admin, found)
    tries, unseen = [], []
    working = [tenants.roles_of(service)[:2] for service in SERVICES]
    for role in itertools.chain.from_iterable(working):
        connection = await asyncpg.connect(tenants.url_of(shared, role))
        for table in (each for each in found if role in tenants.roles_of(each.schema)):
            # A wall that hides everything would keep this from finding a leak.
            if not await _sees_own(connection, table):
                unseen.append(f"{role}: {table.full_name}")
            tries += await _tries(connection, admin, table)
        await connection.close()
    leaks = [what for what, got in tries if THEIRS in got]
    figures["row_attempts"] = len(tries)
    figures["row_leaks"] = len(leaks)
    assert leaks == []
    assert unseen == []
    assert await tenants.contents(admin, found) == before
    assert len(tries) == len(found) * 2 * 2 * len(tenants.COMMANDS)


async def _sees_own(connection: Any, table: Table) -> bool:
    got = await tenants.attempt(
        connection,
        f"SELECT tenant_id FROM {table.full_name}",
        beginnings=[f"SET LOCAL tandem.tenant_id = '{OURS}'"],
    )
    return got == [OURS]


async def _tries(
    connection: Any, admin: Any, table: Table
) -> list[tuple[str, list[str]]]:
    """Try every command without a tenant and as another; return what each got."""
    insert = await tenants.insertion(admin, table, THEIRS)
    found = []
    for beginnings in ([], [f"SET LOCAL tandem.tenant_id = '{OURS}'"]):
        for command in tenants.COMMANDS:
            statement = tenants.statement_of(command, table, insert)
            got = await tenants.attempt(connection, statement, beginnings=beginnings)
            what = f"{command} on {table.full_name} after {beginnings}"
            if isinstance(got, list):
                found.append((what, got))
                assert beginnings or not got, what
                continue
            # The wall itself said no, not something else that was wrong.
            is_wall = isinstance(got, asyncpg.InsufficientPrivilegeError)
            is_kept = "neither changed nor removed" in str(got)
            assert is_wall or is_kept, f"{what}: {got!r}"
            found.append((what, []))
    return found


async def test_the_matrix_finds_a_table_that_anybody_reads(
    postgres_server: postgres.Server,
):
    """Without the policy each command reaches a foreign row: the tries are real."""
    async with tenants.filled(postgres_server) as database:
        admin = await asyncpg.connect(database.admin_url)
        await admin.execute("ALTER TABLE auth.inbox DISABLE ROW LEVEL SECURITY")
        await admin.execute(f"DELETE FROM auth.inbox WHERE tenant_id = '{OURS}'")
        role = databases.service_role("auth")
        connection = await asyncpg.connect(tenants.url_of(database, role))
        table = Table("auth", "inbox")
        insert = await tenants.insertion(admin, table, THEIRS)
        got = {
            command: await tenants.attempt(
                connection,
                tenants.statement_of(command, table, insert),
                beginnings=[f"SET LOCAL tandem.tenant_id = '{OURS}'"],
            )
            for command in tenants.COMMANDS
        }
        await connection.close()
        await admin.close()
    # What is there already cannot be inserted, and says so: an existence leak.
    assert isinstance(got.pop("insert"), asyncpg.UniqueViolationError)
    assert set(map(str, got.values())) == {str([THEIRS])}


async def test_unique_and_foreign_keys_hold_the_tenant(admin: Any, figures: Figures):
    """Hazard 113: whether a key is taken tells that somebody else has it."""
    shared_keys = {row["key"] for row in await admin.fetch(_KEYS, list(SERVICES))}
    assert shared_keys == set(SHARED_KEYS)
    assert await admin.fetch(_FOREIGN_KEYS, list(SERVICES)) == []
    figures["unique_keys_without_tenant"] = len(shared_keys)


async def test_a_role_reaches_its_own_schema_only(
    shared: Database, admin: Any, figures: Figures
):
    """A table of another service is out of reach, whatever its policies say."""
    rows = await admin.fetch(tenants.TABLES, list(SERVICES))
    strangers = [
        (role, row["schema"], f"{row['schema']}.{row['name']}")
        for row in rows
        for service in SERVICES
        for role in tenants.roles_of(service)
        if row["schema"] != service
    ]
    for stranger in strangers:
        rights = await admin.fetchrow(_RIGHTS, *stranger)
        assert not any(rights), f"{stranger}: {dict(rights)}"
    figures["foreign_schema_checks"] = len(strangers)
    assert len(strangers) == 3 * 3 * len(rows)


async def test_a_service_may_not_empty_a_table_or_change_its_policies(
    shared: Database, admin: Any
):
    """TRUNCATE does not ask a policy."""
    for table in await tenants.tables(admin):
        working, _, for_all = tenants.roles_of(table.schema)
        for role in (working, for_all):
            assert not await admin.fetchval(
                "SELECT has_table_privilege($1, $2, 'TRUNCATE, REFERENCES, TRIGGER')",
                *(role, table.full_name),
            )
    connection = await asyncpg.connect(shared.service_url("auth"))
    try:
        for statement in (
            "ALTER TABLE auth.accounts DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE auth.accounts NO FORCE ROW LEVEL SECURITY",
            "CREATE POLICY open ON auth.accounts USING (true)",
            "DROP POLICY one_tenant ON auth.accounts",
            "SET ROLE tandem_auth_owner",
            "SET ROLE tandem_connector_all_tenants",
            "SELECT auth.separate_tenants('auth.migrations')",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        await connection.execute("SET row_security = off")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("SELECT tenant_id FROM auth.accounts")
    finally:
        await connection.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_what_runs_for_all_tenants_is_what_is_declared(
    shared: Database, figures: Figures, service: str
):
    """The simulation refuses what is not declared, and here Postgres does as well."""
    connection = await asyncpg.connect(
        shared.service_url(service), server_settings={"search_path": service}
    )
    known = catalogue.templates_of(service) | catalogue.templates_of("chassis")
    try:
        allowed = {
            query.name
            for query in known.values()
            if await _may_run(connection, query, service=service)
        }
    finally:
        await connection.close()
    declared = catalogue.FOR_ALL_TENANTS[service] | catalogue.FOR_ALL_TENANTS["chassis"]
    assert allowed == declared
    figures[f"queries_for_all_tenants_{service}"] = len(allowed)


async def _may_run(connection: Any, query: queries.Template, *, service: str) -> bool:
    role = tenancy.all_tenants_role(service)
    opened = connection.transaction()
    await opened.start()
    try:
        await connection.execute(f"SET LOCAL ROLE {role}")
        # Planned is enough: rights are looked at before the first row.
        await connection.execute(f"EXPLAIN (GENERIC_PLAN) {query.text}")
    except asyncpg.InsufficientPrivilegeError:
        return False
    finally:
        await opened.rollback()
    return True


async def test_nothing_reads_secrets_or_contacts_for_all_tenants(admin: Any):
    for table, columns in UNREADABLE.items():
        role = tenancy.all_tenants_role(table.partition(".")[0])
        for column in columns:
            assert not await admin.fetchval(
                "SELECT has_column_privilege($1, $2, $3, 'SELECT')",
                *(role, table, column),
            ), f"{role} reads {table}.{column}"
