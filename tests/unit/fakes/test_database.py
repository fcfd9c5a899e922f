"""What the database in memory does to its users on request, in virtual time."""

import asyncio
import datetime
import functools
import random

import pytest

from proto.ids import MessageId, TenantId
from services.chassis import store as chassis_store
from services.chassis.errors import AlreadyStored, DatabaseUnavailable
from services.chassis.queries import Query
from services.chassis.tenancy import ALL_TENANTS
from tests.fakes import loop
from tests.fakes.database.database import MemoryDatabase
from tests.fakes.database.faults import DatabaseFaults

START = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
Q = chassis_store.Q


def remember(number: int) -> Query:
    return Q["remember_message"](
        tenant_id=TenantId("tnt_1"), message_id=MessageId(f"msg_{number}"), now=START
    )


async def do(user, *acts) -> None:
    """Do things in one transaction: queries, and what happens between them."""
    async with user.transaction(ALL_TENANTS) as transaction:
        for act in acts:
            if isinstance(act, Query):
                await transaction.execute(act)
            else:
                await act()


async def store(user, number: int) -> None:
    await do(user, remember(number))


def play(scene, **faults):
    """Run a scene with a fresh database and two of its users."""

    async def run():
        database = MemoryDatabase(random.Random(1), faults=DatabaseFaults(**faults))
        ann, bob = (database.as_service("auth") for _ in range(2))
        result = await scene(database, ann, bob)
        database.check()
        return result

    return loop.run(run(), start=START)


def kept(database) -> list[str]:
    return [row["message_id"] for row in database.rows("auth.inbox")]


def test_who_is_killed_leaves_nothing_and_holds_nobody_up():
    async def scene(database, ann, bob):
        holding = do(ann, remember(1), functools.partial(asyncio.sleep, 3600))
        task = asyncio.ensure_future(holding)
        await asyncio.sleep(1)
        waiting = asyncio.ensure_future(store(bob, 1))
        await asyncio.sleep(1)
        assert not waiting.done()
        ann.kill()
        task.cancel()
        await waiting
        with pytest.raises(DatabaseUnavailable):
            await store(ann, 2)
        await asyncio.wait([task])
        return kept(database)

    assert play(scene) == ["msg_1"]


def test_a_server_that_goes_ends_what_is_open_and_comes_back():
    async def scene(database, ann, bob):
        async def go() -> None:
            database.go_away()
            with pytest.raises(DatabaseUnavailable):
                await store(bob, 2)

        with pytest.raises(DatabaseUnavailable):
            await do(ann, remember(1), go, remember(3))
        database.come_back()
        await store(bob, 4)
        return kept(database)

    assert play(scene) == ["msg_4"]


def test_a_transaction_whose_server_went_is_not_committed():
    async def scene(database, ann, _bob):
        async def go() -> None:
            database.go_away()

        with pytest.raises(DatabaseUnavailable):
            await do(ann, remember(1), go)
        return kept(database)

    assert play(scene) == []


@pytest.mark.parametrize(
    ("fault", "expected"), [("unknown_commits", ["msg_1"]), ("lost_commits", [])]
)
def test_a_commit_may_leave_it_open_whether_it_was_done(fault, expected):
    """Hazard 97."""

    async def scene(database, ann, _bob):
        with pytest.raises(DatabaseUnavailable):
            await store(ann, 1)
        return kept(database)

    assert play(scene, **{fault: 1.0}) == expected


@pytest.mark.parametrize("fault", ["refusals", "failures"])
def test_a_refusal_and_a_broken_connection_leave_nothing(fault):
    async def scene(database, ann, _bob):
        with pytest.raises(DatabaseUnavailable):
            await store(ann, 1)
        return kept(database)

    assert play(scene, **{fault: 1.0}) == []


def test_nobody_waits_for_a_lock_longer_than_its_time():
    async def scene(database, ann, bob):
        async with ann.transaction(ALL_TENANTS) as transaction:
            await transaction.execute(remember(1))
            began = asyncio.get_running_loop().time()
            with pytest.raises(DatabaseUnavailable, match="LockNotAvailable"):
                await store(bob, 1)
            return asyncio.get_running_loop().time() - began

    assert play(scene, yields=0.0, delays=0.0) == pytest.approx(10.0)


def test_a_transaction_that_idles_too_long_is_ended():
    """No call to an app, and no other wait, belongs into a transaction."""

    async def scene(database, ann, _bob):
        idle = functools.partial(asyncio.sleep, 31)
        with pytest.raises(DatabaseUnavailable):
            await do(ann, remember(1), idle, remember(2))
        return kept(database)

    assert play(scene) == []


def test_a_pool_has_only_so_many_connections():
    async def scene(database, _ann, _bob):
        small = database.as_service("auth", connections_max=1)
        async with small.transaction(ALL_TENANTS):
            with pytest.raises(DatabaseUnavailable, match="Timeout"):
                await store(small, 1)
            waiting = asyncio.ensure_future(store(small, 2))
            await asyncio.sleep(1)
        await waiting
        return kept(database)

    assert play(scene) == ["msg_2"]


def test_what_goes_on_after_an_error_is_our_mistake():
    """Postgres would refuse it, or commit nothing without a word."""

    async def scene(database, ann, _bob):
        add = Q["add_to_outbox"](
            message_ids=["msg_1"],
            tenant_ids=["tnt_1"],
            subjects=["evt"],
            streams=["AUTH"],
            payloads=[b"{}"],
            awaiting=[""],
            now=START,
        )
        async with ann.transaction(ALL_TENANTS) as transaction:
            await transaction.execute(add)
            with pytest.raises(AlreadyStored, match="outbox_pkey"):
                await transaction.execute(add)
            with pytest.raises(AssertionError, match="has failed"):
                await transaction.execute(remember(1))
            raise Undone

    with pytest.raises(Undone):
        play(scene)


class Undone(Exception):
    """Ends a transaction."""


def test_a_query_that_nobody_modelled_is_named():
    async def scene(_database, ann, _bob):
        with pytest.raises(AssertionError, match="auth runs list_migrations"):
            await ann.fetch(Q["list_migrations"]())

    play(scene)


def test_a_watch_is_told_of_each_place_and_a_witness_of_each_commit():
    async def scene(database, ann, _bob):
        places, commits = [], []
        database.watch = lambda service, place: places.append((service, place))
        database.witness = lambda service, rows: commits.append((service, *rows))
        await store(ann, 1)
        return places, commits

    places, commits = play(scene)
    expected = ["open", "remember_message", "commit", "committed"]
    assert places == [("auth", place) for place in expected]
    [(service, (table, key, row))] = commits
    assert (service, table, key) == ("auth", "inbox", ("tnt_1", "msg_1"))
    assert row["message_id"] == "msg_1"
