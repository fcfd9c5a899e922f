"""An account of Pipedrive's is authorised as its manifest says, at the emulator."""

import pytest

from services.auth.oauth import NoGrant, Why
from tests.contract.authorising import Authorising, asked, granted, hosts_of
from tests.contract.pipedrive_account import MANIFEST
from tests.emulators.pipedrive.emulator import Emulator


@pytest.fixture
async def place():
    async with Authorising.opened(Emulator, MANIFEST) as found:
        yield found


async def test_a_person_authorises_and_each_refresh_token_is_exchanged_once(place):
    assert hosts_of(MANIFEST) == ("oauth.pipedrive.com", "oauth.pipedrive.com")
    assert place.client.client_auth == "basic"
    assert MANIFEST.oauth.rotates_refresh_tokens
    assert "scope" not in asked(place.client)
    first = await place.authorised()
    assert first.lifetime_s == 3_600
    assert first.lacks(place.client.scopes) == []
    second = granted(await place.refreshed(first.refresh_token))
    assert second.refresh_token not in ("", first.refresh_token)
    used = await place.refreshed(first.refresh_token)
    assert used == NoGrant(why=Why.REFUSED, reason="invalid_grant")
    assert granted(await place.refreshed(second.refresh_token))


async def test_who_denies_comes_back(place):
    back = await place.decided(decision="deny")
    assert back == {"error": "access_denied", "state": "state"}
