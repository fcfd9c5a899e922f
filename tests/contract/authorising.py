"""Auth's own way to a token, at an emulator in the place of the vendor's OAuth server.

The client is what the app's manifest says; a person decides as on the vendor's page.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import aiohttp

from services.auth import oauth, transport
from services.auth.oauth import NoGrant, Registration, TokenGrant
from services.auth.transport import TokenEndpoint
from services.chassis.addresses import Guard
from services.connector.manifest import Manifest
from tests.contract.emulator_caller import (
    CLIENT_ID,
    CLIENT_SECRET,
    REDIRECT_URI,
    VERIFIER,
)
from tests.emulators.core.emulator import Emulator, serving

LOCAL = Guard(("127.0.0.0/8",))
TIMEOUT_S = 5.0


def registration(manifest: Manifest, url: str) -> Registration:
    """Return a manifest's client, with the OAuth server at another address."""
    facts = manifest.oauth
    assert facts is not None
    return Registration(
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        client_auth=facts.client_auth,
        authorise_url=_moved(facts.authorise_url, url),
        token_url=_moved(facts.token_url, url),
        api_url="",
        scopes=facts.scopes,
        issuer=facts.issuer,
        sends_issuer=facts.sends_issuer,
        address=facts.address,
    )


def hosts_of(manifest: Manifest) -> tuple[str, str]:
    """Return where a manifest sends people, and forms."""
    facts = manifest.oauth
    assert facts is not None
    return urlsplit(facts.authorise_url).netloc, urlsplit(facts.token_url).netloc


def asked(client: Registration) -> dict[str, str]:
    """Return the parameters with which a person is sent to the vendor."""
    return dict(parse_qsl(urlsplit(authorise_url(client)).query))


def authorise_url(client: Registration) -> str:
    """Return where a person is sent."""
    return oauth.authorise_url(
        client, redirect_uri=REDIRECT_URI, state="state", verifier=VERIFIER
    )


class Authorising:
    """An emulator with one account, whose user is asked."""

    def __init__(
        self,
        emulator: Emulator[Any],
        manifest: Manifest,
        *,
        session: aiohttp.ClientSession,
        endpoint: TokenEndpoint,
    ) -> None:
        self.emulator = emulator
        self.client = registration(manifest, emulator.url)
        (self.account_id,) = emulator.accounts
        self.session = session
        self.endpoint = endpoint

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(
        cls, kind: type[Emulator[Any]], manifest: Manifest
    ) -> AsyncIterator[Self]:
        """Run an emulator until the block ends."""
        async with (
            serving(kind(kind.settings_kind())) as emulator,
            aiohttp.ClientSession() as session,
            transport.open_endpoint(TIMEOUT_S, guard=LOCAL) as endpoint,
        ):
            yield cls(emulator, manifest, session=session, endpoint=endpoint)

    async def decided(
        self, client: Registration | None = None, **form: str
    ) -> dict[str, str]:
        """Have the person agree, or what the form says; return what they bring back."""
        url = authorise_url(client or self.client)
        async with self.session.get(url) as page:
            assert page.status == 200
        form = {"account_id": self.account_id, "decision": "approve"} | form
        sent = asked(client or self.client) | form
        address = url.partition("?")[0]
        async with self.session.post(
            address, data=sent, allow_redirects=False
        ) as reply:
            back = reply.headers["Location"]
        assert back.startswith(f"{REDIRECT_URI}?")
        return dict(parse_qsl(urlsplit(back).query))

    async def authorised(
        self, client: Registration | None = None, **form: str
    ) -> TokenGrant:
        """Have the person decide; return what the vendor gives for it."""
        back = await self.decided(client, **form)
        code = oauth.code_form(
            code=back["code"], redirect_uri=REDIRECT_URI, verifier=VERIFIER
        )
        return granted(await self.endpoint.post(self.client, code))

    async def refreshed(self, refresh_token: str) -> TokenGrant | NoGrant:
        """Exchange a refresh token."""
        form = oauth.refresh_form(refresh_token)
        return await self.endpoint.post(self.client, form)


def granted(found: TokenGrant | NoGrant) -> TokenGrant:
    """Return what has to be a grant."""
    assert isinstance(found, TokenGrant), found
    return found


def _moved(address: str, url: str) -> str:
    """Return an address at another host."""
    there = urlsplit(url)
    moved = urlsplit(address)._replace(scheme=there.scheme, netloc=there.netloc)
    return moved.geturl()
