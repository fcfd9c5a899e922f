"""Every service's migrations, its picture of the schema, and its queries agree."""

import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from deploy.local import databases, postgres
from proto import subjects
from services.chassis import migrations, queries
from tests.servers import Database, fresh_database

ROOT = Path(__file__).parents[2]
SERVICES = tuple(
    name
    for name in subjects.SERVICES
    if (ROOT / "services" / name / "sql" / "schema.sql").exists()
)
_START_TIMEOUT_S = 60

# Names of constraints and indexes are compared too: code and errors refer to them.
_CATALOGUES = {
    "columns": """
        SELECT class.relname, attribute.attname, attribute.attnum,
            format_type(attribute.atttypid, attribute.atttypmod),
            attribute.attnotnull, attribute.attidentity, attribute.attgenerated,
            pg_get_expr(standard.adbin, standard.adrelid)
        FROM pg_attribute AS attribute
        JOIN pg_class AS class ON class.oid = attribute.attrelid
        LEFT JOIN pg_attrdef AS standard
            ON standard.adrelid = class.oid AND standard.adnum = attribute.attnum
        WHERE class.relnamespace = $1::regnamespace
            AND class.relkind IN ('r', 'p', 'v', 'm')
            AND attribute.attnum > 0
            AND NOT attribute.attisdropped
        ORDER BY 1, 3
    """,
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint
        WHERE connamespace = $1::regnamespace
        ORDER BY 1, 2
    """,
    "indexes": """
        SELECT tablename, indexname, indexdef
        FROM pg_indexes
        WHERE schemaname = $1::text
        ORDER BY 1, 2
    """,
    "tables": """
        SELECT relname, relkind, relrowsecurity, relforcerowsecurity, reloptions
        FROM pg_class
        WHERE relnamespace = $1::regnamespace
        ORDER BY 1
    """,
    "policies": """
        SELECT tablename, policyname, roles::text, cmd, qual, with_check
        FROM pg_policies
        WHERE schemaname = $1::text
        ORDER BY 1, 2
    """,
    # The service's own role is given its rights by the runner, not by migrations.
    "grants": """
        SELECT class.relname, '' AS attname, granted.privilege_type
        FROM pg_class AS class
        CROSS JOIN LATERAL aclexplode(class.relacl) AS granted
        WHERE class.relnamespace = $1::regnamespace
            AND granted.grantee::regrole::text = 'tandem_' || $1::text || '_all_tenants'
        UNION ALL
        SELECT class.relname, attribute.attname, granted.privilege_type
        FROM pg_attribute AS attribute
        JOIN pg_class AS class ON class.oid = attribute.attrelid
        CROSS JOIN LATERAL aclexplode(attribute.attacl) AS granted
        WHERE class.relnamespace = $1::regnamespace
            AND granted.grantee::regrole::text = 'tandem_' || $1::text || '_all_tenants'
        ORDER BY 1, 2, 3
    """,
    "functions": """
        SELECT proname, pg_get_functiondef(oid)
        FROM pg_proc
        WHERE pronamespace = $1::regnamespace
        ORDER BY 1
    """,
    "triggers": """
        SELECT trigger.tgname, pg_get_triggerdef(trigger.oid)
        FROM pg_trigger AS trigger
        JOIN pg_class AS class ON class.oid = trigger.tgrelid
        WHERE class.relnamespace = $1::regnamespace AND NOT trigger.tgisinternal
        ORDER BY 1
    """,
}

Catalogue = dict[str, list[tuple[object, ...]]]


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def migrate(database: Database, service: str) -> list[str]:
    return await migrations.apply(
        database.owner_url(service),
        service=service,
        role=databases.service_role(service),
    )


async def catalogue(database: Database, service: str) -> Catalogue:
    """Return what Postgres says of a service's schema, chassis tables included."""
    connection = await asyncpg.connect(database.owner_url(service))
    try:
        return {
            name: [tuple(row) for row in await connection.fetch(query, service)]
            for name, query in _CATALOGUES.items()
        }
    finally:
        await connection.close()


async def draw(database: Database, service: str) -> None:
    """Run a service's picture beside the chassis's own tables."""
    picture = ROOT / "services" / service / "sql" / "schema.sql"
    chassis = [
        path
        for name, path in migrations.names_of(service)
        if name.startswith("chassis/")
    ]
    connection = await asyncpg.connect(
        database.owner_url(service), server_settings={"search_path": service}
    )
    try:
        await connection.execute(migrations._LEDGER)
        for path in (*chassis, picture):
            await connection.execute(path.read_text())
    finally:
        await connection.close()


async def test_the_picture_of_the_schema_is_what_migrations_make(
    database: Database, postgres_server: postgres.Server, service: str
):
    await draw(database, service)
    shown = await catalogue(database, service)
    async with fresh_database(postgres_server, template="prepared") as other:
        await migrate(other, service)
        made = await catalogue(other, service)
    for name in _CATALOGUES:
        assert shown[name] == made[name], name
    assert len(made["columns"]) > 10
    assert len(made["grants"]) > 10


async def test_migrating_twice_changes_nothing(database: Database, service: str):
    applied = await migrate(database, service)
    assert [name for name, _ in migrations.names_of(service)] == applied
    before = await catalogue(database, service)
    assert await migrate(database, service) == []
    assert await catalogue(database, service) == before


async def test_every_query_can_be_prepared_by_the_services_role(
    database: Database, service: str
):
    """A query that Postgres does not understand would fail only once it is needed."""
    await migrate(database, service)
    folders = (ROOT / "services" / service / "sql", ROOT / "services/chassis/sql")
    connection = await asyncpg.connect(
        database.service_url(service), server_settings={"search_path": service}
    )
    try:
        count = 0
        for folder in folders:
            for query in queries.load(folder / "queries.sql").values():
                await connection.prepare(query.text)
                count += 1
    finally:
        await connection.close()
    assert count > 10


async def test_a_service_owns_none_of_its_tables(database: Database, service: str):
    """Hazard 112: whoever owns a table can drop it, and row rules do not bind him."""
    await migrate(database, service)
    connection = await asyncpg.connect(database.service_url(service))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"DROP TABLE {service}.outbox")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"CREATE TABLE {service}.own (number integer)")
        for other in set(SERVICES) - {service}:
            with pytest.raises(asyncpg.PostgresError):
                await connection.execute(f"SELECT 1 FROM {other}.outbox")
    finally:
        await connection.close()


async def test_a_failed_migration_leaves_nothing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    broken = tmp_path / "0002_broken.sql"
    broken.write_text("CREATE TABLE half (number integer); CREATE TABLE half (a int);")
    real = migrations.names_of("auth")
    monkeypatch.setattr(
        migrations, "names_of", lambda _service: [*real, ("auth/0002_broken", broken)]
    )
    with pytest.raises(asyncpg.DuplicateTableError):
        await migrate(database, "auth")
    assert (await catalogue(database, "auth"))["columns"] == []


def test_an_unmigrated_service_says_what_to_do(
    database: Database, service: str, nats_server
):
    """One sentence and the code of a wrong configuration; no traceback."""
    prefix = service.upper()
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
        f"{prefix}_DATABASE_URL": database.service_url(service),
        f"{prefix}_NATS_URL": nats_server.url,
        f"{prefix}_NATS_SEED_FILE": str(nats_server.seed_file(service)),
        **{
            f"{name}_KEY_RING_FILE": "/nonexistent/ring.json"
            for name in ("API", "AUTH")
        },
    }
    done = subprocess.run(
        [sys.executable, "-m", f"services.{service}"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_START_TIMEOUT_S,
    )
    assert "Traceback" not in done.stderr
    assert f"run `python -m services.{service} migrate` first" in done.stderr
    assert done.returncode == 78
