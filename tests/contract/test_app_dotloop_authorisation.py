"""An account of Dotloop's is authorised as its manifest says, at the emulator."""

from urllib.parse import parse_qs, parse_qsl, urlsplit

import aiohttp
import msgspec
import pytest

from services.auth import oauth
from services.auth.oauth import Registration, TokenGrant
from tests.contract.dotloop_account import MANIFEST
from tests.emulators.core.emulator import serving
from tests.emulators.dotloop.emulator import Emulator
from tests.emulators.dotloop.settings import Settings

CALLBACK = "http://127.0.0.1/callback"
LOGIN = aiohttp.encode_basic_auth("emulated-client", "emulated-secret")


def registration(emulator: Emulator) -> Registration:
    """Return the manifest's facts, at the emulator's address."""
    facts = MANIFEST.oauth
    assert facts is not None
    assert facts.client_auth == "basic"
    vendor = "https://auth.dotloop.com"
    return Registration(
        client_id="emulated-client",
        client_secret="emulated-secret",
        client_auth=facts.client_auth,
        authorise_url=facts.authorise_url.replace(vendor, emulator.url),
        token_url=facts.token_url.replace(vendor, emulator.url),
        api_url="",
        scopes=facts.scopes,
        issuer=facts.issuer,
        sends_issuer=facts.sends_issuer,
    )


async def decided(
    client: Registration, session: aiohttp.ClientSession, *, decision: str
) -> dict[str, str]:
    """Have a person decide; return what they come back with."""
    url = oauth.authorise_url(
        client, redirect_uri=CALLBACK, state="state", verifier="v" * 64
    )
    async with session.get(url) as page:
        assert page.status == 200
    form = {name: texts[0] for name, texts in parse_qs(urlsplit(url).query).items()}
    form |= {"account_id": "4711", "decision": decision}
    address = client.authorise_url.partition("?")[0]
    async with session.post(address, data=form, allow_redirects=False) as reply:
        return dict(parse_qsl(urlsplit(reply.headers["Location"]).query))


async def granted(
    client: Registration, session: aiohttp.ClientSession, *, form: dict[str, str]
) -> TokenGrant:
    headers = {"Authorization": LOGIN}
    async with session.post(client.token_url, data=form, headers=headers) as reply:
        grant = oauth.read_answer(reply.status, await reply.read())
    assert isinstance(grant, TokenGrant)
    return grant


async def test_a_person_authorises_and_the_token_is_refreshed():
    async with (
        serving(Emulator(Settings())) as emulator,
        aiohttp.ClientSession() as session,
    ):
        client = registration(emulator)
        back = await decided(client, session, decision="approve")
        form = oauth.code_form(
            code=back["code"], redirect_uri=CALLBACK, verifier="v" * 64
        )
        first = await granted(client, session, form=form)
        assert first.lifetime_s == 43_199
        assert first.lacks(client.scopes) == []
        form = oauth.refresh_form(first.refresh_token)
        second = await granted(client, session, form=form)
        assert second.refresh_token == first.refresh_token
        assert emulator.server.check(first.access_token) is None
        assert emulator.server.check(second.access_token) is not None


async def test_who_denies_comes_back():
    async with (
        serving(Emulator(Settings())) as emulator,
        aiohttp.ClientSession() as session,
    ):
        back = await decided(registration(emulator), session, decision="deny")
        assert back == {"error": "access_denied", "state": "state"}


@pytest.mark.parametrize("scopes", [("contact:read",), ("account:read,",)])
async def test_a_scope_in_the_manifest_would_be_refused(scopes):
    async with (
        serving(Emulator(Settings())) as emulator,
        aiohttp.ClientSession() as session,
    ):
        client = msgspec.structs.replace(registration(emulator), scopes=scopes)
        url = oauth.authorise_url(
            client, redirect_uri=CALLBACK, state="state", verifier="v" * 64
        )
        async with session.get(url, allow_redirects=False) as reply:
            assert "error=invalid_scope" in reply.headers["Location"]
