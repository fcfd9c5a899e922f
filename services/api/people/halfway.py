"""A half-open session: of whoever has proved one of two factors, for ten minutes.

It is no session: its cookie has another name and its row another table, and it opens
nothing but the pages on which the second factor is given.
"""

import datetime
from typing import Final

from aiohttp import web

from proto.ids import PersonId, TenantId
from services.api.content.problems import Code
from services.api.errors import Refused
from services.api.proofs import keys, seals
from services.api.requests.calls import Parts
from services.api.store import halves
from services.api.store.halves import FoundHalf, NewHalf
from services.chassis.database import Transaction
from services.chassis.tenancy import ALL_TENANTS

HOLDS: Final = datetime.timedelta(minutes=10)
HALVES_MAX: Final = 20
"""Of one person at one time; the oldest ends for a new one."""
_NAME: Final = "tandem_half_session"


def cookie_name(base_url: str) -> str:
    """Return what the cookie is called where browsers reach us."""
    return f"__Host-{_NAME}" if base_url.startswith("https:") else _NAME


async def begin(
    transaction: Transaction,
    tenant_id: TenantId,
    *,
    person_id: PersonId,
    kind: str,
    parts: Parts,
    session_ends_at: datetime.datetime | None,
) -> str:
    """Store a half-open session; return its cookie."""
    text = seals.new_secret()
    new = NewHalf(
        tenant_id=tenant_id,
        person_id=person_id,
        digest=keys.digest(text),
        kind=kind,
        expires_at=parts.clock.now() + HOLDS,
        session_ends_at=session_ends_at,
    )
    await halves.add_half_session(transaction, new, keep=HALVES_MAX)
    return text


async def identify(parts: Parts, text: str) -> FoundHalf:
    """Return the half-open session of a cookie.

    Raises:
        Refused: There is none, or no longer.
    """
    reader = parts.store.database.reader(ALL_TENANTS)
    found = await halves.find_half_session(reader, keys.digest(text)) if text else None
    if found is None or found.expires_at <= parts.clock.now():
        raise Refused(Code.SESSION_OVER)
    return found


def cookie_of(request: web.Request, parts: Parts) -> str:
    """Return the cookie that a request brings; empty if none."""
    return request.cookies.get(cookie_name(parts.base_url), "")


def give(response: web.StreamResponse, text: str, *, parts: Parts) -> None:
    """Let the browser keep a half-open session's cookie."""
    response.set_cookie(
        cookie_name(parts.base_url),
        text,
        max_age=int(HOLDS.total_seconds()),
        path="/",
        httponly=True,
        secure=parts.base_url.startswith("https:"),
        samesite="Lax",
    )


def take_away(response: web.StreamResponse, *, parts: Parts) -> None:
    """Let the browser forget a half-open session's cookie."""
    response.del_cookie(
        cookie_name(parts.base_url),
        path="/",
        httponly=True,
        secure=parts.base_url.startswith("https:"),
        samesite="Lax",
    )
