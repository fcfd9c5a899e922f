"""A Google account is authorised as its manifest says, at the emulator."""

import msgspec
import pytest

from services.auth.oauth import NoGrant, Why
from tests.contract.authorising import Authorising, granted, hosts_of
from tests.contract.emulated_account import manifest_of
from tests.emulators.google_contacts.emulator import Emulator

MANIFEST = manifest_of("google_contacts")
CONTACTS, EMAIL = MANIFEST.oauth.scopes


@pytest.fixture
async def place():
    async with Authorising.opened(Emulator, MANIFEST) as found:
        yield found


async def test_a_person_authorises_and_the_refresh_token_stays(place):
    assert hosts_of(MANIFEST) == ("accounts.google.com", "oauth2.googleapis.com")
    assert place.client.client_auth == "body"
    first = await place.authorised()
    assert first.lifetime_s == 3599
    assert first.lacks(place.client.scopes) == []
    assert first.refresh_token
    for _ in range(2):
        again = granted(await place.refreshed(first.refresh_token))
        assert again.refresh_token == "", "it is not told again, and stays"
        assert place.emulator.server.check(again.access_token) is not None


async def test_who_agreed_before_gives_a_refresh_token_again(place):
    for _ in range(2):
        grant = await place.authorised()
        assert grant.refresh_token


@pytest.mark.parametrize("wish", ["", "access_type=offline", "prompt=consent"])
async def test_without_the_manifests_wishes_there_would_be_none(place, wish):
    url = f"{place.client.authorise_url.partition('?')[0]}?{wish}"
    client = msgspec.structs.replace(place.client, authorise_url=url)
    await place.authorised()
    grant = await place.authorised(client)
    assert grant.refresh_token == ""


async def test_a_scope_that_was_not_ticked_is_noticed(place):
    grant = await place.authorised(granted=EMAIL)
    assert grant.lacks(place.client.scopes) == [CONTACTS]
    back = await place.decided(granted="")
    assert back == {"error": "access_denied", "state": "state"}


async def test_a_withdrawn_consent_is_told_apart_from_a_failure(place):
    grant = await place.authorised()
    place.emulator.server.revoke(place.account_id)
    refused = await place.refreshed(grant.refresh_token)
    assert refused == NoGrant(why=Why.REFUSED, reason="invalid_grant")
