"""What time brings about, on a clock that the test moves: tries, looks, leases."""

import datetime

import pytest

from proto import codec
from proto.connector import (
    ContactsWritten,
    ContactWritten,
    WriteContacts,
    WriteKind,
    WriteOutcome,
)
from proto.errors import ErrorCode
from services.chassis import database as chassis_database
from services.chassis import migrations
from services.chassis.loops import Wake
from services.reconciler.config import Config
from services.reconciler.store import claims
from services.reconciler.sweeping import Sweeper
from tests.bench import planning
from tests.fakes.clock import MovableClock

CONFIG = Config(database_url="", nats_url="")


@pytest.fixture
async def bench(database):
    url = database.service_url("reconciler")
    await migrations.apply(
        database.owner_url("reconciler"),
        service="reconciler",
        role=migrations.role_of(url),
    )
    clock = MovableClock()
    async with chassis_database.connect(
        url, schema="reconciler", clock=clock
    ) as opened:
        made = planning.Bench(opened, clock=clock)
        await made.prepare()
        await made.scan(planning.LEFT, range(3))
        await made.scan(planning.RIGHT, range(0))
        yield made


def sweeper(bench: planning.Bench) -> Sweeper:
    return Sweeper(bench.store, config=CONFIG, clock=bench.clock, wake=Wake())


async def writes(bench: planning.Bench) -> list[WriteContacts]:
    return [codec.decode(p, WriteContacts) for p in await bench.take_writes()]


def refused(job: WriteContacts, *, now: datetime.datetime) -> ContactsWritten:
    return ContactsWritten(
        tenant_id=job.tenant_id,
        account_id=job.account_id,
        connection_id=job.connection_id,
        results=tuple(
            ContactWritten(
                intent_id=write.intent_id,
                kind=write.kind,
                outcome=WriteOutcome.REFUSED,
                reason=ErrorCode.VALUE_REFUSED,
                read_at=now,
            )
            for write in job.writes
        ),
    )


@pytest.mark.behaviour(
    29,
    broken_by="reconciler/engine/fold.py: a refused write is not tried again",
)
async def test_b29_a_refused_write_is_tried_again_by_itself(bench):
    """Later, not at once, and not because somebody looks."""
    await bench.planner.step()
    (job,) = await writes(bench)
    await bench.take(refused(job, now=bench.clock.now()))
    while await bench.planner.step():
        pass
    assert not await sweeper(bench).retry()
    assert await writes(bench) == []

    bench.clock.move(300)
    assert await sweeper(bench).retry()
    assert not await sweeper(bench).retry()
    await bench.planner.step()
    (again,) = await writes(bench)
    assert {write.kind for write in again.writes} == {WriteKind.CREATE}
    assert len(again.writes) == 3
    before = {write.intent_id for write in job.writes}
    assert not before & {write.intent_id for write in again.writes}


async def test_a_look_is_sent_when_no_answer_can_come_any_more(bench):
    """A write that is looked up must be too old to begin afterwards."""
    await bench.planner.step()
    (job,) = await writes(bench)
    bench.clock.move(CONFIG.write_age_s + 1)
    await sweeper(bench).look()
    assert await writes(bench) == []

    bench.clock.move(CONFIG.answer_s - CONFIG.write_age_s)
    await sweeper(bench).look()
    (look,) = await writes(bench)
    assert {write.kind for write in look.writes} == {WriteKind.LOOK}
    assert {w.intent_id for w in look.writes} == {w.intent_id for w in job.writes}
    assert all(write.not_after < bench.clock.now() for write in job.writes)

    await sweeper(bench).look()
    assert await writes(bench) == []


async def test_a_claim_is_over_when_another_replica_took_it(bench):
    """A replica that was held up saves nothing."""
    async with bench.store.transaction(planning.TENANT) as work:
        now = bench.clock.now()
        until = now + datetime.timedelta(seconds=CONFIG.lease_s)
        first = await claims.claim(work.transaction, now=now, lease_until=until)
        assert first is not None
        assert await claims.claim(work.transaction, now=now, lease_until=until) is None
    bench.clock.move(CONFIG.lease_s + 1)
    assert await bench.planner.step()
    async with bench.store.transaction(planning.TENANT) as work:
        assert not await claims.keep(
            work.transaction, first, planned=1, lease_until=bench.clock.now()
        )
        assert await claims.lock(work.transaction, first) is None
