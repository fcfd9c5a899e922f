"""The api as a process: its errands, its settings, and what goes away under it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator

import aiohttp
import asyncpg
import pytest_asyncio

from deploy.local import nats, ports, postgres
from deploy.local.keys import key_ring
from services.api import service
from services.chassis.store import Work
from tests.integration.api_system import fixtures, others, running
from tests.integration.api_system.running import System
from tests.servers import Database


@pytest_asyncio.fixture
async def small_system(
    postgres_server: postgres.Server, nats_server: nats.Server
) -> AsyncIterator[System]:
    """An api with a short patience and a low limit."""
    async with fixtures.alone(
        postgres_server,
        nats_server,
        command_timeout_s=0.6,
        requests_per_minute_max=30,
        keys_max=2,
    ) as started:
        yield started


def environment(database: Database, **changes: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "API_DATABASE_URL": database.service_url("api"),
        "API_MIGRATION_DATABASE_URL": database.owner_url("api"),
        "API_NATS_URL": "nats://127.0.0.1:1",
        "API_KEY_RING_FILE": "not read",
        "API_START_TIMEOUT_S": "0.5",
        **changes,
    }


async def run(*arguments: str, env: dict[str, str]) -> tuple[int, str, str]:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.api",
        *arguments,
        env=env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        out, err = await child.communicate()
    assert b"Traceback" not in err
    return child.returncode or 0, out.decode(), err.decode()


async def rows_of(database: Database, query: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(database.admin_url)
    try:
        return await connection.fetch(query)
    finally:
        await connection.close()


async def test_a_fault_is_told_without_the_row_that_it_is_about(
    database: Database,
) -> None:
    """Python's own last words were Postgres', and those quote what was refused."""
    env = environment(database)
    assert (await run("migrate", env=env))[0] == 0
    await rows_of(database, "ALTER TABLE api.tenants ADD CHECK (false) NOT VALID")
    code, out, err = await run("create-key", "--tenant", "Ana Sample", env=env)
    assert code == 70
    assert "process_failed" in err
    assert "Ana Sample" not in out + err


async def test_the_first_key_is_made_with_the_database_alone(
    database: Database,
) -> None:
    env = environment(database)
    code, _, err = await run("create-key", "--tenant", "acme", env=env)
    assert (code, "migrate" in err) == (78, True)
    assert (await run("migrate", env=env))[0] == 0
    made = [
        await run("create-key", "--tenant", "acme", env=env),
        await run("create-key", "--tenant", "acme", "--scope", "read", env=env),
        await run("create-key", "--tenant", "other", "--days", "30", env=env),
    ]
    assert [code for code, _, _ in made] == [0, 0, 0]
    assert all(len(out.strip()) == 53 for _, out, _ in made)
    keys = await rows_of(database, "SELECT tenant_id, scopes FROM api.api_keys")
    ends = await rows_of(
        database,
        "SELECT created_by, round(extract(epoch FROM expires_at - created_at) / 86400)"
        " AS days FROM api.api_keys ORDER BY days",
    )
    assert [row["days"] for row in ends] == [30, None, None]
    assert {row["created_by"] for row in ends} == {"command_line"}
    entries = await rows_of(database, "SELECT actor FROM api.audit_entries")
    assert len({row["tenant_id"] for row in keys}) == 2
    assert sorted(map(tuple, (row["scopes"] for row in keys))) == [
        ("manage", "read", "write"),
        ("manage", "read", "write"),
        ("read",),
    ]
    assert {row["actor"] for row in entries} == {"command_line"}
    for bad in (
        (),
        ("--tenant", " "),
        ("--tenant", "x", "--scope", "all"),
        ("--tenant", "x", "--days", "0"),
    ):
        code, out, err = await run("create-key", *bad, env=env)
        assert (code, out) == (2, "")
        assert "error" in err


async def test_wrong_settings_are_all_said_at_once(database: Database) -> None:
    code, _, err = await run(env={"PATH": os.environ["PATH"]})
    assert code == 78
    assert "API_DATABASE_URL is not set" in err
    assert "API_NATS_URL is not set" in err
    code, _, err = await run(
        "create-key",
        "--tenant",
        "x",
        env=environment(database, API_DATABASE_URL="postgresql://127.0.0.1:1/x"),
    )
    assert code == 69
    assert "Postgres cannot be reached" in err


async def test_a_service_away_is_503_within_the_commands_time(
    small_system: System,
) -> None:
    client = await small_system.client()
    # The first answer is compared with a description that has to be read first.
    assert (await client("GET", "/v1/apps")).status == 200
    await small_system.others.buses["connector"].drain(timeout_s=1)
    began = asyncio.get_running_loop().time()
    answer = await client("GET", "/v1/apps")
    took_s = asyncio.get_running_loop().time() - began
    assert (answer.status, answer.code) == (503, "service_unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert took_s < 2
    assert (await client("GET", "/v1/accounts")).status == 200
    assert (await client("GET", "/v1/api-keys")).status == 200


async def test_a_key_that_asks_too_often_waits_and_others_do_not(
    small_system: System,
) -> None:
    client, other = await small_system.client(), await small_system.client()
    answers = await asyncio.gather(*(client("GET", "/v1/api-keys") for _ in range(40)))
    refused = [answer for answer in answers if answer.status == 429]
    assert 5 <= len(refused) <= 10
    assert {answer.code for answer in refused} == {"too_many_requests"}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
    assert (await other("GET", "/v1/api-keys")).status == 200


async def test_valid_keys_of_a_tenant_are_bounded(small_system: System) -> None:
    client = await small_system.client()
    made = await asyncio.gather(
        *(client("POST", "/v1/api-keys", {"name": f"k{n}"}) for n in range(5))
    )
    assert sorted(answer.status for answer in made) == [201, 409, 409, 409, 409]
    (new,) = (answer.body for answer in made if answer.status == 201)
    await client("DELETE", f"/v1/api-keys/{new['key_id']}")
    assert (await client("POST", "/v1/api-keys", {"name": "k"})).status == 201


async def test_the_last_use_of_keys_is_stored_together(
    database: Database, nats_server: nats.Server
) -> None:
    used = "SELECT tenant_id FROM api.api_keys WHERE last_used_at IS NOT NULL"
    async with (
        others.answering(nats_server) as answering,
        running.running(database, nats_server, others=answering) as system,
    ):
        clients = [await system.client() for _ in range(3)]
        for client in clients:
            await client("GET", "/v1/api-keys")
        assert await system.rows(used) == []
        idle = await system.client()
    tenants = {row["tenant_id"] for row in await rows_of(database, used)}
    assert tenants == {client.tenant_id for client in clients}
    assert idle.tenant_id not in tenants


async def test_old_authorisations_are_forgotten(small_system: System) -> None:
    client = await small_system.client()
    body = {"app": "constant_contact"}
    for _ in range(2):
        begun = await client("POST", "/v1/accounts/authorisations", body)
    await small_system.rows(
        "UPDATE authorisations SET expires_at = now() - interval '2 days'"
        " WHERE authorisation_id <> $1",
        begun.body["authorisation_id"],
    )
    runtime = small_system.runtime
    assert not await service.forget_old(runtime.store(Work), runtime.clock)
    rows = await small_system.rows("SELECT authorisation_id FROM authorisations")
    assert [row["authorisation_id"] for row in rows] == [begun.body["authorisation_id"]]


async def test_invitations_that_were_over_long_ago_are_forgotten(
    small_system: System,
) -> None:
    """They have somebody's address, who may never have come."""
    owner = await small_system.person()
    made = [
        await owner(
            "POST",
            "/v1/invitations",
            {"email": f"ana{n}@example.org", "role": "viewer"},
        )
        for n in range(3)
    ]
    ids = [each.body["invitation_id"] for each in made]
    for invitation_id, days in zip(ids, (31, 29), strict=False):
        await small_system.rows(
            "UPDATE invitations SET expires_at = now() - make_interval(days => $2)"
            " WHERE invitation_id = $1",
            *(invitation_id, days),
        )
    runtime = small_system.runtime
    assert not await service.forget_old(runtime.store(Work), runtime.clock)
    rows = await small_system.rows(
        "SELECT invitation_id FROM invitations WHERE invitation_id = ANY ($1)", ids
    )
    assert {row["invitation_id"] for row in rows} == set(ids[1:])


async def test_it_serves_as_a_process_and_stops_when_told(
    database: Database, nats_server: nats.Server
) -> None:
    port = ports.free_port()
    env = environment(
        database,
        API_NATS_URL=nats_server.url,
        API_NATS_SEED_FILE=str(nats_server.seed_file("api")),
        API_KEY_RING_FILE=str(key_ring(nats_server.seed_file("api").parent, "api")),
        API_HTTP_PORT=str(port),
        API_START_TIMEOUT_S="20",
    )
    await run("migrate", env=env)
    key = (await run("create-key", "--tenant", "acme", env=env))[1].strip()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.api", env=env, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        async with asyncio.timeout(20):
            while b'"event": "started"' not in await child.stdout.readline():
                assert child.returncode is None
        headers = {"Authorization": f"Bearer {key}"}
        url = f"http://127.0.0.1:{port}/v1/api-keys"
        async with (
            aiohttp.ClientSession() as session,
            session.get(url, headers=headers) as answer,
        ):
            assert answer.status == 200
            assert (await answer.json())["items"][0]["name"] == "first key"
    finally:
        child.terminate()
        async with asyncio.timeout(30):
            output, _ = await child.communicate()
    assert child.returncode == 0
    assert key.encode() not in output


async def test_a_port_that_is_not_fixed_needs_a_public_address(
    database: Database, nats_server: nats.Server
) -> None:
    env = environment(
        database,
        API_NATS_URL=nats_server.url,
        API_NATS_SEED_FILE=str(nats_server.seed_file("api")),
        API_KEY_RING_FILE=str(key_ring(nats_server.seed_file("api").parent, "api")),
        API_START_TIMEOUT_S="20",
    )
    await run("migrate", env=env)
    code, _, err = await run(env=env)
    assert code == 78
    assert "API_PUBLIC_URL is not set" in err
