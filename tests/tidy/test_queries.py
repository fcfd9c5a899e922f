"""SQL keeps to conventions.md, and no query is dead or missing."""

import pytest

from tests.tidy import queries
from tests.tidy.tree import Source, sources

GOOD = """
-- name: oldest_grants
-- The grants to renew, oldest first.
SELECT grant_id
FROM auth.grants
LIMIT $limit;
"""


def _services() -> list[str]:
    files = sources("services", suffix="/sql/queries.sql")
    return sorted({file.path.split("/")[1] for file in files})


def test_queries_are_named_documented_and_explicit() -> None:
    found = [
        fault
        for source in sources("services", suffix=".sql")
        if "/migrations/" not in source.path
        for fault in queries.faults(source)
    ]
    assert not found, "\n".join(found)


def test_every_query_is_used_and_every_used_query_exists() -> None:
    found = [
        fault
        for service in _services()
        for fault in queries.unmatched(
            sources(f"services/{service}/sql", suffix="queries.sql"),
            sources(f"services/{service}", suffix=".py"),
        )
    ]
    assert not found, "\n".join(found)


def _chassis_tables() -> set[str]:
    migrations = sources("services/chassis/sql/migrations", suffix=".sql")
    return {name for migration in migrations for name in queries.tables(migration)}


def test_every_table_carries_its_schema() -> None:
    chassis = _chassis_tables()
    assert chassis == {"outbox", "inbox", "attempts", "dead_letters"}
    found = [
        fault
        for source in sources("services", suffix=".sql")
        if not source.path.startswith("services/chassis/")
        for fault in queries.unqualified(source, chassis=chassis)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("statement", "is_right"),
    [
        ("SELECT a FROM auth.grants JOIN auth.b USING (a);", True),
        ("WITH old AS (SELECT a FROM auth.grants) DELETE FROM auth.b USING old", True),
        ("SELECT a FROM unnest($a::text[]) AS b (a), outbox", True),
        ("INSERT INTO auth.b (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2", True),
        ("CREATE INDEX x ON auth.b (a); -- read FROM grants", True),
        ("SELECT a FROM grants", False),
        ("SELECT a\nFROM auth.b\nLEFT JOIN grants USING (a)", False),
        ("SELECT a FROM api.b", False),
        ("INSERT INTO b (a) VALUES (1)", False),
        ("UPDATE b SET a = 1", False),
        ("DELETE FROM auth.b USING old", False),
        ("CREATE TABLE b (a int REFERENCES auth.c)", False),
        ("CREATE TABLE auth.b (a int REFERENCES c)", False),
        ("CREATE TABLE auth.b (a int DEFAULT nextval('marks'))", False),
        ("CREATE UNIQUE INDEX x\nON b (a)", False),
        ("CREATE TRIGGER t BEFORE UPDATE OR DELETE ON b FOR EACH ROW", False),
    ],
)
def test_a_table_without_its_schema_is_found(statement: str, is_right: bool) -> None:
    source = Source("services/auth/sql/queries.sql", statement)
    found = list(queries.unqualified(source, chassis={"outbox"}))
    assert (found == []) is is_right


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("-- The grants to renew, oldest first.\n", ""),
        ("grant_id\n", "*\n"),
        ("grant_id\n", "g.*\n"),
        ("FROM auth", "from auth"),
        ("SELECT grant_id\nFROM auth.grants\nLIMIT $limit;", ""),
        ("LIMIT $limit;", "LIMIT $limit;\n" + GOOD),
    ],
)
def test_the_checker_sees_a_violation(old: str, new: str) -> None:
    assert list(queries.faults(Source("x.sql", GOOD))) == []
    assert old in GOOD
    assert list(queries.faults(Source("x.sql", GOOD.replace(old, new))))


@pytest.mark.parametrize(
    ("module", "fault_count"),
    [
        ("Q['oldest_grants'](limit=1)", 0),
        ("queries.load(path)['oldest_grants']", 0),
        ("Q['newest'](limit=1)", 2),
        ("rows['oldest_grants']", 1),
    ],
)
def test_dead_and_missing_queries_are_found(module: str, fault_count: int) -> None:
    found = list(queries.unmatched([Source("x.sql", GOOD)], [Source("s.py", module)]))
    assert len(found) == fault_count
