"""Intents are carried out once, under their conditions, and always answered."""

import asyncio
import datetime

import msgspec
import pytest
from aiohttp import web

from proto.connector import SourceSeen, WriteKind, WriteOutcome
from proto.errors import ErrorCode, Retry
from proto.ids import AccountId, IntentId, RecordId
from services.chassis.errors import CommandFailed
from services.chassis.queries import Query
from services.connector import writer as writer_module
from tests.integration.connector_vendor import APP, EMAIL, NAME, Vendor
from tests.integration.connector_world import ACCOUNT, TENANT, World
from tests.integration.connector_writes import (
    carried_out,
    create,
    look,
    states,
    update,
    write,
)

BORN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture
async def world(database):
    async with Vendor().listening() as vendor, World(database, vendor).standing() as w:
        yield w


async def test_creates_and_updates_are_written_and_told(world):
    world.vendor.add(3)
    found = await carried_out(
        world,
        create(world, 10),
        update(world, 1, seen="P1", name="Ada"),
        update(world, 2, seen="P2", name="Bob"),
    )
    assert {r.outcome for r in found.values()} == {WriteOutcome.WRITTEN}
    assert all(r.sent_at is not None and r.record is not None for r in found.values())
    assert world.vendor.contacts["r00001"].name == "Ada"
    assert found["int_1"].record.fields[NAME] == "Ada"
    assert [c.email for c in world.vendor.contacts.values()][-1] == "new10@example.org"
    assert await states(world) == {"done": 3}


async def test_a_target_that_moved_is_told_and_not_written(world):
    """Hazard 39."""
    world.vendor.add(1)
    found = await carried_out(world, update(world, 1, seen="Old", name="Ada"))
    result = found["int_1"]
    assert result.outcome is WriteOutcome.CHANGED
    assert result.record.fields[NAME] == "P1"
    assert result.sent_at is None
    assert world.vendor.made("PUT") == []


@pytest.mark.parametrize(
    ("seen", "is_told", "outcome"),
    [
        (BORN, True, WriteOutcome.WRITTEN),
        (BORN - datetime.timedelta(days=1), True, WriteOutcome.CHANGED),
        (BORN, False, WriteOutcome.WRITTEN),
        (None, True, WriteOutcome.WRITTEN),
    ],
)
async def test_who_got_the_id_of_the_target_is_not_written_to(
    world, seen, is_told, outcome
):
    """Hazard 11: it had just been given away, and reads as seen (seed 43322)."""
    world.vendor.add(1)
    world.vendor.contacts["r00001"].created_at = BORN if is_told else None
    asked = update(world, 1, seen="P1", name="Ada", seen_created_at=seen)
    found = await carried_out(world, asked)
    assert found["int_1"].outcome is outcome
    assert len(world.vendor.made("PUT")) == (outcome is WriteOutcome.WRITTEN)


async def test_two_writes_to_one_record_are_carried_out_one_after_the_other(world):
    """Two connections of an account came to the same record at once (seed 484).

    Each read it before the other wrote: of whole writes the second took back the first.
    """
    world.vendor.add(2)
    found = await carried_out(
        world,
        update(world, 1, seen="P1", name="Ada"),
        update(world, 2, seen="P1", name="Bob", record_id=RecordId("r00001")),
        update(world, 3, seen="P2", name="Cyd", record_id=RecordId("r00002")),
    )
    assert [found[f"int_{number}"].outcome for number in (1, 2, 3)] == [
        WriteOutcome.WRITTEN,
        WriteOutcome.CHANGED,
        WriteOutcome.WRITTEN,
    ]
    assert found["int_2"].record.fields[NAME] == "Ada"
    assert world.vendor.contacts["r00001"].name == "Ada"


async def test_a_record_that_moves_between_reading_and_writing_is_told(database):
    async with (
        Vendor().listening() as vendor,
        World(database, vendor, writes_conditionally=True).standing() as world,
    ):
        vendor.add(1)

        def edits(request):
            if request.method == "PUT" and vendor.contacts["r00001"].version == 1:
                vendor.put("r00001", name="Edited")

        vendor.faults.append(edits)
        found = await carried_out(world, update(world, 1, seen="P1", name="Ada"))
        assert found["int_1"].outcome is WriteOutcome.CHANGED
        assert found["int_1"].record.fields[NAME] == "Edited"
        assert vendor.contacts["r00001"].name == "Edited"


async def test_a_target_that_is_gone_is_told(world):
    world.vendor.add(1)
    world.vendor.put("r00001", is_deleted=True)
    found = await carried_out(
        world,
        update(world, 1, seen="P1", name="Ada"),
        update(world, 9, seen="P9", name="Bob"),
    )
    assert {r.outcome for r in found.values()} == {WriteOutcome.MISSING}
    assert world.vendor.made("PUT") == []


@pytest.mark.behaviour(20, broken_by="mutant addresses_not_searched")
async def test_an_email_that_exists_is_not_created_again(world):
    """Also in another spelling."""
    world.vendor.add(2)
    found = await carried_out(
        world, create(world, 10, email="P1@EXAMPLE.org"), create(world, 11)
    )
    assert found["int_10"].outcome is WriteOutcome.EXISTS
    assert found["int_10"].record.record_id == "r00001"
    assert found["int_11"].outcome is WriteOutcome.WRITTEN
    assert len(world.vendor.made("POST")) == 1
    assert len(world.vendor.made("GET", "/api/find")) == 1


@pytest.mark.behaviour(
    29,
    broken_by="connector/sending.py: a refused record ends its batch",
)
async def test_a_refused_record_does_not_stop_the_others(world):
    """Hazard 44."""
    bad = {EMAIL: "bad@example.org", NAME: "refuse me"}
    found = await carried_out(
        world, create(world, 1, fields=bad, emails=()), create(world, 2)
    )
    assert found["int_1"].outcome is WriteOutcome.REFUSED
    assert found["int_1"].reason is ErrorCode.VALUE_REFUSED
    assert found["int_1"].field == NAME
    assert found["int_2"].outcome is WriteOutcome.WRITTEN


async def test_an_answer_that_is_lost_makes_an_unknown_outcome(world):
    """Hazard 31: applied, but nobody heard; it is not sent again."""
    world.vendor.cuts.append("POST")
    replica = world.replica()
    await world.ask_to_write(replica, create(world, 1))
    await replica.write()
    (result,) = await world.take_results()
    assert result.outcome is WriteOutcome.UNKNOWN
    assert result.sent_at is not None
    await replica.write()
    assert len(world.vendor.made("POST")) == 1
    assert await world.take_results() == []


async def test_a_server_fault_on_a_write_makes_an_unknown_outcome(world):
    fault = web.json_response({}, status=500)
    world.vendor.faults.append(lambda r: fault if r.method == "POST" else None)
    found = await carried_out(world, create(world, 1))
    assert found["int_1"].outcome is WriteOutcome.UNKNOWN
    assert len(world.vendor.made("POST")) == 1


async def test_a_pause_puts_writes_off_and_they_are_done_later(world):
    busy = web.json_response({}, status=429, headers={"Retry-After": "5"})
    world.vendor.faults.append(lambda r: busy if r.method == "POST" else None)
    replica = world.replica()
    await world.ask_to_write(replica, create(world, 1))
    await replica.write()
    assert await world.take_results() == []
    assert await states(world) == {"new": 1}
    world.vendor.faults.clear()
    await replica.write()
    assert await world.take_results() == []
    world.clock.move(10)
    await replica.write()
    (result,) = await world.take_results()
    assert result.outcome is WriteOutcome.WRITTEN


async def test_a_write_that_waited_too_long_is_stale_and_says_why(world):
    """Hazard 36."""
    down = web.json_response({}, status=503)
    world.vendor.faults.append(lambda r: down if r.method == "POST" else None)
    replica = world.replica()
    await world.ask_to_write(replica, create(world, 1))
    await replica.write()
    world.clock.move(121)
    world.vendor.faults.clear()
    world.vendor.calls.clear()
    await replica.write()
    (result,) = await world.take_results()
    assert result.outcome is WriteOutcome.STALE
    assert result.reason is ErrorCode.APP_UNREACHABLE
    assert world.vendor.calls == []


async def test_writes_to_a_lost_account_are_answered_at_once(world):
    world.auth.error = CommandFailed(
        ErrorCode.ACCOUNT_LOST, "Lost.", retry=Retry.AFTER_REAUTH
    )
    found = await carried_out(world, create(world, 1))
    assert found["int_1"].outcome is WriteOutcome.STALE
    assert found["int_1"].reason is ErrorCode.ACCOUNT_LOST


async def test_a_source_that_moved_stops_a_create(world):
    world.vendor.add(2)
    long_ago = world.clock.now() - datetime.timedelta(seconds=11)
    seen = {
        number: SourceSeen(
            account_id=AccountId("acct_2"),
            app=APP,
            record_id=RecordId(f"r0000{number}"),
            fields={NAME: name},
            seen_at=long_ago,
        )
        for number, name in ((1, "Before"), (2, "P2"))
    }
    found = await carried_out(
        world, create(world, 1, source=seen[1]), create(world, 2, source=seen[2])
    )
    assert found["int_1"].outcome is WriteOutcome.SOURCE_CHANGED
    assert found["int_1"].source_record.fields[NAME] == "P1"
    assert found["int_2"].outcome is WriteOutcome.WRITTEN
    assert len(world.vendor.made("POST")) == 1


async def test_a_source_that_is_back_stops_what_its_end_was_to_do(world):
    """Hazard 36: its counterpart was tagged a minute after it was seen again.

    The app had denied it twice, and the tag waited for an app that was busy
    (seed 64177). What is still gone, or not asked for again so soon, stops nothing.
    """
    world.vendor.add(4)
    now = world.clock.now()
    sources = {
        number: SourceSeen(
            account_id=AccountId("acct_2"),
            app=APP,
            record_id=RecordId(record_id),
            is_gone=True,
            seen_at=now - datetime.timedelta(seconds=age_s),
        )
        for number, record_id, age_s in ((1, "r00004", 11), (2, "gone", 11), (3, "", 1))
    }
    found = await carried_out(
        world,
        *(
            update(world, number, seen=f"P{number}", name="Ada", source=source)
            for number, source in sources.items()
        ),
    )
    assert found["int_1"].outcome is WriteOutcome.SOURCE_CHANGED
    assert found["int_1"].source_record.fields[NAME] == "P4"
    assert world.vendor.contacts["r00001"].name == "P1"
    written = [found[name].outcome for name in ("int_2", "int_3")]
    assert written == [WriteOutcome.WRITTEN] * 2


async def test_looks_find_by_id_and_by_email_and_write_nothing(world):
    world.vendor.add(2)
    found = await carried_out(
        world,
        look(world, 1, record_id=RecordId("r00001")),
        look(world, 2, emails=("p2@example.org",)),
        look(world, 3, emails=("nobody@example.org",)),
        look(world, 4, record_id=RecordId("gone")),
        look(world, 5),
    )
    outcomes = [found[f"int_{number}"].outcome for number in range(1, 6)]
    assert outcomes == [
        WriteOutcome.EXISTS,
        WriteOutcome.EXISTS,
        WriteOutcome.MISSING,
        WriteOutcome.MISSING,
        WriteOutcome.UNKNOWN,
    ]
    assert found["int_2"].record.record_id == "r00002"
    # What a search shows may be behind, and is told for it (hazard 22).
    assert (found["int_1"].is_searched, found["int_2"].is_searched) == (False, True)
    assert {method for method, _ in world.vendor.calls} == {"GET"}


@pytest.mark.parametrize(
    ("can", "outcome"),
    [
        ({}, WriteOutcome.MISSING),
        ({"keeps_marks": False}, WriteOutcome.MISSING),
        ({"can_find_by_email": False}, WriteOutcome.MISSING),
        ({"can_find_by_email": False, "keeps_marks": False}, WriteOutcome.UNKNOWN),
    ],
)
async def test_a_look_says_missing_only_where_the_record_would_be_found(
    database, can, outcome
):
    """Else what was made unseen would be made once more (hazards, section 4.4)."""
    async with (
        Vendor().listening() as vendor,
        World(database, vendor, **can).standing() as world,
    ):
        sought = look(world, 1, emails=("nobody@example.org",), marker="m-1")
        found = await carried_out(world, sought)
    assert found["int_1"].outcome is outcome


async def test_a_crash_while_sent_is_answered_as_unknown(world):
    """Hazards 31 and 33: what may have been sent is never sent again."""
    world.vendor.gate = asyncio.Event()
    killed, other = world.replica(), world.replica()
    await world.ask_to_write(killed, create(world, 1), create(world, 2))
    turn = asyncio.create_task(killed.write())
    await world.vendor.write_arrived.wait()
    marked = await states(world)
    ended = [*killed.writer.turns._under_way.values(), turn]
    for task in ended:
        task.cancel()
    await asyncio.gather(*ended, return_exceptions=True)
    assert marked == {"sent": 2}
    world.vendor.gate.set()
    async with world.pool.transaction(TENANT) as transaction:
        await transaction.execute(lease_as_of_the_dead(world))
    await other.write()
    assert await world.take_results() == []
    world.clock.move(31)
    posts = len(world.vendor.made("POST"))
    await other.write()
    results = await world.take_results()
    assert [r.outcome for r in results] == [WriteOutcome.UNKNOWN] * 2
    assert all(r.sent_at < world.clock.now() for r in results)
    assert len(world.vendor.made("POST")) == posts


def lease_as_of_the_dead(world) -> Query:
    """A cancelled turn gives its lease back; one that was killed could not."""
    until = world.clock.now() + datetime.timedelta(seconds=30)
    return Query(
        "l",
        "UPDATE accounts SET lease_owner = 'dead', lease_until = $1",
        (until,),
    )


async def test_a_writer_that_lost_its_lease_sends_nothing(world):
    frozen, other = world.replica(), world.replica()
    await world.ask_to_write(frozen, create(world, 1))
    (claim,) = await frozen.leases.claim(is_writing=True, busy=[], limit=9)
    world.clock.move(31)
    await other.write()
    with pytest.raises(writer_module.Fenced):
        await frozen.writer.write(claim)
    assert len(world.vendor.made("POST")) == 1
    assert len(await world.take_results()) == 1


async def test_two_writers_write_everything_once(world):
    """Invariant I4 with two replicas."""
    replicas = [world.replica(), world.replica()]
    writes = [create(world, number) for number in range(1, 151)]
    await world.ask_to_write(replicas[0], *writes[:100])
    await world.ask_to_write(replicas[1], *writes[100:])
    for _ in range(4):
        await asyncio.gather(*(replica.write() for replica in replicas))
    emails = [c.email for c in world.vendor.contacts.values()]
    assert len(emails) == len(set(emails)) == 150
    results = await world.take_results()
    assert len(results) == len({r.intent_id for r in results}) == 150
    assert {r.outcome for r in results} == {WriteOutcome.WRITTEN}


async def test_a_repeated_intent_is_told_again_and_not_written_again(world):
    replica = world.replica()
    intent = create(world, 1)
    await world.ask_to_write(replica, intent, intent)
    await replica.write()
    first = await world.take_results()
    await world.ask_to_write(replica, intent)
    await replica.write()
    assert await world.take_results() == first
    assert len(first) == len(world.vendor.made("POST")) == 1


async def test_writes_that_come_during_a_turn_are_not_forgotten(world):
    replica = world.replica()
    later = create(world, 2)

    async def more(request):
        if request.method == "POST":
            world.vendor.faults.clear()
            await world.ask_to_write(replica, later)

    world.vendor.faults.append(more)
    await world.ask_to_write(replica, create(world, 1))
    await replica.write()
    await replica.write()
    assert len(await world.take_results()) == 2


async def test_reading_and_writing_of_one_account_stay_in_one_process(world):
    """Several replicas share one pace because one of them calls at a time."""
    world.vendor.add(3)
    reader, other = world.replica(), world.replica()
    await world.follow(reader)
    (claim,) = await reader.leases.claim(is_writing=False, busy=[], limit=9)
    await world.ask_to_write(other, create(world, 1))
    await other.write()
    assert await world.take_results() == []
    await reader.write()
    assert len(await world.take_results()) == 1
    assert reader.leases.is_ours(claim)
    await reader.leases.release(claim)
    assert (await world.account()).account_id == ACCOUNT


async def test_old_answers_are_pruned_and_open_intents_are_not(world):
    replica = world.replica()
    await world.ask_to_write(replica, create(world, 1))
    await replica.write()
    await world.ask_to_write(
        replica, create(world, 2, not_after=far_from(world.clock.now()))
    )
    await replica.writer.prune()
    assert await states(world) == {"done": 1, "new": 1}
    world.clock.move(90_000)
    await replica.writer.prune()
    assert await states(world) == {"new": 1}


def far_from(now: datetime.datetime) -> datetime.datetime:
    return now + datetime.timedelta(days=30)


async def test_what_is_not_understood_is_refused(world):
    found = await carried_out(
        world,
        write(world, 1, WriteKind.UNKNOWN),
        write(world, 2, WriteKind.UPDATE, fields={NAME: "x"}),
    )
    assert {r.outcome for r in found.values()} == {WriteOutcome.REFUSED}
    assert {r.reason for r in found.values()} == {ErrorCode.MALFORMED}
    assert world.vendor.calls == []


async def test_statements_do_not_grow_with_the_writes(world):
    """No statement is made row by row."""
    counts = []
    for size in (10, 100):
        replica = world.replica()
        writes = [
            msgspec.structs.replace(
                create(world, n, email=f"{size}-{n}@example.org"),
                intent_id=IntentId(f"int_{size}_{n}"),
            )
            for n in range(size)
        ]
        before = statements()
        await world.ask_to_write(replica, *writes)
        await replica.write()
        counts.append(statements() - before)
        assert len(await world.take_results()) == size
    assert counts[0] == counts[1] <= 20


def statements() -> float:
    from services.chassis.database import QUERIES  # noqa: PLC0415

    return QUERIES._value.get()


async def test_a_write_whose_turn_comes_too_late_is_not_sent(world):
    """Hazards 33 and 36: checked when it would be sent, not when it was queued."""
    busy = web.json_response({}, status=429, headers={"Retry-After": "50"})

    def once(request):
        if request.path == "/api/find":
            world.vendor.faults.clear()
            return busy
        return None

    world.vendor.faults.append(once)
    soon = world.clock.now() + datetime.timedelta(seconds=40)
    replica = world.replica()
    await world.ask_to_write(replica, create(world, 1, not_after=soon))
    await replica.write()
    assert world.vendor.made("POST") == []
    world.clock.move(60)
    await replica.write()
    (result,) = await world.take_results()
    assert result.outcome is WriteOutcome.STALE
    assert result.sent_at is None
    assert world.vendor.made("POST") == []


async def test_a_look_under_the_intents_own_id_is_done_and_done_again(world):
    """A look was once taken for its intent repeated, and told "unknown" for ever."""
    world.vendor.cuts.append("POST")
    replica = world.replica()
    await world.ask_to_write(replica, create(world, 1))
    await replica.write()
    (unknown,) = await world.take_results()
    assert unknown.outcome is WriteOutcome.UNKNOWN
    for _ in range(2):
        await world.ask_to_write(replica, look(world, 1, emails=("new1@example.org",)))
        await replica.write()
        (found,) = await world.take_results()
        assert found.kind is WriteKind.LOOK
        assert found.outcome is WriteOutcome.EXISTS
    assert len(world.vendor.made("POST")) == 1
