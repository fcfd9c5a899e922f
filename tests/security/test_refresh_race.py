"""Real processes of auth against a server that revokes the family on reuse."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from proto.auth import CredentialKind, IssueToken, Token
from proto.errors import ErrorCode
from proto.ids import AccountId
from services.auth import sealing, vault
from services.auth.sealing import AccountSecret
from tests.integration.auth_world import MAIL, TENANT, World, opened, write_key_ring
from tests.security import token_server
from tests.security.conftest import Figures
from tests.security.processes import START_S_MAX, Processes
from tests.security.token_server import TokenServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACCOUNT = AccountId("acct_1")
PROCESSES = 4
CALLERS = 50
EXPIRIES = 200 if os.environ.get("SECURITY_FULL") else 20
"""`make security` tries ten times as many as `make check`."""
QUICK = {"AUTH_REFRESH_TIMEOUT_S": "5", "AUTH_REFRESH_LEASE_S": "5.1"}
"""So that a killed process's refresh is soon taken over."""
STUCK_AT = {
    "before": "before",
    "after": "after",
    "unstored": "after",
    "stored": "after",
}
"""Where the server holds the request of a process that is to die at a point.

A process dies ``unleased``: at the lease, before it asks the app; ``before`` the app
has done anything; ``after`` the app has rotated the token; ``unstored``: with the
answer in hand; ``stored``: with the new token stored, and nobody told.
"""
ANSWERED = {
    "unstored": "SELECT FROM auth.credentials FOR UPDATE",
    "stored": "LOCK TABLE auth.accounts IN ACCESS EXCLUSIVE MODE",
}
"""What stops a process in the database once the app's answer is let through."""


class Fleet:
    """Processes of auth, the server they refresh at, and one account."""

    def __init__(self, world: World, *, server: TokenServer, ring: Path) -> None:
        self.world = world
        self.server = server
        self.processes = Processes(world, ring=ring, log=ring.with_suffix(".log"))
        self._ring = ring

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
        """Start a process, and kill it at one point of its first refresh."""
        self.server.hangs = STUCK_AT.get(point, "")
        self.server.reached.clear()
        await self.processes.start(1, **QUICK)
        async with self.world.locking() as lock:
            if point == "unleased":
                await lock("SELECT FROM auth.credentials FOR UPDATE")
            asked = asyncio.create_task(self.ask())
            async with asyncio.timeout(START_S_MAX):
                if point in STUCK_AT:
                    await self.server.reached.wait()
                if point in ANSWERED:
                    await lock(ANSWERED[point])
                    self.server.going_on.set()
                if point not in ("before", "after"):
                    await self._waits_for_lock()
            await self.processes.end(signal.SIGKILL)
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
        self.server.hangs = ""
        self.server.going_on.clear()

    async def _waits_for_lock(self) -> None:
        """Wait until a process stands still in the database."""
        while not await self.world.rows(
            "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database()"
        ):
            await asyncio.sleep(0.01)


@pytest_asyncio.fixture(loop_scope="module")
async def fleet(postgres_server, nats_server, tmp_path: Path) -> AsyncIterator[Fleet]:
    """No process yet."""
    async with (
        opened(postgres_server, nats_server) as world,
        token_server.serving() as server,
    ):
        ring = write_key_ring(tmp_path / "ring.json")
        async with world.auth(key_ring_file=ring):
            await world.set_client(token_url=server.url)
        fleet = Fleet(world, server=server, ring=ring)
        await fleet.connect()
        try:
            yield fleet
        finally:
            await fleet.processes.end(signal.SIGKILL)


@pytest.mark.timeout(60 + 5 * EXPIRIES)
async def test_one_refresh_for_each_expiry_over_all_processes(
    fleet: Fleet, figures: Figures
):
    """Hazard 108: callers find the token over, or were told so by the app.

    What the app says of a token just given is taken at its word here, as if long ago.
    """
    await fleet.processes.start(PROCESSES, AUTH_REFUSAL_CONFIRM_S="0.001")
    began = time.monotonic()
    for expiry in range(1, EXPIRIES + 1):
        is_told = expiry % 2 == 0
        if not is_told:
            await fleet.expire()
        version_min = expiry + 1 if is_told else 0
        tokens = await asyncio.gather(
            *(fleet.ask(version_min=version_min) for _ in range(PROCESSES * CALLERS))
        )
        assert {token.version for token in tokens} == {expiry + 1}
        assert {token.secret for token in tokens} == {fleet.server.access_token}
        assert fleet.server.refreshes == expiry
    assert fleet.server.revocations == 0
    assert len(set(fleet.server.used)) == len(fleet.server.used) == EXPIRIES
    figures |= {
        "processes": PROCESSES,
        "callers_of_each": CALLERS,
        "expiries": EXPIRIES,
        "refreshes": fleet.server.refreshes,
        "revocations": fleet.server.revocations,
        "seconds": round(time.monotonic() - began, 1),
    }


@pytest.mark.parametrize(
    ("points", "uses", "refreshes"),
    [
        # Nothing was sent: nothing is known of it afterwards, and nothing is wrong.
        (("unleased",), 1, 1),
        # Sent and not taken: the one further try succeeds.
        (("before",), 2, 1),
        # Stored and not told: there is nothing to be done again.
        (("stored",), 1, 1),
    ],
)
async def test_a_process_killed_where_nothing_is_lost_costs_nothing(
    fleet: Fleet,
    figures: Figures,
    points: tuple[str, ...],
    uses: int,
    refreshes: int,
):
    """Hazard 109: the account recovers by itself."""
    server = fleet.server
    await fleet.expire()
    for point in points:
        await fleet.die_refreshing(point)
    await fleet.processes.start(2, **QUICK)
    tokens = await asyncio.gather(*(fleet.ask() for _ in range(CALLERS)))
    assert {token.secret for token in tokens} == {server.access_token}
    assert server.used == [server.first] * uses
    assert (server.refreshes, server.revocations) == (refreshes, 0)
    assert await fleet.world.told("account_lost") == 0
    count_kills(figures, points, uses=uses)


@pytest.mark.parametrize(
    ("points", "revocations"),
    [
        (("after",), 1),
        (("unstored",), 1),
        (("before", "before"), 0),
    ],
)
async def test_killed_processes_never_cost_more_than_one_further_use(
    fleet: Fleet, figures: Figures, points: tuple[str, ...], revocations: int
):
    """Hazard 109, I13: the new token died with the process, so a person is asked."""
    server = fleet.server
    await fleet.expire()
    for point in points:
        await fleet.die_refreshing(point)
    await fleet.processes.start(2, **QUICK)
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
    count_kills(figures, points, uses=len(server.used))


def count_kills(figures: Figures, points: tuple[str, ...], *, uses: int) -> None:
    figures["kills"] = int(figures.get("kills", 0)) + len(points)
    figures["uses_of_a_token_max"] = max(
        int(figures.get("uses_of_a_token_max", 0)), uses
    )
