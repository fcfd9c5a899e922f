"""An app says who may be created together; everybody else is created alone."""

import pytest

from proto.connector import WriteOutcome
from tests.integration.connector_batches import (
    ALONE_NAME,
    COMING,
    LEFT_OUT,
    REFUSED_NAME,
    SelectiveFakeApp,
    batch_world,
)
from tests.integration.connector_vendor import EMAIL, NAME
from tests.integration.connector_writes import carried_out, create, look, states

MANY, ONE = "/api/many", "/api/contacts"


@pytest.fixture
async def world(database):
    async with batch_world(database, app_class=SelectiveFakeApp) as found:
        yield found


def named(world, number, name, *, email=""):
    fields = {EMAIL: email or f"new{number}@example.org", NAME: name}
    return create(world, number, fields=fields)


async def test_those_go_together_who_may_and_nobody_twice(world):
    found = await carried_out(
        world,
        *(named(world, number, "Ada") for number in range(11, 16)),
        named(world, 16, ALONE_NAME),
        named(world, 17, ALONE_NAME),
        named(world, 18, "Bob"),
    )
    assert {one.outcome for one in found.values()} == {WriteOutcome.WRITTEN}
    # Three and two of one name; who has nobody to go with goes alone as well.
    assert sorted(world.vendor.made("POST")) == [ONE] * 3 + [MANY] * 2
    assert len(world.vendor.contacts) == 8


async def test_who_is_left_out_is_created_alone_and_told_for_themselves(world):
    found = await carried_out(
        world,
        named(world, 11, REFUSED_NAME, email=LEFT_OUT),
        named(world, 12, REFUSED_NAME),
        named(world, 13, REFUSED_NAME),
    )
    assert {one.outcome for one in found.values()} == {WriteOutcome.REFUSED}
    assert world.vendor.made("POST") == [MANY, ONE]
    assert await states(world) == {"done": 3}


async def test_a_look_that_cannot_tell_yet_is_no_answer_and_holds_up_nothing(world):
    asked = look(world, 1, emails=(COMING,))
    found = await carried_out(world, asked, named(world, 12, ALONE_NAME))
    assert found["int_1"].outcome is WriteOutcome.STALE
    assert found["int_12"].outcome is WriteOutcome.WRITTEN
