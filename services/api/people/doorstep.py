"""Where a browser goes on when somebody has proved something of who they are."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from services.api.content import forms
from services.api.content.problems import Code
from services.api.people import halfway
from services.api.people.entering import Entered, HalfWay
from services.api.requests import sessions
from services.api.requests.calls import Parts

CODE: Final = "/sign-in/code"
ENROL: Final = "/sign-in/enrol"
_NEXT: Final[Mapping[str, str]] = {
    Code.CODE_NEEDED: CODE,
    Code.ENROLMENT_NEEDED: ENROL,
}


def lead_on(parts: Parts, entry: Entered | HalfWay) -> web.Response:
    """Give the browser its cookie, and lead it to what is next."""
    if isinstance(entry, HalfWay):
        response = forms.go_to(_NEXT[entry.outcome])
        halfway.give(response, entry.cookie, parts=parts)
        return response
    response = forms.go_to("/account")
    let_in(response, entry.cookie, parts=parts)
    return response


def let_in(response: web.StreamResponse, cookie: str, *, parts: Parts) -> None:
    """Give a browser the cookie of a session in place of a half-open one's."""
    sessions.give(response, cookie, parts=parts)
    halfway.take_away(response, parts=parts)
