"""``/sign-in/code`` and ``/sign-in/enrol``: what follows on a right password.

Both are for whoever brings a half-open session, which opens nothing else.
"""

from typing import Final

from aiohttp import web

from services.api.content import forms, picturing, problems
from services.api.content.problems import Code
from services.api.errors import Refused
from services.api.people import doorstep, enrolling, entering, halfway
from services.api.people.doorstep import CODE, ENROL
from services.api.requests.calls import Visit
from services.api.requests.routing import Form, Page
from services.api.store.halves import FoundHalf

_AGAIN: Final = (Code.CODE_REFUSED, Code.TOO_MANY_GUESSES)


async def show_code(visit: Visit) -> web.StreamResponse:
    """Ask for the code of the second factor."""
    if await _half(visit) is None:
        return forms.go_to("/sign-in")
    return _code_page()


async def give_code(visit: Visit) -> web.StreamResponse:
    """Begin the session, or ask again."""
    half = await _half(visit)
    if half is None:
        raise Refused(Code.SESSION_OVER)
    try:
        entered = await entering.finish(
            visit.request, visit.parts, half=half, text=visit.query["code"]
        )
    except Refused as err:
        if err.code not in _AGAIN:
            raise
        response = _code_page(fault=err.code)
        response.headers.update(err.headers)
        response[problems.REFUSAL] = err.code
        return response
    return doorstep.lead_on(visit.parts, entered)


async def show_enrolment(visit: Visit) -> web.StreamResponse:
    """Show what an app is to know, and ask for its first code."""
    half = await _half(visit)
    if half is None:
        return forms.go_to("/sign-in")
    waiting = await enrolling.look_halfway(visit.parts, half)
    return picturing.enrolment(
        waiting.secret, email=half.email, action=ENROL, note=visit.query["note"]
    )


async def enrol(visit: Visit) -> web.StreamResponse:
    """Let the second factor count, begin the session and show recovery codes."""
    half, parts = await _half(visit), visit.parts
    if half is None:
        raise Refused(Code.SESSION_OVER)
    waiting = await enrolling.look_halfway(parts, half)
    try:
        confirmed = await enrolling.confirm(
            visit.request,
            parts,
            by=half,
            waiting=waiting,
            text=visit.query["code"],
        )
    except Refused as err:
        if err.code != Code.CODE_REFUSED:
            raise
        return picturing.again(ENROL)
    response = picturing.recovery_codes(confirmed.recovery_codes)
    doorstep.let_in(response, confirmed.cookie, parts=parts)
    return response


async def _half(visit: Visit) -> FoundHalf | None:
    text = halfway.cookie_of(visit.request, visit.parts)
    try:
        return await halfway.identify(visit.parts, text)
    except Refused:
        return None


def _code_page(*, fault: str = "") -> web.Response:
    kind = problems.kind_of(fault) if fault else None
    return forms.page(
        "sign_in_code",
        title="Sign in",
        fault=kind.detail if kind else "",
        status=kind.status if kind else 200,
        action=CODE,
    )


PAGES: Final = (Page(CODE, show_code), Page(ENROL, show_enrolment, query=("note",)))

FORMS: Final = (
    Form(CODE, give_code, fields=("code",)),
    Form(ENROL, enrol, fields=("code",)),
)
