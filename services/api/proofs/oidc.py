"""OpenID Connect as far as it is decided: addresses, requests, and what a token proves.

Core 1.0 with PKCE (RFC 7636); tokens are judged by RFC 8725, answers by RFC 9207. No
I/O; ``issuers`` does that.
"""

import base64
import datetime
import hashlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode, urlsplit

import msgspec
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet, RSAKey

from services.chassis import addresses

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
"""Signatures alone: with a shared secret, or with none, anybody could make a token."""
LEEWAY_S: Final = 60
"""How far the provider's clock may be from ours."""
AGE_S_MAX: Final = 600
"""How long ago a token may have been made."""
RSA_BITS_MIN: Final = 3_072
"""That is 128 bits of security; 2048, which many providers have, is 112."""
SCOPE: Final = "openid email"
DISCOVERY: Final = "/.well-known/openid-configuration"


class Strength(NamedTuple):
    """What a provider has to say where two factors were proved: one of each list."""

    acr: tuple[str, ...] = ()
    amr: tuple[str, ...] = ()


ANY_STRENGTH: Final = Strength()


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider says of itself; of its document what is used here."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a token endpoint answers; of it what is used here."""

    id_token: str


class Identity(NamedTuple):
    """Who somebody is at a provider."""

    issuer: str
    subject: str
    email: str
    """Empty unless the provider says that it is theirs."""
    proved_at: datetime.datetime | None = None
    """When they proved it there, if that was asked."""
    factors: int = 1
    """By how many they proved it there: one, unless the provider says more."""


class NotProved(Exception):
    """What a provider sent proves nothing; says why, without any value of it."""


class KeysTooShort(NotProved):
    """All keys that a provider shows are shorter than this installation takes."""


class ReadKeys(NamedTuple):
    """The public keys of a provider that count here."""

    keys: KeySet
    short_count: int = 0
    """How many do not, because they are too short."""


class TooWeak(NotProved):
    """Somebody proved who they are by less than this installation wants."""


class UnknownKey(NotProved):
    """A token is signed with a key that the provider did not show."""


def read_provider(data: bytes, *, issuer: str) -> Provider:
    """Return what a provider says of itself.

    Raises:
        NotProved: It is not that provider's, or leads to where no https is.
    """
    try:
        found = msgspec.json.decode(data, type=Provider)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotProved("discovery_malformed") from None
    if found.issuer != issuer:
        raise NotProved("discovery_of_another_issuer")
    scheme = urlsplit(issuer).scheme
    for url in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
        if not addresses.is_url(url) or urlsplit(url).scheme not in ("https", scheme):
            raise NotProved("discovery_leads_elsewhere")
    return found


def read_keys(data: bytes, *, rsa_bits_min: int = RSA_BITS_MIN) -> ReadKeys:
    """Return a provider's public keys; of kinds that are not known here, none.

    Nor RSA keys that are too short: whoever breaks one signs in as anybody.

    Raises:
        KeysTooShort: There are none but such.
        NotProved: There is none.
    """
    try:
        given = msgspec.json.decode(data)["keys"]
        all_keys = [
            key
            for one in given
            if one.get("kty") in ("RSA", "EC", "OKP") and one.get("use") != "enc"
            for key in KeySet.import_key_set({"keys": [one]}).keys
        ]
    except (msgspec.DecodeError, JoseError, ValueError, TypeError, LookupError):
        raise NotProved("keys_malformed") from None
    except (AttributeError, RecursionError):
        raise NotProved("keys_malformed") from None
    keys = [
        key
        for key in all_keys
        if not isinstance(key, RSAKey) or key.public_key.key_size >= rsa_bits_min
    ]
    if not keys and all_keys:
        raise KeysTooShort("keys_too_short")
    if not keys:
        raise NotProved("keys_missing")
    return ReadKeys(KeySet(keys), len(all_keys) - len(keys))


def nonce_of(browser: str) -> str:
    """Return what the token has to hold: nobody without the cookie can know it."""
    return _derived("nonce", browser)


def verifier_of(browser: str) -> str:
    """Return the code verifier of PKCE, from the cookie as well."""
    return _derived("verifier", browser)


def authorise_url(
    provider: Provider,
    *,
    client_id: str,
    redirect_uri: str,
    state: str,
    browser: str,
    auth_age_s: float = 0.0,
    acr: tuple[str, ...] = (),
) -> str:
    """Return where the browser is sent."""
    challenge = hashlib.sha256(verifier_of(browser).encode()).digest()
    # Whoever proved it longer ago is asked again there (Core 3.1.2.1).
    age = {"max_age": int(auth_age_s)} if auth_age_s else {}
    strength = {"acr_values": " ".join(acr)} if acr else {}
    query = urlencode(
        {
            **age,
            **strength,
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": redirect_uri,
            "scope": SCOPE,
            "state": state,
            "nonce": nonce_of(browser),
            "code_challenge": _text(challenge),
            "code_challenge_method": "S256",
        }
    )
    joint = "&" if urlsplit(provider.authorization_endpoint).query else "?"
    return f"{provider.authorization_endpoint}{joint}{query}"


def check_answerer(provider: Provider, issuer: str) -> None:
    """Refuse an answer of another provider than was asked (mix-up, RFC 9207).

    Raises:
        NotProved: It names another, or none where this one always names itself.
    """
    is_wanted = provider.authorization_response_iss_parameter_supported
    if issuer != provider.issuer and (issuer or is_wanted):
        raise NotProved("answer_of_another_issuer")


def identity_of(
    token: str,
    keys: KeySet,
    *,
    issuer: str,
    client_id: str,
    browser: str,
    now: datetime.datetime,
    auth_age_s: float = 0.0,
    strength: Strength = ANY_STRENGTH,
) -> Identity:
    """Return who an id token proves somebody to be.

    Raises:
        NotProved: The token is not signed by the provider, not for us, not of this
            browser's request, or not of this time.
        TooWeak: It does not say that two factors were proved, and has to.
    """
    at = int(now.timestamp())
    registry = jwt.JWTClaimsRegistry(
        now=at,
        leeway=LEEWAY_S,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": nonce_of(browser)},
    )
    try:
        claims = jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims
        registry.validate(claims)
    except InvalidKeyIdError:
        raise UnknownKey("token_of_unknown_key") from None
    except (JoseError, ValueError, TypeError, LookupError) as err:
        raise NotProved(f"token_{type(err).__name__}") from None
    audience, subject = claims["aud"], claims["sub"]
    # A token for several has to say whom it was issued to (Core 3.1.3.7).
    is_ours = audience in (client_id, [client_id]) or claims.get("azp") == client_id
    if not is_ours or claims.get("azp", client_id) != client_id:
        raise NotProved("token_for_another_client")
    if claims["iat"] < at - AGE_S_MAX:
        raise NotProved("token_too_old")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:
        raise NotProved("token_without_subject")
    proved_at = _proved_at(claims, at=at, auth_age_s=auth_age_s) if auth_age_s else None
    count = _factors(claims, strength)
    return Identity(issuer, subject, _email_of(claims), proved_at, count)


def _proved_at(
    claims: Mapping[str, Any], *, at: int, auth_age_s: float
) -> datetime.datetime:
    """Return when somebody proved who they are; asked for, it has to be said."""
    moment = claims.get("auth_time")
    if not isinstance(moment, int) or isinstance(moment, bool):
        raise NotProved("token_without_auth_time")
    if not at - auth_age_s - LEEWAY_S <= moment <= at + LEEWAY_S:
        raise NotProved("proved_too_long_ago")
    return datetime.datetime.fromtimestamp(moment, datetime.UTC)


def _factors(claims: Mapping[str, Any], strength: Strength) -> int:
    """Return how many factors were proved: one, where nothing has to be said of it."""
    if not any(strength):
        return 1
    methods = claims.get("amr")
    named = methods if isinstance(methods, list) else []
    if strength.acr and claims.get("acr") not in strength.acr:
        raise TooWeak("token_of_another_acr")
    if strength.amr and not any(method in strength.amr for method in named):
        raise TooWeak("token_of_another_amr")
    return 2


def _email_of(claims: Mapping[str, Any]) -> str:
    email = claims.get("email")
    is_theirs = claims.get("email_verified") is True
    return email if is_theirs and isinstance(email, str) else ""


def _derived(purpose: str, browser: str) -> str:
    return _text(hashlib.sha256(f"oidc {purpose}\0{browser}".encode()).digest())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
