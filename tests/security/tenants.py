"""The tables of all services, read from the catalogue, with a row for each tenant.

So a table that a later migration adds is looked at without anybody naming it here.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import asyncpg

from deploy.local import databases, postgres
from proto.ids import TenantId
from proto.subjects import SERVICES
from services.chassis import tenancy
from tests.servers import Database, migrated_database

OURS: Final = TenantId("tnt_ours")
THEIRS: Final = TenantId("tnt_theirs")

EXEMPT: Final = {
    "migrations": "names of migrations, the same for every tenant",
    "guesses": "digests of what passwords were tried for, of tenants or of nobody",
    "shared_limits": "keys of clients that say nothing, with counts of calls",
    "oidc_sign_ins": "digests of states; the provider says who it is afterwards",
}
"""Tables of each schema that have no tenant, with the reason."""

TABLES: Final = """
SELECT
    namespace.nspname AS schema,
    class.relname AS name,
    class.relrowsecurity AND class.relforcerowsecurity AS is_forced,
    EXISTS (
        SELECT 1
        FROM pg_attribute AS attribute
        WHERE attribute.attrelid = class.oid
            AND attribute.attname = 'tenant_id'
            AND NOT attribute.attisdropped
    ) AS has_tenant
FROM pg_class AS class
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
WHERE namespace.nspname = ANY ($1::text[])
    AND class.relkind IN ('r', 'p', 'f')
ORDER BY 1, 2
"""
_COLUMNS: Final = """
SELECT attribute.attname AS name, format_type(attribute.atttypid, NULL) AS type
FROM pg_attribute AS attribute
WHERE attribute.attrelid = $1::regclass
    AND attribute.attnum > 0
    AND NOT attribute.attisdropped
    AND attribute.attnotnull
    AND NOT attribute.atthasdef
    AND attribute.attidentity = ''
ORDER BY attribute.attnum
"""
_VALUES: Final = {
    "text": "'{column} of {tenant}'",
    "text[]": "'{{}}'",
    "bytea": "'{column} of {tenant}'",
    "integer": "1",
    "bigint": "1",
    "double precision": "1",
    "boolean": "false",
    "timestamp with time zone": "now()",
}
"""A value of each type, different for each tenant where it may have to be unique."""

Command: TypeAlias = Literal["select", "insert", "update", "move", "delete"]
COMMANDS: Final[tuple[Command, ...]] = ("select", "insert", "update", "move", "delete")


@dataclass(frozen=True, order=True)
class Table:
    """A table with a column for the tenant."""

    schema: str
    name: str

    @property
    def full_name(self) -> str:
        """The table as SQL has it."""
        return f"{self.schema}.{self.name}"


@asynccontextmanager
async def filled(server: postgres.Server) -> AsyncIterator[Database]:
    """Create a database with all services' tables and a row in each for each tenant."""
    async with migrated_database(server, *SERVICES) as database:
        admin = await asyncpg.connect(database.admin_url)
        try:
            # What a row refers to need not be there, and what triggers do is not asked.
            await admin.execute("SET session_replication_role = replica")
            for table in await tables(admin):
                for tenant_id in (OURS, THEIRS):
                    await admin.execute(await insertion(admin, table, tenant_id))
        finally:
            await admin.close()
        yield database


async def tables(connection: Any) -> list[Table]:
    """Return every table of every service that has a tenant, by the catalogue."""
    return [
        Table(row["schema"], row["name"])
        for row in await connection.fetch(TABLES, list(SERVICES))
        if row["has_tenant"]
    ]


async def insertion(connection: Any, table: Table, tenant_id: TenantId) -> str:
    """Return a statement that stores a row of a tenant."""
    columns = await connection.fetch(_COLUMNS, table.full_name)
    values = [
        f"'{tenant_id}'"
        if column["name"] == "tenant_id"
        else _VALUES[column["type"]].format(column=column["name"], tenant=tenant_id)
        for column in columns
    ]
    names = ", ".join(column["name"] for column in columns)
    return f"INSERT INTO {table.full_name} ({names}) VALUES ({', '.join(values)})"


def statement_of(command: Command, table: Table, insert: str) -> str:
    """Return a statement that is after rows of THEIRS, and returns what it got."""
    name = table.full_name
    theirs = f"FROM {name} WHERE tenant_id = '{THEIRS}'"
    return {
        "select": f"SELECT tenant_id {theirs}",
        "insert": f"{insert} RETURNING tenant_id",
        "update": f"UPDATE {name} SET tenant_id = tenant_id"
        f" WHERE tenant_id = '{THEIRS}' RETURNING tenant_id",
        # Ours become theirs: a row smuggled in.
        "move": f"UPDATE {name} SET tenant_id = '{THEIRS}' RETURNING tenant_id",
        "delete": f"DELETE {theirs} RETURNING tenant_id",
    }[command]


async def attempt(
    connection: Any, statement: str, *, beginnings: Iterable[str]
) -> list[str] | asyncpg.PostgresError:
    """Run a statement in a transaction that is undone; whose rows it got, or the error.

    Args:
        connection: Signed in as the role in question.
        statement: Returns the tenants of the rows that it touched.
        beginnings: What the transaction says of itself first.
    """
    opened = connection.transaction()
    await opened.start()
    try:
        for beginning in beginnings:
            await connection.execute(beginning)
        return [row["tenant_id"] for row in await connection.fetch(statement)]
    except asyncpg.PostgresError as err:
        return err
    finally:
        await opened.rollback()


async def contents(connection: Any, found: Sequence[Table]) -> dict[Table, list[Any]]:
    """Return everything that tables hold, as an administrator sees it."""
    return {
        table: sorted(
            str(dict(row))
            for row in await connection.fetch(f"SELECT * FROM {table.full_name}")
        )
        for table in found
    }


def url_of(database: Database, role: str) -> str:
    """Return the address of a database for a role."""
    return database.server.dsn(role=role, database=database.name)


def roles_of(service: str) -> tuple[str, str, str]:
    """Return the roles of a service: at work, owner, for all tenants."""
    return (
        databases.service_role(service),
        databases.owner_role(service),
        tenancy.all_tenants_role(service),
    )
