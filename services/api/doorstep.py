"""Where a browser goes on when somebody has proved something of who they are."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from services.api import forms, halfway, sessions
from services.api.calls import Parts
from services.api.entering import Entered, HalfWay
from services.api.problems import Code

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
