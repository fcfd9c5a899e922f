"""Stands between an app and its server: notes every call, and breaks some.

So every app has the same faults, on an emulator and on a real server. What is not
broken passes byte for byte.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final, Literal, NamedTuple
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp import web
from yarl import URL

Kind = Literal[
    "status", "html", "truncated", "lost", "dropped", "redirect", "oversized", "held"
]
HOP_BY_HOP: Final = frozenset(
    "connection content-length keep-alive transfer-encoding upgrade".split()
)
BODY_BYTES_MAX: Final = 64 * 1024 * 1024
LINE_BYTES_MAX: Final = 16 * 1024
OVERSIZED_BYTES: Final = 17 * 1024 * 1024
PAGE: Final = b"<!doctype html><title>Sorry</title><h1>We will be right back</h1>"
ELSEWHERE: Final = "http://elsewhere.example/stolen"


class Fault(msgspec.Struct, kw_only=True):
    """What is done to calls that match, ``count`` times after ``skip`` passed."""

    kind: Kind
    method: str | None = None
    is_write: bool | None = None
    status: int = 500
    body: bytes = b""
    headers: dict[str, str] = {}
    count: int = 1
    skip: int = 0
    meanwhile: Callable[[], Awaitable[object]] | None = None
    """What happens while an answer is held."""


class Seen(NamedTuple):
    """A call that came by."""

    method: str
    path: str
    """With its query, as it was sent."""
    headers: Mapping[str, str]
    body: bytes
    status: int
    """What was answered; 0 where nothing was."""


class Proxy:
    """Forwards to one server."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._prefix = parts.path.rstrip("/")
        self.seen: list[Seen] = []
        self.faults: list[Fault] = []
        self.is_writing = False
        """Whether the call that is about to come is a write, as its app says."""
        self.url = ""

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator["Proxy"]:
        """Forward until the block ends; ``url`` is the server's, seen from here."""
        async with aiohttp.ClientSession(auto_decompress=False) as self._session:
            self._session._retry_connection = False
            runner = web.ServerRunner(
                web.Server(self._serve, access_log=None, max_line_size=LINE_BYTES_MAX),
                shutdown_timeout=0.1,
            )
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                self.url = f"http://127.0.0.1:{runner.addresses[0][1]}{self._prefix}"
                yield self
            finally:
                await runner.cleanup()

    def made(self, method: str | None = None) -> list[Seen]:
        """Return the calls of a method, or all, since ``forget``."""
        return [one for one in self.seen if method in (None, one.method)]

    def forget(self) -> None:
        """Note calls from the beginning."""
        self.seen.clear()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.content.read(BODY_BYTES_MAX)
        fault = self._drawn(request.method)
        answer = await self._answer(request, body, fault)
        self.seen.append(
            Seen(
                request.method,
                request.raw_path,
                dict(request.headers),
                body,
                answer.status if answer else 0,
            )
        )
        if answer is not None:
            return answer
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=503)

    async def _answer(
        self, request: web.BaseRequest, body: bytes, fault: Fault | None
    ) -> web.Response | None:
        match fault:
            case Fault(kind="status"):
                return web.Response(
                    status=fault.status, body=fault.body, headers=fault.headers
                )
            case Fault(kind="html"):
                return web.Response(body=PAGE, content_type="text/html")
            case Fault(kind="redirect"):
                return web.Response(status=302, headers={"Location": ELSEWHERE})
            case Fault(kind="oversized"):
                return web.Response(body=b" " * OVERSIZED_BYTES)
            case Fault(kind="dropped"):
                return None
        answer = await self._forward(request, body)
        match fault:
            case Fault(kind="lost"):
                return None
            case Fault(kind="held", meanwhile=happen) if happen is not None:
                await happen()
            case Fault(kind="truncated"):
                assert isinstance(answer.body, bytes)
                answer.body = answer.body[: len(answer.body) // 2]
        return answer

    async def _forward(self, request: web.BaseRequest, body: bytes) -> web.Response:
        headers = {
            name: text
            for name, text in request.headers.items()
            if name.lower() not in HOP_BY_HOP
        }
        url = URL(self._origin + request.raw_path, encoded=True)
        async with self._session.request(
            request.method,
            url,
            data=body or None,
            headers=headers,
            allow_redirects=False,
            skip_auto_headers=("Content-Type", "User-Agent", "Accept-Encoding"),
        ) as answer:
            kept = {
                name: text
                for name, text in answer.headers.items()
                if name.lower() not in HOP_BY_HOP
            }
            return web.Response(
                status=answer.status, body=await answer.read(), headers=kept
            )

    def _drawn(self, method: str) -> Fault | None:
        for fault in self.faults:
            if fault.method not in (None, method) or not fault.count:
                continue
            if fault.is_write not in (None, self.is_writing):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.count -= 1
            return fault
        return None
