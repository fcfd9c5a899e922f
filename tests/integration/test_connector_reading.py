"""Accounts are read completely and once, whatever happens in between."""

import asyncio
import datetime

import msgspec
import pytest
from aiohttp import web

from proto.auth import AccountConnected
from proto.connector import ReadNow, ReadRecords
from proto.errors import ErrorCode, Retry
from proto.ids import RecordId
from proto.record import Presence
from services.chassis.errors import CommandFailed
from services.connector import poller as poller_module
from tests.integration.connector_vendor import Vendor
from tests.integration.connector_world import ACCOUNT, REF, TENANT, World


@pytest.fixture
async def world(database):
    async with Vendor().listening() as vendor, World(database, vendor).standing() as w:
        yield w


def ids(messages) -> list[str]:
    return [record.record_id for m in messages for record in m.records]


async def test_a_scan_shows_every_record_once_and_counts_its_parts(world):
    world.vendor.add(35)
    replica = world.replica()
    await world.follow(replica)
    await replica.read()
    told = await world.take_observed()
    assert ids(told) == list(world.vendor.contacts)
    assert [m.scan.part for m in told] == [0, 1, 2, 3]
    assert [m.scan.part_count for m in told] == [None, None, None, 4]
    assert {m.scan.scan_id for m in told} == {"scan_1"}
    account = await world.account()
    assert account.done_scan_id == "scan_1"
    assert account.scan_record_count == account.scan_expected_count == 35


@pytest.mark.behaviour(28, broken_by="connector/batches.py: a batch of nothing is told")
async def test_an_idle_pass_makes_one_call_and_says_nothing(world):
    world.vendor.add(5)
    replica = world.replica()
    await world.follow(replica)
    await replica.read()
    await world.take_observed()
    for _ in range(3):
        world.vendor.calls.clear()
        world.clock.move(301)
        await replica.read()
        assert world.vendor.calls == [("GET", "/api/changes")]
        assert await world.take_observed() == []


async def test_an_app_that_shows_everybody_again_is_read_no_sooner_for_it(world):
    world.vendor.add(5)
    world.vendor.shows_all_as_changed = True
    replica = world.replica()
    await world.follow(replica)
    await replica.read()
    await world.take_observed()
    intervals = []
    for _ in range(3):
        world.clock.move(301)
        await replica.read()
        (message,) = await world.take_observed()
        assert len(message.records) == 5
        intervals.append((await world.account()).interval_s)
    assert intervals == sorted(intervals)
    assert intervals[0] < intervals[-1] or intervals[0] == 300


async def test_changes_are_told_from_where_the_scan_began(world):
    world.vendor.add(5)
    replica = world.replica()
    await world.follow(replica)
    await replica.read()
    await world.take_observed()
    world.vendor.put("r00002", name="Changed")
    world.vendor.put("r00003", is_deleted=True)
    world.clock.move(301)
    await replica.read()
    (message,) = await world.take_observed()
    assert message.scan is None
    assert [(r.record_id, r.presence) for r in message.records] == [
        ("r00002", Presence.LIVE),
        ("r00003", Presence.DELETED),
    ]


@pytest.mark.behaviour(
    25,
    broken_by="connector/observing.py: a scan begins anew after a crash",
)
async def test_a_crash_between_pages_goes_on_from_the_last_stored_one(world):
    """Hazard 16: a page is told with its cursor or not at all."""
    world.vendor.add(35)
    first = world.replica()
    await world.follow(first)
    down = web.json_response({}, status=502)

    def breaks_at_page_three(request):
        return down if request.query.get("after") == "20" else None

    world.vendor.faults.append(breaks_at_page_three)
    await first.read()
    told = await world.take_observed()
    assert ids(told) == list(world.vendor.contacts)[:20]
    assert (await world.account()).scan_cursor == "20"
    world.vendor.faults.clear()
    world.clock.move(60)
    await world.replica().read()
    rest = await world.take_observed()
    assert ids(told + rest) == list(world.vendor.contacts)
    assert [m.scan.part for m in told + rest] == [0, 1, 2, 3]
    assert rest[-1].scan.part_count == 4


async def test_two_pollers_never_read_one_account_at_once(world):
    world.vendor.add(35)
    replicas = [world.replica(), world.replica()]
    await world.follow(replicas[0])
    await asyncio.gather(*(replica.read() for replica in replicas))
    assert len(world.vendor.made("GET", "/api/contacts")) == 4
    assert ids(await world.take_observed()) == list(world.vendor.contacts)


async def test_a_poller_that_lost_its_lease_stores_nothing(world):
    """A frozen process wakes up after another has taken over: it is fenced off."""
    world.vendor.add(15)
    frozen, other = world.replica(), world.replica()
    await world.follow(frozen)
    (claim,) = await frozen.leases.claim(is_writing=False, busy=[], limit=9)
    assert claim.ref == REF
    world.clock.move(31)
    await other.read()
    assert len(await world.take_observed()) == 2
    before = await world.account()
    with pytest.raises(poller_module.Fenced):
        await frozen.poller.read(claim)
    assert await world.take_observed() == []
    assert await world.account() == before
    assert not frozen.leases.is_ours(claim)


async def test_a_renewed_lease_is_not_taken_over(world):
    world.vendor.add(5)
    holder, other = world.replica(), world.replica()
    await world.follow(holder)
    (claim,) = await holder.leases.claim(is_writing=False, busy=[], limit=9)
    for _ in range(5):
        world.clock.move(20)
        await holder.leases.renew()
    assert holder.leases.is_ours(claim)
    assert await other.leases.claim(is_writing=False, busy=[], limit=9) == []
    await holder.leases.release(claim)
    assert await other.leases.claim(is_writing=False, busy=[], limit=9) != []


async def test_an_empty_account_is_told_as_empty(world):
    replica = world.replica()
    await world.follow(replica)
    await replica.read()
    (message,) = await world.take_observed()
    assert message.records == ()
    assert (message.scan.part, message.scan.part_count) == (0, 1)


async def test_a_listing_that_goes_in_circles_ends_as_a_fault(world):
    """Hazard 127: the same page for ever is noticed at its second sight."""
    world.vendor.add(35)

    def circles(request):
        if request.path != "/api/contacts":
            return None
        contact = {"id": "r00001", "email": "p1@example.org", "name": "P1"}
        return web.json_response({"contacts": [contact], "next": "10"})

    world.vendor.faults.append(circles)
    replica = world.replica()
    await world.follow(replica)
    await replica.read()
    assert len(world.vendor.calls) == 2
    account = await world.account()
    assert account.error_code == ErrorCode.APP_BROKEN
    assert account.done_scan_id is None
    told = await world.take_observed()
    world.vendor.faults.clear()
    world.clock.move(1_000)
    await replica.read()
    rest = await world.take_observed()
    assert set(ids(rest)) == set(world.vendor.contacts)
    assert [m.scan.part for m in told + rest] == list(range(len(told + rest)))
    assert (await world.account()).error_code is None


async def test_html_instead_of_records_concludes_nothing(world):
    """Hazard 25."""
    world.vendor.add(5)
    replica = world.replica()
    await world.follow(replica)
    page = "<html>We are back soon</html>"
    world.vendor.faults.append(
        lambda _: web.Response(text=page, content_type="text/html")
    )
    await replica.read()
    assert await world.take_observed() == []
    account = await world.account()
    assert (account.error_code, account.failures) == (ErrorCode.APP_BROKEN, 1)


async def test_an_expired_cursor_leads_to_a_scan_of_its_own(world):
    """Hazard 24."""
    world.vendor.add(15)
    replica = world.replica()
    await world.follow(replica)
    await replica.read()
    await world.take_observed()
    gone = web.json_response({}, status=410)
    world.vendor.faults.append(lambda r: gone if r.path == "/api/changes" else None)
    world.clock.move(301)
    await replica.read()
    await replica.read()
    told = await world.take_observed()
    assert ids(told) == list(world.vendor.contacts)
    assert {m.scan.scan_id for m in told} != {"scan_1"}
    account = await world.account()
    assert account.done_scan_id == "scan_1"
    assert account.scan_id is None


async def test_a_refused_account_is_left_alone_until_it_is_connected_again(world):
    world.vendor.add(5)
    replica = world.replica()
    await world.follow(replica)
    world.auth.error = CommandFailed(
        ErrorCode.ACCOUNT_LOST, "Lost.", retry=Retry.AFTER_REAUTH
    )
    await replica.read()
    account = await world.account()
    assert account.is_lost
    assert account.error_code == ErrorCode.ACCOUNT_LOST
    world.clock.move(100_000)
    asked = len(world.auth.asked)
    await replica.read()
    assert len(world.auth.asked) == asked
    world.auth.error = None
    await world.receive(
        replica,
        AccountConnected(tenant_id=TENANT, account_id=ACCOUNT, at=world.clock.now()),
    )
    await replica.read()
    assert ids(await world.take_observed()) == list(world.vendor.contacts)


async def test_a_refused_account_is_lost_when_auth_says_so_and_not_before(world):
    """Every new token is refused as well: nobody else heard of that, for ever."""
    world.vendor.add(5)
    replica = world.replica()
    await world.follow(replica)
    await replica.read()
    await world.take_observed()

    def refuses(_request):
        return web.json_response({}, status=401)

    world.vendor.faults.append(refuses)
    world.auth.version_max = 2
    for number in range(1, 4):
        world.clock.move(1_000)
        await replica.read()
        account = await world.account()
        assert not account.is_lost
        assert account.failures == number
        assert account.error_code == ErrorCode.CREDENTIALS_REFUSED
    world.vendor.faults.clear()
    world.vendor.put("r00002", name="Edited meanwhile")
    world.clock.move(1_000)
    await replica.read()
    assert ids(await world.take_observed()) == ["r00002"]
    assert (await world.account()).error_code is None

    world.vendor.faults.append(refuses)
    world.auth.refusal = CommandFailed(
        ErrorCode.ACCOUNT_LOST, "Lost.", retry=Retry.AFTER_REAUTH
    )
    world.clock.move(1_000)
    await replica.read()
    assert (await world.account()).is_lost


async def test_read_now_makes_an_account_due_also_during_its_turn(world):
    world.vendor.add(5)
    replica = world.replica()
    await world.follow(replica)
    await replica.read()
    world.vendor.calls.clear()

    async def ask(_request=None):
        world.vendor.faults.clear()
        await world.receive(replica, ReadNow(tenant_id=TENANT, account_id=ACCOUNT))

    world.vendor.faults.append(ask)
    await replica.read()
    assert world.vendor.calls == []
    await ask()
    world.vendor.faults.append(ask)
    await replica.read()
    await replica.read()
    await replica.read()
    assert len(world.vendor.calls) == 2


async def test_records_are_read_by_id_when_asked_for(world):
    world.vendor.add(5)
    replica = world.replica()
    await world.follow(replica)
    await replica.read()
    await world.take_observed()
    await world.receive(
        replica,
        ReadRecords(
            tenant_id=TENANT,
            account_id=ACCOUNT,
            record_ids=(RecordId("r00001"), RecordId("gone")),
        ),
    )
    await replica.read()
    (message,) = await world.take_observed()
    found = {record.record_id: record.presence for record in message.records}
    assert found == {"r00001": Presence.LIVE, "gone": Presence.MISSING}
    world.clock.move(301)
    await replica.read()
    assert await world.take_observed() == []


@pytest.mark.parametrize("get_batch", [1, 50])
async def test_a_record_that_cannot_be_read_by_id_stops_nothing_else(
    database, get_batch
):
    """Changes were not read any more, and what was read beside it not stored."""
    async with (
        Vendor().listening() as vendor,
        World(database, vendor, get_batch=get_batch).standing() as world,
    ):
        vendor.add(30)
        replica = world.replica()
        await world.follow(replica)
        await replica.read()
        await world.take_observed()
        bad = "/api/contacts/r00003"
        vendor.faults.append(
            lambda r: web.json_response({}, status=500) if r.path == bad else None
        )
        wanted = tuple(RecordId(f"r{number:05}") for number in range(1, 21))
        await world.receive(
            replica,
            ReadRecords(tenant_id=TENANT, account_id=ACCOUNT, record_ids=wanted),
        )
        vendor.put("r00030", name="Edited")
        await replica.read()
        told = ids(await world.take_observed())
        assert told[0] == "r00030"
        assert set(told[1:]) == set(wanted) - {"r00003"}
        assert (await world.account()).failures == 0
        vendor.faults.clear()
        vendor.calls.clear()
        for _ in range(3):
            world.clock.move(301)
            await replica.read()
        assert ids(await world.take_observed()) == ["r00003"]
        assert len(vendor.made("GET", bad)) == 1


async def test_what_was_read_by_id_is_stored_before_the_account_fails(world):
    world.vendor.add(20)
    replica = world.replica()
    await world.follow(replica)
    await replica.read()
    await world.take_observed()

    def busy(request):
        if len(world.vendor.made("GET", "/api/contacts/")) > 10:
            return web.json_response({}, status=429, headers={"Retry-After": "100"})
        return None

    wanted = tuple(RecordId(f"r{number:05}") for number in range(1, 21))
    world.vendor.calls.clear()
    world.vendor.faults.append(busy)
    await world.receive(
        replica, ReadRecords(tenant_id=TENANT, account_id=ACCOUNT, record_ids=wanted)
    )
    await replica.read()
    first = ids(await world.take_observed())
    assert len(first) == 10
    assert (await world.account()).failures == 1
    world.vendor.faults.clear()
    world.clock.move(101)
    await replica.read()
    assert {*first, *ids(await world.take_observed())} == set(wanted)
    assert len(world.vendor.made("GET", "/api/contacts/")) <= 24


async def test_a_scan_that_ends_too_early_begins_anew(world):
    """It counted as complete, and two thirds of the account as gone."""
    world.vendor.add(60)

    def cut(request):
        if request.query.get("after") == "20":
            return web.json_response({"contacts": [], "resume": "60", "count": 60})
        return None

    world.vendor.faults.append(cut)
    replica = world.replica()
    await world.follow(replica)
    for number in range(1, 4):
        await replica.read()
        account = await world.account()
        assert (account.failures, account.error_code) == (number, ErrorCode.APP_BROKEN)
        assert account.done_scan_id is None
        assert account.scan_cursor is None
        await replica.read()
        assert (await world.account()).failures == number, "it rests"
        world.clock.move(1_000)
    world.vendor.faults.clear()
    await replica.read()
    told = await world.take_observed()
    assert set(ids(told)) == set(world.vendor.contacts)
    assert [m.scan.part for m in told] == list(range(len(told)))
    account = await world.account()
    assert account.done_scan_id == "scan_1"
    assert account.error_code is None


async def test_an_account_nobody_wants_is_not_read(world):
    world.vendor.add(5)
    replica = world.replica()
    await world.follow(replica)
    world.clock.move(1)
    await world.follow(replica, is_wanted=False)
    await replica.read()
    assert world.vendor.calls == []


async def test_an_older_word_does_not_undo_a_newer_one(world):
    replica = world.replica()
    await world.follow(replica)
    world.clock.move(-60)
    await world.follow(replica, is_wanted=False, scan="scan_0")
    account = await world.account()
    assert account.is_wanted
    assert account.wanted_scan_id == "scan_1"


async def test_reading_waits_while_nobody_takes_what_was_told(world):
    world.vendor.add(100)
    world.settings = msgspec.structs.replace(world.settings, observations_waiting_max=3)
    replica = world.replica()
    await world.follow(replica)
    await replica.read()
    assert len(world.vendor.made("GET", "/api/contacts")) == 3
    assert len(await world.take_observed()) == 3
    await replica.read()
    assert len(world.vendor.made("GET", "/api/contacts")) == 6


async def test_calls_are_counted_by_day(world):
    world.vendor.add(35)
    replica = world.replica()
    await world.follow(replica)
    await replica.read()
    account = await world.account()
    assert account.calls_today == 4
    assert account.calls_day == datetime.datetime.now(datetime.UTC).date()


async def test_an_endless_listing_is_tried_more_and_more_rarely(world):
    """Each try reads some pages for nothing, which must not look like success."""
    world.vendor.add(35)

    def circles(request):
        if request.path != "/api/contacts":
            return None
        return web.json_response({"contacts": [], "next": "10"})

    world.vendor.faults.append(circles)
    replica = world.replica()
    await world.follow(replica)
    for number in range(1, 5):
        await replica.read()
        assert (await world.account()).failures == number
        world.clock.move(1_000)


async def test_a_lease_claimed_while_it_is_given_back_is_kept(world):
    """Reading ends as writing begins: neither may take the lease from the other."""
    world.vendor.add(3)
    replica, other = world.replica(), world.replica()
    await world.follow(replica)
    for _ in range(30):
        await world.receive(replica, ReadNow(tenant_id=TENANT, account_id=ACCOUNT))
        (first,) = await replica.leases.claim(is_writing=False, busy=[], limit=9)
        _, claims = await asyncio.gather(
            replica.leases.release(first),
            replica.leases.claim(is_writing=False, busy=[], limit=9),
        )
        (second,) = claims
        assert replica.leases.is_ours(second)
        assert await other.leases.claim(is_writing=False, busy=[], limit=9) == []
        await replica.leases.release(second)
