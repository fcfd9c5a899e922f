"""A person's session: 256 random bits in a cookie, their digest in the database.

The cookie is bound to this host and to https (``__Host-``), out of reach of scripts,
and not sent with what another site's page posts. Plain http is for this machine alone,
as ``config`` sees to; a cookie there can have neither prefix nor ``Secure``.
"""

import datetime
import secrets
from typing import Final

from aiohttp import web

from proto.ids import PersonId, SessionId, TenantId
from services.api.content.problems import Code
from services.api.errors import Refused
from services.api.proofs import keys
from services.api.requests.calls import CALLER, Caller, Parts, SignedIn
from services.api.requests.permissions import SCOPES_OF
from services.api.store import ledger, roster
from services.api.store.roster import LockedPerson, NewSession
from services.chassis.database import Transaction
from services.chassis.tenancy import ALL_TENANTS

SESSIONS_MAX: Final = 20
"""Of one person at one time; the oldest ends for a new one."""
CLEARED: Final = '"cache", "storage"'
FACTORS_MIN: Final = 2
"""By how many somebody has proved who they are where a second factor is needed."""
NOTE_USE_EVERY: Final = datetime.timedelta(minutes=1)
_SECRET_BYTES: Final = 32
_NAME: Final = "tandem_session"
_BROWSER_CHARS_MAX: Final = 200


def cookie_name(base_url: str) -> str:
    """Return what the cookie is called where browsers reach us."""
    return f"__Host-{_NAME}" if base_url.startswith("https:") else _NAME


def cookie_of(request: web.Request, parts: Parts) -> str:
    """Return the cookie that a request brings; empty if none."""
    return request.cookies.get(cookie_name(parts.base_url), "")


def digest_of(request: web.Request, parts: Parts) -> bytes:
    """Return the digest of the cookie that a request brings."""
    return keys.digest(cookie_of(request, parts))


async def identify(request: web.Request, parts: Parts) -> Caller:
    """Return who is signed in where a request comes from.

    Raises:
        Refused: Nobody is, or no longer.
    """
    found = await roster.find_session(
        parts.store.database.reader(ALL_TENANTS), digest_of(request, parts)
    )
    now = parts.clock.now()
    if found is None or found.expires_at <= now:
        raise Refused(Code.SESSION_OVER)
    if found.requires_second_factor and found.factors < FACTORS_MIN:
        # It began before the tenant asked for more.
        raise Refused(Code.SESSION_OVER)
    idle = now - found.seen_at
    if idle >= datetime.timedelta(seconds=parts.config.session_idle_s):
        raise Refused(Code.SESSION_OVER)
    if idle >= NOTE_USE_EVERY:
        async with parts.store.transaction(found.tenant_id) as work:
            await roster.note_session_use(work.transaction, found, now=now)
    request[CALLER] = Caller(
        tenant_id=found.tenant_id,
        actor=found.person_id,
        scopes=SCOPES_OF[found.role],
        expires_at=None,
        person=SignedIn(
            person_id=found.person_id,
            session_id=found.session_id,
            email=found.email,
            role=found.role,
            began_at=found.created_at,
            ends_at=found.expires_at,
            factors=found.factors,
        ),
    )
    return request[CALLER]


async def hold(transaction: Transaction, caller: Caller) -> LockedPerson:
    """Return a session's person, who stays as they are until the commit.

    A second factor or a new password ends all sessions of before. So does it end what
    one of them has asked for, and what was judged by what its person had by then.

    Raises:
        Refused: The session has ended since it was identified.
    """
    assert caller.person is not None, "a session is a person's"
    person = await roster.lock_person(
        transaction, caller.tenant_id, person_id=caller.person.person_id
    )
    if person is None or not await roster.has_session(
        transaction, caller.tenant_id, session_id=caller.person.session_id
    ):
        raise Refused(Code.SESSION_OVER)
    return person


async def begin(
    transaction: Transaction,
    tenant_id: TenantId,
    *,
    person_id: PersonId,
    request: web.Request,
    parts: Parts,
    factors: int,
    ends_at: datetime.datetime | None = None,
) -> tuple[str, SessionId]:
    """Store a session of its own for each sign-in; return its cookie and its id.

    It ends as every session does, or sooner where ``ends_at`` says so.
    """
    now = parts.clock.now()
    latest = now + datetime.timedelta(seconds=parts.config.session_max_s)
    text = secrets.token_urlsafe(_SECRET_BYTES)
    new = NewSession(
        tenant_id=tenant_id,
        session_id=parts.identifiers.new(SessionId),
        person_id=person_id,
        digest=keys.digest(text),
        expires_at=latest if ends_at is None else min(ends_at, latest),
        remote=parts.remote_of(request),
        browser=_browser_of(request),
        factors=factors,
    )
    await roster.add_session(transaction, new, keep=SESSIONS_MAX, now=now)
    return text, new.session_id


async def end_previous(request: web.Request, parts: Parts) -> None:
    """End the session that a browser had before somebody signed in.

    Nobody goes on with a cookie that was there before (session fixation).
    """
    text = cookie_of(request, parts)
    found = text and await roster.find_session(
        parts.store.database.reader(ALL_TENANTS), keys.digest(text)
    )
    if not found:
        return
    async with parts.store.transaction(found.tenant_id) as work:
        await roster.end_session(
            work.transaction,
            found.tenant_id,
            person_id=found.person_id,
            session_id=found.session_id,
        )
        entry = parts.audit_entry(
            request,
            found.tenant_id,
            actor=found.person_id,
            act="session.end",
            object_id=found.session_id,
            outcome="done",
        )
        await ledger.add_audit_entry(work.transaction, entry, now=parts.clock.now())


def give(response: web.StreamResponse, text: str, *, parts: Parts) -> None:
    """Let the browser keep a session's cookie."""
    response.set_cookie(
        cookie_name(parts.base_url),
        text,
        max_age=int(parts.config.session_max_s),
        path="/",
        httponly=True,
        secure=parts.base_url.startswith("https:"),
        samesite="Lax",
    )


def take_away(response: web.StreamResponse, *, parts: Parts) -> None:
    """Let the browser forget a session's cookie, and whatever else it keeps of us.

    Its cookies by name: `"cookies"` would take those of neighbouring hosts along.
    """
    response.headers["Clear-Site-Data"] = CLEARED
    response.del_cookie(
        cookie_name(parts.base_url),
        path="/",
        httponly=True,
        secure=parts.base_url.startswith("https:"),
        samesite="Lax",
    )


def _browser_of(request: web.Request) -> str:
    """Return what a browser calls itself, by which a person knows it again."""
    text = request.headers.get("User-Agent", "")[:_BROWSER_CHARS_MAX]
    return "".join(sign for sign in text if sign.isprintable())
