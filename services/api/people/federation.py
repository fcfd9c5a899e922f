"""How a person signs in at the provider: out with a state, back with a code.

The state is good once and in the browser that has the cookie. Who comes back is found
by what the provider calls them for ever; an address counts only where an invitation
was sent to it, and only if the provider says that it is theirs.
"""

import datetime
import secrets
from typing import Final

import structlog
from aiohttp import web

from proto.ids import PersonId
from services.api.content import forms
from services.api.content.problems import Code
from services.api.errors import Refused
from services.api.people import entering, inviting, linking, signing, trying
from services.api.people.entering import Entered, HalfWay, Proof
from services.api.proofs import keys, seals
from services.api.proofs.issuers import Issuer, ProviderAway
from services.api.proofs.oidc import Identity, KeysTooShort, NotProved, TooWeak
from services.api.requests import sessions
from services.api.requests.calls import Parts
from services.api.store import identities, ledger, roster
from services.api.store.guests import FoundInvitation
from services.api.store.identities import Known, WaitingSignIn
from services.api.store.ledger import AuditEntry
from services.api.store.roster import NewPerson, Whose
from services.chassis.tenancy import ALL_TENANTS

log = structlog.get_logger()

WAITS: Final = datetime.timedelta(minutes=10)
_NAME: Final = "tandem_oidc"


def cookie_name(base_url: str) -> str:
    """Return what the cookie is called that binds the browser."""
    return f"__Host-{_NAME}" if base_url.startswith("https:") else _NAME


async def begin(
    parts: Parts, *, tenant_name: str = "", invitation: str = "", session: str = ""
) -> web.Response:
    """Send the browser to the provider, bound by a cookie.

    Raises:
        Refused: There is no provider, or it is away.
    """
    issuer = _issuer(parts)
    state, browser = seals.new_secret(), seals.new_secret()
    try:
        url = await issuer.authorise_url(
            redirect_uri=redirect_uri(parts), state=state, browser=browser
        )
    except KeysTooShort as err:
        raise Refused(Code.OIDC_KEYS_TOO_SHORT) from err
    except (ProviderAway, NotProved) as err:
        raise _away(err) from err
    waiting = WaitingSignIn(
        browser_digest=keys.digest(browser),
        tenant_name=tenant_name,
        invitation_digest=keys.digest(invitation) if invitation else None,
        session_digest=keys.digest(session) if session else None,
        expires_at=parts.clock.now() + WAITS,
    )
    async with parts.store.transaction(ALL_TENANTS) as work:
        await identities.add_sign_in(
            work.transaction, waiting, state_digest=keys.digest(state)
        )
    response = forms.go_out(url, name=provider_name(parts))
    response.set_cookie(
        cookie_name(parts.base_url),
        browser,
        max_age=int(WAITS.total_seconds()),
        path="/",
        httponly=True,
        secure=parts.base_url.startswith("https:"),
        # The provider sends the browser back from its own site.
        samesite="Lax",
    )
    return response


async def finish(
    request: web.Request, parts: Parts, *, state: str, code: str, issuer: str
) -> Entered | HalfWay | None:
    """Begin a session for whoever came back, or a half-open one.

    None where somebody was signed in already and has added a way in.

    Raises:
        Refused: The sign-in is over or another browser's, or the provider proved
            nobody whom Tandem knows.
    """
    try:
        return await _finish(request, parts, state=state, code=code, issuer=issuer)
    except Refused as err:
        cause = err.__cause__
        log.warning(
            "sign_in_refused",
            kind="provider",
            code=err.code,
            reason=str(cause) if isinstance(cause, NotProved) else "",
            remote=parts.remote_of(request),
        )
        raise


async def _finish(
    request: web.Request, parts: Parts, *, state: str, code: str, issuer: str
) -> Entered | HalfWay | None:
    provider = _issuer(parts)
    browser = request.cookies.get(cookie_name(parts.base_url), "")
    async with parts.store.transaction(ALL_TENANTS) as work:
        waiting = await identities.take_sign_in(work.transaction, keys.digest(state))
    now = parts.clock.now()
    if waiting is None or waiting.expires_at <= now:
        raise Refused(Code.OIDC_OVER)
    if not secrets.compare_digest(keys.digest(browser), waiting.browser_digest):
        raise Refused(Code.OIDC_OVER)
    if not code:
        raise Refused(Code.OIDC_REFUSED)
    try:
        identity = await provider.identify(
            code=code,
            issuer=issuer,
            redirect_uri=redirect_uri(parts),
            browser=browser,
        )
    except ProviderAway as err:
        raise _away(err) from err
    except KeysTooShort as err:
        raise Refused(Code.OIDC_KEYS_TOO_SHORT) from err
    except TooWeak as err:
        raise Refused(Code.OIDC_WEAK) from err
    except NotProved as err:
        raise Refused(Code.OIDC_REFUSED) from err
    if waiting.session_digest is not None:
        await linking.link(
            request, parts, identity=identity, session_digest=waiting.session_digest
        )
        return None
    who = await _known(request, parts, identity=identity, waiting=waiting)
    return await _begin_session(request, parts, who=who, identity=identity)


def provider_name(parts: Parts) -> str:
    """Return what people know the provider by; empty where there is none."""
    return parts.config.oidc_name if parts.issuer is not None else ""


def redirect_uri(parts: Parts) -> str:
    """Return where the provider sends browsers back to."""
    return f"{parts.base_url}/sign-in/oidc/callback"


async def _known(
    request: web.Request, parts: Parts, *, identity: Identity, waiting: WaitingSignIn
) -> Known:
    if waiting.invitation_digest is not None:
        found = await inviting.look(parts, waiting.invitation_digest)
        # Whoever has the link still has to be who was invited.
        if signing.normal_email(identity.email) != found.email:
            raise Refused(Code.OIDC_UNKNOWN)
        return await _accept(request, parts, found=found, identity=identity)
    people = await identities.find_people(
        parts.store.database.reader(ALL_TENANTS),
        identity,
        tenant_name=waiting.tenant_name,
    )
    if len(people) != 1:
        raise Refused(Code.OIDC_UNKNOWN)
    return people[0]


async def _accept(
    request: web.Request,
    parts: Parts,
    *,
    found: FoundInvitation,
    identity: Identity,
) -> Known:
    """Make the person of an invitation, who has no password."""
    known = Known(tenant_id=found.tenant_id, person_id=parts.identifiers.new(PersonId))
    person = NewPerson(
        tenant_id=known.tenant_id,
        person_id=known.person_id,
        email=found.email,
        role=found.role,
        password_hash="",
    )
    entry = _entry(request, parts, who=known, act="invitation.accept")
    now = parts.clock.now()
    async with parts.store.transaction(known.tenant_id) as work:
        await inviting.admit(work.transaction, person, found=found, now=now)
        if not await identities.add_identity(
            work.transaction, known, identity=identity
        ):
            raise Refused(Code.INVITATION_OVER)
        await ledger.add_audit_entry(work.transaction, entry, now=now)
    return known


async def _begin_session(
    request: web.Request, parts: Parts, *, who: Known, identity: Identity
) -> Entered | HalfWay:
    now, settings = parts.clock.now(), parts.config
    ends_at = now + datetime.timedelta(seconds=settings.oidc_session_max_s)
    if identity.proved_at is not None:
        age = datetime.timedelta(seconds=settings.oidc_auth_age_s)
        ends_at = min(ends_at, identity.proved_at + age)
    whose = Whose(tenant_id=who.tenant_id, person_id=who.person_id)
    proof = Proof(**whose, kind="provider", factors=identity.factors, ends_at=ends_at)
    async with parts.store.transaction(who.tenant_id) as work:
        transaction = work.transaction
        person = await roster.lock_person(transaction, **whose)
        if person is None:
            raise Refused(Code.OIDC_UNKNOWN)
        begun = await entering.enter(transaction, proof, request=request, parts=parts)
        if isinstance(begun, Entered):
            await roster.note_sign_in(
                transaction, **whose, password_hash=person.password_hash, now=now
            )
        entry = _entry(
            request, parts, who=who, act="session.begin", outcome=begun.outcome
        )
        await ledger.add_audit_entry(transaction, entry, now=now)
    if isinstance(begun, Entered):
        trying.note_sign_in(
            request,
            parts,
            tenant_id=who.tenant_id,
            actor=who.person_id,
            kind="provider",
        )
        await sessions.end_previous(request, parts)
    return begun


def _entry(
    request: web.Request,
    parts: Parts,
    *,
    who: Known,
    act: str,
    outcome: str = "done",
) -> AuditEntry:
    return parts.audit_entry(
        request,
        who.tenant_id,
        actor=who.person_id,
        act=act,
        object_id=who.person_id,
        fields=("identity",),
        outcome=outcome,
    )


def _issuer(parts: Parts) -> Issuer:
    if parts.issuer is None:
        raise Refused(Code.NO_SUCH_ROUTE)
    return parts.issuer


def _away(err: Exception) -> Refused:
    log.warning("sign_in_unavailable", reason=str(err))
    return Refused(Code.OIDC_AWAY)
