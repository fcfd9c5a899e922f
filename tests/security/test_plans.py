"""Row-level security takes no index from a query (hazard 112, ADR 14).

What Postgres has to look at first, for it keeps the wall, may keep it from the way that
a query was written for: a place (``ctid``) is found by reading the whole table then.
"""

import re
from typing import Any, Final

import asyncpg
import pytest

from deploy.local import postgres
from proto.subjects import SERVICES
from services.chassis import queries, tenancy
from tests.fakes.database import catalogue
from tests.security.conftest import Figures
from tests.security.tenants import OURS
from tests.servers import migrated_database

_STEP: Final = re.compile(
    r"(?:Seq|Index(?: Only)?|Bitmap \w+|Tid(?: Range)?|Function) Scan"
    r"(?: using \w+)?(?: on \w+)?"
)
SETTINGS: Final = {"enable_seqscan": "off", "plan_cache_mode": "force_generic_plan"}
"""Tables are empty here, where reading all of one would be the best way."""


@pytest.mark.parametrize("service", SERVICES)
async def test_row_level_security_takes_no_index_from_a_query(
    postgres_server: postgres.Server, figures: Figures, service: str
):
    """Four queries read all records of an account for each batch, for a while."""
    async with migrated_database(postgres_server, service) as database:
        free, bound = [
            await asyncpg.connect(
                url,
                server_settings={"search_path": service, **SETTINGS},
                statement_cache_size=0,
            )
            for url in (database.admin_url, database.service_url(service))
        ]
        slower = []
        known = catalogue.templates_of(service) | catalogue.templates_of("chassis")
        runs = [
            (query, beginning)
            for query in known.values()
            for beginning in _beginnings(query, service=service)
        ]
        for query, beginning in runs:
            was = await _steps(free, query, beginning="SELECT 1")
            steps = await _steps(bound, query, beginning=beginning)
            if steps != was:
                slower.append(f"{query.name}: {steps} instead of {was}")
        await free.close()
        await bound.close()
    assert slower == []
    figures[f"plans_compared_{service}"] = len(runs)


def _beginnings(query: queries.Template, *, service: str) -> list[str]:
    """Return how the transactions begin that run a query."""
    for_all = catalogue.FOR_ALL_TENANTS
    is_for_all = query.name in for_all[service] | for_all["chassis"]
    is_for_one = "tenant_id" in query.parameters or not is_for_all
    role = tenancy.all_tenants_role(service)
    scopes = [OURS] * is_for_one + [tenancy.ALL_TENANTS] * is_for_all
    return [tenancy.beginning(scope, role=role) for scope in scopes]


async def _steps(
    connection: Any, query: queries.Template, *, beginning: str
) -> list[str]:
    """Return how a query reads its tables, in a transaction that is undone."""
    values = ", ".join("NULL" for _ in query.parameters)
    opened = connection.transaction()
    await opened.start()
    try:
        await connection.execute(beginning)
        await connection.execute(f"PREPARE shown AS {query.text}")
        rows = await connection.fetch(
            f"EXPLAIN EXECUTE shown{f'({values})' if values else ''}"
        )
        await connection.execute("DEALLOCATE shown")
    finally:
        await opened.rollback()
    return sorted(step[0] for row in rows for step in _STEP.finditer(row[0]))
