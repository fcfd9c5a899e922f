"""What an app does not know is told only if it shows what is known to be there."""

import pytest
from aiohttp import web

from proto.connector import ReadRecords
from proto.ids import RecordId
from proto.record import Presence
from services.chassis.queries import Query
from services.connector import rereading
from services.connector.errors import BadMessage
from tests.integration.connector_vendor import Vendor
from tests.integration.connector_world import ACCOUNT, TENANT, World

LATER_S = rereading.UNWELL_FOR.total_seconds() + 1


@pytest.fixture
async def world(database):
    async with (
        Vendor().listening() as vendor,
        World(database, vendor).standing() as opened,
    ):
        vendor.add(8)
        replica = opened.replica()
        await opened.follow(replica)
        await replica.read()
        await opened.take_observed()
        vendor.calls.clear()
        yield opened


def ids(*numbers: int) -> tuple[RecordId, ...]:
    return tuple(RecordId(f"r{number:05}") for number in numbers)


async def ask(world, *wanted: str, controls: tuple[str, ...] = ()):
    replica = world.replica()
    await world.receive(
        replica,
        ReadRecords(
            tenant_id=TENANT,
            account_id=ACCOUNT,
            record_ids=tuple(map(RecordId, wanted)),
            control_ids=tuple(map(RecordId, controls)),
        ),
    )
    return replica


async def told(world) -> dict[str, Presence]:
    return {
        record.record_id: record.presence
        for message in await world.take_observed()
        for record in message.records
    }


async def waiting(world) -> dict[str, bool]:
    query = Query("w", "SELECT record_id, is_control FROM wanted_reads", ())
    rows = await world.pool.reader(TENANT).fetch(query)
    return {row["record_id"]: row["is_control"] for row in rows}


async def test_what_is_missing_beside_a_live_control_is_told_as_missing(world):
    """Hazards, section 4.6: evidence needs an app that is well."""
    replica = await ask(world, "gone", *ids(1), controls=ids(2, 3))
    await replica.read()
    assert await told(world) == {
        "gone": Presence.MISSING,
        **dict.fromkeys(ids(1, 2, 3), Presence.LIVE),
    }
    assert await waiting(world) == {}


async def test_one_live_control_is_enough(world):
    del world.vendor.contacts["r00002"]
    replica = await ask(world, "gone", controls=ids(2, 3))
    await replica.read()
    assert await told(world) == {"gone": Presence.MISSING, "r00003": Presence.LIVE}


@pytest.mark.parametrize("is_deleted", [False, True])
async def test_an_app_that_shows_no_control_misses_nobody(world, is_deleted):
    """Hazard 70: half an account gone for a moment is no deletion."""
    for record_id in ids(2, 3):
        if is_deleted:
            world.vendor.put(record_id, is_deleted=True)
        else:
            world.vendor.contacts.pop(record_id)
    world.clock.move(310)
    await world.replica().read()
    await world.take_observed()
    replica = await ask(world, "gone", *ids(1), controls=ids(2, 3))
    await replica.read()
    assert await told(world) == {"r00001": Presence.LIVE}
    assert await waiting(world) == {"gone": False, **dict.fromkeys(ids(2, 3), True)}


async def test_what_was_not_told_is_read_again_later_with_its_controls(world):
    away = {record_id: world.vendor.contacts.pop(record_id) for record_id in ids(2)}
    replica = await ask(world, "gone", controls=ids(2))
    await replica.read()
    world.vendor.calls.clear()
    world.clock.move(LATER_S - 10)
    await replica.read()
    assert world.vendor.made("GET", "/api/contacts/") == []
    assert await told(world) == {}
    world.vendor.contacts |= away
    world.clock.move(310)
    await replica.read()
    assert await told(world) == {"gone": Presence.MISSING, "r00002": Presence.LIVE}
    assert await waiting(world) == {}


async def test_nobody_is_asked_for_without_end_when_the_controls_are_gone_too(world):
    """They were named when they were there; whoever asks again names others."""
    world.vendor.contacts.pop("r00002")
    replica = await ask(world, "gone", controls=ids(2))
    for is_over in (False, True):
        await replica.read()
        await told(world)
        assert await waiting(world) == (
            {} if is_over else {"gone": False, "r00002": True}
        )
        world.clock.move(rereading.GIVE_UP_AFTER.total_seconds())
    replica = await ask(world, "gone", controls=ids(3))
    await replica.read()
    assert await told(world) == {"gone": Presence.MISSING, "r00003": Presence.LIVE}


async def test_an_explicit_tombstone_needs_no_control(world):
    world.vendor.contacts.pop("r00002")
    world.vendor.put("r00001", is_deleted=True)
    replica = await ask(world, *ids(1), controls=ids(2))
    await replica.read()
    assert (await told(world))["r00001"] is Presence.DELETED
    assert await waiting(world) == {}


async def test_a_control_that_cannot_be_read_shows_nothing(world):
    fault = web.json_response({}, status=500)
    world.vendor.faults.append(
        lambda request: fault if request.path.endswith("r00002") else None
    )
    replica = await ask(world, "gone", *ids(1), controls=ids(2))
    await replica.read()
    assert await told(world) == {"r00001": Presence.LIVE}
    assert set(await waiting(world)) == {"gone", "r00002"}


async def test_without_controls_what_is_missing_is_told(world):
    """An account of one contact has no other to be read beside it."""
    replica = await ask(world, "gone")
    await replica.read()
    assert await told(world) == {"gone": Presence.MISSING}


async def test_a_control_that_is_wanted_too_is_told_whatever_it_is(world):
    world.vendor.contacts.pop("r00001")
    replica = await ask(world, *ids(1), controls=ids(1, 2))
    await replica.read()
    assert await told(world) == {"r00001": Presence.MISSING, "r00002": Presence.LIVE}
    replica = await ask(world, *ids(3))
    await ask(world, controls=ids(3))
    await replica.read()
    assert await told(world) == {"r00003": Presence.LIVE}


async def test_controls_are_read_once_a_minute_and_not_with_every_few(world):
    """Each costs a call; but what they say does not hold for ever."""
    world.vendor.add(40)
    replica = await ask(world, *ids(*range(9, 49)), controls=ids(1, 2))
    await replica.read()
    assert len(world.vendor.made("GET", "/api/contacts/r0000")) == 2 + 1
    assert len(await told(world)) == 42

    def slow(request):
        if request.path.startswith("/api/contacts/r000"):
            world.clock.move(rereading.CONTROL_AGE_MAX.total_seconds() / 8)

    world.vendor.faults.append(slow)
    world.vendor.calls.clear()
    world.clock.move(310)
    replica = await ask(world, *ids(*range(9, 49)), controls=ids(1, 2))
    await replica.read()
    assert len(world.vendor.made("GET", "/api/contacts/r00001")) > 2


async def test_an_app_that_falls_ill_meanwhile_is_noticed(world):
    """What the controls showed at first says nothing minutes later."""
    wanted = ids(*range(3, 9))

    def falls_ill(request):
        if request.path.startswith("/api/contacts/r0000"):
            world.clock.move(20)
            if len(world.vendor.made("GET", "/api/contacts/")) > 5:
                return web.json_response({"error": "none"}, status=404)
        return None

    world.vendor.faults.append(falls_ill)
    replica = await ask(world, *wanted, controls=ids(1))
    await replica.read()
    assert await told(world) == dict.fromkeys(ids(1, *range(3, 7)), Presence.LIVE)
    assert set(await waiting(world)) == set(ids(1, 7, 8))


async def test_controls_asked_for_in_the_midst_of_a_turn_are_forgotten_after_it(world):
    """They lay there for ever: nothing was left to be read beside them."""
    others = world.replica()
    again = ReadRecords(
        tenant_id=TENANT, account_id=ACCOUNT, record_ids=ids(4), control_ids=ids(1)
    )

    async def ask_more(request):
        if request.path.endswith("r00003"):
            world.vendor.faults.clear()
            world.clock.move(1)
            await world.receive(others, again)

    world.vendor.faults.append(ask_more)
    replica = await ask(world, *ids(3), controls=ids(1))
    await replica.read()
    assert await told(world) == dict.fromkeys(ids(1, 3, 4), Presence.LIVE)
    assert await waiting(world) == {}


async def test_controls_that_a_clock_ahead_has_asked_for_are_forgotten_too(world):
    """They stayed for good once nothing waited to be read beside them any more."""
    replica = await ask(world, *ids(1), controls=ids(2, 3))
    ahead = (
        "UPDATE wanted_reads SET asked_at = asked_at + '5 s' WHERE is_control"
        " RETURNING record_id"
    )
    async with world.pool.transaction(TENANT) as transaction:
        assert len(await transaction.fetch(Query("ahead", ahead, ()))) == 2
    await replica.read()
    assert await told(world) == dict.fromkeys(ids(1, 2, 3), Presence.LIVE)
    assert await waiting(world) == {}


async def test_controls_alone_are_no_reason_to_read(world):
    replica = await ask(world, controls=ids(1))
    await replica.read()
    assert world.vendor.made("GET", "/api/contacts/") == []


async def test_more_controls_than_a_message_may_have_are_refused(world):
    with pytest.raises(BadMessage):
        await ask(world, controls=tuple(f"r{number}" for number in range(501)))
