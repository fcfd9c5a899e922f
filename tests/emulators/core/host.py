"""Put an emulator on a socket: route, guard, fault, handler, reply.

The only module here that waits. It sits on aiohttp's low-level server, because an
emulator is also used under load and has to cost as little as possible per call.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from tests.emulators.core.clock import Clock
from tests.emulators.core.faults import Faults
from tests.emulators.core.guard import Guard
from tests.emulators.core.http import Call, Refusal, Reply, Route, Router
from tests.emulators.core.statistics import Statistics

ADMIN_PREFIX = "/_emulator"
BODY_BYTES_MAX = 256 * 1024 * 1024
"""Large enough to seed 100,000 contacts in one request."""
LINE_BYTES_MAX = 16 * 1024
"""Some vendors take two hundred ids in an address."""
SHUTDOWN_S = 0.2
_LOST = 0
"""The status under which a call without an answer is counted."""
_HTML = b"<!doctype html><title>Sorry</title><h1>We will be right back</h1>"


class Dropped(ConnectionError):
    """End a connection without an answer."""


class Host:
    """Serve the routes of one emulator."""

    def __init__(
        self,
        *,
        router: Router,
        guard: Guard,
        unknown: Callable[[int], Reply],
        faults: Faults,
        statistics: Statistics,
        clock: Clock,
    ) -> None:
        self._router = router
        self._guard = guard
        self._unknown = unknown
        self._faults = faults
        self._statistics = statistics
        self._clock = clock

    def routes(self) -> list[Route]:
        """Return everything that is served."""
        return self._router.routes()

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, or drop it as a fault demands."""
        body = await request.read() if request.body_exists else b""
        call = Call(
            method=request.method,
            target=request.raw_path,
            headers=request.headers,
            body=body,
        )
        try:
            reply = await self._answer(call)
        except Dropped:
            if request.transport is not None:
                request.transport.abort()
            # The socket is gone, so this response goes nowhere.
            return web.Response(status=503)
        response = web.Response(
            status=reply.status, body=reply.body, content_type=reply.content_type
        )
        # The vendor's time, and not this machine's, is what a caller should go by.
        response.headers["Date"] = self._clock.http_date()
        if reply.location is not None:
            response.headers["Location"] = reply.location
        response.headers.update(reply.headers)
        return response

    async def _answer(self, call: Call) -> Reply:
        routes, call.args = self._router.find(call.path)
        route = routes.get(call.method)
        if route is None:
            return self._unknown(405 if routes else 404)
        call.route = route
        if call.path.startswith(ADMIN_PREFIX):
            return _run(call)
        reply = self._guard(call)
        if reply is None:
            call.fault = self._faults.draw(
                method=call.method, template=route.template, account_id=call.account_id
            )
            try:
                if call.fault is None:
                    reply = self._told(call)
                else:
                    reply = await self._fail(call)
            except Dropped:
                self._count(call, Reply(_LOST))
                raise
        self._count(call, reply)
        return reply

    async def _fail(self, call: Call) -> Reply:
        fault = call.fault
        assert fault is not None
        match fault.kind:
            case "latency":
                await asyncio.sleep(fault.delay_s)
                return self._told(call)
            case "timeout":
                await asyncio.sleep(fault.delay_s)
                raise Dropped
            case "late":
                await asyncio.sleep(fault.delay_s)
                _run(call)
                raise Dropped
            case "applied_but_lost":
                _run(call)
                raise Dropped
            case "status":
                return self._unknown(fault.status or 500)
            case "html":
                # A page that claims success is the nasty case, so it is the default.
                return Reply(fault.status or 200, _HTML, "text/html")
            case "truncated_json":
                reply = self._told(call)
                return reply._replace(body=reply.body[: len(reply.body) // 2])
            case _:
                return self._told(call)

    def _told(self, call: Call) -> Reply:
        reply = _run(call)
        return reply if call.route.scope is None else self._guard.told(reply, call)

    def _count(self, call: Call, reply: Reply) -> None:
        self._statistics.count(
            account_id=call.account_id or "-",
            route=call.route.name,
            status=reply.status,
            size=len(reply.body),
        )


def _run(call: Call) -> Reply:
    try:
        return call.route.handler(call)
    except Refusal as refusal:
        return refusal.reply


@contextlib.asynccontextmanager
async def listening(
    host: Host, *, address: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """Serve until the block ends; yield the base URL."""
    server = web.Server(
        host.serve,
        request_factory=_make_request,
        access_log=None,
        max_line_size=LINE_BYTES_MAX,
    )
    runner = web.ServerRunner(server, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, address, port)
        await site.start()
        bound_port = runner.addresses[0][1]
        yield f"http://{address}:{bound_port}"
    finally:
        await runner.cleanup()


def _make_request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    return web.BaseRequest(
        message,
        payload,
        protocol,
        writer,
        task,
        asyncio.get_running_loop(),
        client_max_size=BODY_BYTES_MAX,
    )
