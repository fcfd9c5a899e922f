"""Tokens go out: renewed ahead of time, once, and never lost by an outage."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from proto.auth import AccountState, GetAccount, IssueToken, Token
from proto.errors import ErrorCode, Retry
from proto.ids import AccountId
from proto.pushes import PushAccount, ReadPushClient
from services.auth import transport, vault
from services.auth.catalogue import Catalogue
from services.auth.clients import Clients
from services.auth.config import Config
from services.auth.oauth import NoGrant, Registration, TokenGrant
from services.auth.store import AuthWork
from services.auth.tokens import Tokens
from services.auth.transport import TokenEndpoint
from services.chassis.addresses import Guard
from services.chassis.errors import CommandFailed
from services.chassis.process import Runtime
from tests.emulators.constant_contact.emulator import TOKEN_PATH
from tests.emulators.core.faults import Fault
from tests.integration.auth_world import (
    CLIENT_SECRET,
    MAIL,
    OTHER_TENANT,
    TENANT,
    TOKEN_ROUTE,
    World,
    opened,
    refused,
    write_key_ring,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOCAL = Guard(("127.0.0.0/8",))
DAY_S = 86_400.0
NEARLY_OVER_S = DAY_S - 60
"""Inside the margin, and still good for a minute."""


class Auth:
    """The auth that runs for the whole module."""

    def __init__(self, world: World, *, runtime: Runtime[Config], ring: Path) -> None:
        self.world = world
        self.runtime = runtime
        self.ring = ring

    async def connect(self) -> AccountId:
        """Authorise an account, and start counting from there."""
        account_id = (await self.world.authorise()).account_id
        self.world.emulator.statistics.reset()
        return account_id

    def tokens(
        self, endpoint: TokenEndpoint, *, clients: type[Clients] = Clients
    ) -> Tokens:
        """Build what issues tokens, as one more replica would have it."""
        runtime = self.runtime
        store = runtime.store(AuthWork)
        safe = vault.load(self.ring)
        catalogue = Catalogue(runtime.bus, runtime.clock)
        return Tokens(
            store,
            vault=safe,
            clients=clients(store, vault=safe, catalogue=catalogue, guard=LOCAL),
            endpoint=endpoint,
            clock=runtime.clock,
            config=runtime.settings,
        )

    async def die_refreshing(self, account_id: AccountId, *, is_sent: bool) -> None:
        """Be a replica that is killed before it sends, or before it stores."""
        died = asyncio.Event()

        async def hang() -> None:
            died.set()
            await asyncio.Event().wait()

        async with transport.open_endpoint(5.0, guard=LOCAL) as endpoint:
            tokens = self.tokens(
                Interrupted(endpoint, hang) if is_sent else Unsent(hang)
            )
            command = IssueToken(tenant_id=TENANT, account_id=account_id)
            caller = asyncio.create_task(tokens.issue(command))
            await died.wait()
            for flight in tokens._flights.values():
                flight.cancel()
            await asyncio.gather(caller, return_exceptions=True)
        self.world.move(31)


class Unsent(TokenEndpoint):
    """Does something else instead of asking the app."""

    def __init__(self, instead: Callable[[], Awaitable[Any]]) -> None:
        self._instead = instead

    async def post(self, registration: Registration, form: Any) -> TokenGrant | NoGrant:
        await self._instead()
        raise AssertionError("nobody gets as far as this")


class Interrupted(TokenEndpoint):
    """Lets the app answer, then does something else before it passes that on."""

    def __init__(self, real: TokenEndpoint, then: Callable[[], Awaitable[Any]]) -> None:
        self._real = real
        self._then = then

    async def post(self, registration: Registration, form: Any) -> TokenGrant | NoGrant:
        answer = await self._real.post(registration, form)
        await self._then()
        return answer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(postgres_server, nats_server, tmp_path_factory) -> AsyncIterator[Auth]:
    """One vendor, and one auth."""
    ring = write_key_ring(tmp_path_factory.mktemp("auth") / "ring.json")
    async with (
        opened(postgres_server, nats_server) as world,
        world.auth(key_ring_file=ring) as runtime,
    ):
        yield Auth(world, runtime=runtime, ring=ring)


@pytest_asyncio.fixture(loop_scope="module")
async def auth(shared: Auth) -> Auth:
    """Nothing stored but the vendor's client."""
    await shared.world.reset()
    await shared.world.set_client()
    return shared


@pytest.fixture
def world(auth: Auth) -> World:
    return auth.world


def lose(world: World, count: int = 1) -> None:
    """Let the vendor rotate and its answer never arrive."""
    world.emulator.faults.add(
        Fault(kind="applied_but_lost", path=TOKEN_PATH, count=count)
    )


def fail(world: World, status: int) -> None:
    world.emulator.faults.add(Fault(kind="status", path=TOKEN_PATH, status=status))


def is_good(world: World, token: Token) -> bool:
    return world.emulator.server.check(token.secret) is not None


async def state(world: World, account_id: AccountId) -> AccountState:
    command = GetAccount(tenant_id=TENANT, account_id=account_id)
    return (await world.ask(command)).state


async def test_a_token_is_renewed_ahead_of_its_end_and_rotates(auth: Auth):
    world, account_id = auth.world, await auth.connect()
    first = await world.issue(account_id)
    assert first.version == 1
    assert world.token_calls() == 0
    for version in (2, 3, 4):
        world.move(NEARLY_OVER_S)
        token = await world.issue(account_id)
        assert token.version == version
        assert is_good(world, token)
        assert await world.issue(account_id) == token
    assert world.token_calls() == 3


async def test_short_lived_tokens_are_not_renewed_at_every_call(auth: Auth):
    """A lifetime below the margin would otherwise be a refresh for each call."""
    world = auth.world
    world.emulator.server.policy.access_token_lifetime_s = 60
    account_id = await auth.connect()
    for _ in range(5):
        assert (await world.issue(account_id)).version == 1
    world.move(31)
    for _ in range(5):
        assert (await world.issue(account_id)).version == 2
    assert world.token_calls() == 1


async def test_one_refresh_for_a_hundred_callers_at_two_replicas(auth: Auth):
    """Hazard 108: rotation makes every further refresh a revocation."""
    world, account_id = auth.world, await auth.connect()
    async with world.auth(key_ring_file=auth.ring):
        for version in (2, 3, 4):
            world.move(NEARLY_OVER_S)
            tokens = await asyncio.gather(
                *(world.issue(account_id) for _ in range(100))
            )
            assert {token.version for token in tokens} == {version}
            assert len({token.secret for token in tokens}) == 1
    assert world.token_calls() == 3
    assert world.emulator.statistics.report().statuses == {"200": 3}


async def test_a_refused_token_is_renewed_once_for_all(auth: Auth):
    """The app revoked it early: whoever saw that asks for the next version."""
    world, account_id = auth.world, await auth.connect()
    world.emulator.server.revoke(world.vendor_ids[0], keep_refresh_tokens=True)
    tokens = await asyncio.gather(
        *(world.issue(account_id, version_min=2) for _ in range(50))
    )
    assert {token.version for token in tokens} == {2}
    assert is_good(world, tokens[0])
    assert world.token_calls() == 1


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 502, 503, 504, 302, 404])
async def test_an_app_that_cannot_serve_loses_nobody(auth: Auth, status: int):
    """Hazard 110: a day of errors is the app's day, not the person's.

    Also of 403, as a gateway before the app says it: that once lost the account at
    the second time.
    """
    world, account_id = auth.world, await auth.connect()
    world.move(DAY_S + 1)
    fail(world, status)
    for _ in range(20):
        failure = await refused(world.issue(account_id))
        assert failure.retry is Retry.LATER
        assert failure.code is ErrorCode.APP_UNREACHABLE
        world.move(11)
    assert world.token_calls() == 20
    assert await state(world, account_id) is AccountState.CONNECTED
    world.emulator.faults.clear()
    assert is_good(world, await world.issue(account_id))


async def test_a_token_that_lives_on_serves_while_the_app_is_away(auth: Auth):
    world, account_id = auth.world, await auth.connect()
    world.move(NEARLY_OVER_S)
    fail(world, 503)
    tokens = [await world.issue(account_id) for _ in range(10)]
    assert {token.version for token in tokens} == {1}
    assert is_good(world, tokens[0])
    assert world.token_calls() == 1
    failure = await refused(world.issue(account_id, version_min=2))
    assert failure.retry is Retry.LATER


async def test_an_app_that_is_away_is_not_asked_by_everybody(auth: Auth):
    world, account_id = auth.world, await auth.connect()
    world.move(DAY_S + 1)
    fail(world, 503)
    results = await asyncio.gather(
        *(world.issue(account_id) for _ in range(100)), return_exceptions=True
    )
    assert all(isinstance(result, CommandFailed) for result in results)
    assert world.token_calls() == 1


@pytest.mark.behaviour(
    2,
    broken_by="auth/tokens.py: an account is lost at the first refusal",
)
async def test_a_revoked_account_is_lost_at_the_second_refusal(auth: Auth):
    world, account_id = auth.world, await auth.connect()
    world.emulator.server.revoke(world.vendor_ids[0])
    for _ in range(3):
        failure = await refused(world.issue(account_id, version_min=2))
        assert failure.retry is Retry.LATER
        assert await state(world, account_id) is AccountState.CONNECTED
    assert world.token_calls() == 1
    world.move(61)
    results = await asyncio.gather(
        *(world.issue(account_id, version_min=2) for _ in range(20)),
        return_exceptions=True,
    )
    assert {result.code for result in results} == {ErrorCode.ACCOUNT_LOST}
    assert {result.retry for result in results} == {Retry.AFTER_REAUTH}
    assert world.token_calls() == 2
    assert await state(world, account_id) is AccountState.LOST
    assert (await refused(world.issue(account_id))).code is ErrorCode.ACCOUNT_LOST
    assert await world.told("account_lost") == 1
    healed = await world.authorise(instead_of=account_id)
    assert healed.state is AccountState.CONNECTED
    assert is_good(world, await world.issue(account_id, version_min=2))
    assert await world.told("account_connected") == 2


async def test_a_refusal_that_does_not_repeat_is_forgotten(auth: Auth):
    world, account_id = auth.world, await auth.connect()
    held = dict(world.emulator.server._refresh)
    world.emulator.server.revoke(world.vendor_ids[0])
    await refused(world.issue(account_id, version_min=2))
    world.emulator.server._refresh.update(held)
    world.move(61)
    assert (await world.issue(account_id, version_min=2)).version == 2
    world.emulator.server.revoke(world.vendor_ids[0])
    failure = await refused(world.issue(account_id, version_min=3))
    assert failure.retry is Retry.LATER


async def test_a_lost_answer_of_a_rotating_app_is_tried_once_more(auth: Auth):
    """Hazard 109: the new refresh token went with the answer, so a person is asked."""
    world, account_id = auth.world, await auth.connect()
    world.move(DAY_S + 1)
    lose(world)
    for _ in range(3):
        failure = await refused(world.issue(account_id))
        assert failure.retry is Retry.LATER
    assert world.token_calls() == 1
    world.move(61)
    assert (await refused(world.issue(account_id))).code is ErrorCode.ACCOUNT_LOST
    assert (await refused(world.issue(account_id))).code is ErrorCode.ACCOUNT_LOST
    assert world.token_calls() == 2
    assert await world.told("account_lost") == 1


async def test_a_lost_answer_of_an_app_that_does_not_rotate_is_made_good(auth: Auth):
    world = auth.world
    world.emulator.server.policy.is_rotating = False
    account_id = await auth.connect()
    for version in (2, 3):
        world.move(DAY_S + 1)
        lose(world)
        failure = await refused(world.issue(account_id))
        assert failure.retry is Retry.LATER
        world.move(61)
        token = await world.issue(account_id)
        assert token.version == version
        assert is_good(world, token)
    assert await world.told("account_lost") == 0


async def test_a_refusal_after_a_failure_is_the_last_word(auth: Auth):
    """I13: the app had rotated the token before it failed.

    The token was presented a third time, because its failure had counted as nothing.
    """
    world, account_id = auth.world, await auth.connect()
    world.move(DAY_S + 1)
    fail(world, 500)
    for _ in range(3):
        assert (await refused(world.issue(account_id))).retry is Retry.LATER
        world.move(61)
    world.emulator.faults.clear()
    world.emulator.server.revoke(world.vendor_ids[0])
    assert (await refused(world.issue(account_id))).code is ErrorCode.ACCOUNT_LOST
    assert world.token_calls() == 4


async def test_a_token_is_used_twice_at_most(auth: Auth):
    """I13: even where the app would take it a third time, a person is asked."""
    world = auth.world
    world.emulator.server.policy.is_rotating = False
    account_id = await auth.connect()
    world.move(DAY_S + 1)
    lose(world, count=5)
    assert (await refused(world.issue(account_id))).retry is Retry.LATER
    world.move(61)
    for _ in range(3):
        failure = await refused(world.issue(account_id))
        assert failure.code is ErrorCode.ACCOUNT_LOST
        world.move(61)
    assert world.token_calls() == 2
    assert await world.told("account_lost") == 1


async def test_an_app_that_cannot_serve_takes_no_try_away(auth: Auth):
    """Hazard 110: what was answered with 503 between two uses is none of them."""
    world = auth.world
    world.emulator.server.policy.is_rotating = False
    account_id = await auth.connect()
    world.move(DAY_S + 1)
    lose(world)
    await refused(world.issue(account_id))
    world.move(61)
    fail(world, 503)
    for _ in range(5):
        assert (await refused(world.issue(account_id))).retry is Retry.LATER
        world.move(11)
    world.emulator.faults.clear()
    assert (await world.issue(account_id)).version == 2
    assert world.token_calls() == 7


async def test_a_token_that_two_replicas_died_with_is_not_sent_again(auth: Auth):
    """Hazard 109: each of them may have used it, so both tries are gone."""
    world, account_id = auth.world, await auth.connect()
    world.move(DAY_S + 1)
    await auth.die_refreshing(account_id, is_sent=False)
    await auth.die_refreshing(account_id, is_sent=True)
    assert (await refused(world.issue(account_id))).code is ErrorCode.ACCOUNT_LOST
    assert await world.told("account_lost") == 1
    assert world.token_calls() == 1


async def test_a_replica_that_dies_before_it_sends_costs_nobody_an_account(auth: Auth):
    world, account_id = auth.world, await auth.connect()
    world.move(DAY_S + 1)
    await auth.die_refreshing(account_id, is_sent=False)
    assert is_good(world, await world.issue(account_id))
    assert world.token_calls() == 1


@pytest.mark.parametrize("is_rotating", [True, False])
async def test_a_replica_that_dies_before_it_stores_leaves_doubt(
    auth: Auth, is_rotating: bool
):
    """Hazard 109: killed between the app's answer and our store."""
    world = auth.world
    world.emulator.server.policy.is_rotating = is_rotating
    account_id = await auth.connect()
    world.move(DAY_S + 1)
    await auth.die_refreshing(account_id, is_sent=True)
    if is_rotating:
        failure = await refused(world.issue(account_id))
        assert failure.code is ErrorCode.ACCOUNT_LOST
        assert await world.told("account_lost") == 1
    else:
        assert (await world.issue(account_id)).version == 2
    assert world.token_calls() == 2


async def test_a_rotated_token_outlasts_a_restart_of_postgres(auth: Auth):
    """The app has no second one: it is held until Postgres takes it."""
    world, account_id = auth.world, await auth.connect()
    world.move(DAY_S + 1)
    server = world.database.server
    restarted: list[asyncio.Task[None]] = []

    async def start_soon() -> None:
        await asyncio.sleep(0.5)
        await server.start()

    async def stop() -> None:
        await server.stop()
        restarted.append(asyncio.create_task(start_soon()))

    async with transport.open_endpoint(5.0, guard=LOCAL) as endpoint:
        tokens = auth.tokens(Interrupted(endpoint, stop))
        token = await tokens.issue(IssueToken(tenant_id=TENANT, account_id=account_id))
    await asyncio.gather(*restarted)
    assert token.version == 2
    assert is_good(world, token)
    assert await world.issue(account_id) == token
    assert world.token_calls() == 1


async def test_a_refusal_says_nothing_of_the_credential_that_came_meanwhile(
    auth: Auth,
):
    """The account was authorised again while the old token was being refused."""
    world, account_id = auth.world, await auth.connect()
    world.emulator.server.revoke(world.vendor_ids[0])
    await refused(world.issue(account_id, version_min=2))
    world.move(61)

    async def authorise_again() -> None:
        await world.authorise(instead_of=account_id)

    async with transport.open_endpoint(5.0, guard=LOCAL) as endpoint:
        tokens = auth.tokens(Interrupted(endpoint, authorise_again))
        token = await tokens.issue(
            IssueToken(tenant_id=TENANT, account_id=account_id, version_min=2)
        )
    assert token.version > 1
    assert is_good(world, token)
    assert await state(world, account_id) is AccountState.CONNECTED
    assert await world.told("account_lost") == 0


async def test_a_token_read_before_its_account_was_lost_is_left_alone(auth: Auth):
    """Whoever read it before takes up the lease that the loss has given back."""
    world, account_id = auth.world, await auth.connect()
    world.emulator.server.revoke(world.vendor_ids[0])
    await refused(world.issue(account_id, version_min=2))
    world.move(61)

    class Slow(Clients):
        """Lets the account be lost before the lease is asked for."""

        async def registration(self, *args: Any) -> Registration:
            await refused(world.issue(account_id, version_min=2))
            return await super().registration(*args)

    async with transport.open_endpoint(5.0, guard=LOCAL) as endpoint:
        tokens = auth.tokens(endpoint, clients=Slow)
        command = IssueToken(tenant_id=TENANT, account_id=account_id, version_min=2)
        failure = await refused(tokens.issue(command))
    assert failure.code is ErrorCode.ACCOUNT_LOST
    assert world.token_calls() == 2
    assert await world.told("account_lost") == 1


async def test_a_wrong_client_secret_loses_no_account(auth: Auth):
    """The tenant changed it at the app: the person's consent still stands."""
    world, account_id = auth.world, await auth.connect()
    await world.set_client(client_secret="wrong")
    for _ in range(3):
        failure = await refused(world.issue(account_id, version_min=2))
        assert failure.code is ErrorCode.CLIENT_REFUSED
        assert failure.retry is Retry.LATER
        world.move(61)
    await world.set_client()
    token = await world.issue(account_id, version_min=2)
    assert is_good(world, token)


async def test_what_is_missing_leaves_no_lease_behind(auth: Auth):
    """A lease that nobody gives back is taken for a refresh whose answer was lost."""
    world, account_id = auth.world, await auth.connect()
    world.move(DAY_S + 1)
    await world.rows("DELETE FROM auth.app_clients")
    failure = await refused(world.issue(account_id))
    assert failure.code is ErrorCode.CLIENT_MISSING
    found = await world.rows("SELECT lease_id, uses FROM auth.credentials")
    assert [tuple(row.values()) for row in found] == [(None, 0)]
    await world.set_client()
    assert is_good(world, await world.issue(account_id))


async def test_a_stop_waits_for_a_refresh_that_is_under_way(auth: Auth):
    """Closing the endpoint under it would lose what the app has rotated."""
    world, account_id = auth.world, await auth.connect()
    world.move(DAY_S + 1)
    slow = Fault(kind="latency", path=TOKEN_PATH, delay_s=0.5, count=1)
    world.emulator.faults.add(slow)
    async with transport.open_endpoint(5.0, guard=LOCAL) as endpoint:
        tokens = auth.tokens(endpoint)
        command = IssueToken(tenant_id=TENANT, account_id=account_id)
        caller = asyncio.create_task(tokens.issue(command))
        while not slow.fired:
            await asyncio.sleep(0.01)
        caller.cancel()
        await tokens.finish(timeout_s=5.0)
    assert (await world.issue(account_id)).version == 2
    assert world.emulator.statistics.report().calls == {TOKEN_ROUTE: 1}


async def test_a_service_that_stops_answers_what_it_took(auth: Auth):
    world, account_id = auth.world, await auth.connect()
    world.move(DAY_S + 1)
    slow = Fault(kind="latency", path=TOKEN_PATH, delay_s=0.5, count=1)
    world.emulator.faults.add(slow)
    asked: list[asyncio.Task[Token]] = []
    async with world.auth(key_ring_file=auth.ring):
        asked.extend(asyncio.create_task(world.issue(account_id)) for _ in range(20))
        while not slow.fired:
            await asyncio.sleep(0.01)
    versions = {token.version for token in await asyncio.gather(*asked)}
    assert versions == {2}
    assert world.token_calls() == 1


async def test_a_token_without_a_refresh_token_serves_to_its_end(auth: Auth):
    world, account_id = auth.world, await auth.connect()
    server = world.emulator.server
    kept, server.offline_scope = server.offline_scope, "never granted"
    try:
        await world.authorise(instead_of=account_id)
    finally:
        server.offline_scope = kept
    world.move(NEARLY_OVER_S)
    assert is_good(world, await world.issue(account_id))
    world.move(61)
    assert (await refused(world.issue(account_id))).code is ErrorCode.ACCOUNT_LOST
    assert world.token_calls() == 1


async def test_what_pushes_are_checked_with_is_told_to_the_connector(auth: Auth):
    """The client's secret, and its accounts by the ids that the app gave them."""
    account_id = await auth.connect()
    world = auth.world
    account = await world.ask(GetAccount(tenant_id=TENANT, account_id=account_id))
    told = await world.connector.bus.request(ReadPushClient(tenant_id=TENANT, app=MAIL))
    assert told.secret == CLIENT_SECRET
    assert (
        PushAccount(vendor_account_id=account.vendor_account_id, account_id=account_id)
        in told.accounts
    )
    failure = await refused(
        world.connector.bus.request(ReadPushClient(tenant_id=OTHER_TENANT, app=MAIL))
    )
    assert failure.code is ErrorCode.CLIENT_MISSING
