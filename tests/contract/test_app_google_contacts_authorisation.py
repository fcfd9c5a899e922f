"""A Google account is authorised as its manifest says, at the emulator."""

from urllib.parse import parse_qs, parse_qsl, urlsplit

import aiohttp
import pytest

from services.auth import oauth
from services.auth.oauth import NoGrant, Registration, TokenGrant
from tests.contract.emulated_account import manifest_of
from tests.contract.emulator_caller import CLIENT_ID, CLIENT_SECRET, REDIRECT_URI
from tests.emulators.core.emulator import serving
from tests.emulators.google_contacts.emulator import Emulator
from tests.emulators.google_contacts.settings import Settings

MANIFEST = manifest_of("google_contacts")
VERIFIER = "v" * 64
CONTACTS, EMAIL = MANIFEST.oauth.scopes


def registration(emulator: Emulator, *, wish: str | None = None) -> Registration:
    """Return the manifest's facts at the emulator's address, or with another wish."""
    facts = MANIFEST.oauth
    assert facts.client_auth == "body"
    url = facts.authorise_url.replace("https://accounts.google.com", emulator.url)
    if wish is not None:
        url = f"{url.partition('?')[0]}?{wish}"
    return Registration(
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        client_auth=facts.client_auth,
        authorise_url=url,
        token_url=facts.token_url.replace(
            "https://oauth2.googleapis.com", emulator.url
        ),
        api_url="",
        scopes=facts.scopes,
        issuer=facts.issuer,
        sends_issuer=facts.sends_issuer,
    )


async def decided(
    client: Registration, session: aiohttp.ClientSession, **more: str
) -> dict[str, str]:
    """Have a person decide; return what they come back with."""
    url = oauth.authorise_url(
        client, redirect_uri=REDIRECT_URI, state="state", verifier=VERIFIER
    )
    async with session.get(url) as page:
        assert page.status == 200
    form = {name: texts[0] for name, texts in parse_qs(urlsplit(url).query).items()}
    form |= {"decision": "approve"} | more
    address = client.authorise_url.partition("?")[0]
    async with session.post(address, data=form, allow_redirects=False) as reply:
        return dict(parse_qsl(urlsplit(reply.headers["Location"]).query))


async def granted(
    client: Registration, session: aiohttp.ClientSession, form: dict[str, str]
) -> TokenGrant | NoGrant:
    form |= {"client_id": client.client_id, "client_secret": client.client_secret}
    async with session.post(client.token_url, data=form) as reply:
        return oauth.read_answer(reply.status, await reply.read())


async def authorised(
    client: Registration, session: aiohttp.ClientSession, **more: str
) -> TokenGrant:
    back = await decided(client, session, **more)
    code = oauth.code_form(
        code=back["code"], redirect_uri=REDIRECT_URI, verifier=VERIFIER
    )
    grant = await granted(client, session, code)
    assert isinstance(grant, TokenGrant)
    return grant


@pytest.fixture
async def place():
    async with (
        serving(Emulator(Settings())) as emulator,
        aiohttp.ClientSession() as session,
    ):
        (account_id,) = emulator.accounts
        yield emulator, session, account_id


async def test_a_person_authorises_and_the_refresh_token_stays(place):
    emulator, session, account_id = place
    client = registration(emulator)
    first = await authorised(client, session, account_id=account_id)
    assert first.lifetime_s == 3599
    assert first.lacks(client.scopes) == []
    assert first.refresh_token
    for _ in range(2):
        form = oauth.refresh_form(first.refresh_token)
        again = await granted(client, session, form)
        assert isinstance(again, TokenGrant)
        assert again.refresh_token == "", "it is not told again, and stays"
        assert emulator.server.check(again.access_token) is not None


async def test_who_agreed_before_gives_a_refresh_token_again(place):
    emulator, session, account_id = place
    for _ in range(2):
        grant = await authorised(registration(emulator), session, account_id=account_id)
        assert grant.refresh_token


@pytest.mark.parametrize("wish", ["", "access_type=offline", "prompt=consent"])
async def test_without_the_manifests_wishes_there_would_be_none(place, wish):
    emulator, session, account_id = place
    client = registration(emulator, wish=wish)
    await authorised(registration(emulator), session, account_id=account_id)
    grant = await authorised(client, session, account_id=account_id)
    assert grant.refresh_token == ""


async def test_a_scope_that_was_not_ticked_is_noticed(place):
    emulator, session, account_id = place
    client = registration(emulator)
    grant = await authorised(client, session, account_id=account_id, granted=EMAIL)
    assert grant.lacks(client.scopes) == [CONTACTS]
    back = await decided(client, session, account_id=account_id, granted="")
    assert back == {"error": "access_denied", "state": "state"}


async def test_a_withdrawn_consent_is_told_apart_from_a_failure(place):
    emulator, session, account_id = place
    client = registration(emulator)
    grant = await authorised(client, session, account_id=account_id)
    emulator.server.revoke(account_id)
    form = oauth.refresh_form(grant.refresh_token)
    refused = await granted(client, session, form)
    assert refused == NoGrant(why=oauth.Why.REFUSED, reason="invalid_grant")
