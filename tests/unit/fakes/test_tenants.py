"""The database in memory keeps tenants apart as row-level security does."""

import datetime
import random
from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from proto.ids import TenantId
from services.chassis import store
from services.chassis.queries import Query
from services.chassis.tenancy import ALL_TENANTS, Scope
from tests.fakes import loop
from tests.fakes.database import catalogue
from tests.fakes.database.database import MemoryDatabase, MemoryUser

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
ANN, BOB = TenantId("tnt_ann"), TenantId("tnt_bob")
Q: Final = store.Q
COUNT: Final = Q["count_outbox"](now=START)


def letter(tenant_id: TenantId, number: int = 1) -> Query:
    return Q["add_to_outbox"](
        message_ids=[f"msg_{number}"],
        tenant_ids=[tenant_id],
        subjects=["s"],
        streams=["S"],
        payloads=[b"{}"],
        awaiting=["api"],
        now=START,
    )


def play(scene: Callable[[MemoryUser], Awaitable[None]]) -> None:
    database = MemoryDatabase(random.Random(1))
    loop.run(scene(database.as_service("auth")), start=START)


async def counted(user: MemoryUser, scope: Scope) -> int:
    row = await user.reader(scope).fetch_row(COUNT)
    assert row is not None
    return int(row["waiting"])


async def sent(user: MemoryUser, *tenant_ids: TenantId) -> None:
    for tenant_id in tenant_ids:
        async with user.transaction(tenant_id) as transaction:
            await transaction.execute(letter(tenant_id))


def test_a_transaction_sees_one_tenant_or_all():
    async def scene(user: MemoryUser) -> None:
        await sent(user, ANN, BOB)
        assert [await counted(user, each) for each in (ANN, BOB, ALL_TENANTS)] == [
            *(1, 1, 2)
        ]

    play(scene)


def test_without_a_tenant_nothing_is_answered():
    async def scene(user: MemoryUser) -> None:
        await sent(user, ANN)
        with pytest.raises(AssertionError, match="without a tenant"):
            await user.fetch(COUNT)

    play(scene)


def test_nobody_writes_for_another_tenant():
    async def scene(user: MemoryUser) -> None:
        with pytest.raises(AssertionError, match="row of another tenant"):
            async with user.transaction(ANN) as transaction:
                await transaction.execute(letter(BOB))
        assert await counted(user, ALL_TENANTS) == 0

    play(scene)


def test_what_is_not_granted_for_all_tenants_is_refused():
    get = catalogue.templates_of("auth")["get_account"](
        tenant_id=ANN, account_id="acct_1"
    )

    async def scene(user: MemoryUser) -> None:
        with pytest.raises(AssertionError, match="may not run get_account"):
            await user.reader(ALL_TENANTS).fetch(get)

    play(scene)


def test_a_transaction_of_all_narrows_and_never_widens():
    async def scene(user: MemoryUser) -> None:
        await sent(user, ANN, BOB)
        async with user.transaction(ALL_TENANTS) as transaction:
            await transaction.narrow(BOB)
            row = await transaction.fetch_row(COUNT)
            assert row["waiting"] == 1
            with pytest.raises(AssertionError, match="already"):
                await transaction.narrow(ANN)

    play(scene)


def test_a_reader_writes_nothing():
    async def scene(user: MemoryUser) -> None:
        with pytest.raises(AssertionError, match="while reading"):
            await user.reader(ANN).fetch(letter(ANN))
        assert await counted(user, ANN) == 0

    play(scene)


def test_what_is_no_tenant_is_not_served():
    async def scene(user: MemoryUser) -> None:
        with pytest.raises(ValueError, match="needs a tenant"):
            await counted(user, TenantId(""))

    play(scene)
