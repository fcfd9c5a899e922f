"""Every query of the api is one that Postgres takes, on the schema as drawn."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest_asyncio

from services.api.store.api_keys import Q
from services.chassis import migrations
from tests.servers import Database

PICTURE = Path(__file__).parents[2] / "services" / "api" / "sql" / "schema.sql"
MADE = re.compile(r"^CREATE (TABLE|FUNCTION) (api\.\w+)", re.MULTILINE)
LOOKS = (
    """
    SELECT table_name, column_name, data_type, is_nullable, column_default
    FROM information_schema.columns
    WHERE table_schema = 'api' ORDER BY 1, 2
    """,
    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'api' ORDER BY 1",
    """
    SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'api'::regnamespace ORDER BY 1, 2
    """,
    """
    SELECT pg_get_triggerdef(pg_trigger.oid) FROM pg_trigger
    JOIN pg_class ON pg_class.oid = tgrelid
    WHERE relnamespace = 'api'::regnamespace AND NOT tgisinternal ORDER BY 1
    """,
    """
    SELECT pg_get_functiondef(oid) FROM pg_proc
    WHERE pronamespace = 'api'::regnamespace ORDER BY 1
    """,
    """
    SELECT relname, obj_description(oid, 'pg_class') FROM pg_class
    WHERE relnamespace = 'api'::regnamespace AND relkind = 'r' ORDER BY 1
    """,
)


@pytest_asyncio.fixture
async def owner(database: Database) -> AsyncIterator[Any]:
    await migrations.apply(database.owner_url("api"), service="api", role="tandem_api")
    connection = await asyncpg.connect(database.owner_url("api"))
    yield connection
    await connection.close()


async def picture(connection: Any) -> list[Any]:
    return [await connection.fetch(look) for look in LOOKS]


async def test_every_query_can_be_prepared(database: Database, owner: Any) -> None:
    connection = await asyncpg.connect(
        database.service_url("api"), server_settings={"search_path": "api"}
    )
    try:
        for query in Q.values():
            await connection.prepare(query.text)
    finally:
        await connection.close()
    assert len(Q) > 15


async def test_the_picture_of_the_schema_is_true(owner: Any) -> None:
    migrated = await picture(owner)
    assert all(migrated)
    for kind, name in MADE.findall(PICTURE.read_text()):
        await owner.execute(f"DROP {kind} {name} CASCADE")
    assert await picture(owner) != migrated
    await owner.execute(PICTURE.read_text())
    assert await picture(owner) == migrated
