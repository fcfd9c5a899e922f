"""An account of Pipedrive's is authorised as its manifest says, at the emulator."""

from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from services.auth import oauth
from services.auth.oauth import NoGrant, Registration, TokenGrant, Why
from tests.contract.emulator_caller import REDIRECT_URI, VERIFIER
from tests.contract.pipedrive_account import MANIFEST
from tests.contract.pipedrive_caller import Caller

VENDOR = "https://oauth.pipedrive.com"


@pytest.fixture
async def caller():
    async with Caller.calling() as found:
        yield found


def registration(caller: Caller) -> Registration:
    """Return the manifest's facts, at the emulator's address."""
    facts = MANIFEST.oauth
    assert facts is not None
    assert facts.client_auth == "basic"
    assert facts.rotates_refresh_tokens
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
    reply = await caller.ask_token(**form)
    return oauth.read_answer(reply.status, msgspec.json.encode(reply.body))


async def test_a_person_authorises_and_each_refresh_token_is_exchanged_once(caller):
    client = registration(caller)
    query = asked(client)
    assert "scope" not in query
    back = await caller.consent({"scope": "", **query})
    form = oauth.code_form(
        code=back["code"], redirect_uri=REDIRECT_URI, verifier=VERIFIER
    )
    first = await granted(caller, form)
    assert isinstance(first, TokenGrant)
    assert first.lifetime_s == 3_600
    assert first.lacks(client.scopes) == []
    second = await granted(caller, oauth.refresh_form(first.refresh_token))
    assert isinstance(second, TokenGrant)
    assert second.refresh_token not in ("", first.refresh_token)
    used = await granted(caller, oauth.refresh_form(first.refresh_token))
    assert used == NoGrant(why=Why.REFUSED, reason="invalid_grant")
    third = await granted(caller, oauth.refresh_form(second.refresh_token))
    assert isinstance(third, TokenGrant)


async def test_who_denies_comes_back(caller):
    query = {"scope": "", **asked(registration(caller))}
    back = await caller.consent(query, decision="deny")
    assert back == {"error": "access_denied", "state": "state"}
