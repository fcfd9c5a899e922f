"""Calls the provider that people sign in at: its document, its keys, its tokens.

One provider for an installation, named by the operator. The address of each connection
is checked as everywhere (hazard 114); redirects are not followed, answers are bounded.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Final
from urllib.parse import quote

import aiohttp
import msgspec
import structlog
from joserfc.jwk import KeySet

from services.api.config import Config
from services.api.proofs import oidc
from services.api.proofs.oidc import (
    Grant,
    Identity,
    KeysTooShort,
    NotProved,
    Provider,
    Strength,
    UnknownKey,
)
from services.chassis import config
from services.chassis.addresses import Guard, GuardedConnector
from services.chassis.clock import Clock
from services.chassis.errors import AddressRefused, BadConfiguration

log = structlog.get_logger()

TIMEOUT_S: Final = 10.0
CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_BYTES_MAX: Final = 256 * 1024
KEPT_S: Final = 600.0
"""How long the document and the keys are believed."""

RSA_BITS_VARIABLE: Final = "API_OIDC_RSA_BITS_MIN"
"""What an operator sets to take a provider whose keys are shorter."""
KEYS_PAUSE_S: Final = 30.0
"""How soon after that they are asked for again for a token of an unknown key."""


class ProviderAway(Exception):
    """The provider does not answer, or not with what was asked for."""


class Issuer:
    """The provider of this installation, as it was last seen."""

    def __init__(
        self, session: aiohttp.ClientSession, settings: Config, *, clock: Clock
    ) -> None:
        assert settings.oidc_client_secret_file is not None, "config sees to it"
        self._session = session
        self._clock = clock
        self._issuer = settings.oidc_issuer
        self._client_id = settings.oidc_client_id
        self._auth_age_s = settings.oidc_auth_age_s
        self._strength = Strength(settings.oidc_acr, settings.oidc_amr)
        self._rsa_bits_min = settings.oidc_rsa_bits_min
        self._secret_file = settings.oidc_client_secret_file
        self._read_secret()
        self._provider: Provider | None = None
        self._keys: KeySet | None = None
        self._read_at_s = 0.0

    async def authorise_url(
        self, *, redirect_uri: str, state: str, browser: str
    ) -> str:
        """Return where a browser is sent to sign in.

        Raises:
            ProviderAway: It does not answer.
            NotProved: It answers with what is not its own.
        """
        provider, _ = await self._look()
        return oidc.authorise_url(
            provider,
            client_id=self._client_id,
            redirect_uri=redirect_uri,
            state=state,
            browser=browser,
            auth_age_s=self._auth_age_s,
            acr=self._strength.acr,
        )

    async def identify(
        self, *, code: str, issuer: str, redirect_uri: str, browser: str
    ) -> Identity:
        """Return who somebody is who came back with a code.

        Raises:
            ProviderAway: It does not answer.
            NotProved: What came back proves nothing.
        """
        provider, keys = await self._look()
        oidc.check_answerer(provider, issuer)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": oidc.verifier_of(browser),
        }
        status, data = await self._exchange(provider, form)
        if status != 200:
            raise NotProved("code_refused")
        try:
            grant = msgspec.json.decode(data, type=Grant)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise NotProved("grant_malformed") from None
        try:
            return self._judge(grant, keys, browser=browser)
        except UnknownKey:
            # It may have changed its keys since they were read; but not all the time.
            if self._clock.monotonic() - self._read_at_s < KEYS_PAUSE_S:
                raise
            self._keys = None
            _, keys = await self._look()
            return self._judge(grant, keys, browser=browser)

    def _judge(self, grant: Grant, keys: KeySet, *, browser: str) -> Identity:
        return oidc.identity_of(
            grant.id_token,
            keys,
            issuer=self._issuer,
            client_id=self._client_id,
            browser=browser,
            now=self._clock.now(),
            auth_age_s=self._auth_age_s,
            strength=self._strength,
        )

    async def _look(self) -> tuple[Provider, KeySet]:
        """Return the provider and its keys, asked for again every few minutes.

        A provider announces a key before it signs with it, so that is often enough.
        """
        now_s = self._clock.monotonic()
        known, keys = self._provider, self._keys
        if known is None or keys is None or now_s - self._read_at_s > KEPT_S:
            url = self._issuer.rstrip("/") + oidc.DISCOVERY
            known = oidc.read_provider(await self._get(url), issuer=self._issuer)
            keys = self._judged(await self._get(known.jwks_uri))
            self._provider, self._keys, self._read_at_s = known, keys, now_s
        return known, keys

    def _judged(self, data: bytes) -> KeySet:
        """Return the keys that count; tell the log if others are too short to."""
        try:
            read = oidc.read_keys(data, rsa_bits_min=self._rsa_bits_min)
        except KeysTooShort:
            log.warning("provider_keys_too_short", variable=RSA_BITS_VARIABLE)
            raise
        if read.short_count:
            log.warning(
                "provider_keys_too_short",
                variable=RSA_BITS_VARIABLE,
                count=read.short_count,
            )
        return read.keys

    async def _get(self, url: str) -> bytes:
        with _own_errors():
            async with self._session.get(url, allow_redirects=False) as answer:
                if answer.status != 200:
                    raise ProviderAway(f"status_{answer.status}")
                return await _read(answer)

    def _read_secret(self) -> str:
        """Return the client secret as it is now: whoever replaces it restarts nothing.

        Raises:
            BadConfiguration: The file cannot be read or is empty.
        """
        return config.read_secret(self._secret_file).decode()

    async def _exchange(
        self, provider: Provider, form: Mapping[str, str]
    ) -> tuple[int, bytes]:
        fields, headers = dict(form), {"Accept": "application/json"}
        try:
            secret = self._read_secret()
        except BadConfiguration as err:
            # It was in order at the start: somebody is just replacing it.
            raise ProviderAway("client_secret_unreadable") from err
        if "client_secret_basic" in provider.token_endpoint_auth_methods_supported:
            # RFC 6749, section 2.3.1 wants both parts encoded first.
            headers["Authorization"] = aiohttp.encode_basic_auth(
                quote(self._client_id, safe=""), quote(secret, safe="")
            )
        else:
            fields |= {"client_id": self._client_id, "client_secret": secret}
        with _own_errors():
            async with self._session.post(
                provider.token_endpoint,
                data=fields,
                headers=headers,
                allow_redirects=False,
            ) as answer:
                if answer.status >= 500:
                    raise ProviderAway(f"status_{answer.status}")
                return answer.status, await _read(answer)


@contextlib.asynccontextmanager
async def opened(settings: Config, *, clock: Clock) -> AsyncIterator[Issuer | None]:
    """Open the client that calls the provider; None where there is no provider."""
    if not settings.oidc_issuer:
        yield None
        return
    guard = Guard(settings.private_addresses, allowed=settings.allowed_hosts)
    guard.know([settings.oidc_issuer])
    connector = GuardedConnector(guard, force_close=True)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    ) as session:
        yield Issuer(session, settings, clock=clock)


@contextlib.contextmanager
def _own_errors() -> Iterator[None]:
    try:
        yield
    except (AddressRefused, aiohttp.ClientError, TimeoutError, OSError) as err:
        raise ProviderAway(type(err).__name__) from err


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    data = bytearray()
    async for chunk in answer.content.iter_any():
        data += chunk
        if len(data) > ANSWER_BYTES_MAX:
            raise ProviderAway("answer_too_large")
    return bytes(data)
