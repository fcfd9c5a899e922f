"""The vendor's doors: a token or a key, and ten calls at once."""

import base64
import binascii
from typing import Any

from aiohttp import web

from tests.emulators.core import guard
from tests.emulators.core.host import ADMIN_PREFIX, Host
from tests.emulators.core.http import Call
from tests.emulators.mailchimp import problems
from tests.emulators.mailchimp.settings import Connections


class Guard(guard.Guard):
    """Take tokens as they are, and keys as the password of anybody."""

    def token_of(self, call: Call) -> str:
        """Return a token, or a key, which is one here."""
        scheme, _, text = call.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return super().token_of(call)
        try:
            return base64.b64decode(text, validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return ""

    def carries_body(self, call: Call) -> bool:
        """Tell what has to be in JSON: some calls do something without a body."""
        return super().carries_body(call) and bool(call.body)


class CrowdedHost(Host):
    """Answer one call too many without looking at it."""

    connections: Connections
    under_way = 0
    refused = 0
    most = 0
    """How many were under way at once so far."""

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer, if there is a place."""
        if request.path.startswith(ADMIN_PREFIX):
            return await super().serve(request)
        allowed = self.connections.simultaneous_max
        if allowed is not None and self.under_way >= allowed:
            self.refused += 1
            return _refusal(self.connections.refusal)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            return await super().serve(request)
        finally:
            self.under_way -= 1


def _refusal(kind: Any) -> web.Response:
    if kind == "problem":
        reply = problems.plain(429)
        return web.Response(
            status=429, body=reply.body, content_type=reply.content_type
        )
    status = 403 if kind == "bare_403" else 429
    return web.Response(status=status, text="<h1>Busy</h1>", content_type="text/html")
