"""How a person gets a second factor, confirmed by a first code, and loses it again.

The secret that an app is to know waits for ten minutes, sealed, and is shown where it
was begun alone: whoever else is in as the same person must not know it. With its first
code it counts, recovery codes are shown once, and the person's other sessions end.
"""

import datetime
from typing import Final, NamedTuple

from aiohttp import web

from proto.ids import PersonId, TenantId
from services.api.content.problems import Code
from services.api.errors import Refused
from services.api.people import trying
from services.api.proofs import recovery, totp
from services.api.requests import sessions
from services.api.requests.calls import Caller, Parts
from services.api.store import factors, halves, ledger, roster
from services.api.store.factors import Enrolment
from services.api.store.halves import FoundHalf
from services.api.store.ledger import AuditEntry
from services.api.store.roster import Whose
from services.chassis.database import Transaction

HOLDS: Final = datetime.timedelta(minutes=10)


class Waiting(NamedTuple):
    """What waits for its first code."""

    enrolment: Enrolment
    secret: bytes


class Confirmed(NamedTuple):
    """What a person is given who has confirmed it."""

    recovery_codes: list[str]
    cookie: str
    """Of the one session that they have now."""


async def begin(
    transaction: Transaction,
    parts: Parts,
    *,
    tenant_id: TenantId,
    person_id: PersonId,
    cookie_digest: bytes,
) -> None:
    """Make a secret for a person's app; what waited before is worth nothing."""
    sealed = parts.safe.seal(
        totp.new_secret(), tenant_id=tenant_id, person_id=person_id
    )
    await factors.put_enrolment(
        transaction,
        tenant_id,
        person_id=person_id,
        sealed=sealed,
        cookie_digest=cookie_digest,
        expires_at=parts.clock.now() + HOLDS,
    )


async def look(
    parts: Parts, *, tenant_id: TenantId, person_id: PersonId, cookie_digest: bytes
) -> Waiting:
    """Return what waits for a person's first code, where it was begun.

    Raises:
        Refused: Nothing does, or no longer, or it was begun elsewhere.
    """
    found = await factors.find_enrolment(
        parts.store.database.reader(tenant_id),
        tenant_id,
        person_id=person_id,
        cookie_digest=cookie_digest,
        now=parts.clock.now(),
    )
    if found is None:
        raise Refused(Code.ENROLMENT_OVER)
    secret = parts.safe.unseal(found, tenant_id=tenant_id, person_id=person_id)
    return Waiting(found, secret)


async def look_halfway(parts: Parts, half: FoundHalf) -> Waiting:
    """Return what waits for the first code of somebody who is not signed in.

    Raises:
        Refused: Nothing does; or they have a factor, and its code is what is missing:
            a password alone never shows or replaces what a person has.
    """
    whose = Whose(tenant_id=half.tenant_id, person_id=half.person_id)
    reader = parts.store.database.reader(half.tenant_id)
    if await factors.find_factor(reader, **whose) is not None:
        raise Refused(Code.ENROLMENT_OVER)
    return await look(parts, **whose, cookie_digest=half.digest)


async def confirm(
    request: web.Request,
    parts: Parts,
    *,
    by: FoundHalf | Caller,
    waiting: Waiting,
    text: str,
) -> Confirmed:
    """Let a factor count from now on, by its first code.

    Raises:
        Refused: The code is wrong, what waited was confirmed or replaced meanwhile, or
            the session has ended, half open or not.
    """
    now, code = parts.clock.now(), "".join(text.split())
    step, codes = totp.step_of(now), recovery.new_codes()
    if not (totp.is_code(code) and totp.is_right(waiting.secret, code, step=step)):
        raise Refused(Code.CODE_REFUSED)
    whose, ends_at = _whose(by), _ends_at(by)
    async with parts.store.transaction(whose["tenant_id"]) as work:
        transaction = work.transaction
        if isinstance(by, FoundHalf):
            await _spend(transaction, by, now=now)
        else:
            await sessions.hold(transaction, by)
        if not await factors.take_enrolment(
            transaction, **whose, enrolment=waiting.enrolment
        ):
            raise Refused(Code.ENROLMENT_OVER)
        await factors.put_factor(
            transaction, **whose, sealed=waiting.enrolment, step=step, now=now
        )
        await factors.replace_recovery_codes(
            transaction, **whose, digests=[recovery.digest_of(each) for each in codes]
        )
        await roster.end_sessions(transaction, **whose)
        cookie, _ = await sessions.begin(
            transaction,
            **whose,
            request=request,
            parts=parts,
            factors=2,
            ends_at=ends_at,
        )
        for act in _ACTS_HALFWAY if isinstance(by, FoundHalf) else _ACTS:
            entry = _entry(request, parts, whose=whose, act=act)
            await ledger.add_audit_entry(transaction, entry, now=now)
    if isinstance(by, FoundHalf):
        trying.note_sign_in(
            request, parts, tenant_id=by.tenant_id, actor=by.person_id, kind=by.kind
        )
        await sessions.end_previous(request, parts)
    return Confirmed(codes, cookie)


def _whose(by: FoundHalf | Caller) -> Whose:
    if isinstance(by, FoundHalf):
        return Whose(tenant_id=by.tenant_id, person_id=by.person_id)
    assert by.person is not None, "a session is a person's"
    return Whose(tenant_id=by.tenant_id, person_id=by.person.person_id)


def _ends_at(by: FoundHalf | Caller) -> datetime.datetime | None:
    """Return when the session ends at the latest that takes the place of this one."""
    if isinstance(by, FoundHalf):
        return by.session_ends_at
    assert by.person is not None, "a session is a person's"
    return by.person.ends_at


async def _spend(
    transaction: Transaction, half: FoundHalf, *, now: datetime.datetime
) -> None:
    """Use a half-open session up, which somebody without a factor alone may do here."""
    whose = _whose(half)
    person = await roster.lock_person(transaction, **whose)
    if (
        person is None
        or person.has_second_factor
        or not await halves.take_half_session(transaction, half)
    ):
        raise Refused(Code.ENROLMENT_OVER)
    await roster.note_sign_in(
        transaction, **whose, password_hash=person.password_hash, now=now
    )


def _entry(request: web.Request, parts: Parts, *, whose: Whose, act: str) -> AuditEntry:
    return parts.audit_entry(
        request,
        whose["tenant_id"],
        actor=whose["person_id"],
        act=act,
        object_id=whose["person_id"],
        fields=("second_factor",),
        outcome="done",
    )


_ACTS: Final = ["second_factor.add"]
_ACTS_HALFWAY: Final = ["second_factor.add", "session.begin"]
