"""``/v1/people``: who is in the tenant, and as what."""

from typing import Final, Literal

import msgspec
from aiohttp import web

from proto.errors import ErrorCode
from proto.ids import PersonId
from services.api.content import bodies, views
from services.api.content.problems import Code
from services.api.content.views import PasswordResetView, PersonView
from services.api.errors import Refused
from services.api.people import resetting
from services.api.proofs import keys, seals
from services.api.requests import access, calls, paging
from services.api.requests.calls import Call
from services.api.requests.permissions import Role
from services.api.requests.routing import Route
from services.api.store import factors, identities, ledger, resets, roster
from services.api.store.resets import NewReset
from services.api.store.roster import LockedPerson
from services.chassis.database import Transaction


class PersonChangeIn(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Another role for a person."""

    role: Literal["owner", "editor", "viewer"]


async def list_people(call: Call) -> web.Response:
    """Show a page of people, oldest first."""
    return await paging.by_id(
        call,
        PersonId,
        load=roster.list_people,
        id_of=lambda person: person.person_id,
        view=lambda person: views.show(person, PersonView),
    )


async def get_person(call: Call) -> web.Response:
    """Show one person."""
    person_id = call.id_in_path(PersonId, "person_id")
    found = await roster.find_person(
        call.parts.store.database.reader(call.tenant_id),
        call.tenant_id,
        person_id=person_id,
    )
    if found is None:
        raise Refused(ErrorCode.NOT_FOUND)
    return calls.respond(views.show(found, PersonView))


async def change_role(call: Call) -> web.Response:
    """Give somebody else another role; it holds from their next request on."""
    person_id = call.id_in_path(PersonId, "person_id")
    given, fields = await call.body(PersonChangeIn)
    entry = call.audit_entry(
        f"person.make_{given.role}", outcome="done", object_id=person_id, fields=fields
    )
    async with call.parts.store.transaction(call.tenant_id) as work:
        person = await _lock(call, work.transaction, person_id=person_id)
        if person_id == call.caller.actor:
            raise Refused(Code.OWN_ROLE)
        if given.role != Role.OWNER.value:
            await _keep_an_owner(call, work.transaction, person=person)
        await roster.change_role(
            work.transaction, call.tenant_id, person_id=person_id, role=given.role
        )
        now = call.parts.clock.now()
        await ledger.add_audit_entry(work.transaction, entry, now=now)
    changed = msgspec.structs.replace(person, role=given.role)
    return calls.respond(views.show(changed, PersonView))


async def remove(call: Call) -> web.Response:
    """Remove a person; their sessions end, keys that they made go on."""
    person_id = call.id_in_path(PersonId, "person_id")
    await bodies.read_nothing(call.request)
    entry = call.audit_entry("person.remove", outcome="done", object_id=person_id)
    async with call.parts.store.transaction(call.tenant_id) as work:
        person = await _lock(call, work.transaction, person_id=person_id)
        await _keep_an_owner(call, work.transaction, person=person)
        await roster.remove_person(
            work.transaction, call.tenant_id, person_id=person_id
        )
        now = call.parts.clock.now()
        await ledger.add_audit_entry(work.transaction, entry, now=now)
    return web.Response(status=204)


async def end_sessions(call: Call) -> web.Response:
    """Sign a person out everywhere."""
    person_id = call.id_in_path(PersonId, "person_id")
    await bodies.read_nothing(call.request)
    entry = call.audit_entry("person.sign_out", outcome="done", object_id=person_id)
    async with call.parts.store.transaction(call.tenant_id) as work:
        await _lock(call, work.transaction, person_id=person_id)
        await roster.end_sessions(work.transaction, call.tenant_id, person_id=person_id)
        now = call.parts.clock.now()
        await ledger.add_audit_entry(work.transaction, entry, now=now)
    return web.Response(status=204)


async def reset_password(call: Call) -> web.Response:
    """Show a link by which a person chooses a new password."""
    person_id = call.id_in_path(PersonId, "person_id")
    await bodies.read_nothing(call.request)
    now, secret = call.parts.clock.now(), seals.new_secret()
    access.require_fresh(call.caller, now=now)
    new = NewReset(
        tenant_id=call.tenant_id,
        person_id=person_id,
        digest=keys.digest(secret),
        created_by=call.caller.actor,
        expires_at=now + resetting.HOLDS,
    )
    entry = call.audit_entry(
        "person.reset_password", outcome="done", object_id=person_id
    )
    async with call.parts.store.transaction(call.tenant_id) as work:
        person = await _lock(call, work.transaction, person_id=person_id)
        if person_id == call.caller.actor:
            raise Refused(ErrorCode.NOT_ALLOWED_NOW, _ONESELF)
        if not person.password_hash and await identities.has_identity(
            work.transaction, call.tenant_id, person_id=person_id
        ):
            raise Refused(ErrorCode.NOT_ALLOWED_NOW, _ELSEWHERE)
        await resets.put_reset(work.transaction, new, now=now)
        await ledger.add_audit_entry(work.transaction, entry, now=now)
    link = f"{call.parts.base_url}/reset#{secret}"
    return calls.respond(
        PasswordResetView(link=link, expires_at=new.expires_at), status=201
    )


async def remove_second_factor(call: Call) -> web.Response:
    """Take a factor that somebody has lost away from them; they are signed out."""
    person_id = call.id_in_path(PersonId, "person_id")
    await bodies.read_nothing(call.request)
    now = call.parts.clock.now()
    access.require_fresh(call.caller, now=now)
    entry = call.audit_entry(
        "person.remove_second_factor", outcome="done", object_id=person_id
    )
    async with call.parts.store.transaction(call.tenant_id) as work:
        await _lock(call, work.transaction, person_id=person_id)
        if person_id == call.caller.actor:
            raise Refused(ErrorCode.NOT_ALLOWED_NOW, _OWN_FACTOR)
        await factors.remove_factor(
            work.transaction, call.tenant_id, person_id=person_id
        )
        await roster.end_sessions(work.transaction, call.tenant_id, person_id=person_id)
        await ledger.add_audit_entry(work.transaction, entry, now=now)
    return web.Response(status=204)


async def _lock(
    call: Call, transaction: Transaction, *, person_id: PersonId
) -> LockedPerson:
    """Return a person, while nobody else changes who is in the tenant."""
    await roster.lock_tenant(transaction, call.tenant_id)
    person = await roster.lock_person(transaction, call.tenant_id, person_id=person_id)
    if person is None:
        raise Refused(ErrorCode.NOT_FOUND)
    return person


async def _keep_an_owner(
    call: Call, transaction: Transaction, *, person: LockedPerson
) -> None:
    """Refuse to let the last owner go: nobody could let anybody in any more."""
    if person.role != Role.OWNER:
        return
    if await roster.count_owners(transaction, call.tenant_id) <= 1:
        raise Refused(Code.LAST_OWNER)


_ONE: Final = "/v1/people/{person_id}"
_ONESELF: Final = (
    "Change your own password with the current one, or let another owner reset it."
)
_OWN_FACTOR: Final = (
    "Replace or remove your own with its code or a recovery code, on the page of your"
    " account; or let another owner do it."
)
_ELSEWHERE: Final = "This person signs in elsewhere and has no password."

ROUTES: Final = (
    Route("GET", "/v1/people", list_people, query=paging.QUERY),
    Route("GET", _ONE, get_person),
    Route("PATCH", _ONE, change_role),
    Route("DELETE", _ONE, remove),
    Route("DELETE", f"{_ONE}/sessions", end_sessions),
    Route("POST", f"{_ONE}/password-reset", reset_password),
    Route("DELETE", f"{_ONE}/second-factor", remove_second_factor),
)
