"""``/v1/invitations``: a link by which somebody becomes a person of the tenant.

Tandem sends no mail: whoever invites passes the link on, and it is shown once.
"""

import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from proto.base import Instant
from proto.errors import ErrorCode
from proto.ids import InvitationId
from services.api.content import bodies
from services.api.content.problems import Code
from services.api.content.views import View
from services.api.errors import Fault, Refused
from services.api.people import inviting, signing
from services.api.proofs import keys, seals
from services.api.requests import calls, paging
from services.api.requests.calls import Call, Visit
from services.api.requests.routing import OpenRoute, Route
from services.api.store import guests, ledger, roster
from services.api.store.guests import ListedInvitation, NewInvitation

Text = Annotated[str, Meta(min_length=1, max_length=1_000)]


class InvitationIn(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Who is invited, and as what."""

    email: Text
    role: Literal["owner", "editor", "viewer"]


class InvitationView(View, frozen=True, kw_only=True):
    """An invitation without its link."""

    invitation_id: str
    email: str
    role: str
    state: str
    """``open``, ``expired``, ``accepted``, ``revoked`` or ``replaced``."""
    created_at: Instant
    created_by: str
    expires_at: Instant


class NewInvitationView(InvitationView, frozen=True, kw_only=True):
    """An invitation with its link, which is shown this once."""

    link: str


class AcceptanceIn(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """The link's secret, and the password that the person chose."""

    secret: Text
    password: Text


async def invite(call: Call) -> web.Response:
    """Invite an address; an open invitation of the same address is over."""
    given, fields = await call.body(InvitationIn)
    email = signing.normal_email(given.email)
    if not email:
        fault = Fault("/email", "Give an address such as ana@example.org.")
        raise Refused(Code.BODY_INVALID, faults=(fault,))
    now, secret = call.parts.clock.now(), seals.new_secret()
    new = NewInvitation(
        tenant_id=call.tenant_id,
        invitation_id=call.parts.identifiers.new(InvitationId),
        email=email,
        role=given.role,
        digest=keys.digest(secret),
        created_by=call.caller.actor,
        expires_at=_end_of(call, now),
    )
    entry = call.audit_entry(
        "invitation.create", outcome="done", object_id=new.invitation_id, fields=fields
    )
    async with call.parts.store.transaction(call.tenant_id) as work:
        await roster.lock_tenant(work.transaction, call.tenant_id)
        if await guests.has_person(work.transaction, call.tenant_id, email=email):
            raise Refused(
                ErrorCode.ALREADY_EXISTS, "Somebody of this address is in the tenant."
            )
        await guests.add_invitation(work.transaction, new, now=now)
        count = await guests.count_people(work.transaction, call.tenant_id, now=now)
        if count > call.parts.config.people_max:
            raise Refused(
                ErrorCode.LIMIT_REACHED,
                f"There are {count - 1} people and invitations. Remove one first.",
            )
        await ledger.add_audit_entry(work.transaction, entry, now=now)
    view = NewInvitationView(
        link=_link(call, secret),
        invitation_id=new.invitation_id,
        email=email,
        role=given.role,
        state="open",
        created_at=now,
        created_by=new.created_by,
        expires_at=new.expires_at,
    )
    return calls.respond(view, status=201)


async def list_invitations(call: Call) -> web.Response:
    """Show a page of invitations, oldest first, those that are over too."""
    now = call.parts.clock.now()
    return await paging.by_id(
        call,
        InvitationId,
        load=guests.list_invitations,
        id_of=lambda one: one.invitation_id,
        view=lambda one: InvitationView(**_shown(one, now=now)),
    )


async def resend(call: Call) -> web.Response:
    """Show a new link in place of the one before, which is worth nothing then."""
    invitation_id = call.id_in_path(InvitationId, "invitation_id")
    await bodies.read_nothing(call.request)
    now, secret = call.parts.clock.now(), seals.new_secret()
    expires_at = _end_of(call, now)
    entry = call.audit_entry(
        "invitation.resend", outcome="done", object_id=invitation_id
    )
    async with call.parts.store.transaction(call.tenant_id) as work:
        found = await guests.lock_invitation(
            work.transaction, call.tenant_id, invitation_id=invitation_id
        )
        if found is None:
            raise Refused(ErrorCode.NOT_FOUND)
        if found.ended_at is not None:
            raise Refused(Code.INVITATION_OVER)
        await guests.renew_invitation(
            work.transaction,
            call.tenant_id,
            invitation_id=invitation_id,
            digest=keys.digest(secret),
            expires_at=expires_at,
        )
        await ledger.add_audit_entry(work.transaction, entry, now=now)
    renewed = msgspec.structs.replace(found, expires_at=expires_at)
    return calls.respond(
        NewInvitationView(link=_link(call, secret), **_shown(renewed, now=now))
    )


async def revoke(call: Call) -> web.Response:
    """Withdraw an invitation; it stays listed."""
    invitation_id = call.id_in_path(InvitationId, "invitation_id")
    await bodies.read_nothing(call.request)
    now = call.parts.clock.now()
    entry = call.audit_entry(
        "invitation.revoke", outcome="done", object_id=invitation_id
    )
    async with call.parts.store.transaction(call.tenant_id) as work:
        found = await guests.lock_invitation(
            work.transaction, call.tenant_id, invitation_id=invitation_id
        )
        if found is None:
            raise Refused(ErrorCode.NOT_FOUND)
        await guests.end_invitation(
            work.transaction,
            call.tenant_id,
            invitation_id=invitation_id,
            outcome="revoked",
            now=now,
        )
        await ledger.add_audit_entry(work.transaction, entry, now=now)
    return web.Response(status=204)


async def accept(visit: Visit) -> web.Response:
    """Make a person of an invitation."""
    given, _ = await bodies.read(visit.request, AcceptanceIn)
    await inviting.accept(
        visit.request, visit.parts, link=given.secret, password=given.password
    )
    return web.Response(status=204)


def _shown(found: ListedInvitation, *, now: datetime.datetime) -> dict[str, Any]:
    values = msgspec.structs.asdict(found)
    ended_at, outcome = values.pop("ended_at"), values.pop("outcome")
    over = "expired" if found.expires_at <= now else "open"
    return {**values, "state": outcome if ended_at is not None else over}


def _end_of(call: Call, now: datetime.datetime) -> datetime.datetime:
    return now + datetime.timedelta(seconds=call.parts.config.invitation_s)


def _link(call: Call, secret: str) -> str:
    return f"{call.parts.base_url}/invitation#{secret}"


_ONE: Final = "/v1/invitations/{invitation_id}"

OPEN: Final = (OpenRoute("POST", "/v1/invitations/accept", accept),)

ROUTES: Final = (
    Route("POST", "/v1/invitations", invite),
    Route("GET", "/v1/invitations", list_invitations, query=paging.QUERY),
    Route("DELETE", _ONE, revoke),
    Route("POST", f"{_ONE}/resend", resend),
)
