"""``/invitation`` and ``/reset``: where the links lead that an owner passes on.

A link's secret stands behind the # of its address, and comes in a form.
"""

from typing import Final

from aiohttp import web

from services.api.content import forms
from services.api.content.problems import Code
from services.api.errors import Refused
from services.api.people import federation, inviting, resetting
from services.api.proofs import keys, passwords
from services.api.requests import sessions
from services.api.requests.calls import Visit
from services.api.requests.routing import Form, Page


async def ask_for_invitation(visit: Visit) -> web.StreamResponse:
    """Take the link's secret out of the address."""
    return forms.ask_for_code(
        title="Invitation", text="You are invited to Tandem.", action="/invitation"
    )


async def show_invitation(visit: Visit) -> web.StreamResponse:
    """Show what somebody is invited to."""
    return await _invitation_page(visit)


async def accept(visit: Visit) -> web.StreamResponse:
    """Make a person of the invitation, or say what is wrong with the password."""
    try:
        await inviting.accept(
            visit.request,
            visit.parts,
            link=visit.query["secret"],
            password=visit.query["password"],
        )
    except Refused as err:
        if err.code != Code.BODY_INVALID:
            raise
        return await _invitation_page(visit, fault=err.faults[0].detail)
    return forms.go_to("/sign-in?note=accepted")


async def accept_at_provider(visit: Visit) -> web.StreamResponse:
    """Send the browser there to accept an invitation without a password."""
    secret = visit.query["secret"]
    await inviting.look(visit.parts, keys.digest(secret))
    return await federation.begin(visit.parts, invitation=secret)


async def _invitation_page(visit: Visit, *, fault: str = "") -> web.Response:
    secret = visit.query["secret"]
    found = await inviting.look(visit.parts, keys.digest(secret))
    return forms.page(
        "invitation",
        title="Invitation",
        fault=fault,
        status=422 if fault else 200,
        tenant=found.tenant_name,
        email=found.email,
        role=found.role,
        secret=secret,
        action="/invitation/accept",
        button="Accept",
        chars_min=passwords.CHARS_MIN,
        chars_max=passwords.CHARS_MAX,
        provider=federation.provider_name(visit.parts),
    )


async def ask_for_reset(visit: Visit) -> web.StreamResponse:
    """Take the link's secret out of the address."""
    return forms.ask_for_code(
        title="New password", text="You can choose a new password.", action="/reset"
    )


async def show_reset(visit: Visit) -> web.StreamResponse:
    """Show whose password can be chosen anew."""
    return await _reset_page(visit)


async def reset(visit: Visit) -> web.StreamResponse:
    """Store the new password, or say what is wrong with it."""
    given = visit.query
    try:
        await resetting.reset(
            visit.request, visit.parts, link=given["secret"], password=given["password"]
        )
    except Refused as err:
        if err.code != Code.BODY_INVALID:
            raise
        return await _reset_page(visit, fault=err.faults[0].detail)
    response = forms.go_to("/sign-in?note=reset")
    sessions.take_away(response, parts=visit.parts)
    return response


async def _reset_page(visit: Visit, *, fault: str = "") -> web.Response:
    found = await resetting.look(visit.parts, visit.query["secret"])
    return forms.page(
        "reset",
        title="New password",
        fault=fault,
        status=422 if fault else 200,
        tenant=found.tenant_name,
        email=found.email,
        secret=visit.query["secret"],
        action="/reset/password",
        button="Change password",
        chars_min=passwords.CHARS_MIN,
        chars_max=passwords.CHARS_MAX,
    )


PAGES: Final = (
    Page("/invitation", ask_for_invitation),
    Page("/reset", ask_for_reset),
)

FORMS: Final = (
    Form("/invitation", show_invitation, fields=("secret",)),
    Form("/invitation/accept", accept, fields=("secret", "email", "password")),
    Form("/invitation/oidc", accept_at_provider, fields=("secret",)),
    Form("/reset", show_reset, fields=("secret",)),
    Form("/reset/password", reset, fields=("secret", "email", "password")),
)
