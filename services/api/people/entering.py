"""What follows when somebody has proved who they are by a first factor.

Who has a second factor gives its code next; who has none, in a tenant that wants one,
sets it up next. In between there is a half-open session, which opens nothing else.
"""

import datetime
from typing import Final, NamedTuple

from aiohttp import web

from proto.ids import PersonId, SessionId, TenantId
from services.api.content.problems import Code
from services.api.errors import Refused
from services.api.people import enrolling, halfway, proving, trying
from services.api.proofs import keys
from services.api.requests import sessions
from services.api.requests.calls import Parts
from services.api.store import factors, guesses, halves, ledger, roster
from services.api.store.halves import FoundHalf
from services.api.store.ledger import AuditEntry
from services.api.store.roster import Whose
from services.chassis.database import Transaction

FIELD_OF: Final = {"password": "password", "provider": "identity"}
"""What the audit log calls a first factor."""


class Proof(NamedTuple):
    """Who has proved who they are, and how."""

    tenant_id: TenantId
    person_id: PersonId
    kind: str
    """`password` or `provider`."""
    factors: int = 1
    ends_at: datetime.datetime | None = None
    """When the session ends at the latest, if the proof says so."""


class Entered(NamedTuple):
    """A session that has begun."""

    session_id: SessionId
    cookie: str
    outcome: str = "done"


class HalfWay(NamedTuple):
    """A half-open session that has begun, and what it waits for."""

    outcome: str
    """The code of what is missing."""
    cookie: str


async def enter(
    transaction: Transaction, proof: Proof, *, request: web.Request, parts: Parts
) -> Entered | HalfWay:
    """Begin the session of somebody who has proved enough, or else a half-open one."""
    whose = Whose(tenant_id=proof.tenant_id, person_id=proof.person_id)
    missing = await _missing(transaction, proof)
    if missing:
        cookie = await halfway.begin(
            transaction,
            **whose,
            kind=proof.kind,
            parts=parts,
            session_ends_at=proof.ends_at,
        )
        if missing == Code.ENROLMENT_NEEDED:
            await enrolling.begin(
                transaction, parts, **whose, cookie_digest=keys.digest(cookie)
            )
        return HalfWay(missing, cookie)
    cookie, session_id = await sessions.begin(
        transaction,
        **whose,
        request=request,
        parts=parts,
        factors=proof.factors,
        ends_at=proof.ends_at,
    )
    return Entered(session_id, cookie)


async def finish(
    request: web.Request, parts: Parts, *, half: FoundHalf, text: str
) -> Entered:
    """Begin the session of whoever gives the code, too.

    Raises:
        Refused: The code proves nothing, was tried too often, or came too late.
    """
    whose = Whose(tenant_id=half.tenant_id, person_id=half.person_id)
    subjects = guesses.subjects_of_code(half.person_id, parts.remote_of(request))
    await trying.count(
        request, parts, subjects=subjects, limits=guesses.CODES, kind="code"
    )
    now, entered = parts.clock.now(), None
    async with parts.store.transaction(half.tenant_id) as work:
        transaction = work.transaction
        person = await roster.lock_person(transaction, **whose)
        kind = await proving.prove(transaction, parts, **whose, text=text)
        if person is not None and kind:
            if not await halves.take_half_session(transaction, half):
                raise Refused(Code.SESSION_OVER)
            cookie, session_id = await sessions.begin(
                transaction,
                **whose,
                request=request,
                parts=parts,
                factors=2,
                ends_at=half.session_ends_at,
            )
            await roster.note_sign_in(
                transaction, **whose, password_hash=person.password_hash, now=now
            )
            await guesses.give_back(transaction, subjects)
            entered = Entered(session_id, cookie)
        entry = _entry(request, parts, half=half, kind=kind)
        await ledger.add_audit_entry(transaction, entry, now=now)
    actor = half.person_id
    if entered is None:
        trying.SIGN_INS.labels("refused").inc()
        known = {"tenant_id": half.tenant_id, "actor": actor}
        trying.note_refusal(
            request, parts, kind="code", code=Code.CODE_REFUSED, **known
        )
        raise Refused(Code.CODE_REFUSED)
    trying.note_sign_in(
        request, parts, tenant_id=half.tenant_id, actor=actor, kind=half.kind
    )
    await sessions.end_previous(request, parts)
    return entered


def _entry(
    request: web.Request, parts: Parts, *, half: FoundHalf, kind: str
) -> AuditEntry:
    return parts.audit_entry(
        request,
        half.tenant_id,
        actor=half.person_id,
        act="session.begin",
        object_id=half.person_id,
        fields=(FIELD_OF[half.kind], kind or proving.CODE),
        outcome="done" if kind else Code.CODE_REFUSED,
    )


async def _missing(transaction: Transaction, proof: Proof) -> str:
    """Return the code of what somebody has yet to prove; empty if nothing."""
    if proof.factors > 1:
        return ""
    tenant_id = proof.tenant_id
    if await factors.find_factor(transaction, tenant_id, person_id=proof.person_id):
        return Code.CODE_NEEDED
    policy = await factors.read_policy(transaction, tenant_id)
    return Code.ENROLMENT_NEEDED if policy.requires_second_factor else ""
