"""OAuth decisions without I/O: addresses, PKCE (RFC 7636), token answers (RFC 6749)."""

import base64
import datetime
import enum
import hashlib
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec

from proto import codec
from proto.ids import AccountId
from proto.places import AddressFacts

SECRET_BYTES: Final = 32
"""256 bits, for ``state`` and for the PKCE verifier."""
TOKEN_ANSWER_BYTES_MAX: Final = 64 * 1024
LIFETIME_S_MAX: Final = 10 * 365 * 86_400
"""Longer lifetimes are cut to this: a date has to come out of the sum."""
UNAVAILABLE: Final = 503
"""Of the statuses of a server that fails, the one that says: nothing was done."""
OFFLINE_SCOPE: Final = "offline_access"
"""Asks for a refresh token and for nothing else."""


class Registration(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant as a client of one app: where to send people and forms, and as whom."""

    client_id: str
    client_secret: str
    client_auth: str
    """``basic`` (header) or ``body``."""
    authorise_url: str
    token_url: str
    api_url: str
    scopes: tuple[str, ...]
    issuer: str
    sends_issuer: bool
    """Each callback carries ``iss``, so one without it is not the app's."""
    address: AddressFacts | None = None
    """How the app tells where an account's API is; None: it need not."""

    @property
    def limited_by(self) -> str:
        """Return what tells this client from others, and nothing about it.

        The servers are part of it: whoever names another's client, with servers of
        their own that vouch for it, shares nothing with that client.
        """
        client = (self.client_id, self.token_url, self.api_url)
        return hashlib.sha256("\0".join(client).encode()).hexdigest()[:32]


class TokenGrant(msgspec.Struct, frozen=True, kw_only=True):
    """What a token endpoint gave."""

    access_token: str
    refresh_token: str = ""
    lifetime_s: float | None = None
    """From the answer on; None: the app does not say, so it does not expire."""
    scopes: tuple[str, ...] = ()
    """Empty: the app names none, which means those asked for (RFC 6749 section 5.1)."""

    def lacks(self, needed: Iterable[str]) -> list[str]:
        """Return those of the scopes needed that were not granted."""
        if not self.scopes:
            return []
        granted = set(self.scopes)
        if self.refresh_token:
            # Some servers give what this one asks for and do not name it.
            granted.add(OFFLINE_SCOPE)
        return sorted(set(needed) - granted)

    def expires_at(self, now: datetime.datetime) -> datetime.datetime | None:
        """Return when the access token ends."""
        if self.lifetime_s is None:
            return None
        return now + datetime.timedelta(seconds=self.lifetime_s)

    def renew_at(
        self, now: datetime.datetime, *, margin_s: float, spread: float
    ) -> datetime.datetime | None:
        """Return when to renew: ahead of the end, but never in the first half.

        By up to half the margin more, as ``spread`` (0 to 1) says: accounts that were
        connected together do not all come back to the app at once.
        """
        if self.lifetime_s is None or not self.refresh_token:
            return self.expires_at(now)
        ahead_s = min(margin_s * (1 + spread / 2), self.lifetime_s / 2)
        return now + datetime.timedelta(seconds=self.lifetime_s - ahead_s)


class Why(enum.Enum):
    """Why a token endpoint gave nothing."""

    REFUSED = enum.auto()
    """The app does not accept the code or the refresh token, and says just that."""
    DENIED = enum.auto()
    """The person or the app's administrator did not agree."""
    CLIENT_REFUSED = enum.auto()
    """The app does not accept our client id and secret."""
    NOT_TAKEN = enum.auto()
    """It was not sent, or the app said that it did not serve it."""
    FAILED = enum.auto()
    """The app failed at it: it may have used the code or refresh token up before."""
    LOST = enum.auto()
    """No readable answer: the app may have used the code or refresh token up."""


_MEANINGS: Final = {
    "invalid_grant": Why.REFUSED,
    "access_denied": Why.DENIED,
    "invalid_client": Why.CLIENT_REFUSED,
    "unauthorized_client": Why.CLIENT_REFUSED,
    "invalid_request": Why.NOT_TAKEN,
    "invalid_scope": Why.NOT_TAKEN,
    "unsupported_grant_type": Why.NOT_TAKEN,
    "server_error": Why.FAILED,
    "temporarily_unavailable": Why.NOT_TAKEN,
}
"""The codes of RFC 6749. A person has to act after the first of them alone, so that
none that we do not know may stand for it (hazard 110)."""


class NoGrant(msgspec.Struct, frozen=True, kw_only=True):
    """That a token endpoint gave nothing."""

    why: Why
    reason: str
    """An OAuth error code or a word of ours; never the app's wording."""


class _Answer(msgspec.Struct, frozen=True):
    """Apps differ in what they make of the fields beside the tokens."""

    access_token: str = ""
    refresh_token: str | None = None
    expires_in: float | str | None = None
    scope: str | tuple[str, ...] | None = None
    error: str = ""


def challenge(verifier: str) -> str:
    """Return the S256 challenge of a PKCE verifier."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def fingerprint(secret: str) -> str:
    """Return what is stored of a secret that only has to be recognised."""
    return hashlib.sha256(secret.encode()).hexdigest()


def spread(account_id: AccountId, *, version: int) -> float:
    """Return a number of [0, 1): another for each account, the same at each replica."""
    digest = hashlib.sha256(f"{account_id} {version}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def is_issuer(told: str, registration: Registration) -> bool:
    """Say whether a callback's ``iss`` is that of the app (RFC 9207 section 2.4)."""
    if not told:
        return not registration.sends_issuer
    return not registration.issuer or told == registration.issuer


def authorise_url(
    registration: Registration, *, redirect_uri: str, state: str, verifier: str
) -> str:
    """Return the address at the app where the person says yes or no."""
    parts = urlsplit(registration.authorise_url)
    asked = {
        "response_type": "code",
        "client_id": registration.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(registration.scopes),
        "state": state,
        "code_challenge": challenge(verifier),
        "code_challenge_method": "S256",
    }
    # Some apps agree on scopes when a client is registered, and take no wish for any.
    query = urlencode({name: text for name, text in asked.items() if text})
    joined = f"{parts.query}&{query}" if parts.query else query
    return urlunsplit(parts._replace(query=joined))


def code_form(*, code: str, redirect_uri: str, verifier: str) -> dict[str, str]:
    """Return the form that exchanges a code."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }


def refresh_form(refresh_token: str) -> dict[str, str]:
    """Return the form that refreshes a token."""
    return {"grant_type": "refresh_token", "refresh_token": refresh_token}


def read_answer(status: int, body: bytes) -> TokenGrant | NoGrant:
    """Return what a token endpoint's answer means."""
    is_success = 200 <= status < 300
    if status >= 500 and status != UNAVAILABLE:
        return NoGrant(why=Why.FAILED, reason=f"status {status}")
    if not is_success and status not in (400, 401, 403):
        return NoGrant(why=Why.NOT_TAKEN, reason=f"status {status}")
    try:
        answer = codec.decode(body, _Answer, bytes_max=TOKEN_ANSWER_BYTES_MAX)
    except codec.Undecodable:
        why = Why.LOST if is_success else Why.NOT_TAKEN
        return NoGrant(why=why, reason=f"unreadable, status {status}")
    # Some apps report an error with status 200.
    if answer.error or not is_success:
        why = _MEANINGS.get(answer.error, Why.NOT_TAKEN)
        is_known = answer.error in _MEANINGS
        return NoGrant(why=why, reason=answer.error if is_known else f"status {status}")
    if not answer.access_token:
        return NoGrant(why=Why.LOST, reason=f"no token, status {status}")
    scope = answer.scope or ()
    return TokenGrant(
        access_token=answer.access_token,
        refresh_token=answer.refresh_token or "",
        lifetime_s=_lifetime(answer.expires_in),
        scopes=tuple(scope.split()) if isinstance(scope, str) else scope,
    )


def address_url(registration: Registration, facts: AddressFacts) -> str:
    """Return where an app tells at which address an account's API is."""
    parts = urlsplit(registration.token_url)
    return urlunsplit((parts.scheme, parts.netloc, facts.path, "", ""))


def read_address(body: bytes, facts: AddressFacts) -> str:
    """Return the address that an answer names; empty if it names none."""
    try:
        answer = codec.decode(body, dict[str, object], bytes_max=TOKEN_ANSWER_BYTES_MAX)
    except codec.Undecodable:
        return ""
    told = answer.get(facts.member)
    return told if isinstance(told, str) else ""


def _lifetime(told: float | str | None) -> float | None:
    """Read ``expires_in``; some say 0 of tokens that do not expire."""
    try:
        lifetime_s = float(told or 0)
    except ValueError:
        return None
    return min(lifetime_s, LIFETIME_S_MAX) if lifetime_s > 0 else None
