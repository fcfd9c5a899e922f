"""A provider of OpenID Connect for tests: honest, or wrong in whatever way is asked."""

import base64
import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import RSAKey

from deploy.local import ports

CLIENT_ID = "tandem client"
CLIENT_SECRET = "se:cret/%"


@dataclass
class Provider:
    """Signs whoever it is told in, and changes tokens as it is told."""

    issuer: str
    client_secret: str = CLIENT_SECRET
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(3072))
    kid: str = "one"
    claims: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    forge: Callable[[dict[str, Any]], str] | None = None
    answer: Callable[[], web.Response] | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    token_calls: int = 0

    def log_in(self, url: str, **claims: Any) -> str:
        """Do what a browser does there; return the code that it is sent back with."""
        query = {k: v[0] for k, v in parse_qs(urlsplit(url).query).items()}
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT_ID
        assert "openid" in query["scope"].split()
        assert query["code_challenge_method"] == "S256"
        code = f"code {len(self.codes)}"
        self.codes[code] = query
        self.claims = claims
        return code

    def token(self, claims: dict[str, Any]) -> str:
        header = {"alg": "RS256", "kid": self.kid}
        return jwt.encode(header, claims, self.key)

    async def describe(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorise?x=1",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "userinfo_endpoint": f"{self.issuer}/nobody-asks",
                **self.discovery,
            }
        )

    async def show_keys(self, request: web.Request) -> web.Response:
        public = self.key.as_dict(private=False)
        key = {**public, "kid": self.kid, "use": "sig", "alg": "RS256"}
        odd = {"kty": "oct", "k": "c2VjcmV0", "kid": "symmetric"}
        return web.json_response({"keys": [odd, key]})

    async def exchange(self, request: web.Request) -> web.Response:
        self.token_calls += 1
        if self.answer is not None:
            return self.answer()
        basic = request.headers["Authorization"].removeprefix("Basic ")
        given = base64.b64decode(basic).decode().split(":")
        form = dict(await request.post())
        begun = self.codes.pop(str(form["code"]), None)
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            begun is None
            or [unquote(part) for part in given] != [CLIENT_ID, self.client_secret]
            or begun["code_challenge"] != challenge
            or begun["redirect_uri"] != form["redirect_uri"]
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": "subject 1",
            "iat": now,
            "exp": now + 300,
            "nonce": begun["nonce"],
            **self.claims,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        token = self.forge(claims) if self.forge else self.token(claims)
        return web.json_response({"id_token": token, "token_type": "Bearer"})


@contextlib.asynccontextmanager
async def running(**changes: Any) -> AsyncIterator[Provider]:
    """Run a provider on loopback until the block ends."""
    port = ports.free_port()
    provider = Provider(issuer=f"http://127.0.0.1:{port}", **changes)
    app = web.Application()
    app.add_routes(
        [
            web.get("/.well-known/openid-configuration", provider.describe),
            web.get("/keys", provider.show_keys),
            web.post("/token", provider.exchange),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield provider
    finally:
        await runner.cleanup()


def unsigned(claims: dict[str, Any]) -> str:
    """Return a token that says of itself that nobody signed it."""
    return f"{_text({'alg': 'none', 'typ': 'JWT'})}.{_text(claims)}."


def keyed(claims: dict[str, Any], secret: bytes, *, kid: str) -> str:
    """Return a token with a code of authentication under whatever is at hand."""
    head = f"{_text({'alg': 'HS256', 'kid': kid})}.{_text(claims)}"
    code = hmac.digest(secret, head.encode(), "sha256")
    return f"{head}.{base64.urlsafe_b64encode(code).rstrip(b'=').decode()}"


def _text(value: dict[str, Any]) -> str:
    data = base64.urlsafe_b64encode(json.dumps(value).encode())
    return data.rstrip(b"=").decode()
