"""``/account/second-factor``: how a person sets up, replaces or removes their own.

Each change asks for all that they have: the password, and the code where there is one.
"""

from typing import Final

from aiohttp import web

from proto.errors import ErrorCode
from proto.ids import PersonId
from services.api.content import forms, picturing, problems
from services.api.content.problems import Code
from services.api.errors import Refused
from services.api.people import confirming, enrolling
from services.api.people.enrolling import Waiting
from services.api.proofs import recovery
from services.api.requests import sessions
from services.api.requests.calls import Caller, Visit
from services.api.requests.routing import Form, Page
from services.api.store import factors, ledger, roster
from services.api.store.ledger import AuditEntry
from services.api.store.roster import Whose

_ONE: Final = "/account/second-factor"
_CONFIRM: Final = f"{_ONE}/confirm"
_AGAIN: Final = (Code.CODE_REFUSED, Code.NOT_CONFIRMED, Code.TOO_MANY_GUESSES)
_NEEDED: Final = "Your tenant lets nobody in without. Replace it instead."
_FIELDS: Final = ("email", "password", "code")


async def show(visit: Visit) -> web.StreamResponse:
    """Show whether the person has a second factor, and what can be done about it."""
    try:
        caller = await sessions.identify(visit.request, visit.parts)
    except Refused:
        return forms.go_to("/sign-in")
    return await _page(visit, caller)


async def begin(visit: Visit) -> web.StreamResponse:
    """Make a secret for the person's app, in place of the one that they have."""
    caller = await sessions.identify(visit.request, visit.parts)
    act = "second_factor.begin"
    if refused := await _confirmed(visit, caller, act=act):
        return refused
    async with visit.parts.store.transaction(caller.tenant_id) as work:
        await sessions.hold(work.transaction, caller)
        await enrolling.begin(
            work.transaction,
            visit.parts,
            **_whose(caller),
            cookie_digest=sessions.digest_of(visit.request, visit.parts),
        )
        entry = _entry(visit, caller, act=act, outcome="done")
        now = visit.parts.clock.now()
        await ledger.add_audit_entry(work.transaction, entry, now=now)
    return forms.go_to(_CONFIRM)


async def show_confirmation(visit: Visit) -> web.StreamResponse:
    """Show what the app is to know, and ask for its first code."""
    try:
        caller = await sessions.identify(visit.request, visit.parts)
    except Refused:
        return forms.go_to("/sign-in")
    waiting = await _waiting(visit, caller)
    return picturing.enrolment(
        waiting.secret,
        email=_email(caller),
        action=_CONFIRM,
        note=visit.query["note"],
    )


async def confirm(visit: Visit) -> web.StreamResponse:
    """Let the second factor count, and show recovery codes."""
    caller, parts = await sessions.identify(visit.request, visit.parts), visit.parts
    waiting = await _waiting(visit, caller)
    try:
        confirmed = await enrolling.confirm(
            visit.request,
            parts,
            by=caller,
            waiting=waiting,
            text=visit.query["code"],
        )
    except Refused as err:
        if err.code != Code.CODE_REFUSED:
            raise
        return picturing.again(_CONFIRM)
    response = picturing.recovery_codes(confirmed.recovery_codes)
    sessions.give(response, confirmed.cookie, parts=parts)
    return response


async def remove(visit: Visit) -> web.StreamResponse:
    """Take the person's own second factor away, unless the tenant wants one."""
    caller = await sessions.identify(visit.request, visit.parts)
    act = "second_factor.remove"
    if refused := await _confirmed(visit, caller, act=act):
        return refused
    async with visit.parts.store.transaction(caller.tenant_id) as work:
        transaction = work.transaction
        await sessions.hold(transaction, caller)
        policy = await factors.read_policy(transaction, caller.tenant_id)
        if policy.requires_second_factor:
            raise Refused(ErrorCode.NOT_ALLOWED_NOW, _NEEDED)
        if not await factors.remove_factor(transaction, **_whose(caller)):
            raise Refused(ErrorCode.NOT_FOUND)
        entry = _entry(visit, caller, act=act, outcome="done")
        await ledger.add_audit_entry(transaction, entry, now=visit.parts.clock.now())
    return forms.go_to(_ONE)


async def renew_codes(visit: Visit) -> web.StreamResponse:
    """Show new recovery codes; those of before are worth nothing."""
    caller = await sessions.identify(visit.request, visit.parts)
    act = "second_factor.renew_codes"
    if refused := await _confirmed(visit, caller, act=act):
        return refused
    codes = recovery.new_codes()
    async with visit.parts.store.transaction(caller.tenant_id) as work:
        transaction = work.transaction
        await sessions.hold(transaction, caller)
        if await factors.lock_factor(transaction, **_whose(caller)) is None:
            raise Refused(ErrorCode.NOT_FOUND)
        await factors.replace_recovery_codes(
            transaction,
            **_whose(caller),
            digests=[recovery.digest_of(code) for code in codes],
        )
        entry = _entry(visit, caller, act=act, outcome="done")
        await ledger.add_audit_entry(transaction, entry, now=visit.parts.clock.now())
    return picturing.recovery_codes(codes)


async def _confirmed(visit: Visit, caller: Caller, *, act: str) -> web.Response | None:
    """Return the page that says what is wrong; None where everything was right."""
    given = visit.query
    try:
        await confirming.confirm(
            visit.request,
            visit.parts,
            caller=caller,
            password=given["password"],
            text=given["code"],
        )
    except Refused as err:
        await visit.parts.write_down(_entry(visit, caller, act=act, outcome=err.code))
        if err.code not in _AGAIN:
            raise
        page = await _page(visit, caller, fault=err.code)
        page.headers.update(err.headers)
        page[problems.REFUSAL] = err.code
        return page
    return None


async def _waiting(visit: Visit, caller: Caller) -> Waiting:
    digest = sessions.digest_of(visit.request, visit.parts)
    return await enrolling.look(visit.parts, **_whose(caller), cookie_digest=digest)


async def _page(visit: Visit, caller: Caller, *, fault: str = "") -> web.Response:
    reader = visit.parts.store.database.reader(caller.tenant_id)
    whose = _whose(caller)
    async with visit.parts.store.transaction(caller.tenant_id) as work:
        found = await roster.lock_person(work.transaction, **whose)
    if found is None:
        raise Refused(ErrorCode.NOT_FOUND)
    policy = await factors.read_policy(reader, caller.tenant_id)
    kind = problems.kind_of(fault) if fault else None
    return forms.page(
        "second_factor",
        title="Second factor",
        fault=kind.detail if kind else "",
        status=kind.status if kind else 200,
        email=_email(caller),
        has_password=bool(found.password_hash),
        has_factor=found.has_second_factor,
        is_needed=policy.requires_second_factor,
        codes_left=await factors.count_recovery_codes(reader, **whose),
        path=_ONE,
    )


def _entry(visit: Visit, caller: Caller, *, act: str, outcome: str) -> AuditEntry:
    return visit.parts.audit_entry(
        visit.request,
        caller.tenant_id,
        actor=caller.actor,
        act=act,
        object_id=caller.actor,
        fields=("second_factor",),
        outcome=outcome,
    )


def _whose(caller: Caller) -> Whose:
    return Whose(tenant_id=caller.tenant_id, person_id=PersonId(caller.actor))


def _email(caller: Caller) -> str:
    assert caller.person is not None, "a session is a person's"
    return caller.person.email


PAGES: Final = (Page(_ONE, show), Page(_CONFIRM, show_confirmation, query=("note",)))

FORMS: Final = (
    Form(f"{_ONE}/begin", begin, fields=_FIELDS),
    Form(_CONFIRM, confirm, fields=("code",)),
    Form(f"{_ONE}/remove", remove, fields=_FIELDS),
    Form(f"{_ONE}/recovery-codes", renew_codes, fields=_FIELDS),
)
