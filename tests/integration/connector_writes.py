"""Intents for tests of the connector, and what becomes of them."""

import datetime
from typing import Any

from proto.connector import ContactWrite, ContactWritten, WriteKind
from proto.ids import IntentId, RecordId
from services.chassis.queries import Query
from tests.integration.connector_vendor import EMAIL, NAME
from tests.integration.connector_world import TENANT, World


def write(world: World, number: int, kind: WriteKind, **values: Any) -> ContactWrite:
    values.setdefault("not_after", world.clock.now() + datetime.timedelta(minutes=2))
    return ContactWrite(intent_id=IntentId(f"int_{number}"), kind=kind, **values)


def create(world: World, number: int, **values: Any) -> ContactWrite:
    email = values.pop("email", f"new{number}@example.org")
    values.setdefault("fields", {EMAIL: email, NAME: f"New {number}"})
    values.setdefault("emails", (email,))
    return write(world, number, WriteKind.CREATE, **values)


def update(
    world: World, number: int, *, seen: str, name: str, **values: Any
) -> ContactWrite:
    return write(
        world,
        number,
        WriteKind.UPDATE,
        seen={NAME: seen},
        fields={NAME: name},
        **{"record_id": RecordId(f"r{number:05}"), **values},
    )


def look(world: World, number: int, **values: Any) -> ContactWrite:
    return write(world, number, WriteKind.LOOK, **values)


async def carried_out(world: World, *writes: ContactWrite) -> dict[str, ContactWritten]:
    replica = world.replica()
    await world.ask_to_write(replica, *writes)
    await replica.write()
    return {result.intent_id: result for result in await world.take_results()}


async def states(world: World) -> dict[str, int]:
    query = Query("s", "SELECT state, count(*) AS n FROM writes GROUP BY state", ())
    return {
        row["state"]: row["n"] for row in await world.pool.reader(TENANT).fetch(query)
    }
