"""One person is erased by indexes: no large table is read from end to end (S13)."""

import re
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from deploy.local import postgres
from services.chassis import queries, tenancy
from tests.fakes.database import catalogue
from tests.security.tenants import OURS
from tests.security.test_plans import SETTINGS
from tests.servers import migrated_database

SERVICES: Final = Path(queries.__file__).parents[1]
SMALL: Final = {"accounts", "connections"}
"""Tables with a row for each account or connection, which are read as a whole."""
BESIDES: Final = {
    "reconciler": ("find_suppressed", "add_suppressions", "count_suppressed"),
    "connector": (),
}
_READ: Final = re.compile(r"Seq Scan on (\w+)")


@pytest.mark.parametrize("service", BESIDES)
async def test_one_person_is_found_by_indexes(
    postgres_server: postgres.Server, service: str
):
    known = dict(queries.load(SERVICES / service / "sql" / "erasure_queries.sql"))
    known |= queries.load(SERVICES / "chassis" / "sql" / "erasure_queries.sql")
    templates = catalogue.templates_of(service)
    known |= {name: templates[name] for name in BESIDES[service]}
    read = {}
    async with migrated_database(postgres_server, service) as database:
        connection = await asyncpg.connect(
            database.service_url(service),
            server_settings={"search_path": service, **SETTINGS},
            statement_cache_size=0,
        )
        for query in known.values():
            values = ", ".join("NULL" for _ in query.parameters)
            async with connection.transaction():
                role = tenancy.all_tenants_role(service)
                await connection.execute(tenancy.beginning(OURS, role=role))
                await connection.execute(f"PREPARE shown AS {query.text}")
                plan = await connection.fetch(
                    f"EXPLAIN EXECUTE shown{f'({values})' if values else ''}"
                )
                await connection.execute("DEALLOCATE shown")
            tables = {name for row in plan for name in _READ.findall(row[0])}
            read[query.name] = tables - SMALL
        await connection.close()
    assert {name: tables for name, tables in read.items() if tables} == {}
    # The check sees what it looks for.
    assert _READ.findall("  ->  Seq Scan on intents  (cost=0.00)") == ["intents"]
