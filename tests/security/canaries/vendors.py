"""Both vendors on a bad day: their answers repeat what they were sent.

Identity providers are known to put tokens into the words of their errors, and servers
the contact that they refuse. What comes by is kept: it proves that a secret was used.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from aiohttp import web

from tests.e2e.gate import Gate
from tests.security.canaries.words import Nest

TOKEN_PATH: Final = "/oauth2/default/v1/token"
_PLAIN: Final = str.maketrans("\r\n", "  ")


@dataclass(kw_only=True)
class Echo:
    """A rule by which some calls are answered with their own content."""

    status: int
    path: str = "/"
    """How the path starts."""
    method: str = ""
    shape: str = "json"
    """json, oauth, odd, xml, html, broken or types."""
    count: int = 1
    fired: int = 0

    def takes(self, request: web.Request) -> bool:
        """Say whether a call is answered by this rule."""
        is_there = request.path.startswith(self.path)
        return (
            self.fired < self.count and is_there and self.method in ("", request.method)
        )


class EchoingGate(Gate):
    """A gate that now and then answers itself."""

    def __init__(
        self, vendor_url: str, *, session: aiohttp.ClientSession, nest: Nest
    ) -> None:
        super().__init__(vendor_url, session=session)
        self.echoes: list[Echo] = []
        self.heard = bytearray()
        """Everything that was sent, headers too, and everything that came back."""
        self._nest = nest

    def echo(self, status: int, **rule: Any) -> Echo:
        """Answer the next calls of a kind with their own content."""
        echo = Echo(status=status, **rule)
        self.echoes.append(echo)
        return echo

    async def serve(self, request: web.Request) -> web.Response:
        """Repeat a call to who made it, or pass it on."""
        body = await request.read()
        login = request.headers.get("Authorization", "")
        said = f"{request.method} {request.raw_path} {login} {_opened(login)} "
        self.heard += said.encode() + body + b"\n"
        self._learn(login, body.decode(errors="replace"))
        for echo in self.echoes:
            if echo.takes(request):
                echo.fired += 1
                return _repeated(echo, said, login, body)
        response = await super().serve(request)
        answered = bytes(response.body or b"")  # type: ignore[arg-type]
        self.heard += answered + b"\n"
        if request.path == TOKEN_PATH and response.status == 200:
            for name, value in json.loads(answered).items():
                if name in ("access_token", "refresh_token"):
                    number = len(self._nest)
                    self._nest.note(name, f"{name} {number}", str(value))
        return response

    def _learn(self, login: str, body: str) -> None:
        """Note secrets that Tandem made up: each is new to us here."""
        for part in body.split("&"):
            name, _, value = part.partition("=")
            if name in ("code", "code_verifier"):
                self._nest.note(name, f"{name} {len(self._nest)}", value)
        if login.startswith("Basic "):
            self._nest.note("basic", f"login {len(self._nest)}", login[6:])


def _opened(login: str) -> str:
    """Return user and password of a login by HTTP's Basic scheme."""
    try:
        return base64.b64decode(login.removeprefix("Basic "), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _repeated(echo: Echo, said: str, login: str, body: bytes) -> web.Response:
    text = (said + body.decode(errors="replace")).translate(_PLAIN)
    secret = login.partition(" ")[2]
    written = {
        "json": _json([{"error_key": secret, "error_message": text}]),
        "oauth": _json({"error": "invalid_grant", "error_description": text}),
        "odd": _json({"error": secret, "error_description": text}),
        "xml": f"<error xmlns='DAV:'><x>{secret}</x>{text}</error>".encode(),
        "html": f"<!doctype html><title>{secret}</title>{text}".encode(),
        "broken": _json({"contacts": [{"first_name": text}]})[:-3],
        "types": _json({"contacts": [{"contact_id": [text], "notes": text}]}),
    }
    kinds = {"xml": "application/xml", "html": "text/html"}
    return web.Response(
        status=echo.status,
        body=written[echo.shape],
        content_type=kinds.get(echo.shape, "application/json"),
        reason=f"No {secret[:200]}",
        headers={
            "X-Debug": text[:1_000].encode("ascii", "replace").decode(),
            "WWW-Authenticate": f'Bearer error="{secret}", realm="{secret}"',
        },
    )


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
