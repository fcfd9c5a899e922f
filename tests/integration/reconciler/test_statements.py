"""The SQL: each statement is valid, and batches of any size take as many."""

import asyncpg
import pytest

from services.chassis import database as chassis_database
from services.chassis import migrations, queries
from services.chassis.clock import SystemClock
from services.chassis.database import QUERIES
from services.chassis.loops import Wake
from services.chassis.migrations import role_of
from services.reconciler.config import Config
from services.reconciler.store import connections
from services.reconciler.sweeping import Sweeper
from tests.bench import planning

Q = connections.Q
TABLES = (
    *("connections", "accounts", "observations", "emails", "scans", "scan_parts"),
    *("links", "dirty", "intents", "losses", "outbox"),
)


@pytest.fixture
async def pool(database):
    url = database.service_url("reconciler")
    await migrations.apply(
        database.owner_url("reconciler"), service="reconciler", role=role_of(url)
    )
    async with chassis_database.connect(
        url, schema="reconciler", clock=SystemClock()
    ) as opened:
        yield opened


async def test_every_query_can_be_prepared(database, pool):
    connection = await asyncpg.connect(
        database.service_url("reconciler"),
        server_settings={"search_path": "reconciler"},
    )
    try:
        for template in Q.values():
            await connection.prepare(template.text)
    finally:
        await connection.close()
    assert len(Q) > 50


async def statements_of_a_batch(pool, *, records: int) -> tuple[int, int, int]:
    """Observe, plan and fold one batch; return the statements each took."""
    bench = planning.Bench(pool)
    await bench.prepare()
    counts = [QUERIES._value.get()]
    await bench.scan(planning.LEFT, range(records))
    counts.append(QUERIES._value.get())
    await bench.scan(planning.RIGHT, range(0))
    before = QUERIES._value.get()
    assert await bench.planner.step()
    planned = QUERIES._value.get() - before
    payloads = await bench.take_writes()
    before = QUERIES._value.get()
    await bench.answer(payloads)
    folded = QUERIES._value.get() - before
    assert bench.created == records
    return int(counts[1] - counts[0]), int(planned), int(folded)


async def forget_everything(pool) -> None:
    async with pool.transaction(planning.TENANT) as transaction:
        for table in TABLES:
            await transaction.execute(
                queries.Query("empty", f"DELETE FROM {table}", ())
            )


async def test_a_batch_of_500_takes_as_many_statements_as_one_of_5(pool):
    """Consequence of performance.md: never a statement a row."""
    large = await statements_of_a_batch(pool, records=500)
    await forget_everything(pool)
    small = await statements_of_a_batch(pool, records=5)
    assert large == small
    observed, planned, folded = large
    assert observed <= 14
    assert planned <= 25
    assert folded <= 15


async def test_leftovers_of_a_deleted_connection_go_in_the_background(pool):
    bench = planning.Bench(pool)
    connection_id = await bench.prepare()
    await bench.scan(planning.LEFT, range(20))
    await bench.scan(planning.RIGHT, range(10, 30))
    await bench.sync()
    async with bench.store.transaction(planning.TENANT) as work:
        stored = await connections.lock(
            work.transaction,
            tenant_id=planning.TENANT,
            connection_id=connection_id,
        )
        assert stored is not None
        await connections.delete(work.transaction, stored, now=bench.clock.now())
        await connections.retire_accounts(
            work.transaction,
            tenant_id=planning.TENANT,
            account_ids=stored.account_ids,
            now=bench.clock.now(),
        )
    sweeper = Sweeper(
        bench.store,
        config=Config(database_url="", nats_url=""),
        clock=bench.clock,
        wake=Wake(),
    )
    await sweeper.purge()
    await sweeper.purge()
    for table in set(TABLES) - {"outbox"}:
        row = await pool.reader(planning.TENANT).fetch_row(
            queries.Query("count", f"SELECT count(*) AS n FROM {table}", ())
        )
        assert row is not None
        assert row["n"] == 0, table
