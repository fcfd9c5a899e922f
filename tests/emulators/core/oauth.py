"""The state and rules of an OAuth 2 server: clients, codes, access and refresh tokens.

How requests look and what pages show is the vendor's part. Tokens are random from a
seed: predictable in a test, worthless elsewhere.
"""

import base64
import hashlib
import hmac
import random
from typing import Annotated, TypeVar

import msgspec

from tests.emulators.core.clock import Clock

T = TypeVar("T")
_TOKENS_MAX = 20_000
"""Codes and tokens remembered of each kind; the oldest are forgotten first."""
_ACCESS_TOKEN_BYTES = (60, 120, 640)
"""Makes an access token about as long as the signed ones that vendors give out."""


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """An application registered at the vendor."""

    client_id: str
    client_secret: str | None
    """None for a public client, which has to use PKCE instead."""
    redirect_uris: tuple[str, ...]


class TokenPolicy(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How long things live and whether refresh tokens rotate."""

    access_token_lifetime_s: Annotated[float, msgspec.Meta(gt=0)] = 86_400
    refresh_token_lifetime_s: Annotated[float, msgspec.Meta(gt=0)] = 180 * 86_400
    code_lifetime_s: Annotated[float, msgspec.Meta(gt=0)] = 300
    is_rotating: bool = True
    is_single: bool = False
    """An account's new access token kills the client's earlier one."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What an application asked the person to agree to."""

    client_id: str
    redirect_uri: str
    scopes: frozenset[str]
    state: str = ""
    code_challenge: str = ""


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a person agreed to: this application, this account, these scopes."""

    client_id: str
    account_id: str
    scopes: frozenset[str]


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """What an application receives."""

    access_token: str
    refresh_token: str | None
    expires_in: int
    scopes: frozenset[str]


class OAuthRefused(Exception):
    """The token endpoint says no, in the terms of RFC 6749."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status


class _Held(msgspec.Struct, frozen=True):
    grant: Grant
    expires_at: float


class _Code(msgspec.Struct, frozen=True):
    request: Request
    account_id: str
    expires_at: float


class AuthorizationServer:
    """Keep clients, codes and tokens of one vendor.

    Args:
        offline_scope: The scope without which no refresh token is given; empty where
            everybody gets one.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        seed: int,
        policy: TokenPolicy,
        offline_scope: str = "offline_access",
    ) -> None:
        self._clock = clock
        self.offline_scope = offline_scope
        self._random = random.Random(seed)
        self.policy = policy
        self.clients: dict[str, Client] = {}
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, _Held] = {}
        self._refresh: dict[str, _Held] = {}

    def register(self, client: Client) -> None:
        """Make an application known, or replace it."""
        self.clients[client.client_id] = client

    def issue_code(self, request: Request, account_id: str) -> str:
        """Turn a person's consent into a code for one exchange."""
        code = self._token(24)
        expires_at = self._clock.now() + self.policy.code_lifetime_s
        _remember(self._codes, code, _Code(request, account_id, expires_at))
        return code

    def exchange(
        self, *, client: Client, code: str, redirect_uri: str, verifier: str
    ) -> Tokens:
        """Swap a code for tokens; whatever the outcome, the code is spent."""
        held = self._codes.pop(code, None)
        now = self._clock.now()
        if held is None or held.expires_at <= now:
            raise _invalid("The authorization code is invalid or has expired.")
        request = held.request
        if request.client_id != client.client_id:
            raise _invalid("The authorization code was issued to another client.")
        if request.redirect_uri != redirect_uri:
            raise _invalid("The redirect URI does not match the authorize request.")
        if not _is_verified(request.code_challenge, verifier):
            raise _invalid("PKCE verification failed.")
        if client.client_secret is None and not request.code_challenge:
            raise _invalid("A public client has to use PKCE.")
        return self.issue(
            Grant(
                client_id=client.client_id,
                account_id=held.account_id,
                scopes=request.scopes,
            )
        )

    def issue(self, grant: Grant) -> Tokens:
        """Give out tokens for a grant, the refresh token only with its scope."""
        is_offline = not self.offline_scope or self.offline_scope in grant.scopes
        refresh_token = self._new_refresh_token(grant) if is_offline else None
        return self._tokens(grant, refresh_token=refresh_token)

    def refresh(self, *, client: Client, refresh_token: str) -> Tokens:
        """Renew; where tokens rotate, every earlier refresh token dies now."""
        held = self._refresh.get(refresh_token)
        if (
            held is None
            or held.grant.client_id != client.client_id
            or held.expires_at <= self._clock.now()
        ):
            raise _invalid("The refresh token is invalid or expired.")
        grant = held.grant
        if self.policy.is_rotating:
            self._forget_refresh_tokens(grant.account_id, client_id=client.client_id)
            refresh_token = self._new_refresh_token(grant)
        return self._tokens(grant, refresh_token=refresh_token)

    def client_of(self, refresh_token: str) -> Client:
        """Return whose refresh token it is.

        Raises:
            OAuthRefused: It is nobody's.
        """
        held = self._refresh.get(refresh_token)
        if held is None:
            raise _invalid("The refresh token is invalid or expired.")
        return self.clients[held.grant.client_id]

    def check(self, access_token: str) -> Grant | None:
        """Return what a live access token stands for."""
        held = self._access.get(access_token)
        if held is None or held.expires_at <= self._clock.now():
            return None
        return held.grant

    def revoke(self, account_id: str, *, keep_refresh_tokens: bool = False) -> None:
        """Kill all tokens of an account, as the vendor's "disconnect" does."""
        self._access = {
            token: held
            for token, held in self._access.items()
            if held.grant.account_id != account_id
        }
        if not keep_refresh_tokens:
            self._forget_refresh_tokens(account_id, client_id=None)

    def _tokens(self, grant: Grant, *, refresh_token: str | None) -> Tokens:
        lifetime_s = self.policy.access_token_lifetime_s
        if self.policy.is_single:
            self._forget_access_tokens(grant)
        access_token = ".".join(map(self._token, _ACCESS_TOKEN_BYTES))
        held = _Held(grant, self._clock.now() + lifetime_s)
        _remember(self._access, access_token, held)
        return Tokens(
            access_token=access_token,
            refresh_token=refresh_token,
            expires_in=int(lifetime_s),
            scopes=grant.scopes,
        )

    def _forget_access_tokens(self, grant: Grant) -> None:
        self._access = {
            token: held
            for token, held in self._access.items()
            if (held.grant.account_id, held.grant.client_id)
            != (grant.account_id, grant.client_id)
        }

    def _new_refresh_token(self, grant: Grant) -> str:
        token = self._token(32)
        expires_at = self._clock.now() + self.policy.refresh_token_lifetime_s
        _remember(self._refresh, token, _Held(grant, expires_at))
        return token

    def _forget_refresh_tokens(self, account_id: str, *, client_id: str | None) -> None:
        self._refresh = {
            token: held
            for token, held in self._refresh.items()
            if held.grant.account_id != account_id
            or client_id not in (None, held.grant.client_id)
        }

    def _token(self, size: int) -> str:
        raw = self._random.randbytes(size)
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _remember(store: dict[str, T], token: str, value: T) -> None:
    if len(store) >= _TOKENS_MAX:
        del store[next(iter(store))]
    store[token] = value


def _invalid(description: str) -> OAuthRefused:
    return OAuthRefused("invalid_grant", description)


def _is_verified(challenge: str, verifier: str) -> bool:
    if not challenge:
        return not verifier
    digest = hashlib.sha256(verifier.encode()).digest()
    expected = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return hmac.compare_digest(expected, challenge)
