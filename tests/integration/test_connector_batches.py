"""Several writes in one call: each is answered for itself, and none is sent twice."""

import pytest

from proto.connector import WriteOutcome
from proto.errors import ErrorCode
from proto.ids import RecordId
from tests.integration.connector_batches import (
    REFUSED_NAME,
    SILENT_NAME,
    batch_world,
)
from tests.integration.connector_vendor import EMAIL, NAME
from tests.integration.connector_writes import carried_out, create, states, update


@pytest.fixture
async def world(database):
    async with batch_world(database) as found:
        yield found


def named(world, number, name):
    """Return a create of somebody with this name."""
    email = f"new{number}@example.org"
    return create(world, number, fields={EMAIL: email, NAME: name})


def outcomes(found):
    return {key: result.outcome for key, result in found.items()}


async def test_a_batch_is_read_and_written_with_a_call_each(world):
    world.vendor.add(3)
    updates = [update(world, n, seen=f"P{n}", name=f"Ada {n}") for n in (1, 2, 3)]
    creates = [create(world, n) for n in (11, 12, 13, 14)]
    found = await carried_out(world, *updates, *creates)
    assert set(outcomes(found).values()) == {WriteOutcome.WRITTEN}
    assert all(result.sent_at is not None for result in found.values())
    assert [c.name for c in world.vendor.contacts.values()][:3] == [
        "Ada 1",
        "Ada 2",
        "Ada 3",
    ]
    assert found["int_12"].record.fields[EMAIL] == "new12@example.org"
    # Three creates, the fourth by itself, one read and one write for three updates.
    assert world.vendor.made("POST") == ["/api/many", "/api/contacts", "/api/many"]
    assert world.vendor.made("GET", "/api/many") == ["/api/many"]
    assert world.vendor.made("PUT") == []


async def test_what_became_of_each_of_a_batch_is_told_for_each(world):
    world.vendor.add(1)
    found = await carried_out(
        world,
        named(world, 11, "Ada"),
        named(world, 12, REFUSED_NAME),
        named(world, 13, SILENT_NAME),
    )
    assert outcomes(found) == {
        "int_11": WriteOutcome.WRITTEN,
        "int_12": WriteOutcome.REFUSED,
        "int_13": WriteOutcome.UNKNOWN,
    }
    assert found["int_12"].reason is ErrorCode.VALUE_REFUSED
    assert found["int_12"].field == NAME
    assert found["int_13"].sent_at is not None
    assert await states(world) == {"done": 3}


async def test_those_who_are_there_already_are_read_in_one_call(database):
    """The app checks emails itself, so that nobody is looked for before."""
    async with batch_world(database, refuses_duplicate_emails=True) as world:
        world.vendor.add(2)
        found = await carried_out(
            world,
            create(world, 1, email="p1@example.org"),
            create(world, 2, email="p2@example.org"),
            create(world, 3),
        )
        assert outcomes(found) == {
            "int_1": WriteOutcome.EXISTS,
            "int_2": WriteOutcome.EXISTS,
            "int_3": WriteOutcome.WRITTEN,
        }
        assert found["int_2"].record.record_id == "r00002"
        assert world.vendor.made("GET") == ["/api/many"]


async def test_a_batch_refused_as_a_whole_is_tried_in_halves(world):
    world.vendor.is_strict = True
    found = await carried_out(
        world,
        named(world, 11, "Ada"),
        create(world, 12, fields={EMAIL: "b@example.org", NAME: REFUSED_NAME}),
        named(world, 13, "Cyd"),
    )
    assert outcomes(found) == {
        "int_11": WriteOutcome.WRITTEN,
        "int_12": WriteOutcome.REFUSED,
        "int_13": WriteOutcome.WRITTEN,
    }
    assert [c.name for c in world.vendor.contacts.values()] == ["Ada", "Cyd"]
    assert world.vendor.made("POST") == [
        "/api/many",
        "/api/contacts",
        "/api/many",
        "/api/contacts",
        "/api/contacts",
    ]


async def test_a_batch_whose_answer_is_lost_is_unknown_and_not_sent_again(world):
    """Hazard 38: any of them may be written."""
    world.vendor.cuts.append("POST")
    found = await carried_out(world, *(create(world, n) for n in (11, 12, 13)))
    assert set(outcomes(found).values()) == {WriteOutcome.UNKNOWN}
    assert len(world.vendor.made("POST")) == 1
    assert len(world.vendor.contacts) == 3


async def test_who_is_left_out_of_the_answer_is_unknown(world):
    world.vendor.forgets = 1
    found = await carried_out(world, *(create(world, n) for n in (11, 12, 13)))
    assert outcomes(found) == {
        "int_11": WriteOutcome.WRITTEN,
        "int_12": WriteOutcome.WRITTEN,
        "int_13": WriteOutcome.UNKNOWN,
    }


async def test_of_a_batch_only_who_moved_is_told_so(world):
    """Hazard 39: between reading and writing, so that the app's own check finds it."""
    world.vendor.add(3)

    def edits(request):
        if request.method == "POST" and world.vendor.contacts["r00002"].version == 1:
            world.vendor.put("r00002", name="Edited")

    world.vendor.faults.append(edits)
    updates = [update(world, n, seen=f"P{n}", name=f"Ada {n}") for n in (1, 2, 3)]
    found = await carried_out(world, *updates)
    assert outcomes(found) == {
        "int_1": WriteOutcome.WRITTEN,
        "int_2": WriteOutcome.CHANGED,
        "int_3": WriteOutcome.WRITTEN,
    }
    assert found["int_2"].record.fields[NAME] == "Edited"
    assert world.vendor.contacts["r00002"].name == "Edited"


async def test_two_writes_to_one_record_are_in_two_batches(world):
    """The second begins with a read that shows the first (hazard 40)."""
    world.vendor.add(2)
    found = await carried_out(
        world,
        update(world, 1, seen="P1", name="Ada"),
        update(world, 2, seen="P2", name="Bob"),
        update(world, 3, seen="P1", name="Cyd", record_id=RecordId("r00001")),
    )
    assert outcomes(found) == {
        "int_1": WriteOutcome.WRITTEN,
        "int_2": WriteOutcome.WRITTEN,
        "int_3": WriteOutcome.CHANGED,
    }
    assert world.vendor.contacts["r00001"].name == "Ada"
    assert world.vendor.made("GET", "/api/many") == ["/api/many"] * 2


async def test_more_than_a_batch_is_sent_in_several(world):
    world.vendor.add(8)
    updates = [update(world, n, seen=f"P{n}", name=f"Ada {n}") for n in range(1, 9)]
    found = await carried_out(world, *updates)
    assert set(outcomes(found).values()) == {WriteOutcome.WRITTEN}
    assert world.vendor.made("POST") == ["/api/many"] * 3
    assert world.vendor.made("GET", "/api/many") == ["/api/many"]
