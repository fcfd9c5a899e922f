"""The one place of auth that calls apps: token endpoints, and what is beside them."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Final
from urllib.parse import quote

import aiohttp

from services.auth import oauth
from services.auth.oauth import NoGrant, Registration, TokenGrant, Why
from services.auth.verdicts import Seen
from services.chassis import addresses
from services.chassis.addresses import Guard, GuardedConnector
from services.chassis.errors import AddressRefused

CONNECT_TIMEOUT_S: Final = 5.0


class TokenEndpoint:
    """Posts forms to token endpoints, and looks at the pages beside them."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def post(
        self, registration: Registration, form: Mapping[str, str]
    ) -> TokenGrant | NoGrant:
        """Exchange a code or a refresh token for an access token."""
        if not addresses.is_url(registration.token_url):
            # With a user name in it, for one, the client raises what it documents
            # nowhere; and it would send that name along.
            return NoGrant(why=Why.NOT_TAKEN, reason="InvalidURL")
        fields, headers = dict(form), {"Accept": "application/json"}
        if registration.client_auth == "basic":
            headers["Authorization"] = _basic(registration)
        else:
            fields["client_id"] = registration.client_id
            fields["client_secret"] = registration.client_secret
        try:
            async with self._session.post(
                registration.token_url,
                data=fields,
                headers=headers,
                allow_redirects=False,
            ) as answer:
                return oauth.read_answer(answer.status, await _read(answer.content))
        except (
            AddressRefused,
            aiohttp.ClientConnectorError,
            aiohttp.ConnectionTimeoutError,
            aiohttp.InvalidURL,
        ) as err:
            return NoGrant(why=Why.NOT_TAKEN, reason=type(err).__name__)
        except (aiohttp.ClientError, TimeoutError, OSError) as err:
            return NoGrant(why=Why.LOST, reason=type(err).__name__)

    async def ask(self, url: str, *, authorization: str) -> bytes | None:
        """Read what a server tells about a token; None: no success, or no answer."""
        headers = {"Accept": "application/json", "Authorization": authorization}
        try:
            async with self._session.get(
                url, headers=headers, allow_redirects=False
            ) as answer:
                return await _read(answer.content) if answer.status == 200 else None
        except (AddressRefused, aiohttp.ClientError, TimeoutError, OSError):
            return None

    async def visit(self, url: str) -> Seen | None:
        """Open a page as a browser without a session does; None: no answer.

        Where it leads is told and not followed, and its text is not read.
        """
        try:
            async with self._session.get(
                url, headers={"Accept": "text/html"}, allow_redirects=False
            ) as answer:
                location = answer.headers.get("Location", "")
                return Seen(status=answer.status, location=location)
        except (AddressRefused, aiohttp.ClientError, TimeoutError, OSError):
            return None


@contextlib.asynccontextmanager
async def open_endpoint(
    timeout_s: float, *, guard: Guard
) -> AsyncIterator[TokenEndpoint]:
    """Open the client that calls token endpoints, where the guard lets it."""
    # A kept connection may be closed by the app just as a form goes out, and then
    # nobody knows whether the form arrived; calls are too rare to save connections.
    connector = GuardedConnector(guard, force_close=True)
    timeout = aiohttp.ClientTimeout(
        total=timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)
    )
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    ) as session:
        yield TokenEndpoint(session)


def _basic(registration: Registration) -> str:
    """Return the header; RFC 6749 section 2.3.1 wants both parts encoded first."""
    return aiohttp.encode_basic_auth(
        quote(registration.client_id, safe=""),
        quote(registration.client_secret, safe=""),
    )


async def _read(content: aiohttp.StreamReader) -> bytes:
    """Read a body to its end, or as far as is needed to see that it is too long."""
    body = b""
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > oauth.TOKEN_ANSWER_BYTES_MAX:
            break
    return body
