"""``/v1/session``, ``/v1/sessions`` and ``/v1/password``: a person's own way in."""

import datetime
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from proto.errors import ErrorCode
from proto.ids import PersonId, SessionId
from services.api.content import bodies
from services.api.content.problems import Code
from services.api.content.views import SessionView, SignedInView
from services.api.errors import Refused
from services.api.people import entering, halfway, signing
from services.api.people.entering import Entered, HalfWay
from services.api.requests import access, calls, paging, sessions
from services.api.requests.calls import Call, Visit
from services.api.requests.permissions import SCOPES_OF
from services.api.requests.routing import OpenRoute, Route
from services.api.store import ledger, roster
from services.chassis.database import Transaction

Text = Annotated[str, Meta(min_length=1, max_length=1_000)]


class SignInIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who somebody says that they are."""

    email: Text
    password: Text
    tenant: Annotated[str, Meta(max_length=200)] = ""
    """The name of the tenant, for an address that is known in several."""
    code: Annotated[str, Meta(max_length=200)] = ""
    """Of the authenticator app, or a recovery code, for whoever has a second factor."""


class PasswordIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new password, and the proof that it is the person who wants it."""

    current_password: Text
    password: Text


async def sign_in(visit: Visit) -> web.Response:
    """Begin a session; its cookie is in the answer."""
    given, _ = await bodies.read(visit.request, SignInIn)
    done = await signing.sign_in(
        visit.request,
        visit.parts,
        email=given.email,
        password=given.password,
        tenant_name=given.tenant,
    )
    entered = await _entered(visit, done.entry, code=given.code)
    # The role is read again, as at any other request.
    found = await roster.find_person(
        visit.parts.store.database.reader(done.who.tenant_id),
        done.who.tenant_id,
        person_id=done.who.person_id,
    )
    if found is None:
        raise Refused(ErrorCode.NOT_FOUND)
    response = _show(
        person_id=found.person_id,
        session_id=entered.session_id,
        email=found.email,
        role=found.role,
        status=201,
    )
    sessions.give(response, entered.cookie, parts=visit.parts)
    return response


async def _entered(visit: Visit, entry: Entered | HalfWay, *, code: str) -> Entered:
    """Return the session that has begun, with the code that is in the same request."""
    if isinstance(entry, Entered):
        return entry
    if entry.outcome != Code.CODE_NEEDED or not code:
        raise Refused(entry.outcome)
    half = await halfway.identify(visit.parts, entry.cookie)
    return await entering.finish(visit.request, visit.parts, half=half, text=code)


async def get_session(call: Call) -> web.Response:
    """Show who is signed in, and what they may do."""
    person = call.person
    return _show(
        person_id=person.person_id,
        session_id=person.session_id,
        email=person.email,
        role=person.role,
    )


async def sign_out(call: Call) -> web.Response:
    """End the session that asks."""
    await bodies.read_nothing(call.request)
    await _end(call, call.person.session_id)
    response = web.Response(status=204)
    sessions.take_away(response, parts=call.parts)
    return response


async def list_sessions(call: Call) -> web.Response:
    """Show the person's own sessions, newest first; they are few, so on one page."""
    now = call.parts.clock.now()
    idle = datetime.timedelta(seconds=call.parts.config.session_idle_s)
    found = await roster.list_sessions(
        call.parts.store.database.reader(call.tenant_id),
        call.tenant_id,
        person_id=call.person.person_id,
        idle_since=now - idle,
        limit=sessions.SESSIONS_MAX,
        now=now,
    )
    items = [
        SessionView(
            **msgspec.structs.asdict(one),
            is_current=one.session_id == call.person.session_id,
        )
        for one in found
    ]
    return paging.respond(call, items, next_after=None)


async def end_session(call: Call) -> web.Response:
    """End one of the person's own sessions; another one only right after signing in.

    Else whoever finds a browser open could shut its person out everywhere.
    """
    session_id = call.id_in_path(SessionId, "session_id")
    await bodies.read_nothing(call.request)
    if session_id != call.person.session_id:
        access.require_fresh(call.caller, now=call.parts.clock.now())
    await _end(call, session_id)
    return web.Response(status=204)


async def change_password(call: Call) -> web.Response:
    """Replace the own password; all sessions end, and one begins."""
    given, _ = await call.body(PasswordIn)
    cookie = await signing.change_password(
        call, current=given.current_password, new=given.password
    )
    response = web.Response(status=204)
    sessions.give(response, cookie, parts=call.parts)
    return response


async def _end(call: Call, session_id: SessionId) -> None:
    entry = call.audit_entry("session.end", outcome="done", object_id=session_id)
    async with call.parts.store.transaction(call.tenant_id) as work:
        await _end_or_refuse(call, work.transaction, session_id=session_id)
        now = call.parts.clock.now()
        await ledger.add_audit_entry(work.transaction, entry, now=now)


async def _end_or_refuse(
    call: Call, transaction: Transaction, *, session_id: SessionId
) -> None:
    has_ended = await roster.end_session(
        transaction,
        call.tenant_id,
        person_id=call.person.person_id,
        session_id=session_id,
    )
    if not has_ended:
        raise Refused(ErrorCode.NOT_FOUND)


def _show(
    *,
    person_id: PersonId,
    session_id: SessionId,
    email: str,
    role: str,
    status: int = 200,
) -> web.Response:
    return calls.respond(
        SignedInView(
            person_id=person_id,
            email=email,
            role=role,
            scopes=SCOPES_OF[role],
            session_id=session_id,
        ),
        status=status,
    )


OPEN: Final = (OpenRoute("POST", "/v1/session", sign_in),)

ROUTES: Final = (
    Route("GET", "/v1/session", get_session),
    Route("DELETE", "/v1/session", sign_out),
    Route("GET", "/v1/sessions", list_sessions),
    Route("DELETE", "/v1/sessions/{session_id}", end_session),
    Route("PUT", "/v1/password", change_password),
)
