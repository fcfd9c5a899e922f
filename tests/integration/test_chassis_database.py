"""Transactions on a real Postgres: what cancellation and lost connections leave."""

import asyncio

import pytest

from proto.ids import TenantId
from services.chassis import database as chassis_database
from services.chassis.clock import SystemClock
from services.chassis.errors import AlreadyStored, DatabaseUnavailable
from services.chassis.queries import Query

TENANT = TenantId("tnt_1")
ONE = Query("one", "SELECT 1 AS one", ())


@pytest.fixture
async def opened(database):
    async with chassis_database.connect(
        database.admin_url,
        schema="public",
        clock=SystemClock(),
        connections_max=1,
        timeout_s=5,
    ) as found:
        yield found


async def test_a_transaction_left_open_does_not_spoil_its_connection(opened):
    """A task cancelled between BEGIN and its bookkeeping leaves one open.

    With one connection in the pool, the next user would meet it.
    """
    connection = await opened._pool.acquire()
    await connection.execute("BEGIN")
    await opened._pool.release(connection)
    async with opened.transaction(TENANT) as transaction:
        assert (await transaction.fetch_row(ONE))["one"] == 1


async def test_what_failed_is_rolled_back_and_told_by_our_names(opened):
    make = Query("make", "CREATE TABLE things (name text PRIMARY KEY)", ())
    add = Query("add", "INSERT INTO things VALUES ($1)", ("a",))
    async with opened.transaction(TENANT) as transaction:
        await transaction.execute(make)
        assert await transaction.execute(add) == 1
    done = []

    async def add_again() -> None:
        async with opened.transaction(TENANT) as transaction:
            transaction.after_commit(lambda: done.append(1))
            await transaction.execute(add)

    with pytest.raises(AlreadyStored) as refused:
        await add_again()
    assert refused.value.constraint == "things_pkey"
    assert done == []


async def test_a_server_that_goes_away_is_unavailable_and_comes_back(
    opened, postgres_server
):
    await postgres_server.stop(immediate=True)
    try:
        with pytest.raises(DatabaseUnavailable):
            await _ask(opened)
    finally:
        await postgres_server.start()
    async with asyncio.timeout(10):
        while True:
            try:
                await _ask(opened)
                break
            except DatabaseUnavailable:
                await asyncio.sleep(0.05)


async def _ask(opened):
    async with opened.transaction(TENANT) as transaction:
        assert await transaction.fetch(ONE)
