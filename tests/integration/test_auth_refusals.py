"""Refused accounts: what no refresh can mend is believed when it lasts, not at once."""

import asyncio

import pytest

from proto.auth import AccountState, GetAccount
from proto.errors import ErrorCode, Retry
from proto.ids import AccountId
from tests.integration.auth_fixtures import shared, world
from tests.integration.auth_world import (
    PASSWORD,
    TENANT,
    World,
    refused,
)

__all__ = ["shared", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def connect(world: World) -> AccountId:
    """Authorise an account, and start counting from there."""
    account_id = (await world.authorise()).account_id
    world.emulator.statistics.reset()
    return account_id


async def state(world: World, account_id: AccountId) -> AccountState:
    command = GetAccount(tenant_id=TENANT, account_id=account_id)
    return (await world.ask(command)).state


async def test_a_password_that_is_refused_is_lost_at_the_second_refusal(world: World):
    """One 401 of something in between once disconnected the account."""
    account_id = (await world.add_password()).account_id
    assert (await world.issue(account_id)).secret == PASSWORD
    for _ in range(3):
        failure = await refused(world.issue(account_id, version_min=2))
        assert failure.code is ErrorCode.CREDENTIALS_REFUSED
        assert failure.retry is Retry.LATER
        assert (await world.issue(account_id)).secret == PASSWORD
    assert await state(world, account_id) is AccountState.CONNECTED
    world.move(61)
    failure = await refused(world.issue(account_id, version_min=2))
    assert failure.code is ErrorCode.ACCOUNT_LOST
    assert await state(world, account_id) is AccountState.LOST
    assert await world.told("account_lost") == 1
    await world.add_password(account_id=account_id)
    assert (await world.issue(account_id, version_min=2)).version == 2


async def test_an_app_that_refuses_even_new_tokens_is_believed_the_second_time(
    world: World,
):
    """The account stayed live and was never read again: auth did not know of it."""
    account_id = await connect(world)
    assert (await world.issue(account_id, version_min=2)).version == 2
    for _ in range(5):
        failure = await refused(world.issue(account_id, version_min=3))
        assert failure.code is ErrorCode.CREDENTIALS_REFUSED
        assert failure.retry is Retry.LATER
        world.move(11)
    assert world.token_calls() == 1, "a refresh for each call is what this prevents"
    assert (await world.issue(account_id)).version == 2
    world.move(11)
    assert (await world.issue(account_id, version_min=3)).version == 3
    assert await state(world, account_id) is AccountState.CONNECTED
    results = await asyncio.gather(
        *(world.issue(account_id, version_min=4) for _ in range(20)),
        return_exceptions=True,
    )
    assert {result.code for result in results} == {ErrorCode.ACCOUNT_LOST}
    assert {result.retry for result in results} == {Retry.AFTER_REAUTH}
    assert world.token_calls() == 2
    assert await world.told("account_lost") == 1
    healed = await world.authorise(instead_of=account_id)
    assert healed.state is AccountState.CONNECTED
    latest = (await world.issue(account_id)).version
    assert (await world.issue(account_id, version_min=latest + 1)).version > latest
    failure = await refused(world.issue(account_id, version_min=latest + 2))
    assert failure.code is ErrorCode.CREDENTIALS_REFUSED, "it starts anew"


@pytest.mark.parametrize("is_password", [True, False])
async def test_what_was_refused_before_an_accepted_call_counts_no_more(
    world: World, is_password: bool
):
    """Two short spells are not a lasting one, however far apart they are."""
    if is_password:
        account_id = (await world.add_password()).account_id
    else:
        account_id = await connect(world)
    for _ in range(4):
        version = (await world.issue(account_id)).version
        if not is_password:
            version = (await world.issue(account_id, version_min=version + 1)).version
        failure = await refused(world.issue(account_id, version_min=version + 1))
        assert failure.code is ErrorCode.CREDENTIALS_REFUSED
        world.move(61)
        await world.issue(account_id, accepted_at=world.clock.now())
        world.move(1)
    assert await state(world, account_id) is AccountState.CONNECTED
    assert await world.told("account_lost") == 0


async def test_a_refused_token_that_is_over_is_renewed_all_the_same(world: World):
    """Only a token that should still be good is a riddle when it is refused."""
    world.emulator.server.policy.access_token_lifetime_s = 20
    account_id = await connect(world)
    for version in (2, 3, 4):
        world.move(21)
        token = await world.issue(account_id, version_min=version)
        assert token.version == version
    assert await world.told("account_lost") == 0
