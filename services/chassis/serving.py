"""Serves an application's routes over HTTP; what is no request is answered here.

aiohttp answers that before any route is looked for, with what its parser thought of the
bytes, and without the headers that every other answer has.
"""

from typing import Any, Final

from aiohttp import web

HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Server": "tandem",
}
"""What each answer tells browsers, unless it says otherwise."""
NO_REQUEST: Final = "This is no request of HTTP that is understood here.\n"
_FAILED: Final = "This did not work, and it is no fault of the request.\n"


class Runner(web.AppRunner):
    """Runs an application whose every answer is as careful as its own."""

    __slots__ = ()

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        return _Server(
            server.request_handler,
            request_factory=server.request_factory,
            loop=server._loop,
            **server._kwargs,
        )


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
    __slots__ = ()

    def handle_error(self, *what: Any, **more: Any) -> web.StreamResponse:
        """Answer without saying why: the reason repeats what was sent."""
        status = super().handle_error(*what, **more).status
        text = NO_REQUEST if status < 500 else _FAILED
        answer = web.Response(status=status, text=text, headers=HEADERS)
        answer.force_close()
        return answer
