"""How somebody who is signed in adds the provider as a second way in.

Which session it was is kept with the sign-in that waits: nobody else's way back adds
anything to it.
"""

import secrets

from aiohttp import web

from services.api.content.problems import Code
from services.api.errors import Refused
from services.api.proofs.oidc import Identity
from services.api.requests import sessions
from services.api.requests.calls import Caller, Parts
from services.api.store import identities, ledger
from services.api.store.identities import Known


async def link(
    request: web.Request, parts: Parts, *, identity: Identity, session_digest: bytes
) -> None:
    """Let the person of a session sign in as who they are at the provider.

    Raises:
        Refused: The session is over or another one, or the identity is taken.
    """
    caller = await _caller(request, parts, session_digest=session_digest)
    assert caller.person is not None, "a session is a person's"
    known = Known(tenant_id=caller.tenant_id, person_id=caller.person.person_id)

    async with parts.store.transaction(known.tenant_id) as work:
        await sessions.hold(work.transaction, caller)
        is_linked = await identities.add_identity(
            work.transaction, known, identity=identity
        )
        entry = parts.audit_entry(
            request,
            known.tenant_id,
            actor=known.person_id,
            act="identity.link",
            object_id=known.person_id,
            fields=("identity",),
            outcome="done" if is_linked else Code.IDENTITY_TAKEN,
        )
        await ledger.add_audit_entry(work.transaction, entry, now=parts.clock.now())
    if not is_linked:
        raise Refused(Code.IDENTITY_TAKEN)


async def _caller(
    request: web.Request, parts: Parts, *, session_digest: bytes
) -> Caller:
    cookie = sessions.digest_of(request, parts)
    if not secrets.compare_digest(cookie, session_digest):
        raise Refused(Code.OIDC_OVER)
    try:
        return await sessions.identify(request, parts)
    except Refused:
        raise Refused(Code.OIDC_OVER) from None
