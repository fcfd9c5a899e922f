"""The pages that show what a second factor is made of: its QR code, and recovery codes.

The picture is drawn here, of squares alone, and stands in the page itself.
"""

from collections.abc import Sequence
from typing import Final

import segno
from aiohttp import web

from services.api.content import forms, problems
from services.api.content.problems import Code
from services.api.proofs import totp

WRONG: Final = "wrong"
"""What the page's address says after a first code that does not count."""


def enrolment(
    secret: bytes, *, email: str, action: str, note: str = ""
) -> web.Response:
    """Return the page that shows what an app is to know and asks for its first code."""
    uri = totp.uri_of(secret, email=email)
    kind = problems.kind_of(Code.CODE_REFUSED) if note == WRONG else None
    return forms.page(
        "enrolment",
        title="Set up a second factor",
        fault=kind.detail if kind else "",
        picture=picture_of(uri),
        uri=uri,
        secret=totp.spelled(secret),
        action=action,
    )


def again(action: str) -> web.Response:
    """Lead back to that page after a wrong code: an error never shows a secret."""
    response = forms.go_to(f"{action}?note={WRONG}")
    response[problems.REFUSAL] = Code.CODE_REFUSED
    return response


def recovery_codes(codes: Sequence[str]) -> web.Response:
    """Return the page that shows recovery codes, this once."""
    return forms.page("recovery_codes", title="Recovery codes", codes=codes)


def picture_of(text: str) -> str:
    """Return a QR code as SVG, light on every background.

    It is squares alone: no character of the text is in it.
    """
    drawn = segno.make(text, error="m", micro=False)
    return drawn.svg_inline(scale=5, light="#fff", svgclass=None, lineclass=None)
