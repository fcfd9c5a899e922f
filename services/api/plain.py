"""What is answered where there is no TLS: the way to it for pages, and nothing else.

A program that is redirected would go on to send its key in clear, and nobody would
notice. So only what a person types or has kept is sent on, without what stood in its
query; everything else is refused in words.
"""

from typing import Final

from aiohttp import web

from proto import codec
from proto.ids import RequestId
from services.api import routes
from services.api.content import problems
from services.api.requests.calls import Parts
from services.api.requests.origins import SAFE_METHODS
from services.chassis import health, serving
from services.chassis.health import Server

CODE: Final = "tls_needed"
DETAIL: Final = (
    "Nothing is taken here without TLS. Use the https address. A key, a password or a"
    " link that was sent to this one could be read on its way: revoke or replace it."
)
PATHS: Final = frozenset(
    page.path
    for page in routes.PAGES
    if "{" not in page.path and "code" not in page.query
)
"""The pages that are the same for everybody, and that no app or provider leads to."""


def server(parts: Parts) -> Server:
    """Return what answers at the port without TLS."""

    async def answer(request: web.BaseRequest) -> web.Response:
        found = _answer(request, parts)
        found.headers.update(serving.HEADERS)
        # Whoever sends more after this sends it in clear, too.
        found.force_close()
        return found

    return health.server(answer, body_bytes_max=0)


def _answer(request: web.BaseRequest, parts: Parts) -> web.Response:
    path = request.path
    if request.method in SAFE_METHODS and path in PATHS:
        return web.Response(status=308, headers={"Location": parts.base_url + path})
    problem = {
        "type": f"urn:tandem:problem:{CODE}",
        "title": "Not over https",
        "status": 403,
        "detail": DETAIL,
        "code": CODE,
        "request_id": parts.identifiers.new(RequestId),
    }
    body = codec.encode(problem)
    return web.Response(status=403, body=body, content_type=problems.CONTENT_TYPE)
