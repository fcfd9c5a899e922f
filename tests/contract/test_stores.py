"""What stands for the database in memory is whole: every query, every table."""

import inspect

import asyncpg
import pytest

from tests.fakes.database import catalogue, schema
from tests.fakes.database.tables import Shape
from tests.servers import migrated_database, postgres_server, servers_directory

__all__ = ["postgres_server", "servers_directory"]

COLUMNS = """
SELECT column_name
FROM information_schema.columns
WHERE table_schema = $1 AND table_name = $2
"""
TABLES = """
SELECT table_name
FROM information_schema.tables
WHERE table_schema = $1
"""


@pytest.mark.parametrize("owner", catalogue.MODULES)
def test_every_query_has_a_function_and_every_function_a_query(owner):
    named = catalogue.templates_of(owner).keys() - catalogue.LEFT_OUT.keys()
    assert named == catalogue.functions_of(owner).keys()


@pytest.mark.parametrize("owner", catalogue.MODULES)
def test_every_function_takes_what_its_query_takes(owner):
    functions = catalogue.functions_of(owner)
    for name, template in catalogue.templates_of(owner).items():
        if name in functions:
            bound = dict.fromkeys(template.parameters)
            inspect.signature(functions[name]).bind(None, **bound)


def test_what_is_left_out_says_why_and_exists():
    named = {n for owner in catalogue.MODULES for n in catalogue.templates_of(owner)}
    assert catalogue.LEFT_OUT.keys() <= named
    assert all(catalogue.LEFT_OUT.values())


@pytest.mark.parametrize("service", schema.SERVICES)
async def test_tables_have_the_columns_of_the_real_ones(service, postgres_server):
    async with migrated_database(postgres_server, service) as database:
        connection = await asyncpg.connect(database.admin_url)
        try:
            tables = {r["table_name"] for r in await connection.fetch(TABLES, service)}
            assert tables - {"migrations"} == schema.SERVICES[service].keys()
            for name, shape in schema.SERVICES[service].items():
                rows = await connection.fetch(COLUMNS, service, name)
                assert_same(shape, {row["column_name"] for row in rows}, name=name)
        finally:
            await connection.close()


def assert_same(shape: Shape, columns: set[str], *, name: str) -> None:
    assert set(shape.columns) == columns, name
    assert set(shape.key) | shape.defaults.keys() <= columns, name
    for index in shape.indexes.values():
        assert set(index.columns) <= columns, name
