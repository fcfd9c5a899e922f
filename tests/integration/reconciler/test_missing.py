"""How long and how often records are asked for that an app does not know."""

import datetime

import msgspec
import pytest

from proto import codec
from proto.auth import AccountLost
from proto.connector import ContactsObserved, ReadRecords
from proto.ids import RecordId
from proto.record import Presence, Record
from services.chassis.loops import Wake
from services.chassis.queries import Query
from services.reconciler.config import Config
from services.reconciler.sweeping import Sweeper
from tests.bench import planning
from tests.integration.reconciler.test_time import bench

__all__ = ["bench"]

CONFIG = Config(database_url="", nats_url="")
LEFT, TENANT = planning.LEFT, planning.TENANT
ALL = range(3)
DAY = datetime.timedelta(days=1)
STEP_S = 30
GONE = Query("gone", "SELECT record_id FROM observations WHERE NOT is_live", ())
STORED = "SELECT record FROM observations WHERE record_id = $1"
SET_STATE = "UPDATE connections SET state = "


def known(number: int, presence: Presence = Presence.LIVE) -> Record:
    fields = planning.person(number) if presence is Presence.LIVE else {}
    return Record(
        record_id=RecordId(f"{LEFT}-{number}"),
        version="1",
        fields=fields,
        presence=presence,
    )


async def show(bench: planning.Bench, *records: Record) -> None:
    await bench.take(
        ContactsObserved(
            tenant_id=TENANT,
            account_id=LEFT,
            records=records,
            read_at=bench.clock.now(),
        )
    )


async def miss(bench: planning.Bench, *numbers: int) -> None:
    await show(bench, *(known(number, Presence.MISSING) for number in numbers))


async def asked(bench: planning.Bench) -> list[ReadRecords]:
    sweeper = Sweeper(bench.store, config=CONFIG, clock=bench.clock, wake=Wake())
    await sweeper.ask()
    return [codec.decode(p, ReadRecords) for p in await bench.take_jobs("read_records")]


async def asked_in(bench: planning.Bench, time: datetime.timedelta) -> int:
    """Let time pass; return how often something was asked in it."""
    steps = int(time.total_seconds()) // STEP_S
    count = 0
    for _ in range(steps):
        bench.clock.move(STEP_S)
        count += len(await asked(bench))
    return count


async def gone(bench: planning.Bench) -> int:
    return len(await bench.pool.reader(planning.TENANT).fetch(GONE))


async def test_of_an_account_that_shows_nobody_nobody_is_deleted(bench):
    """Hazard 70: an app that knows no id at all may just be unwell."""
    await miss(bench, *ALL)
    bench.clock.move(61)
    (job,) = await asked(bench)
    assert job.control_ids == ()
    await miss(bench, *ALL)
    assert await gone(bench) == 0
    await show(bench, known(7))
    await miss(bench, *ALL)
    assert await gone(bench) == len(ALL), "it is well again"


async def test_once_it_shows_anybody_the_others_are_deleted(bench):
    await miss(bench, *ALL)
    bench.clock.move(61)
    await show(bench, known(7))
    await miss(bench, *ALL)
    assert await gone(bench) == len(ALL)


async def test_what_was_shown_long_ago_tells_nothing_about_today(bench):
    await miss(bench, 0, 1)
    bench.clock.move(600)
    await miss(bench, 0, 1)
    assert await gone(bench) == 0
    await show(bench, known(2))
    await miss(bench, 0, 1)
    assert await gone(bench) == 2, "what is shown today does"


async def test_what_is_missed_for_long_is_asked_for_ever_more_rarely(bench):
    await miss(bench, *ALL)
    assert 5 <= await asked_in(bench, DAY) <= 12
    assert 3 <= await asked_in(bench, DAY) <= 5, "and never forgotten"


async def test_nothing_is_asked_of_a_lost_account(bench):
    await miss(bench, *ALL)
    assert await asked_in(bench, DAY / 24) > 0
    lost = AccountLost(tenant_id=TENANT, account_id=LEFT, at=bench.clock.now())
    await bench.take(lost)
    assert await asked_in(bench, DAY / 4) == 0


async def test_nothing_is_asked_while_a_connection_is_paused(bench):
    """Behaviour 31: pause stops reading."""
    await miss(bench, *ALL)
    await set_state(bench, "paused")
    assert await asked_in(bench, DAY / 24) == 0
    await set_state(bench, "live")
    assert len(await asked(bench)) == 1


async def set_state(bench: planning.Bench, state: str) -> None:
    async with bench.pool.transaction(TENANT) as transaction:
        await transaction.execute(Query("s", f"{SET_STATE} '{state}'", ()))


@pytest.mark.parametrize("number", ALL)
async def test_a_record_shown_again_is_not_asked_for_any_more(bench, number):
    await miss(bench, number)
    bench.clock.move(61)
    assert len(await asked(bench)) == 1
    await show(bench, known(number))
    assert await asked_in(bench, DAY / 24) == 0


async def merge(bench: planning.Bench, number: int, *, into: str) -> None:
    """Have an app tell that it has made a record a part of another one."""
    loser = known(number, Presence.MERGED)
    await show(bench, msgspec.structs.replace(loser, merged_into=RecordId(into)))


async def test_whoever_others_were_merged_into_is_asked_for_until_it_is_shown(bench):
    """It was deleted before that, and its link waited for ever (seed 40974)."""
    heir = Record(record_id=RecordId("heir"), presence=Presence.MISSING)
    await merge(bench, 0, into="heir")
    for is_gone in (False, True):
        bench.clock.move(61)
        (job,) = await asked(bench)
        assert job.record_ids == ("heir",)
        assert job.control_ids
        await show(bench, known(1), heir)
        gone = {
            row["record_id"]
            for row in await bench.pool.reader(planning.TENANT).fetch(GONE)
        }
        assert ("heir" in gone) is is_gone, "two answers are needed"


async def test_whoever_is_shown_is_not_asked_for(bench):
    """Whether before the merge, together with it or later."""
    heir = Record(record_id=RecordId("heir"), version="1", fields=planning.person(7))
    loser = known(2, Presence.MERGED)
    loser = msgspec.structs.replace(loser, merged_into=heir.record_id)
    await merge(bench, 0, into=f"{LEFT}-1")
    await show(bench, loser, heir)
    await merge(bench, 5, into="late")
    late = msgspec.structs.replace(heir, record_id=RecordId("late"))
    await show(bench, late)
    for record in (heir, late):
        [row] = await bench.pool.reader(planning.TENANT).fetch(
            Query("stored", STORED, (record.record_id,))
        )
        assert codec.decode(row["record"], Record) == record
    assert await asked_in(bench, datetime.timedelta(minutes=5)) == 0
