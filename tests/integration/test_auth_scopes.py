"""Scopes: what an app grants is stored, and compared with what it has to grant."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
import pytest
import structlog.testing

from proto.auth import AccountState, GetAccount
from proto.errors import ErrorCode
from proto.ids import AccountId
from tests.integration.auth_fixtures import shared, world
from tests.integration.auth_world import (
    TENANT,
    World,
    completion,
    refused,
)

__all__ = ["shared", "world"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

NEEDED = {"account_read", "contact_data", "offline_access"}


def asking_for(url: str, scopes: set[str]) -> str:
    """Return the address as it would be had the person left some scopes out."""
    parts = urlsplit(url)
    fields = dict(parse_qsl(parts.query)) | {"scope": " ".join(scopes)}
    return urlunsplit(parts._replace(query=urlencode(fields)))


def grant_only(world: World, scopes: set[str]) -> None:
    """Have the app grant less from the next refresh on."""
    held = world.emulator.server._refresh
    for token, one in held.items():
        grant = msgspec.structs.replace(one.grant, scopes=frozenset(scopes))
        held[token] = msgspec.structs.replace(one, grant=grant)


async def stored_scopes(world: World, account_id: AccountId) -> set[str]:
    command = GetAccount(tenant_id=TENANT, account_id=account_id)
    return set((await world.ask(command)).scopes)


async def test_an_account_without_a_needed_scope_is_not_made(world: World):
    begun = await world.begin()
    left = NEEDED - {"contact_data"}
    back = await world.consent(asking_for(begun.authorise_url, left))
    failure = await world.refusal(completion(back))
    assert failure.code is ErrorCode.AUTHORISATION_DENIED
    assert "missing: contact_data. Nothing was stored." in failure.detail
    assert await world.rows("SELECT 1 FROM auth.accounts") == []
    assert await world.told("account_connected") == 0


async def test_authorising_again_with_less_changes_nothing(world: World):
    account = await world.authorise()
    before = await world.issue(account.account_id)
    begun = await world.begin(account.account_id)
    left = NEEDED - {"account_read"}
    back = await world.consent(asking_for(begun.authorise_url, left))
    failure = await world.refusal(completion(back))
    assert failure.code is ErrorCode.AUTHORISATION_DENIED
    assert await world.issue(account.account_id) == before


async def test_an_account_that_lost_a_scope_is_lost_at_the_refresh(world: World):
    account_id = (await world.authorise()).account_id
    grant_only(world, NEEDED - {"contact_data"})
    with structlog.testing.capture_logs() as entries:
        failure = await refused(world.issue(account_id, version_min=2))
    assert failure.code is ErrorCode.ACCOUNT_LOST
    command = GetAccount(tenant_id=TENANT, account_id=account_id)
    assert (await world.ask(command)).state is AccountState.LOST
    assert await world.told("account_lost") == 1
    reasons = [entry["reason"] for entry in entries if entry["event"] == "account_lost"]
    assert reasons == ["scopes not granted any more: contact_data"]
    assert await stored_scopes(world, account_id) == NEEDED - {"contact_data"}
    healed = await world.authorise(instead_of=account_id)
    assert healed.state is AccountState.CONNECTED
    assert await stored_scopes(world, account_id) == NEEDED
    assert (await world.issue(account_id, version_min=4)).version == 4


async def test_a_scope_that_comes_with_a_refresh_is_stored(world: World):
    account_id = (await world.authorise()).account_id
    grant_only(world, NEEDED | {"campaign_data"})
    assert (await world.issue(account_id, version_min=2)).version == 2
    assert await stored_scopes(world, account_id) == NEEDED | {"campaign_data"}
    assert await world.told("account_lost") == 0
