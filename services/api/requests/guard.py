"""What surrounds every route: a request id, one log line, and no fault without words.

Under ``/oauth/`` and ``forms.PATHS`` a browser asks, so problems are pages there.
"""

import re
import time
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import Histogram

from proto.errors import ErrorCode
from proto.ids import RequestId
from services.api.content import forms, pages, problems
from services.api.content.problems import Code
from services.api.errors import Fault, Refused
from services.api.proofs import keys
from services.api.requests import refusals
from services.api.requests.calls import CALLER, PARTS, REQUEST_ID
from services.chassis import serving
from services.chassis.errors import CommandFailed, Unavailable

log = structlog.get_logger()

SERVED = Histogram(
    "tandem_http_request_seconds",
    "Requests answered, and how long it took",
    ["method", "path", "status"],
)

REQUEST_ID_HEADER: Final = "X-Request-Id"
_HTTPS_ALONE: Final = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains"
}
"""Where browsers reach us by https: that they come by nothing else for a year."""
_GIVEN_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")


@web.middleware
async def surround(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a request, whatever happens, and log it once."""
    given = request.headers.get(REQUEST_ID_HEADER, "")
    request_id = (
        given if _is_id(given) else request.app[PARTS].identifiers.new(RequestId)
    )
    request[REQUEST_ID] = request_id
    began = time.monotonic()
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        response = await _answer(request, handler)
        _note(request, response, seconds=time.monotonic() - began)
    given_to_all = headers_of(request.app[PARTS].base_url)
    for name, value in {**given_to_all, REQUEST_ID_HEADER: request_id}.items():
        response.headers.setdefault(name, value)
    return response


def _is_id(given: str) -> bool:
    """Tell whether a given id can be told everywhere; a key in its place cannot."""
    return bool(_GIVEN_ID.fullmatch(given)) and not keys.is_well_formed(given)


def headers_of(base_url: str) -> dict[str, str]:
    """Return what each answer tells browsers, where they reach us at an address."""
    is_https = base_url.startswith("https:")
    return {**serving.HEADERS, **_HTTPS_ALONE} if is_https else serving.HEADERS


def _note(
    request: web.Request, response: web.StreamResponse, *, seconds: float
) -> None:
    """Log and count a request under its route; what has none may be called anything."""
    resource = request.match_info.route.resource
    path = resource.canonical if resource else ""
    method = request.method if resource else ""
    SERVED.labels(method, path, str(response.status)).observe(seconds)
    log.info(
        "request_served",
        method=method,
        path=path,
        status=response.status,
        code=response.get(problems.REFUSAL, ""),
        seconds=round(seconds, 4),
        **_whose(request),
    )


def _whose(request: web.Request) -> dict[str, str]:
    caller = request.get(CALLER)
    return {"tenant_id": caller.tenant_id, "actor": caller.actor} if caller else {}


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as err:
        refused = err
    except CommandFailed as err:
        refused = Refused(err.code, err.detail, faults=faults_of(err, request))
    except Unavailable as err:
        log.warning("request_unavailable", reason=type(err).__name__)
        refused = Refused(ErrorCode.SERVICE_UNAVAILABLE)
    except web.HTTPException as err:
        refused = _refused_by_router(err)
    except Exception:
        log.exception("request_failed", method=request.method)
        refused = Refused(ErrorCode.UNKNOWN)
    await refusals.note(request, request.app[PARTS], code=refused.code)
    if request.path.startswith(forms.PATHS):
        return forms.problem(refused.code, refused.detail, headers=refused.headers)
    if request.path.startswith("/oauth/"):
        return pages.problem(refused.code, refused.detail, headers=refused.headers)
    return problems.respond(
        refused.code,
        refused.detail,
        faults=refused.faults,
        request_id=request[REQUEST_ID],
        headers=refused.headers,
    )


def _refused_by_router(err: web.HTTPException) -> Refused:
    match err:
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(err.allowed_methods))
            return Refused(Code.METHOD_NOT_ALLOWED, headers={"Allow": allowed})
        case web.HTTPNotFound():
            return Refused(Code.NO_SUCH_ROUTE)
        case web.HTTPRequestEntityTooLarge():
            return Refused(Code.BODY_TOO_LARGE)
        case _:
            return Refused(Code.REQUEST_MALFORMED)


def faults_of(err: CommandFailed, request: web.Request) -> tuple[Fault, ...]:
    """Turn a command's field, such as ``settings.left.account_id``, into a pointer."""
    if not err.field or err.field in request.match_info:
        return ()
    path = err.field.removeprefix("settings.")
    if request.method == "GET" or path.startswith("/"):
        pointer = path
    else:
        pointer = "/" + path.replace(".", "/")
    return (Fault(pointer, err.detail or problems.kind_of(err.code).detail),)
