"""Who asks: the API key or the session of a request, judged anew each time.

So what was revoked is refused at once, and nothing of a key is kept in memory.
"""

import datetime
from typing import Final

from aiohttp import web

from services.api.content.problems import Code
from services.api.errors import Refused
from services.api.proofs import keys
from services.api.requests import origins, sessions
from services.api.requests.calls import CALLER, Caller, Parts
from services.api.store import api_keys
from services.api.store.roster import LockedPerson
from services.chassis.database import Transaction
from services.chassis.tenancy import ALL_TENANTS

FRESH: Final = datetime.timedelta(minutes=10)
"""How long after signing in a person may change how they, or others, get in."""
_REALM: Final = 'Bearer realm="tandem"'


async def identify(request: web.Request, parts: Parts) -> Caller:
    """Return whose key or whose session a request brings; the key goes first.

    Raises:
        Refused: There is none, or it is not valid now, or the page of somebody else
            had a browser send it.
    """
    if "Authorization" in request.headers or not sessions.cookie_of(request, parts):
        return await _holder_of_key(request, parts)
    is_safe = request.method in origins.SAFE_METHODS
    if not (is_safe or origins.is_own(request.headers, base_url=parts.base_url)):
        raise Refused(Code.FOREIGN_PAGE)
    try:
        return await sessions.identify(request, parts)
    except Refused as err:
        raise _over(err) from None


async def _holder_of_key(request: web.Request, parts: Parts) -> Caller:
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if not text or scheme.lower() != "bearer":
        raise Refused(Code.KEY_MISSING, headers={"WWW-Authenticate": _REALM})
    text = text.strip()
    if not keys.is_well_formed(text):
        raise _refused(Code.KEY_MALFORMED)
    # The key tells the tenant, so it is looked for among those of all.
    reader = parts.store.database.reader(ALL_TENANTS)
    key = await api_keys.find_key(reader, keys.digest(text))
    if key is None:
        raise _refused(Code.KEY_UNKNOWN)
    caller = Caller(key.tenant_id, key.key_id, key.scopes, key.expires_at)
    request[CALLER] = caller
    if key.revoked_at is not None:
        raise _refused(Code.KEY_REVOKED)
    if key.expires_at is not None and key.expires_at <= parts.clock.now():
        raise _refused(Code.KEY_EXPIRED)
    parts.usage.note(key.tenant_id, key.key_id)
    return caller


def require(caller: Caller, scope: str) -> None:
    """Refuse a caller who does not have a scope."""
    if scope not in caller.scopes and caller.person is not None:
        raise Refused(
            Code.ROLE_MISSING,
            f"The role {caller.person.role} may not do this. Ask an owner.",
        )
    if scope not in caller.scopes:
        raise Refused(
            Code.SCOPE_MISSING,
            f"The key lacks the scope `{scope}`. Use a key that has it.",
            headers={
                "WWW-Authenticate": f'{_REALM}, error="insufficient_scope",'
                f' scope="{scope}"'
            },
        )


def require_person(caller: Caller) -> None:
    """Refuse a key where only people have anything to do."""
    if caller.person is None:
        raise Refused(Code.PERSON_MISSING)


def require_fresh(caller: Caller, *, now: datetime.datetime) -> None:
    """Refuse a person who has not signed in within the last minutes."""
    if caller.person is not None and now - caller.person.began_at >= FRESH:
        raise Refused(Code.SIGN_IN_AGAIN)


async def hold(transaction: Transaction, caller: Caller) -> LockedPerson:
    """Return a session's person, as ``sessions.hold`` does.

    Raises:
        Refused: The session has ended since it was identified.
    """
    try:
        return await sessions.hold(transaction, caller)
    except Refused as err:
        raise _over(err) from None


def pace(parts: Parts, caller: str) -> None:
    """Refuse a caller that asks too often."""
    wait_s = parts.pace.wait_s(caller, now_s=parts.clock.monotonic())
    if wait_s > 0:
        raise Refused(
            Code.TOO_MANY_REQUESTS, headers={"Retry-After": str(int(wait_s) + 1)}
        )


def _over(err: Refused) -> Refused:
    """Return what a program is told whose session is over: HTTP wants a challenge."""
    return Refused(err.code, headers={"WWW-Authenticate": _REALM})


def _refused(code: Code) -> Refused:
    challenge = f'{_REALM}, error="invalid_token"'
    return Refused(code, headers={"WWW-Authenticate": challenge})
