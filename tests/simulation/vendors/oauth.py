"""A vendor's authorisation server: codes, access tokens, rotating refresh tokens.

A refresh token that was used up and comes again ends its whole family, as RFC 9700
asks of servers. Every presentation is noted for invariant I13.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from tests.simulation.vendors import wire
from tests.simulation.vendors.messages import Request, Response, answer
from tests.simulation.vendors.ways import Ways

CODE_LIFETIME_S: Final = 600.0
REDIRECT_URI: Final = "https://tandem.example/v1/callback"


class Presented(msgspec.Struct, kw_only=True):
    """One use of a refresh token."""

    token: str
    account: str
    at: float
    is_taken: bool
    has_failed: bool = False
    """The vendor told that it failed, whatever it had done."""


class Family(msgspec.Struct, kw_only=True):
    """What one authorisation gave, with all that was refreshed from it."""

    account: str
    refresh_token: str = ""
    is_revoked: bool = False


class _Code(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    client_id: str
    redirect_uri: str
    challenge: str
    expires_at: float


class _Access(msgspec.Struct, frozen=True, kw_only=True):
    family: Family
    expires_at: float


class OAuth:
    """The tokens of one vendor."""

    def __init__(self, ways: Ways) -> None:
        self.clients: dict[str, str] = {}
        """Secrets by client id."""
        self.presented: list[Presented] = []
        self._ways = ways
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, _Access] = {}
        self._families: dict[str, Family] = {}
        """By each refresh token that they ever had."""

    def authorise(self, url: str, account: str, *, now: float) -> tuple[str, str]:
        """Have a person say yes to an address; returns the state and a code."""
        asked = {name: values[0] for name, values in _query(url).items()}
        assert asked["client_id"] in self.clients, "an unknown client"
        assert asked["redirect_uri"] == REDIRECT_URI, "another redirect address"
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{self._ways.app}-{len(self._codes) + 1:04}"
        self._codes[code] = _Code(
            account=account,
            client_id=asked["client_id"],
            redirect_uri=asked["redirect_uri"],
            challenge=asked["code_challenge"],
            expires_at=now + CODE_LIFETIME_S,
        )
        return asked["state"], code

    def account_of(self, request: Request, *, now: float) -> str | None:
        """Return whose account an API call is for, None without a valid token."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        access = self._access.get(token)
        if scheme != "Bearer" or access is None or access.expires_at <= now:
            return None
        return None if access.family.is_revoked else access.family.account

    def give(self, account: str, *, now: float) -> wire.Token:
        """Return tokens without a code, for tests of the vendor alone."""
        response = self._grant(Family(account=account), now=now)
        return msgspec.json.decode(response.body, type=wire.Token)

    def revoke(self, account: str) -> None:
        """Have a person take the permission back."""
        for family in self._families.values():
            if family.account == account:
                family.is_revoked = True

    def handle(self, request: Request, *, now: float) -> Response:
        """Answer a call of the token endpoint."""
        form = request.form
        if not self._is_client(request, form):
            return _refuse(401, "invalid_client")
        if form.get("grant_type") == "authorization_code":
            return self._exchange(form, now=now)
        if form.get("grant_type") == "refresh_token":
            return self._refresh(form, now=now)
        return _refuse(400, "unsupported_grant_type")

    def fail(self, token: str) -> None:
        """Note that whoever presented a refresh token last hears of a failure.

        One who was not let in has presented nothing, and nobody else is to answer
        for that.
        """
        if self.presented and self.presented[-1].token == token:
            self.presented[-1].has_failed = True

    def _is_client(self, request: Request, form: Mapping[str, str]) -> bool:
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, basic = request.headers.get("authorization", "").partition(" ")
        if scheme == "Basic":
            parts = base64.b64decode(basic).decode().partition(":")
            client_id, secret = unquote(parts[0]), unquote(parts[2])
        return bool(secret) and self.clients.get(client_id) == secret

    def _exchange(self, form: Mapping[str, str], *, now: float) -> Response:
        code = self._codes.pop(form.get("code", ""), None)
        verifier = form.get("code_verifier", "").encode()
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest())
        if (
            code is None
            or code.expires_at < now
            or code.challenge != digest.rstrip(b"=").decode()
            or code.redirect_uri != form.get("redirect_uri")
        ):
            return _refuse(400, "invalid_grant")
        return self._grant(Family(account=code.account), now=now)

    def _refresh(self, form: Mapping[str, str], *, now: float) -> Response:
        token = form.get("refresh_token", "")
        family = self._families.get(token)
        is_taken = (
            family is not None
            and not family.is_revoked
            and family.refresh_token == token
        )
        self.presented.append(
            Presented(
                token=token,
                account=family.account if family else "",
                at=now,
                is_taken=is_taken,
            )
        )
        if family is None:
            return _refuse(400, "invalid_grant")
        if not is_taken:
            family.is_revoked = True
            return _refuse(400, "invalid_grant")
        return self._grant(family, now=now)

    def _grant(self, family: Family, *, now: float) -> Response:
        number = len(self._access) + 1
        access_token = f"at-{self._ways.app}-{number:05}"
        self._access[access_token] = _Access(
            family=family, expires_at=now + self._ways.token_lifetime_s
        )
        if self._ways.rotates_tokens or not family.refresh_token:
            family.refresh_token = f"rt-{self._ways.app}-{number:05}"
            self._families[family.refresh_token] = family
        return answer(
            200,
            wire.Token(
                access_token=access_token,
                refresh_token=family.refresh_token,
                expires_in=self._ways.token_lifetime_s,
            ),
        )


def _query(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query)


def _refuse(status: int, error: str) -> Response:
    return answer(status, wire.Token(error=error))
