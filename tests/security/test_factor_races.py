"""Whoever gets a second factor ends what a session of before has asked for by then."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from deploy.local import nats, postgres
from services.api.proofs.passwords import Hasher
from tests.fakes.clock import MovableClock
from tests.integration.api_system import fixtures
from tests.integration.api_system.running import Answer, System
from tests.security.second_factors import Home, Visitor, next_step, person_of
from tests.security.test_people import PASSWORD

pytestmark = pytest.mark.asyncio(loop_scope="module")
CLOCK = MovableClock()
ONE = "/account/second-factor"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(
    postgres_server: postgres.Server, nats_server: nats.Server
) -> AsyncIterator[System]:
    async with fixtures.alone(postgres_server, nats_server, clock=CLOCK) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home(system: System) -> Home:
    """A tenant that wants no second factor."""
    return Home(system, CLOCK, await system.tenant(), await Hasher().hash(PASSWORD))


@contextlib.asynccontextmanager
async def held(system: System, query: str) -> AsyncIterator[asyncpg.Connection]:
    """Hold rows, so that whoever wants them waits until the block ends."""
    connection = await asyncpg.connect(
        system.database.admin_url, server_settings={"search_path": "api"}
    )
    try:
        async with connection.transaction():
            await connection.execute(f"{query} FOR UPDATE")
            yield connection
    finally:
        await connection.close()


async def waits(system: System) -> None:
    """Wait until somebody waits for what is held."""
    while not await system.rows(
        "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND datname = current_database()"
    ):
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("act", ["begin", "remove", "recovery-codes", "password"])
async def test_a_new_factor_comes_before_what_its_password_asked_for(
    home: Home, act: str
) -> None:
    """Somebody knows the password, and keeps asking while its owner gets a factor.

    What they had asked for by then was done: the factor went, they were shown recovery
    codes of it, or another password was theirs with a session of one factor.
    """
    visitor = await home.person()
    attacker = Visitor(home.system, CLOCK, visitor.email)
    await attacker.sign_in()
    await visitor.sign_in()
    await visitor.send(f"{ONE}/begin", password=PASSWORD, code="")

    async def ask() -> Answer:
        if act != "password":
            return await attacker.send(f"{ONE}/{act}", password=PASSWORD, code="")
        body = {"current_password": PASSWORD, "password": "nine brave umbrellas"}
        return await attacker.api("PUT", "/v1/password", body)

    async with held(home.system, "SELECT FROM guesses"):
        asked = asyncio.create_task(ask())
        await waits(home.system)
        assert (await visitor.enrol(f"{ONE}/confirm")).status == 200
    assert (await asked).status == 401
    next_step(CLOCK)
    await visitor.enter()
    assert len(visitor.recovery_codes) > 0
    await visitor.sign_in()
    assert (await visitor.give_code(visitor.recovery_codes[0])).status == 303


@pytest.mark.parametrize("is_required", [False, True])
async def test_a_session_that_ended_confirms_nothing(
    home: Home, is_required: bool
) -> None:
    """Else one that ended a moment ago became a new one, half open or not."""
    await home.require(is_required)
    visitor = await home.person()
    await visitor.sign_in()
    path, table = "/sign-in/enrol", "half_sessions"
    if not is_required:
        path, table = f"{ONE}/confirm", "sessions"
        await visitor.send(f"{ONE}/begin", password=PASSWORD, code="")
    visitor.read(await visitor.get(path))
    next_step(CLOCK)
    async with held(home.system, "SELECT FROM people") as connection:
        asked = asyncio.create_task(visitor.send(path, code=visitor.code()))
        await waits(home.system)
        await connection.execute(
            f"DELETE FROM {table} WHERE person_id = $1", person_of(visitor)
        )
    assert (await asked).status == (410 if is_required else 401)
    assert await home.system.rows(
        "SELECT 1 FROM enrolments WHERE person_id = $1", person_of(visitor)
    )
