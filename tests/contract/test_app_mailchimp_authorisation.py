"""An account of Mailchimp's is authorised as its manifest says, at the emulator."""

from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest

from proto.errors import ErrorCode
from services.auth import oauth, transport
from services.auth.oauth import Registration, TokenGrant
from services.auth.places import Places
from services.auth.transport import TokenEndpoint
from services.chassis.addresses import Guard
from services.chassis.errors import CommandFailed
from tests.contract.emulator_caller import CLIENT_ID, CLIENT_SECRET, REDIRECT_URI
from tests.contract.mailchimp_account import MANIFEST
from tests.contract.mailchimp_caller import Caller, calling
from tests.emulators.core.faults import Fault
from tests.emulators.mailchimp.doors import METADATA_PATH

LOCAL = Guard(("127.0.0.0/8",))
VENDOR = "https://login.mailchimp.com"


@pytest.fixture
async def mc() -> AsyncIterator[Caller]:
    async with calling() as caller:
        yield caller


@pytest.fixture
async def endpoint() -> AsyncIterator[TokenEndpoint]:
    async with transport.open_endpoint(5.0, guard=LOCAL) as opened:
        yield opened


def registration(url: str) -> Registration:
    """Return the manifest's facts, at another address."""
    facts = MANIFEST.oauth
    assert facts is not None
    return Registration(
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        client_auth=facts.client_auth,
        authorise_url=facts.authorise_url.replace(VENDOR, url),
        token_url=facts.token_url.replace(VENDOR, url),
        api_url="",
        scopes=facts.scopes,
        issuer=facts.issuer,
        sends_issuer=facts.sends_issuer,
        address=facts.address,
    )


async def granted(mc: Caller, endpoint: TokenEndpoint) -> TokenGrant:
    """Have a person agree; return what the vendor gives for it."""
    back = await mc.consent()
    form = oauth.code_form(
        code=back["code"], redirect_uri=REDIRECT_URI, verifier="v" * 64
    )
    grant = await endpoint.post(registration(mc.emulator.url), form)
    assert isinstance(grant, TokenGrant)
    return grant


async def test_a_token_does_not_expire_and_tells_its_data_centre(mc, endpoint):
    grant = await granted(mc, endpoint)
    assert (grant.lifetime_s, grant.refresh_token) == (None, "")
    assert grant.lacks(registration(mc.emulator.url).scopes) == []
    places = Places(endpoint, guard=LOCAL)
    found = await places.find(registration(mc.emulator.url), grant.access_token)
    assert found == f"{mc.emulator.url}/3.0"
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            f"{found}/", headers={"Authorization": f"Bearer {grant.access_token}"}
        ) as reply,
    ):
        assert reply.status == 200


async def test_a_vendor_that_is_silent_is_asked_again_later(mc, endpoint):
    grant = await granted(mc, endpoint)
    for kind in ("status", "timeout"):
        mc.emulator.faults.clear()
        mc.emulator.faults.add(Fault(kind=kind, path=METADATA_PATH, delay_s=0.01))
        with pytest.raises(CommandFailed) as failure:
            await Places(endpoint, guard=LOCAL).find(
                registration(mc.emulator.url), grant.access_token
            )
        assert failure.value.code is ErrorCode.APP_UNREACHABLE


async def test_a_page_in_place_of_the_metadata_is_believed_in_nothing(mc, endpoint):
    grant = await granted(mc, endpoint)
    mc.emulator.faults.add(Fault(kind="html", path=METADATA_PATH))
    with pytest.raises(CommandFailed) as failure:
        await Places(endpoint, guard=LOCAL).find(
            registration(mc.emulator.url), grant.access_token
        )
    assert failure.value.code is ErrorCode.ADDRESS_REFUSED


async def test_an_address_of_the_tenants_own_goes_first(endpoint):
    """An emulator's or a proxy's: nobody is asked."""
    client = msgspec.structs.replace(
        registration("http://127.0.0.1:1"), api_url="https://proxy.example/3.0"
    )
    found = await Places(endpoint, guard=LOCAL).find(client, "token")
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
async def test_an_address_that_is_not_the_vendors_is_refused(endpoint, told):
    """Hazard 114: the account's token goes there with every call."""
    facts = MANIFEST.oauth
    assert facts is not None

    class Liar(TokenEndpoint):
        async def ask(self, _url: str, **_more: object) -> bytes:
            return msgspec.json.encode({"api_endpoint": told})

    async with aiohttp.ClientSession() as session:
        places = Places(Liar(session), guard=Guard(()))
        with pytest.raises(CommandFailed) as failure:
            await places.find(registration(VENDOR), "token")
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
        found = await places.find(registration(VENDOR), "token")
    assert found == f"https://{host}/3.0"
