"""Who changes what they get in by proves again who they are: by all that they have.

Whoever finds a browser open has neither the password nor the code.
"""

from aiohttp import web

from proto.errors import ErrorCode
from proto.ids import PersonId
from services.api.content.problems import Code
from services.api.errors import Refused
from services.api.people import proving, signing, trying
from services.api.requests import access
from services.api.requests.calls import Caller, Parts, SignedIn
from services.api.store import guesses, roster
from services.api.store.roster import Whose
from services.chassis.tenancy import ALL_TENANTS


async def confirm(
    request: web.Request, parts: Parts, *, caller: Caller, password: str, text: str
) -> None:
    """Let through whoever knows the password and has the second factor.

    Who has neither, but signs in at a provider, has to have done so just now.

    Raises:
        Refused: One of them is wrong, or was tried too often.
    """
    person = caller.person
    assert person is not None, "the page is for people who are signed in"
    whose = Whose(tenant_id=caller.tenant_id, person_id=person.person_id)
    async with parts.store.transaction(caller.tenant_id) as work:
        found = await roster.lock_person(work.transaction, **whose)
    if found is None:
        raise Refused(ErrorCode.NOT_FOUND)
    if found.password_hash:
        await _confirm_password(
            request,
            parts,
            person=person,
            password=password,
            password_hash=found.password_hash,
        )
    elif not found.has_second_factor:
        access.require_fresh(caller, now=parts.clock.now())
    if found.has_second_factor:
        await _confirm_code(request, parts, caller=caller, text=text)


async def _confirm_password(
    request: web.Request,
    parts: Parts,
    *,
    person: SignedIn,
    password: str,
    password_hash: str,
) -> None:
    subjects = guesses.subjects_of(person.email, parts.remote_of(request))
    await trying.count(request, parts, subjects=subjects)
    verdict = await signing.verify(parts, password, password_hash=password_hash)
    if not verdict.is_right:
        raise Refused(Code.NOT_CONFIRMED)
    async with parts.store.transaction(ALL_TENANTS) as work:
        await guesses.give_back(work.transaction, subjects)


async def _confirm_code(
    request: web.Request, parts: Parts, *, caller: Caller, text: str
) -> None:
    person_id = PersonId(caller.actor)
    subjects = guesses.subjects_of_code(person_id, parts.remote_of(request))
    await trying.count(
        request, parts, subjects=subjects, limits=guesses.CODES, kind="code"
    )
    async with parts.store.transaction(caller.tenant_id) as work:
        kind = await proving.prove(
            work.transaction,
            parts,
            tenant_id=caller.tenant_id,
            person_id=person_id,
            text=text,
        )
        if not kind:
            raise Refused(Code.CODE_REFUSED)
        await guesses.give_back(work.transaction, subjects)
