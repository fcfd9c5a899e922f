"""How an invitation is accepted: the link and a password make a person."""

import datetime

from aiohttp import web

from proto.ids import PersonId
from services.api.content.problems import Code
from services.api.errors import Fault, Refused
from services.api.people import signing
from services.api.proofs import keys, passwords
from services.api.requests.calls import Parts
from services.api.store import guests, ledger, roster
from services.api.store.guests import FoundInvitation
from services.api.store.roster import NewPerson
from services.chassis.database import Transaction
from services.chassis.tenancy import ALL_TENANTS


async def look(parts: Parts, digest: bytes) -> FoundInvitation:
    """Return the invitation of a link, if it can be accepted now.

    Raises:
        Refused: It is over, or never was.
    """
    found = await guests.find_invitation(
        parts.store.database.reader(ALL_TENANTS), digest
    )
    if (
        found is None
        or found.ended_at is not None
        or found.expires_at <= parts.clock.now()
    ):
        raise Refused(Code.INVITATION_OVER)
    return found


async def accept(
    request: web.Request, parts: Parts, *, link: str, password: str
) -> FoundInvitation:
    """Make the person of an invitation; they sign in as everybody does.

    Raises:
        Refused: The invitation is over, or the password not taken.
    """
    found = await look(parts, keys.digest(link))
    if fault := passwords.fault_of(password, email=found.email):
        raise Refused(Code.BODY_INVALID, faults=(Fault("/password", fault),))
    password_hash = await signing.new_hash(parts, password)
    person = NewPerson(
        tenant_id=found.tenant_id,
        person_id=parts.identifiers.new(PersonId),
        email=found.email,
        role=found.role,
        password_hash=password_hash,
    )
    entry = parts.audit_entry(
        request,
        found.tenant_id,
        actor=person.person_id,
        act="invitation.accept",
        object_id=found.invitation_id,
        fields=("password",),
        outcome="done",
    )
    now = parts.clock.now()
    async with parts.store.transaction(found.tenant_id) as work:
        await admit(work.transaction, person, found=found, now=now)
        await ledger.add_audit_entry(work.transaction, entry, now=now)
    return found


async def admit(
    transaction: Transaction,
    person: NewPerson,
    *,
    found: FoundInvitation,
    now: datetime.datetime,
) -> None:
    """Store the person of an invitation, which is over by that.

    Raises:
        Refused: Somebody has used the link, or it was replaced, meanwhile.
    """
    await roster.lock_tenant(transaction, found.tenant_id)
    is_first = await guests.end_invitation(
        transaction,
        found.tenant_id,
        invitation_id=found.invitation_id,
        outcome="accepted",
        digest=found.digest,
        now=now,
    )
    if not (is_first and await roster.add_person(transaction, person, now=now)):
        raise Refused(Code.INVITATION_OVER)
