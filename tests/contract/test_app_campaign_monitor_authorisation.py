"""An account of Campaign Monitor's is authorised as its manifest says."""

from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from services.auth import oauth
from services.auth.oauth import NoGrant, Registration, TokenGrant, Why
from tests.contract.campaign_monitor_account import MANIFEST
from tests.contract.emulator_caller import REDIRECT_URI, VERIFIER
from tests.contract.test_campaign_monitor_emulator import Caller

VENDOR = "https://api.createsend.com"


def registration(caller: Caller) -> Registration:
    """Return the manifest's facts, at the emulator's address."""
    facts = MANIFEST.oauth
    assert facts is not None
    return Registration(
        client_id="emulated-client",
        client_secret="emulated-secret",
        client_auth=facts.client_auth,
        authorise_url=facts.authorise_url.replace(VENDOR, caller.emulator.url),
        token_url=facts.token_url.replace(VENDOR, caller.emulator.url),
        api_url="",
        scopes=facts.scopes,
        issuer=facts.issuer,
        sends_issuer=facts.sends_issuer,
    )


def asked(client: Registration) -> dict[str, str]:
    """Return the parameters with which a person is sent to the vendor."""
    url = oauth.authorise_url(
        client, redirect_uri=REDIRECT_URI, state="state", verifier=VERIFIER
    )
    return dict(parse_qsl(urlsplit(url).query))


async def granted(caller: Caller, form: dict[str, str]) -> TokenGrant | NoGrant:
    secrets = {"client_id": "emulated-client", "client_secret": "emulated-secret"}
    reply = await caller.send("POST", "/oauth/token", data=form | secrets)
    return oauth.read_answer(reply.status, msgspec.json.encode(reply.body))


@pytest.fixture
async def caller():
    async with Caller.calling() as found:
        yield found


async def test_a_person_authorises_and_the_token_is_refreshed(caller):
    client = registration(caller)
    assert urlsplit(client.authorise_url).path == "/oauth"
    query = asked(client)
    assert query["type"] == "web_server"
    assert query["scope"] == "ManageLists,ImportSubscribers"
    back = await caller.consent(query)
    form = oauth.code_form(
        code=back["code"], redirect_uri=REDIRECT_URI, verifier=VERIFIER
    )
    first = await granted(caller, form)
    assert isinstance(first, TokenGrant)
    assert first.lifetime_s == 1_209_600
    assert first.lacks(client.scopes) == []
    grant = caller.emulator.server.check(first.access_token)
    assert grant.scopes == {"ManageLists", "ImportSubscribers"}
    second = await granted(caller, oauth.refresh_form(first.refresh_token))
    assert isinstance(second, TokenGrant)
    assert second.refresh_token == first.refresh_token


async def test_who_denies_comes_back(caller):
    back = await caller.consent(asked(registration(caller)), decision="deny")
    assert back == {"error": "access_denied", "state": "state"}


async def test_a_refusal_with_status_200_is_one(caller):
    found = await granted(caller, oauth.refresh_form("no such token"))
    assert found == NoGrant(why=Why.REFUSED, reason="invalid_grant")
