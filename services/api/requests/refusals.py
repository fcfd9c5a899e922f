"""Refused keys, sessions and rights: who was it, written down where it is looked for.

Each is a line of the log. The first of an hour, for each caller and code, goes into the
tenant's audit log as well; not more, because nobody can shorten that afterwards.
"""

from typing import Final

import structlog
from aiohttp import web

from services.api.content.problems import Code
from services.api.requests.calls import CALLER, Parts
from services.chassis.errors import Unavailable

log = structlog.get_logger()

AUDITED: Final = frozenset(
    {
        Code.ROLE_MISSING,
        Code.SCOPE_MISSING,
        Code.PERSON_MISSING,
        Code.KEY_REVOKED,
        Code.KEY_EXPIRED,
    }
)
"""Where the caller is known, so that a tenant can read of it."""
WATCHED: Final = AUDITED | {
    Code.KEY_MALFORMED,
    Code.KEY_UNKNOWN,
    Code.SESSION_OVER,
    Code.FOREIGN_PAGE,
    Code.OTHER_PERSON,
    Code.OTHER_BROWSER,
}


async def note(request: web.Request, parts: Parts, *, code: str) -> None:
    """Write down that a request was refused, if that is one to look at."""
    if code not in WATCHED:
        return
    caller = request.get(CALLER)
    resource = request.match_info.route.resource
    path = resource.canonical if resource else ""
    known = {"tenant_id": caller.tenant_id, "actor": caller.actor} if caller else {}
    log.warning(
        "request_refused",
        code=code,
        method=request.method if resource else "",
        path=path,
        remote=parts.remote_of(request),
        **known,
    )
    if caller is None or code not in AUDITED:
        return
    who = (caller.tenant_id, caller.actor, code)
    if not parts.refused.is_first(*who, now_s=parts.clock.monotonic()):
        return
    entry = parts.audit_entry(
        request,
        caller.tenant_id,
        actor=caller.actor,
        act="request.refuse",
        object_id=f"{request.method} {path}",
        outcome=code,
    )
    try:
        await parts.write_down(entry)
    except Unavailable as err:
        # The refusal stands, and the line above tells of it.
        log.warning("refusal_not_written", reason=type(err).__name__)
