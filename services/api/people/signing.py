"""How a person signs in with a password, and changes it.

Whoever fails learns nothing: not whether there is such a person, in words, in status
or in time. Each try costs one hash, and counts before it is made (``guesses``).
"""

from typing import Final, NamedTuple

from aiohttp import web
from email_validator import EmailNotValidError, validate_email

from proto.errors import ErrorCode
from services.api.content.problems import Code
from services.api.errors import Fault, Refused
from services.api.people import entering, trying
from services.api.people.entering import Entered, HalfWay, Proof
from services.api.proofs import passwords
from services.api.proofs.passwords import Verdict
from services.api.requests import access, sessions
from services.api.requests.calls import Call, Parts
from services.api.store import guesses, ledger, resets, roster
from services.api.store.guesses import Subjects
from services.api.store.ledger import AuditEntry
from services.api.store.roster import Candidate, Whose
from services.chassis.tenancy import ALL_TENANTS

EMAIL_CHARS_MAX: Final = 254
BUSY_S: Final = 2


class Proved(NamedTuple):
    """Somebody whose password is right."""

    who: Candidate
    entry: Entered | HalfWay


def normal_email(text: str) -> str:
    """Return the one spelling of an address that is stored; empty if it is none."""
    try:
        found = validate_email(text.strip(), check_deliverability=False)
    except EmailNotValidError:
        return ""
    # Who tells capitals apart on the left of the @ is not known to exist.
    normal = found.normalized.casefold()
    return normal if len(normal) <= EMAIL_CHARS_MAX else ""


async def sign_in(
    request: web.Request, parts: Parts, *, email: str, password: str, tenant_name: str
) -> Proved:
    """Begin a session for whoever knows an address and its password.

    Where there has to be a second factor, it is a half-open one.

    Raises:
        Refused: They do not match, or this was tried too often.
    """
    normal = normal_email(email)
    subjects = guesses.subjects_of(normal or email, parts.remote_of(request))
    await trying.count(request, parts, subjects=subjects)
    found = (
        await roster.find_people_to_sign_in(
            parts.store.database.reader(ALL_TENANTS), normal, tenant_name=tenant_name
        )
        if normal
        else []
    )
    # An address that is somebody in two tenants says which by the tenant's name.
    who = found[0] if len(found) == 1 else None
    verdict = await verify(
        parts, password, password_hash=who.password_hash if who else ""
    )
    entry = None
    if who is not None and verdict.is_right:
        entry = await _begin(request, parts, who=who, verdict=verdict, was=subjects)
    known = {"tenant_id": who.tenant_id, "actor": who.person_id} if who else {}
    if who is None or entry is None:
        trying.SIGN_INS.labels("refused").inc()
        trying.note_refusal(
            request, parts, kind="password", code=Code.SIGN_IN_REFUSED, **known
        )
        if who is not None:
            await parts.write_down(
                _entry(request, parts, who=who, outcome=Code.SIGN_IN_REFUSED)
            )
        raise Refused(Code.SIGN_IN_REFUSED)
    if isinstance(entry, Entered):
        trying.note_sign_in(
            request,
            parts,
            tenant_id=who.tenant_id,
            actor=who.person_id,
            kind="password",
        )
        await sessions.end_previous(request, parts)
    return Proved(who, entry)


async def change_password(call: Call, *, current: str, new: str) -> str:
    """Replace the caller's password; return the cookie of the one session they have.

    All others end, the one that it came by too: its cookie may be somebody's who knew
    the old password.

    Raises:
        Refused: The current one is not right, or the new one is not taken.
    """
    person, parts = call.person, call.parts
    if fault := passwords.fault_of(new, email=person.email):
        raise Refused(Code.BODY_INVALID, faults=(Fault("/password", fault),))
    subjects = guesses.subjects_of(person.email, parts.remote_of(call.request))
    await trying.count(call.request, parts, subjects=subjects)
    stored = await _hash_of(call)
    verdict = await verify(parts, current, password_hash=stored)
    if not verdict.is_right:
        entry = call.audit_entry(
            "password.change", outcome=Code.NOT_CONFIRMED, object_id=person.person_id
        )
        await parts.write_down(entry)
        raise Refused(Code.NOT_CONFIRMED)
    password_hash = await new_hash(parts, new)
    entry = call.audit_entry(
        "password.change", outcome="done", object_id=person.person_id
    )
    now = parts.clock.now()
    async with parts.store.transaction(call.tenant_id) as work:
        locked = await access.hold(work.transaction, call.caller)
        if locked.password_hash != stored:
            raise Refused(Code.NOT_CONFIRMED)
        await roster.change_password(
            work.transaction,
            call.tenant_id,
            person_id=person.person_id,
            password_hash=password_hash,
        )
        await resets.drop_reset(
            work.transaction, call.tenant_id, person_id=person.person_id
        )
        await roster.end_sessions(
            work.transaction, call.tenant_id, person_id=person.person_id
        )
        cookie, _ = await sessions.begin(
            work.transaction,
            call.tenant_id,
            person_id=person.person_id,
            request=call.request,
            parts=parts,
            factors=person.factors,
        )
        await guesses.give_back(work.transaction, subjects)
        await ledger.add_audit_entry(work.transaction, entry, now=now)
    return cookie


async def new_hash(parts: Parts, password: str) -> str:
    """Return what is stored of a new password.

    Raises:
        Refused: Too many are hashed at this moment.
    """
    try:
        return await parts.hasher.hash(password)
    except passwords.TooBusy:
        raise _busy() from None


async def verify(parts: Parts, password: str, *, password_hash: str) -> Verdict:
    """Tell whether a password is the one of a hash.

    Raises:
        Refused: Too many are hashed at this moment.
    """
    try:
        return await parts.hasher.verify(password_hash, password)
    except passwords.TooBusy:
        raise _busy() from None


async def _hash_of(call: Call) -> str:
    async with call.parts.store.transaction(call.tenant_id) as work:
        found = await roster.lock_person(
            work.transaction, call.tenant_id, person_id=call.person.person_id
        )
    if found is None:
        raise Refused(ErrorCode.NOT_FOUND)
    return found.password_hash


async def _begin(
    request: web.Request,
    parts: Parts,
    *,
    who: Candidate,
    verdict: Verdict,
    was: Subjects,
) -> Entered | HalfWay | None:
    """Begin the session, unless the password was changed while it was looked at."""
    now = parts.clock.now()
    whose = Whose(tenant_id=who.tenant_id, person_id=who.person_id)
    proof = Proof(**whose, kind="password")
    async with parts.store.transaction(who.tenant_id) as work:
        transaction = work.transaction
        locked = await roster.lock_person(transaction, **whose)
        if locked is None or locked.password_hash != who.password_hash:
            return None
        begun = await entering.enter(transaction, proof, request=request, parts=parts)
        if isinstance(begun, Entered):
            await roster.note_sign_in(
                transaction, **whose, password_hash=verdict.password_hash, now=now
            )
        else:
            await roster.change_password(
                transaction, **whose, password_hash=verdict.password_hash
            )
        await guesses.give_back(transaction, was)
        entry = _entry(request, parts, who=who, outcome=begun.outcome)
        await ledger.add_audit_entry(transaction, entry, now=now)
    return begun


def _entry(
    request: web.Request, parts: Parts, *, who: Candidate, outcome: str
) -> AuditEntry:
    return parts.audit_entry(
        request,
        who.tenant_id,
        actor=who.person_id,
        act="session.begin",
        object_id=who.person_id,
        fields=("password",),
        outcome=outcome,
    )


def _busy() -> Refused:
    return Refused(Code.TOO_MANY_REQUESTS, headers={"Retry-After": str(BUSY_S)})
