"""``/sign-in``, ``/account``, ``/sign-out`` and ``/invitations/``: pages of people.

They do what ``/v1/session`` and ``/v1/invitations/accept`` do, for a browser alone.
"""

from typing import Final

from aiohttp import web

from services.api import (
    federation,
    forms,
    inviting,
    keys,
    passwords,
    problems,
    sessions,
    signing,
)
from services.api.calls import Caller, Visit
from services.api.errors import Refused
from services.api.problems import Code
from services.api.routing import Form, Page

_AGAIN: Final = (Code.SIGN_IN_REFUSED, Code.TOO_MANY_GUESSES)


async def show_sign_in(visit: Visit) -> web.StreamResponse:
    """Show the form, or whoever is signed in already."""
    if await _signed_in(visit) is not None:
        return forms.go_to("/account")
    note = "You can sign in now." if visit.query["note"] == "accepted" else ""
    return _sign_in_page(visit, tenant=visit.query["tenant"], note=note)


async def sign_in(visit: Visit) -> web.StreamResponse:
    """Begin a session, or show the form again with what is wrong."""
    given = visit.query
    try:
        done = await signing.sign_in(
            visit.request,
            visit.parts,
            email=given["email"],
            password=given["password"],
            tenant_name=given["tenant"].strip(),
        )
    except Refused as err:
        if err.code not in _AGAIN:
            raise
        kind = problems.kind_of(err.code)
        response = _sign_in_page(
            visit,
            email=given["email"],
            tenant=given["tenant"],
            fault=kind.detail,
            status=kind.status,
        )
        response.headers.update(err.headers)
        response[problems.REFUSAL] = err.code
        return response
    response = forms.go_to("/account")
    sessions.give(response, done.cookie, parts=visit.parts)
    return response


async def show_account(visit: Visit) -> web.StreamResponse:
    """Show who is signed in, and how to sign out."""
    caller = await _signed_in(visit)
    if caller is None or caller.person is None:
        return forms.go_to("/sign-in")
    return forms.page(
        "account",
        title="Signed in",
        email=caller.person.email,
        role=caller.person.role,
    )


async def sign_out(visit: Visit) -> web.StreamResponse:
    """End the session, if there is one, and show the form."""
    await sessions.end_previous(visit.request, visit.parts)
    response = forms.go_to("/sign-in")
    sessions.take_away(response, parts=visit.parts)
    return response


async def show_invitation(visit: Visit) -> web.StreamResponse:
    """Show what somebody is invited to."""
    return await _invitation_page(visit)


async def accept(visit: Visit) -> web.StreamResponse:
    """Make a person of the invitation, or say what is wrong with the password."""
    try:
        await inviting.accept(
            visit.request,
            visit.parts,
            link=visit.request.match_info["secret"],
            password=visit.query["password"],
        )
    except Refused as err:
        if err.code != Code.BODY_INVALID:
            raise
        return await _invitation_page(visit, fault=err.faults[0].detail)
    return forms.go_to("/sign-in?note=accepted")


async def _invitation_page(visit: Visit, *, fault: str = "") -> web.Response:
    secret = visit.request.match_info["secret"]
    found = await inviting.look(visit.parts, keys.digest(secret))
    return forms.page(
        "invitation",
        title="Invitation",
        fault=fault,
        status=422 if fault else 200,
        tenant=found.tenant_name,
        email=found.email,
        role=found.role,
        chars_min=passwords.CHARS_MIN,
        chars_max=passwords.CHARS_MAX,
        provider=_provider_name(visit),
        provider_path=f"/invitations/{secret}/oidc",
    )


def _sign_in_page(
    visit: Visit,
    *,
    email: str = "",
    tenant: str = "",
    note: str = "",
    fault: str = "",
    status: int = 200,
) -> web.Response:
    return forms.page(
        "sign_in",
        title="Sign in",
        fault=fault,
        status=status,
        email=email,
        tenant=tenant,
        note=note,
        provider=_provider_name(visit),
    )


async def go_to_provider(visit: Visit) -> web.StreamResponse:
    """Send the browser to the provider that people may sign in at."""
    return await federation.begin(visit.parts, tenant_name=visit.query["tenant"])


async def accept_at_provider(visit: Visit) -> web.StreamResponse:
    """Send the browser there to accept an invitation without a password."""
    secret = visit.request.match_info["secret"]
    await inviting.look(visit.parts, keys.digest(secret))
    return await federation.begin(visit.parts, invitation=secret)


async def come_back(visit: Visit) -> web.StreamResponse:
    """Begin a session for whoever the provider says it is."""
    given, parts = visit.query, visit.parts
    cookie = await federation.finish(
        visit.request,
        parts,
        state=given["state"],
        code="" if given["error"] else given["code"],
        issuer=given["iss"],
    )
    response = forms.go_to("/account")
    sessions.give(response, cookie, parts=parts)
    response.del_cookie(
        federation.cookie_name(parts.base_url),
        path="/",
        secure=parts.base_url.startswith("https:"),
    )
    return response


def _provider_name(visit: Visit) -> str:
    return visit.parts.config.oidc_name if visit.parts.issuer is not None else ""


async def _signed_in(visit: Visit) -> Caller | None:
    if not sessions.cookie_of(visit.request, visit.parts):
        return None
    try:
        return await sessions.identify(visit.request, visit.parts)
    except Refused:
        return None


PAGES: Final = (
    Page("/sign-in", show_sign_in, query=("tenant", "note")),
    Page("/sign-in/oidc", go_to_provider, query=("tenant",)),
    Page("/sign-in/oidc/callback", come_back, query=("state", "code", "iss", "error")),
    Page("/invitations/{secret}/oidc", accept_at_provider),
    Page("/account", show_account),
    Page("/invitations/{secret}", show_invitation),
)

FORMS: Final = (
    Form("/sign-in", sign_in, fields=("email", "password", "tenant")),
    Form("/sign-out", sign_out),
    Form("/invitations/{secret}", accept, fields=("email", "password")),
)
