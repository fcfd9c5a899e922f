"""An account of Campaign Monitor's is authorised as its manifest says."""

from urllib.parse import urlsplit

import pytest

from services.auth.oauth import NoGrant, Why
from tests.contract.authorising import Authorising, asked, granted, hosts_of
from tests.contract.campaign_monitor_account import MANIFEST
from tests.emulators.campaign_monitor.emulator import Emulator


@pytest.fixture
async def place():
    async with Authorising.opened(Emulator, MANIFEST) as found:
        yield found


async def test_a_person_authorises_and_the_token_is_refreshed(place):
    assert hosts_of(MANIFEST) == ("api.createsend.com", "api.createsend.com")
    assert urlsplit(place.client.authorise_url).path == "/oauth"
    query = asked(place.client)
    assert query["type"] == "web_server"
    assert query["scope"] == "ManageLists,ImportSubscribers"
    first = await place.authorised()
    assert first.lifetime_s == 1_209_600
    assert first.lacks(place.client.scopes) == []
    grant = place.emulator.server.check(first.access_token)
    assert grant.scopes == {"ManageLists", "ImportSubscribers"}
    second = granted(await place.refreshed(first.refresh_token))
    assert second.refresh_token == first.refresh_token


async def test_who_denies_comes_back(place):
    back = await place.decided(decision="deny")
    assert back == {"error": "access_denied", "state": "state"}


async def test_a_refusal_with_status_200_is_one(place):
    found = await place.refreshed("no such token")
    assert found == NoGrant(why=Why.REFUSED, reason="invalid_grant")
