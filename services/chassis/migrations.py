"""Numbered, forward-only migrations of one service's schema.

Run by ``python -m services.<name> migrate`` as the role that owns the schema. The
chassis's own tables come first, into every service's schema.
"""

from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import structlog

from services.chassis import database as databases
from services.chassis import queries, tenancy
from services.chassis.database import Database
from services.chassis.errors import BadConfiguration, NotMigrated
from services.chassis.tls import Papers

log = structlog.get_logger()
Q = queries.load(Path(__file__).parent / "sql" / "queries.sql")

_LOCK: Final = 0x7A6E_D000
_CHASSIS: Final = Path(__file__).parent / "sql" / "migrations"
_LEDGER: Final = """
CREATE TABLE IF NOT EXISTS migrations (
    name        text PRIMARY KEY,
    applied_at  timestamptz NOT NULL DEFAULT now()
)
"""

_LIMITED: Final = """
SELECT relname::text AS name, split_part(obj_description(oid, 'pg_class'), ' only:', 1)
FROM pg_class
WHERE relnamespace = $1::text::regnamespace
    AND obj_description(oid, 'pg_class') ~ '^(read|insert) only:'
"""
_WITHHELD: Final = {"read": "INSERT, UPDATE, DELETE", "insert": "UPDATE, DELETE"}
"""What the service's role may not do with a table whose comment begins like this."""


def names_of(service: str) -> list[tuple[str, Path]]:
    """Return every migration of a service in the order of application."""
    own = Path(__file__).parent.parent / service / "sql" / "migrations"
    return [
        (f"{origin}/{path.stem}", path)
        for origin, folder in (("chassis", _CHASSIS), (service, own))
        for path in sorted(folder.glob("*.sql"))
    ]


async def apply(
    url: str,
    *,
    service: str,
    role: str,
    papers: Papers | None = None,
    password_file: Path | None = None,
) -> list[str]:
    """Apply what is missing and let ``role`` use the tables; return the new names.

    Raises:
        DatabaseUnavailable: Postgres cannot be reached.
        BadConfiguration: The address can never work, or a role is missing.
    """
    setting = f"{service.upper()}_MIGRATION_DATABASE_URL"
    with databases.own_errors(), databases.address_errors(setting):
        connection = await databases.open_one(
            url, papers=papers, password_file=password_file, timeout=10
        )
    try:
        return await _apply(connection, service=service, role=role)
    finally:
        await connection.close(timeout=5)


async def pending(database: Database, *, service: str) -> list[str]:
    """Return the migrations that this code knows and the schema does not have."""
    row = await database.fetch_row(Q["has_migrations"]())
    is_migrated = row is not None and row["answer"]
    rows = await database.fetch(Q["list_migrations"]()) if is_migrated else []
    known = {row["name"] for row in rows}
    return [name for name, _ in names_of(service) if name not in known]


async def check(database: Database, *, service: str) -> None:
    """Refuse a schema that is older than this code.

    Raises:
        NotMigrated: Names the migrations that are missing.
    """
    if missing := await pending(database, service=service):
        raise NotMigrated(f"the schema lacks {', '.join(missing)}")


def role_of(url: str) -> str:
    """Return the role that a database address logs in as."""
    return unquote(urlsplit(url).username or "")


async def _apply(connection: Any, *, service: str, role: str) -> list[str]:
    schema = _quoted(service)
    applied: list[str] = []
    await _check_roles(connection, service=service)
    async with connection.transaction():
        # Two replicas may start at once; the second waits here and finds nothing.
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        if not await connection.fetchval(
            "SELECT 1 FROM pg_namespace WHERE nspname = $1", service
        ):
            await connection.execute("CREATE SCHEMA " + schema)
        await connection.execute("SET LOCAL search_path TO " + schema)
        await connection.execute(_LEDGER)
        known = {
            row["name"] for row in await connection.fetch("SELECT name FROM migrations")
        }
        for name, path in names_of(service):
            if name in known:
                continue
            await connection.execute(path.read_text(encoding="utf-8"))
            await connection.execute("INSERT INTO migrations (name) VALUES ($1)", name)
            log.info("migration_applied", migration=name)
            applied.append(name)
        if role:
            await _grant(connection, schema=schema, role=_quoted(role))
    return applied


async def _check_roles(connection: Any, *, service: str) -> None:
    """Refuse to begin without the role that migrations grant rights to."""
    role = tenancy.all_tenants_role(service)
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
        fault = f"the role {role} is missing"
        remedy = "run deploy/postgres/admin.sql as who administers the database"
        raise BadConfiguration([f"{fault}; {remedy}"])


async def _grant(connection: Any, *, schema: str, role: str) -> None:
    """Let the service's role read and change rows, but own and alter nothing.

    A table whose comment begins with "read only:" or "insert only:" is kept to that.
    """
    for grant in (
        "USAGE ON SCHEMA " + schema,
        "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA " + schema,
        "USAGE, SELECT ON ALL SEQUENCES IN SCHEMA " + schema,
    ):
        await connection.execute("GRANT " + grant + " TO " + role)
    for name, kind in await connection.fetch(_LIMITED, schema):
        table = schema + "." + _quoted(name)
        await connection.execute(
            "REVOKE " + _WITHHELD[kind] + " ON " + table + " FROM " + role
        )


def _quoted(name: str) -> str:
    """Return an identifier as SQL text; identifiers cannot be bound."""
    return '"' + name.replace('"', '""') + '"'
