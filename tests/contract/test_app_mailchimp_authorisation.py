"""An account of Mailchimp's is authorised as its manifest says, at the emulator."""

from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest

from proto.errors import ErrorCode
from services.auth.places import Places
from services.auth.transport import TokenEndpoint
from services.chassis.addresses import Guard
from services.chassis.errors import CommandFailed
from tests.contract.authorising import LOCAL, Authorising, hosts_of, registration
from tests.contract.mailchimp_account import MANIFEST
from tests.emulators.core.faults import Fault
from tests.emulators.mailchimp.doors import METADATA_PATH
from tests.emulators.mailchimp.emulator import Emulator

VENDOR = "https://login.mailchimp.com"


@pytest.fixture
async def place() -> AsyncIterator[Authorising]:
    async with Authorising.opened(Emulator, MANIFEST) as found:
        yield found


@pytest.fixture
def places(place: Authorising) -> Places:
    return Places(place.endpoint, guard=LOCAL)


async def test_a_token_does_not_expire_and_tells_its_data_centre(place, places):
    grant = await place.authorised()
    assert hosts_of(MANIFEST) == ("login.mailchimp.com", "login.mailchimp.com")
    assert (grant.lifetime_s, grant.refresh_token) == (None, "")
    assert grant.lacks(place.client.scopes) == []
    found = await places.find(place.client, grant.access_token)
    assert found == f"{place.emulator.url}/3.0"
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            f"{found}/", headers={"Authorization": f"Bearer {grant.access_token}"}
        ) as reply,
    ):
        assert reply.status == 200


async def test_a_vendor_that_is_silent_is_asked_again_later(place, places):
    grant = await place.authorised()
    for kind in ("status", "timeout"):
        place.emulator.faults.clear()
        place.emulator.faults.add(Fault(kind=kind, path=METADATA_PATH, delay_s=0.01))
        with pytest.raises(CommandFailed) as failure:
            await places.find(place.client, grant.access_token)
        assert failure.value.code is ErrorCode.APP_UNREACHABLE


async def test_a_page_in_place_of_the_metadata_is_believed_in_nothing(place, places):
    grant = await place.authorised()
    place.emulator.faults.add(Fault(kind="html", path=METADATA_PATH))
    with pytest.raises(CommandFailed) as failure:
        await places.find(place.client, grant.access_token)
    assert failure.value.code is ErrorCode.ADDRESS_REFUSED


async def test_an_address_of_the_tenants_own_goes_first(places):
    """An emulator's or a proxy's: nobody is asked."""
    client = msgspec.structs.replace(
        registration(MANIFEST, "http://127.0.0.1:1"),
        api_url="https://proxy.example/3.0",
    )
    found = await places.find(client, "token")
    assert found == client.api_url


@pytest.mark.parametrize(
    "told",
    [
        "",
        "http://us19.api.mailchimp.com",
        "https://api.mailchimp.com.evil.example",
        "https://evilapi.mailchimp.com",
        "https://us19.api.mailchimp.com@evil.example",
        "https://169.254.169.254/latest",
        "//us19.api.mailchimp.com",
        "https://us19.api.mailchimp.com\\@evil.example",
    ],
)
async def test_an_address_that_is_not_the_vendors_is_refused(told):
    """Hazard 114: the account's token goes there with every call."""
    facts = MANIFEST.oauth
    assert facts is not None

    class Liar(TokenEndpoint):
        async def ask(self, _url: str, **_more: object) -> bytes:
            return msgspec.json.encode({"api_endpoint": told})

    async with aiohttp.ClientSession() as session:
        places = Places(Liar(session), guard=Guard(()))
        with pytest.raises(CommandFailed) as failure:
            await places.find(registration(MANIFEST, VENDOR), "token")
    assert failure.value.code is ErrorCode.ADDRESS_REFUSED


@pytest.mark.parametrize("host", ["us19.api.mailchimp.com", "api.mailchimp.com"])
async def test_an_address_of_the_vendors_is_the_accounts(host):
    class Honest(TokenEndpoint):
        async def ask(self, url: str, **more: object) -> bytes:
            assert url == f"{VENDOR}/oauth2/metadata"
            assert more == {"authorization": "OAuth token"}
            return msgspec.json.encode({"api_endpoint": f"https://{host}/"})

    async with aiohttp.ClientSession() as session:
        places = Places(Honest(session), guard=Guard(()))
        found = await places.find(registration(MANIFEST, VENDOR), "token")
    assert found == f"https://{host}/3.0"
