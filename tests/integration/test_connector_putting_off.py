"""What has to wait is read again before it is sent, and holds up nobody else."""

import contextlib
import datetime

import msgspec
import pytest
from aiohttp import web

from proto.auth import AccountConnected
from proto.connector import ReadAccountProgress, SourceSeen, WriteContacts, WriteOutcome
from proto.errors import ErrorCode
from proto.ids import AccountId, ConnectionId, RecordId
from services.connector import accounts, carrier, checking, handlers, writer
from services.connector.accounts import AccountRef
from tests.integration.connector_vendor import APP, NAME, Vendor
from tests.integration.connector_world import ACCOUNT, REF, TENANT, World
from tests.integration.connector_writes import (
    carried_out,
    create,
    look,
    states,
    update,
)

LATE_S = 60.0
SOURCE = AccountRef(TENANT, AccountId("acct_2"), APP)


@contextlib.asynccontextmanager
async def standing(database, **capabilities):
    async with (
        Vendor().listening() as vendor,
        World(database, vendor, **capabilities).standing() as world,
    ):
        # Nobody renews leases here, and it is not they who are to stop anything.
        world.settings = msgspec.structs.replace(world.settings, lease_s=3_600.0)
        yield world


@pytest.fixture
async def world(database):
    async with standing(database) as opened:
        yield opened


def hold_up(world, replica, *, method: str, path: str) -> None:
    """Let everything after the next such call wait for a minute at our own gate."""

    def block(request):
        if request.method == method and request.path.startswith(path):
            world.vendor.faults.remove(block)
            until_s = world.clock.monotonic() + LATE_S
            replica.transport.budget_of(REF).block(until_s=until_s)

    world.vendor.faults.append(block)


def fails(world, method: str, path: str, status: int, **headers: str) -> None:
    def fault(request):
        if request.method == method and request.path.startswith(path):
            return web.json_response({}, status=status, headers=headers)
        return None

    world.vendor.faults.append(fault)


def source_of(world, number: int, *, name: str, seconds_ago: float) -> SourceSeen:
    return SourceSeen(
        account_id=SOURCE.account_id,
        app=APP,
        record_id=RecordId(f"r{number:05}"),
        fields={NAME: name},
        seen_at=world.clock.now() - datetime.timedelta(seconds=seconds_ago),
    )


# What a write is built on does not grow old


async def test_an_update_that_waited_long_is_built_on_a_new_read(world):
    """I7: an unsubscribe between the read and the write was overwritten for minutes."""
    world.vendor.add(1)
    replica = world.replica()
    hold_up(world, replica, method="GET", path="/api/contacts/r00001")
    await world.ask_to_write(replica, update(world, 1, seen="P1", name="Ada"))
    await replica.write()
    assert world.vendor.made("PUT") == []
    assert await world.take_results() == []
    world.vendor.put("r00001", name="Edited meanwhile")
    world.clock.move(writer.PUT_OFF_S)
    await replica.write()
    (result,) = await world.take_results()
    assert result.outcome is WriteOutcome.CHANGED
    assert world.vendor.made("PUT") == []


async def test_an_update_that_waited_for_a_new_token_is_built_on_a_new_read(world):
    """It was refused, so it may go again; but what it goes by is old by then."""
    world.vendor.add(1)
    world.auth.refresh_s = LATE_S / 4
    refused = web.json_response({}, status=401)

    def once(request):
        if request.method == "PUT":
            world.vendor.faults.clear()
            return refused
        return None

    world.vendor.faults.append(once)
    replica = world.replica()
    await world.ask_to_write(replica, update(world, 1, seen="P1", name="Ada"))
    await replica.write()
    assert len(world.vendor.made("PUT")) == 1
    assert await states(world) == {"new": 1}
    world.clock.move(writer.PUT_OFF_S)
    await replica.write()
    (result,) = await world.take_results()
    assert result.outcome is WriteOutcome.WRITTEN
    assert len(world.vendor.made("GET")) == 2


async def test_an_app_that_checks_by_itself_need_not_be_read_again(database):
    async with standing(database, writes_conditionally=True) as world:
        world.vendor.add(1)
        replica = world.replica()
        hold_up(world, replica, method="GET", path="/api/contacts/r00001")
        await world.ask_to_write(replica, update(world, 1, seen="P1", name="Ada"))
        await replica.write()
        (result,) = await world.take_results()
        assert result.outcome is WriteOutcome.WRITTEN


@pytest.mark.parametrize("seconds_ago", [3, 60])
async def test_a_create_that_waited_long_has_its_source_read_again(world, seconds_ago):
    """Hazard 36: the person may be gone by then, or unsubscribed."""
    world.vendor.add(1)
    replica = world.replica()
    hold_up(world, replica, method="GET", path="/api/find")
    source = source_of(world, 1, name="P1", seconds_ago=seconds_ago)
    await world.ask_to_write(replica, create(world, 2, source=source))
    await replica.write()
    assert world.vendor.made("POST") == []
    world.vendor.put("r00001", name="Edited meanwhile")
    world.clock.move(writer.PUT_OFF_S)
    await replica.write()
    (result,) = await world.take_results()
    assert result.outcome is WriteOutcome.SOURCE_CHANGED
    assert world.vendor.made("POST") == []


async def test_an_email_is_looked_for_again_before_a_create_that_waited(world):
    replica = world.replica()
    hold_up(world, replica, method="GET", path="/api/find")
    await world.ask_to_write(replica, create(world, 1, email="ada@example.org"))
    await replica.write()
    world.vendor.put("r00009", email="ada@example.org")
    world.clock.move(writer.PUT_OFF_S)
    await replica.write()
    (result,) = await world.take_results()
    assert result.outcome is WriteOutcome.EXISTS
    assert world.vendor.made("POST") == []


@pytest.mark.parametrize("pace", [4.0, 0.5, 0.1])
async def test_a_slow_pace_puts_nothing_off_for_ever(world, pace):
    """What a write is built on may be as old as two calls are apart, however slow."""
    world.settings = msgspec.structs.replace(world.settings, calls_per_second_max=pace)
    world.vendor.add(12)
    read_s, gaps = {}, []

    def note(request):
        now_s = world.clock.monotonic()
        if request.method == "GET" and request.path.startswith("/api/contacts/"):
            read_s[request.path] = now_s
        elif request.method == "PUT":
            gaps.append(now_s - read_s[request.path])

    world.vendor.faults.append(note)
    replica = world.replica()
    later = world.clock.now() + datetime.timedelta(minutes=15)
    await world.ask_to_write(
        replica,
        *(
            update(world, number, seen=f"P{number}", name="Ada", not_after=later)
            for number in range(1, 13)
        ),
        *(create(world, number, not_after=later) for number in range(20, 26)),
    )
    results = []
    for _ in range(4):
        await replica.write()
        results += await world.take_results()
        world.clock.move(writer.PUT_OFF_S)
    assert [r.outcome for r in results] == [WriteOutcome.WRITTEN] * 18
    longest_s = carrier.READ_AGE_MAX.total_seconds() + carrier.CALLS_BETWEEN / pace
    assert max(gaps) <= longest_s + 0.5


# One record does not stop the others


async def test_a_record_that_cannot_be_read_does_not_stop_the_others(world):
    """Hazard 44: each turn ended at it, so that a chunk was written per back-off."""
    world.settings = msgspec.structs.replace(world.settings, calls_per_second_max=4.0)
    world.vendor.add(40)
    fails(world, "GET", "/api/contacts/r00001", 500)
    found = await carried_out(
        world,
        *(update(world, n, seen=f"P{n}", name=f"New {n}") for n in range(1, 41)),
    )
    assert len(found) == 40
    bad = found.pop("int_1")
    assert (bad.outcome, bad.reason) == (WriteOutcome.STALE, ErrorCode.APP_BROKEN)
    assert {result.outcome for result in found.values()} == {WriteOutcome.WRITTEN}
    assert (await world.account()).write_failures == 0


@pytest.mark.parametrize("status", [500, 403])
async def test_one_bad_record_does_not_spoil_the_batch_it_is_read_with(
    database, status
):
    """An app may read fifty by one call; they are read one by one if that fails."""
    async with standing(database, get_batch=50) as world:
        world.vendor.add(20)
        fails(world, "GET", "/api/contacts/r00007", status)
        found = await carried_out(
            world,
            *(update(world, n, seen=f"P{n}", name=f"New {n}") for n in range(1, 21)),
        )
        assert found.pop("int_7").outcome in (WriteOutcome.STALE, WriteOutcome.REFUSED)
        assert {result.outcome for result in found.values()} == {WriteOutcome.WRITTEN}
        assert len(found) == 19


async def test_an_account_that_cannot_be_read_is_not_tried_record_by_record(world):
    """All fail, so it is the account: nothing is said of any record, and it rests."""
    world.vendor.add(300)
    fails(world, "GET", "/api/contacts", 500)
    replica = world.replica()
    await world.ask_to_write(
        replica, *(update(world, n, seen=f"P{n}", name="X") for n in range(1, 301))
    )
    await replica.write()
    assert await world.take_results() == []
    assert await states(world) == {"new": 300}
    assert (await world.account()).write_failures == 1
    called = len(world.vendor.calls)
    await replica.write()
    assert len(world.vendor.calls) == called


async def test_a_source_that_cannot_be_read_holds_up_its_own_creates_only(world):
    world.vendor.add(3)
    fails(world, "GET", "/api/contacts/r00003", 503)
    replica = world.replica()
    source = source_of(world, 3, name="P3", seconds_ago=60)
    await world.ask_to_write(
        replica,
        create(world, 9, source=source),
        look(world, 8, record_id=RecordId("r00001")),
        update(world, 1, seen="P1", name="Ada"),
    )
    await replica.write()
    assert {r.intent_id for r in await world.take_results()} == {"int_8", "int_1"}
    assert (await world.account()).write_failures == 0
    world.vendor.faults.clear()
    await world.ask_to_write(replica, update(world, 2, seen="P2", name="Bob"))
    await replica.write()
    found = {r.intent_id: r.outcome for r in await world.take_results()}
    assert found == {"int_9": WriteOutcome.WRITTEN, "int_2": WriteOutcome.WRITTEN}


async def test_a_create_waits_while_another_replica_calls_its_sources_account(world):
    """Two replicas that know nothing of each other's calls call too often (I10)."""
    world.vendor.add(3)
    replica, other = world.replica(), world.replica()
    source = source_of(world, 3, name="P3", seconds_ago=60)
    await world.ask_to_write(
        replica,
        create(world, 9, source=source),
        update(world, 1, seen="P1", name="Ada"),
    )
    async with other.leases.borrowed(SOURCE) as is_lent:
        assert is_lent
        await replica.write()
    assert [each.intent_id for each in await world.take_results()] == ["int_1"]
    assert not [path for path in world.vendor.made("GET") if path.endswith("r00003")]
    world.clock.move(writer.PUT_OFF_S)
    await replica.write()
    assert [each.intent_id for each in await world.take_results()] == ["int_9"]


async def test_what_waits_behind_much_that_is_put_off_has_its_turn_too(
    world, monkeypatch
):
    """The oldest go first, and were the same ones for a quarter of an hour."""
    monkeypatch.setattr(writer, "PUT_OFF_MAX", 20)
    world.vendor.add(40)
    fails(world, "GET", "/api/contacts/r00003", 503)
    source = source_of(world, 3, name="P3", seconds_ago=60)
    replica = world.replica()
    await world.ask_to_write(
        replica, *(create(world, 100 + n, source=source) for n in range(150))
    )
    world.clock.move(1)
    await world.ask_to_write(replica, update(world, 1, seen="P1", name="Ada"))
    await replica.write()
    assert await world.take_results() == []
    world.clock.move(writer.PUT_OFF_S)
    await replica.write()
    (result,) = await world.take_results()
    assert result.outcome is WriteOutcome.WRITTEN


async def test_two_connections_do_not_create_one_person_twice(world):
    """Both looked for the email before either had created it."""
    replica = world.replica()
    for number, email in enumerate(("ada@example.org", "Ada@Example.org"), start=1):
        await world.receive(
            replica,
            WriteContacts(
                tenant_id=TENANT,
                account_id=ACCOUNT,
                app=APP,
                connection_id=ConnectionId(f"conn_{number}"),
                writes=(create(world, number, email=email),),
            ),
        )
    await replica.write()
    world.clock.move(writer.PUT_OFF_S)
    await replica.write()
    assert len(world.vendor.made("POST")) == len(world.vendor.contacts) == 1
    found = {r.intent_id: r.outcome for r in await world.take_results()}
    assert found == {"int_1": WriteOutcome.WRITTEN, "int_2": WriteOutcome.EXISTS}


# What the account is refused


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/contacts/"), ("POST", "/api/contacts")]
)
async def test_what_every_record_is_forbidden_is_said_of_the_account(
    world, method, path
):
    """A scope or a privilege is missing: each contact was counted as refused."""
    world.vendor.add(20)
    fails(world, method, path, 403)
    replica = world.replica()
    numbers = range(1, 21)
    if method == "GET":
        writes = [update(world, n, seen=f"P{n}", name="X") for n in numbers]
    else:
        writes = [create(world, 100 + n) for n in numbers]
    await world.ask_to_write(replica, *writes)
    await replica.write()
    assert await world.take_results() == []
    assert await progress_error(world) is ErrorCode.APP_REFUSED
    world.vendor.faults.clear()
    world.clock.move(accounts.WRITE_BACK_OFF_S_MAX)
    await replica.write()
    found = await world.take_results()
    assert [r.outcome for r in found] == [WriteOutcome.WRITTEN] * 20
    assert await progress_error(world) is None


async def test_what_one_record_is_forbidden_is_said_of_that_record(world):
    world.vendor.add(2)
    fails(world, "GET", "/api/contacts/r00001", 403)
    found = await carried_out(
        world,
        update(world, 1, seen="P1", name="Ada"),
        update(world, 2, seen="P2", name="Bob"),
    )
    assert found["int_1"].outcome is WriteOutcome.REFUSED
    assert found["int_1"].reason is ErrorCode.APP_REFUSED
    assert found["int_2"].outcome is WriteOutcome.WRITTEN


async def progress_error(world) -> ErrorCode | None:
    command = ReadAccountProgress(tenant_id=TENANT, account_id=ACCOUNT)
    desk = handlers.Desk(None, world.store, None, None, None, world.clock, None, None)
    return (await handlers.read_account_progress(desk, command)).error


# Pauses


async def test_new_jobs_do_not_cut_short_the_pause_that_an_app_asked_for(world):
    """Each of them made the account due at once, and the app was called again."""
    world.vendor.add(30)
    fails(world, "PUT", "/api/contacts", 429, **{"Retry-After": "600"})
    replicas = [world.replica(), world.replica()]
    began_s = world.clock.monotonic()
    later = world.clock.now() + datetime.timedelta(minutes=15)
    for number in range(1, 11):
        replica = replicas[number % 2]
        write = update(world, number, seen=f"P{number}", name="X", not_after=later)
        await world.ask_to_write(replica, write)
        await replica.write()
        world.clock.move(30)
    assert len(world.vendor.made("PUT")) == 1
    world.vendor.faults.clear()
    world.clock.move(601 - (world.clock.monotonic() - began_s))
    await replicas[0].write()
    assert [r.outcome for r in await world.take_results()] == [
        WriteOutcome.WRITTEN
    ] * 10


async def test_a_job_that_comes_during_a_turn_does_not_cut_its_pause_short(world):
    world.vendor.add(2)
    replica = world.replica()
    second = update(world, 2, seen="P2", name="Bob")

    async def busy(request):
        if request.method != "PUT":
            return None
        if len(world.vendor.made("PUT")) == 1:
            await world.ask_to_write(replica, second)
        return web.json_response({}, status=503, headers={"Retry-After": "100"})

    world.vendor.faults.append(busy)
    await world.ask_to_write(replica, update(world, 1, seen="P1", name="Ada"))
    await replica.write()
    world.clock.move(90)
    called = len(world.vendor.calls)
    await replica.write()
    assert len(world.vendor.calls) == called


async def test_an_account_that_is_authorised_again_is_written_to_at_once(world):
    world.vendor.add(1)
    fails(world, "GET", "/api/contacts/", 403)
    replica = world.replica()
    await world.ask_to_write(replica, update(world, 1, seen="P1", name="Ada"))
    for _ in range(4):
        await replica.write()
        world.clock.move(accounts.WRITE_BACK_OFF_S_MAX / 10)
    world.vendor.faults.clear()
    await world.receive(
        replica,
        AccountConnected(tenant_id=TENANT, account_id=ACCOUNT, at=world.clock.now()),
    )
    await replica.write()
    (result,) = await world.take_results()
    assert result.outcome is WriteOutcome.WRITTEN


# What is told of a write


async def test_what_was_not_sent_is_told_as_of_its_read(world):
    """It was told as of the end, and an edit seen in between lost against it."""
    world.vendor.add(1)
    seen: list[datetime.datetime] = []

    def slow(request):
        if request.method == "GET":
            seen.append(world.clock.now())
            world.clock.move(3)

    world.vendor.faults.append(slow)
    found = await carried_out(world, update(world, 1, seen="P1", name="P1"))
    result = found["int_1"]
    assert result.outcome is WriteOutcome.WRITTEN
    assert result.sent_at is None
    assert result.read_at <= seen[0]
    assert world.vendor.made("PUT") == []


def test_a_source_is_read_again_well_before_its_check_grows_old():
    assert checking.SOURCE_AGE_MAX < checking.CHECK_AGE_MAX
