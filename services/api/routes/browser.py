"""``/oauth/``: what a person's browser opens to authorise an account.

The link's secret, behind its #, comes in a form; it binds the browser by a cookie and
sends it to the app. The app sends it back to the callback, which only the same browser
can complete (RFC 9700). What a person has begun wants that person's session in both.
"""

import secrets
from typing import Final

import structlog
from aiohttp import web

from proto.auth import Account, CompleteAuthorisation
from proto.errors import ErrorCode
from proto.ids import AccountId, AuthorisationId
from services.api.content import forms, pages
from services.api.content.problems import Code
from services.api.errors import Refused
from services.api.proofs import keys, seals
from services.api.requests import calls, sessions
from services.api.requests.calls import Caller, Visit
from services.api.requests.routing import Form, Page
from services.api.store import authorisations, ledger
from services.api.store.authorisations import CalledAuthorisation, OpenedAuthorisation
from services.chassis.errors import CommandFailed, Unavailable
from services.chassis.tenancy import ALL_TENANTS

log = structlog.get_logger()

_NAME_CHARS: Final = 12


async def ask_for_link(visit: Visit) -> web.StreamResponse:
    """Take the link's secret out of the address."""
    return forms.ask_for_code(
        title="Connect an account",
        text="You are sent to the app, which asks you to agree.",
        action="/oauth/start",
    )


async def start(visit: Visit) -> web.StreamResponse:
    """Bind the browser to its authorisation and send it to the app."""
    request, parts, link = visit.request, visit.parts, visit.query["secret"]
    now = parts.clock.now()
    who = await _signed_in(visit)
    # The link tells the tenant.
    async with parts.store.transaction(ALL_TENANTS) as work:
        opened = await authorisations.open_authorisation(
            work.transaction, keys.digest(link), now=now
        )
        if opened is not None:
            # Refused in here, so that it does not count as opened.
            _require_same(opened, who)
    if opened is None or opened.ended_at is not None or opened.expires_at <= now:
        raise Refused(ErrorCode.AUTHORISATION_EXPIRED)
    name = cookie_name(opened.authorisation_id, base_url=parts.base_url)
    is_same = _is_bound(request.cookies.get(name, ""), opened.browser_digest)
    if opened.opened_before_at is not None and not is_same:
        raise Refused(Code.LINK_OPENED)
    held = seals.unseal(opened.sealed, link=link)
    response = forms.go_out(held.vendor_url, name="the app")
    response.set_cookie(
        name,
        held.browser,
        max_age=int((opened.expires_at - now).total_seconds()) + 1,
        path="/",
        httponly=True,
        secure=parts.base_url.startswith("https:"),
        # The app sends the browser back from its own site: "Strict" would not do.
        samesite="Lax",
    )
    return response


async def callback(visit: Visit) -> web.StreamResponse:
    """Finish an authorisation with what the app sent, and say how it went."""
    parts, state = visit.parts, visit.query["state"]
    app = calls.app_in_path(visit.request)
    called = None
    if state:
        called = await authorisations.find_authorisation_by_state(
            # The state tells the tenant.
            parts.store.database.reader(ALL_TENANTS),
            keys.digest(state),
            app=app,
        )
    if called is None or called.ended_at is not None:
        raise Refused(ErrorCode.AUTHORISATION_EXPIRED)
    if called.expires_at <= parts.clock.now():
        raise Refused(ErrorCode.AUTHORISATION_EXPIRED)
    name = cookie_name(called.authorisation_id, base_url=parts.base_url)
    browser = visit.request.cookies.get(name, "")
    if not _is_bound(browser, called.browser_digest):
        raise Refused(Code.OTHER_BROWSER)
    _require_same(called, await _signed_in(visit))
    response = await _complete(visit, called=called, browser=browser)
    response.del_cookie(name, path="/", secure=parts.base_url.startswith("https:"))
    return response


async def _signed_in(visit: Visit) -> Caller | None:
    """Return who is signed in where the browser is, if anybody is."""
    try:
        return await sessions.identify(visit.request, visit.parts)
    except Refused:
        return None


def _require_same(
    begun: OpenedAuthorisation | CalledAuthorisation, who: Caller | None
) -> None:
    """Refuse whoever is not the person that began an authorisation, if one did."""
    if begun.person_id is None:
        return
    if who is None or (who.tenant_id, who.actor) != (begun.tenant_id, begun.person_id):
        raise Refused(Code.OTHER_PERSON)


def cookie_name(authorisation_id: AuthorisationId, *, base_url: str) -> str:
    """Return the cookie's name: one each, so that two windows do not disturb."""
    name = f"tandem_authorisation_{authorisation_id[-_NAME_CHARS:]}"
    return f"__Host-{name}" if base_url.startswith("https:") else name


async def _complete(
    visit: Visit, *, called: CalledAuthorisation, browser: str
) -> web.Response:
    """Ask auth to finish; whatever it answers ends the authorisation.

    While auth is away, or says that a part of it is, the same callback can be sent
    again: then nobody has used up its state.
    """
    try:
        account = await visit.parts.ask(
            CompleteAuthorisation(
                tenant_id=called.tenant_id,
                state=visit.query["state"],
                browser=browser,
                code=visit.query["code"],
                issuer=visit.query["iss"],
                error=visit.query["error"],
            ),
            calls_app=True,
        )
    except CommandFailed as err:
        if err.code is ErrorCode.SERVICE_UNAVAILABLE:
            raise
        await _end(visit, called=called, outcome=err.code, account_id=None)
        return pages.failed(err.code, err.detail)
    await _end(visit, called=called, outcome="done", account_id=account.account_id)
    return _connected(account)


def _connected(account: Account) -> web.Response:
    return pages.connected(
        display_name=account.display_name, account_id=account.account_id
    )


async def _end(
    visit: Visit,
    *,
    called: CalledAuthorisation,
    outcome: str,
    account_id: AccountId | None,
) -> None:
    request, parts = visit.request, visit.parts
    now = parts.clock.now()
    entry = parts.audit_entry(
        request,
        called.tenant_id,
        actor=called.person_id or "browser",
        act="account.complete_authorisation",
        object_id=called.authorisation_id,
        outcome=outcome,
    )
    try:
        async with parts.store.transaction(called.tenant_id) as work:
            await authorisations.end_authorisation(
                work.transaction,
                called,
                outcome=outcome,
                account_id=account_id,
                now=now,
            )
            await ledger.add_audit_entry(work.transaction, entry, now=now)
    except Unavailable as err:
        # It has ended all the same, and sending the callback again would not help.
        log.warning("outcome_not_written", reason=type(err).__name__)


def _is_bound(cookie: str, browser_digest: bytes) -> bool:
    return secrets.compare_digest(keys.digest(cookie), browser_digest)


PAGES: Final = (
    Page("/oauth/start", ask_for_link),
    Page("/oauth/callback/{app}", callback, query=("state", "code", "iss", "error")),
)

FORMS: Final = (Form("/oauth/start", start, fields=("secret",)),)
