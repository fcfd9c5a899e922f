"""A gate in front of a vendor: passes every call on as it is and writes it down.

Only Tandem goes through it, the vendor's own people do not. So what Tandem asked for
and wrote is counted without a line of its code.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Final

import aiohttp
import yarl
from aiohttp import web

BODY_BYTES_MAX: Final = 64 * 1024 * 1024
_READING: Final = ("GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT")
_OF_ONE_HOP: Final = ("connection", "content-length", "keep-alive", "transfer-encoding")
_NEVER_ADDED: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


@dataclass(kw_only=True)
class Call:
    """One call, as it came by."""

    method: str
    target: str
    """Path and query."""
    body: bytes
    status: int = 0
    """What the vendor answered; 0 if it has not, or not yet."""

    @property
    def is_write(self) -> bool:
        """Whether it is meant to change something."""
        return self.method not in _READING

    @property
    def is_done(self) -> bool:
        """Whether the vendor said that it did what was asked."""
        return 200 <= self.status < 300


class Gate:
    """What came by on the way to one vendor."""

    def __init__(self, vendor_url: str, *, session: aiohttp.ClientSession) -> None:
        self.url = ""
        """Where it stands; given to Tandem in place of the vendor's address."""
        self.calls: list[Call] = []
        self.delay_s = 0.0
        """How much longer every call takes."""
        self._vendor_url = vendor_url
        self._session = session

    @contextlib.asynccontextmanager
    async def standing(self) -> AsyncIterator["Gate"]:
        """Stand on a port of its own until the block ends."""
        application = web.Application(client_max_size=BODY_BYTES_MAX)
        application.router.add_route("*", "/{path:.*}", self.serve)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            await runner.cleanup()

    @property
    def writes(self) -> list[Call]:
        """Every try to change something, oldest first."""
        return [call for call in self.calls if call.is_write]

    async def serve(self, request: web.Request) -> web.Response:
        """Pass a call on, and the answer back; where there is none, give none."""
        call = Call(
            method=request.method,
            target=request.raw_path,
            body=await request.read(),
        )
        self.calls.append(call)
        await asyncio.sleep(self.delay_s)
        try:
            async with self._session.request(
                call.method,
                yarl.URL(self._vendor_url + call.target, encoded=True),
                data=call.body or None,
                headers=_kept(request.headers.items()),
                skip_auto_headers=_NEVER_ADDED,
                allow_redirects=False,
            ) as answer:
                body = await answer.read()
        except aiohttp.ClientError:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=502)
        call.status = answer.status
        headers = _kept(answer.headers.items())
        return web.Response(status=answer.status, body=body, headers=headers)


@contextlib.asynccontextmanager
async def gate(vendor_url: str) -> AsyncIterator[Gate]:
    """Put a gate in front of a vendor, on a port of its own."""
    async with (
        aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as session,
        Gate(vendor_url, session=session).standing() as made,
    ):
        yield made


def _kept(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(k, v) for k, v in headers if k.lower() not in _OF_ONE_HOP]
