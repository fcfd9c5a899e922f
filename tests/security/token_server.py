"""A token endpoint that rotates, and revokes the whole family when one is reused."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator

from aiohttp import web

ANSWER_AFTER_S = 0.02
LIFETIME_S = 3_600


class TokenServer:
    """One family of tokens; its address is ``url``."""

    def __init__(self) -> None:
        self.url = ""
        self.refreshes = 0
        self.revocations = 0
        self.used: list[str] = []
        """Every refresh token that was presented, in the order it came."""
        self.first = self._new()
        self._current = self.first
        self.access_token = self._new()
        self.hangs = ""
        """Where requests get stuck: ``before`` anything is done, or ``after``."""
        self.reached = asyncio.Event()
        """Set when a request gets stuck."""
        self.going_on = asyncio.Event()
        """Set to let what is stuck go on; else it fails at the end."""
        self.ending = asyncio.Event()

    async def token(self, request: web.Request) -> web.Response:
        """Rotate, or revoke the family of a token that was used before."""
        presented = str((await request.post())["refresh_token"])
        self.used.append(presented)
        await self._pass("before")
        if presented != self._current:
            self.revocations += 1
            self._current = ""
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.refreshes += 1
        self._current, self.access_token = self._new(), self._new()
        answer = {
            "access_token": self.access_token,
            "refresh_token": self._current,
            "expires_in": LIFETIME_S,
        }
        await asyncio.sleep(ANSWER_AFTER_S)
        await self._pass("after")
        return web.json_response(answer)

    async def _pass(self, point: str) -> None:
        if self.hangs == point:
            self.reached.set()
            await self.going_on.wait()
            if self.ending.is_set():
                raise web.HTTPServiceUnavailable

    def _new(self) -> str:
        return secrets.token_urlsafe(24)


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[TokenServer]:
    """Serve on a free port until the end of the block."""
    server = TokenServer()
    application = web.Application()
    application.router.add_post("/token", server.token)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        server.url = f"http://{host}:{port}/token"
        yield server
    finally:
        server.ending.set()
        server.going_on.set()
        await runner.cleanup()
