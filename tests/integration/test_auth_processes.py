"""Real processes of auth against a server that revokes the family on reuse."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientError, ClientSession

from deploy.local import ports
from proto.auth import CredentialKind, IssueToken, Token
from proto.errors import ErrorCode
from proto.ids import AccountId
from services.auth import sealing, vault
from services.auth.sealing import AccountSecret
from tests.integration import auth_token_server
from tests.integration.auth_token_server import TokenServer
from tests.integration.auth_world import MAIL, TENANT, World, opened, write_key_ring

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACCOUNT = AccountId("acct_1")
PROCESSES = 4
CALLERS = 50
RUN_S = 20.0
START_S_MAX = 30.0
QUICK = {"AUTH_REFRESH_TIMEOUT_S": "5", "AUTH_REFRESH_LEASE_S": "5.1"}
"""So that a killed process's refresh is soon taken over."""


class Fleet:
    """Processes of auth, the server they refresh at, and one account."""

    def __init__(self, world: World, *, server: TokenServer, ring: Path) -> None:
        self.world = world
        self.server = server
        self._ring = ring
        self._children: list[asyncio.subprocess.Process] = []

    async def start(self, count: int, **settings: str) -> None:
        """Start processes and wait until each can serve."""
        await asyncio.gather(*(self._start(settings) for _ in range(count)))

    async def _start(self, settings: dict[str, str]) -> None:
        port = ports.free_port()
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.auth", "serve"),
            env={
                "PATH": os.environ["PATH"],
                "AUTH_DATABASE_URL": self.world.database.service_url("auth"),
                "AUTH_NATS_URL": self.world.broker.url,
                "AUTH_NATS_SEED_FILE": str(self.world.broker.seed_file("auth")),
                "AUTH_KEY_RING_FILE": str(self._ring),
                "AUTH_HTTP_PORT": str(port),
                "AUTH_PRIVATE_ADDRESSES": "127.0.0.0/8",
                **settings,
            },
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        self._children.append(child)
        async with asyncio.timeout(START_S_MAX), ClientSession() as session:
            while not await is_ready(session, port):
                assert child.returncode is None, "it ended instead of serving"
                await asyncio.sleep(0.05)

    async def end(self, number: signal.Signals) -> None:
        """Send a signal to all processes and wait for their end."""
        for child in self._children:
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(number)
        await asyncio.gather(*(child.wait() for child in self._children))
        self._children.clear()

    async def connect(self) -> None:
        """Store the account with the server's first token, due for a refresh."""
        world, safe = self.world, vault.load(self._ring)
        await world.rows(
            "INSERT INTO auth.accounts"
            " (tenant_id, account_id, app, state, created_at)"
            " VALUES ($1, $2, $3, 'connected', now())",
            *(TENANT, ACCOUNT, MAIL),
        )
        secret = AccountSecret(access_token="old", refresh_token=self.server.first)
        sealed = sealing.seal_account(
            safe, secret, tenant_id=TENANT, account_id=ACCOUNT, version=1
        )
        await world.rows(
            "INSERT INTO auth.credentials (tenant_id, account_id, kind, version,"
            " key_id, wrapped_key, body) VALUES ($1, $2, $3, 1, $4, $5, $6)",
            *(TENANT, ACCOUNT, CredentialKind.BEARER.value),
            *(sealed.key_id, sealed.wrapped_key, sealed.body),
        )

    async def expire(self) -> None:
        """Let the token end now."""
        await self.world.rows(
            "UPDATE auth.credentials SET expires_at = now(), renew_at = now()"
        )

    async def ask(self, *, version_min: int = 0) -> Token:
        command = IssueToken(
            tenant_id=TENANT, account_id=ACCOUNT, version_min=version_min
        )
        return await self.world.connector.bus.request(command, timeout_s=20)

    async def die_refreshing(self, point: str) -> None:
        """Kill a process while its request hangs at the server."""
        self.server.hangs = point
        self.server.reached.clear()
        await self.start(1, **QUICK)
        asked = asyncio.create_task(self.ask())
        async with asyncio.timeout(START_S_MAX):
            await self.server.reached.wait()
        await self.end(signal.SIGKILL)
        self.server.hangs = ""
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)


async def is_ready(session: ClientSession, port: int) -> bool:
    try:
        async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
            return answer.status == 200
    except ClientError:
        return False


@pytest_asyncio.fixture(loop_scope="module")
async def fleet(postgres_server, nats_server, tmp_path: Path) -> AsyncIterator[Fleet]:
    """No process yet."""
    async with (
        opened(postgres_server, nats_server) as world,
        auth_token_server.serving() as server,
    ):
        ring = write_key_ring(tmp_path / "ring.json")
        async with world.auth(key_ring_file=ring):
            await world.set_client(token_url=server.url)
        fleet = Fleet(world, server=server, ring=ring)
        await fleet.connect()
        try:
            yield fleet
        finally:
            await fleet.end(signal.SIGKILL)


async def test_one_refresh_for_each_expiry_over_all_processes(fleet: Fleet):
    """Hazard 108: callers find the token over, or were told so by the app.

    What the app says of a token just given is taken at its word here, as if long ago.
    """
    await fleet.start(PROCESSES, AUTH_REFUSAL_CONFIRM_S="0.001")
    expiries, stop_at = 0, time.monotonic() + RUN_S
    while time.monotonic() < stop_at:
        expiries += 1
        is_told = expiries % 2 == 0
        if not is_told:
            await fleet.expire()
        version_min = expiries + 1 if is_told else 0
        tokens = await asyncio.gather(
            *(fleet.ask(version_min=version_min) for _ in range(PROCESSES * CALLERS))
        )
        assert {token.version for token in tokens} == {expiries + 1}
        assert {token.secret for token in tokens} == {fleet.server.access_token}
        assert fleet.server.refreshes == expiries
    assert fleet.server.revocations == 0
    assert len(set(fleet.server.used)) == expiries
    print(f"{expiries} expiries, {fleet.server.refreshes} refreshes, 0 revocations")


async def test_a_process_killed_before_its_refresh_was_taken_loses_nothing(
    fleet: Fleet,
):
    """Hazard 109: the one further try succeeds."""
    server = fleet.server
    await fleet.expire()
    await fleet.die_refreshing("before")
    await fleet.start(2, **QUICK)
    tokens = await asyncio.gather(*(fleet.ask() for _ in range(CALLERS)))
    assert {token.secret for token in tokens} == {server.access_token}
    assert server.used == [server.first] * 2
    assert (server.refreshes, server.revocations) == (1, 0)


@pytest.mark.parametrize(
    ("points", "revocations"), [(("after",), 1), (("before", "before"), 0)]
)
async def test_killed_processes_never_cost_more_than_one_further_use(
    fleet: Fleet, points: tuple[str, ...], revocations: int
):
    """Hazard 109, I13: the new token died with the process, so a person is asked."""
    server = fleet.server
    await fleet.expire()
    for point in points:
        await fleet.die_refreshing(point)
    await fleet.start(2, **QUICK)
    for _ in range(2):
        results = await asyncio.gather(
            *(fleet.ask() for _ in range(CALLERS)), return_exceptions=True
        )
        assert {getattr(each, "code", each) for each in results} == {
            ErrorCode.ACCOUNT_LOST
        }
    assert server.used == [server.first] * 2
    assert server.revocations == revocations
    assert await fleet.world.told("account_lost") == 1
