"""``/sign-in``, ``/account`` and ``/sign-out``: pages of people.

They do what ``/v1/session`` does, for a browser alone.
"""

from typing import Final

from aiohttp import web

from services.api.content import forms, problems
from services.api.content.problems import Code
from services.api.errors import Refused
from services.api.people import doorstep, federation, halfway, signing
from services.api.requests import access, sessions
from services.api.requests.calls import Caller, Visit
from services.api.requests.routing import Form, Page
from services.api.store import identities

_NOTES: Final = {
    "accepted": "You can sign in now.",
    "reset": "You can sign in with your new password now.",
}
_LINKED: Final = "From now on you can sign in there, too."
_AGAIN: Final = (Code.SIGN_IN_REFUSED, Code.TOO_MANY_GUESSES)


async def show_sign_in(visit: Visit) -> web.StreamResponse:
    """Show the form, or whoever is signed in already."""
    if await _signed_in(visit) is not None:
        return forms.go_to("/account")
    note = _NOTES.get(visit.query["note"], "")
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
    return doorstep.lead_on(visit.parts, done.entry)


async def show_account(visit: Visit) -> web.StreamResponse:
    """Show who is signed in, and how to sign out."""
    caller = await _signed_in(visit)
    if caller is None or caller.person is None:
        return forms.go_to("/sign-in")
    parts, person = visit.parts, caller.person
    is_linked = await identities.has_identity(
        parts.store.database.reader(caller.tenant_id),
        caller.tenant_id,
        person_id=person.person_id,
    )
    return forms.page(
        "account",
        title="Signed in",
        email=person.email,
        role=person.role,
        note=_LINKED if visit.query["note"] == "linked" else "",
        provider="" if is_linked else federation.provider_name(parts),
    )


async def link_at_provider(visit: Visit) -> web.StreamResponse:
    """Send the browser there to add the provider as a second way in."""
    caller = await sessions.identify(visit.request, visit.parts)
    access.require_fresh(caller, now=visit.parts.clock.now())
    cookie = sessions.cookie_of(visit.request, visit.parts)
    return await federation.begin(visit.parts, session=cookie)


async def sign_out(visit: Visit) -> web.StreamResponse:
    """End the session, if there is one, and show the form."""
    await sessions.end_previous(visit.request, visit.parts)
    response = forms.go_to("/sign-in")
    sessions.take_away(response, parts=visit.parts)
    halfway.take_away(response, parts=visit.parts)
    return response


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
        provider=federation.provider_name(visit.parts),
    )


async def go_to_provider(visit: Visit) -> web.StreamResponse:
    """Send the browser to the provider that people may sign in at.

    By a button of ours alone: no other page begins a session, not even one's own.
    """
    return await federation.begin(visit.parts, tenant_name=visit.query["tenant"])


async def come_back(visit: Visit) -> web.StreamResponse:
    """Begin a session for whoever the provider says it is."""
    given, parts = visit.query, visit.parts
    entry = await federation.finish(
        visit.request,
        parts,
        state=given["state"],
        code="" if given["error"] else given["code"],
        issuer=given["iss"],
    )
    response = forms.go_to("/account?note=linked")
    if entry is not None:
        response = doorstep.lead_on(parts, entry)
    response.del_cookie(
        federation.cookie_name(parts.base_url),
        path="/",
        secure=parts.base_url.startswith("https:"),
    )
    return response


async def _signed_in(visit: Visit) -> Caller | None:
    if not sessions.cookie_of(visit.request, visit.parts):
        return None
    try:
        return await sessions.identify(visit.request, visit.parts)
    except Refused:
        return None


PAGES: Final = (
    Page("/sign-in", show_sign_in, query=("tenant", "note")),
    Page("/sign-in/oidc/callback", come_back, query=("state", "code", "iss", "error")),
    Page("/account", show_account, query=("note",)),
)

FORMS: Final = (
    Form("/sign-in", sign_in, fields=("email", "password", "tenant")),
    Form("/sign-in/oidc", go_to_provider, fields=("tenant",)),
    Form("/account/oidc", link_at_provider),
    Form("/sign-out", sign_out),
)
