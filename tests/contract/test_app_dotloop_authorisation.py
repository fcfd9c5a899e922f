"""An account of Dotloop's is authorised as its manifest says, at the emulator."""

import msgspec
import pytest

from tests.contract.authorising import Authorising, authorise_url, granted, hosts_of
from tests.contract.dotloop_account import MANIFEST
from tests.emulators.dotloop.emulator import Emulator


@pytest.fixture
async def place():
    async with Authorising.opened(Emulator, MANIFEST) as found:
        yield found


async def test_a_person_authorises_and_the_token_is_refreshed(place):
    assert hosts_of(MANIFEST) == ("auth.dotloop.com", "auth.dotloop.com")
    assert place.client.client_auth == "basic"
    first = await place.authorised()
    assert first.lifetime_s == 43_199
    assert first.lacks(place.client.scopes) == []
    second = granted(await place.refreshed(first.refresh_token))
    assert second.refresh_token == first.refresh_token
    assert place.emulator.server.check(first.access_token) is None
    assert place.emulator.server.check(second.access_token) is not None


async def test_who_denies_comes_back(place):
    back = await place.decided(decision="deny")
    assert back == {"error": "access_denied", "state": "state"}


@pytest.mark.parametrize("scopes", [("contact:read",), ("account:read,",)])
async def test_a_scope_in_the_manifest_would_be_refused(place, scopes):
    client = msgspec.structs.replace(place.client, scopes=scopes)
    url = authorise_url(client)
    async with place.session.get(url, allow_redirects=False) as reply:
        assert "error=invalid_scope" in reply.headers["Location"]
