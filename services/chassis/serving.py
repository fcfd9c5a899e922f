"""What each answer over HTTP says; what is no request is answered here.

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


class Connection(web.RequestHandler):
    """One connection whose every answer is as careful as the application's own."""

    __slots__ = ()

    def handle_error(self, *what: Any, **more: Any) -> web.StreamResponse:
        """Answer without saying why: the reason repeats what was sent."""
        status = super().handle_error(*what, **more).status
        text = NO_REQUEST if status < 500 else _FAILED
        answer = web.Response(status=status, text=text, headers=HEADERS)
        answer.force_close()
        return answer
