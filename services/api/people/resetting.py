"""How a forgotten password is chosen anew: an owner's link, once, and soon.

Tandem sends no mail, so nobody gets a link by asking for it: an owner passes it on to
whom they know. Every session of the person ends when the link is used.
"""

import datetime
from typing import Final

from aiohttp import web

from services.api.content.problems import Code
from services.api.errors import Fault, Refused
from services.api.people import signing
from services.api.proofs import keys, passwords
from services.api.requests.calls import Parts
from services.api.store import ledger, resets, roster
from services.api.store.resets import FoundReset
from services.chassis.tenancy import ALL_TENANTS

HOLDS: Final = datetime.timedelta(hours=4)
"""How long a link can be used."""


async def look(parts: Parts, link: str) -> FoundReset:
    """Return the reset of a link, if it can be used now.

    Raises:
        Refused: It is over, or never was.
    """
    reader = parts.store.database.reader(ALL_TENANTS)
    found = await resets.find_reset(reader, keys.digest(link))
    if found is None or found.expires_at <= parts.clock.now():
        raise Refused(Code.RESET_OVER)
    return found


async def reset(
    request: web.Request, parts: Parts, *, link: str, password: str
) -> None:
    """Store the new password; the person signs in with it as everybody does.

    Raises:
        Refused: The link is over, or the password not taken.
    """
    found = await look(parts, link)
    if fault := passwords.fault_of(password, email=found.email):
        raise Refused(Code.BODY_INVALID, faults=(Fault("/password", fault),))
    password_hash = await signing.new_hash(parts, password)
    entry = parts.audit_entry(
        request,
        found.tenant_id,
        actor=found.person_id,
        act="password.reset",
        object_id=found.person_id,
        fields=("password",),
        outcome="done",
    )
    whose = {"person_id": found.person_id}
    async with parts.store.transaction(found.tenant_id) as work:
        transaction = work.transaction
        person = await roster.lock_person(transaction, found.tenant_id, **whose)
        if person is None or not await resets.take_reset(transaction, found):
            raise Refused(Code.RESET_OVER)
        await roster.change_password(
            transaction, found.tenant_id, **whose, password_hash=password_hash
        )
        await roster.end_sessions(transaction, found.tenant_id, **whose)
        await ledger.add_audit_entry(transaction, entry, now=parts.clock.now())
