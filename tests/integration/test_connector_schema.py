"""Every query of the connector is one that Postgres takes, on the schema as drawn."""

import re
from pathlib import Path

import asyncpg
import pytest

from services.chassis import migrations
from services.connector.store import Q

SQL = Path(__file__).parents[2] / "services" / "connector" / "sql"
COLUMNS = """
    SELECT table_name, column_name, data_type, is_nullable, column_default
    FROM information_schema.columns
    WHERE table_schema = 'connector' ORDER BY 1, 2
"""
INDEXES = """
    SELECT tablename, indexdef FROM pg_indexes
    WHERE schemaname = 'connector' ORDER BY 1, 2
"""
CHECKS = """
    SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'connector'::regnamespace ORDER BY 1, 2
"""


@pytest.fixture
async def owner(database):
    connection = await asyncpg.connect(database.owner_url("connector"))
    yield connection
    await connection.close()


async def migrate(database) -> None:
    url = database.service_url("connector")
    await migrations.apply(
        database.owner_url("connector"),
        service="connector",
        role=migrations.role_of(url),
    )


async def test_every_query_can_be_prepared(database):
    await migrate(database)
    connection = await asyncpg.connect(
        database.service_url("connector"), server_settings={"search_path": "connector"}
    )
    try:
        for query in Q.values():
            await connection.prepare(query.text)
    finally:
        await connection.close()
    assert len(Q) > 20


async def test_the_picture_of_the_schema_is_true(database, owner):
    await migrate(database)
    migrated = await picture(owner)
    for table in re.findall(r"CREATE TABLE (\S+)", (SQL / "schema.sql").read_text()):
        await owner.execute(f"DROP TABLE {table}")
    assert await picture(owner) != migrated
    await owner.execute((SQL / "schema.sql").read_text())
    assert await picture(owner) == migrated


async def picture(connection) -> list:
    return [await connection.fetch(query) for query in (COLUMNS, INDEXES, CHECKS)]
