"""How a person gets their second factor, and signs in by both; all of it canaries."""

import base64
import datetime
import re
from typing import Any, Final

from services.api.proofs import totp
from tests.security.canaries.running import World

ENROL: Final = "/sign-in/enrol"
CODE: Final = "/sign-in/code"
_SECRET: Final = re.compile(r"secret=([A-Z2-7]{32})")
_RECOVERY: Final = re.compile(r"<code>((?:[A-Z2-7]{4}-){6}[A-Z2-7]{4})</code>")


async def person_enrols(world: World, *, email: str, password: str) -> None:
    """Lead a new person to their second factor, and in; then in by a recovery code."""
    nest = world.nest
    given = {"email": email, "password": password}
    assert (await world.send("POST", "/v1/session", key="", json=given))[0] == 403
    half = await _half(world, **given)
    page = (await _open(world, half, ENROL))[2]
    secret = nest.note("totp_secret", "owner", _SECRET.findall(page)[0])
    assert (await _give(world, half, ENROL, code="12345x"))[0] == 303
    status, answer, page = await _give(world, half, ENROL, code=_code_of(secret))
    if status == 303:
        # Its 30 seconds were over on the way.
        status, answer, page = await _give(world, half, ENROL, code=_code_of(secret))
    assert status == 200, page
    codes = [
        nest.note("recovery_code", f"recovery code {number}", code)
        for number, code in enumerate(_RECOVERY.findall(page))
    ]
    assert len(codes) == 10
    await _look(world, nest.note("session", "owner", _session_of(answer)))
    again = await _half(world, **given)
    # What is no code is looked at as a recovery code, and may be told nowhere either.
    wrong = nest.note("recovery_code", "mistyped", nest.word(24))
    assert (await _give(world, again, CODE, code=wrong))[0] == 422
    status, answer, _ = await _give(world, again, CODE, code=codes[0])
    assert status == 303
    await _look(world, nest.note("session", "of two factors", _session_of(answer)))


def of_our_page(world: World) -> dict[str, str]:
    """Return what a browser says of a form that one of our pages sends."""
    return {"Origin": world.system.url("api"), "Sec-Fetch-Site": "same-origin"}


async def _half(world: World, **given: str) -> dict[str, str]:
    """Give the password; return the header with the cookie of what is half open."""
    _, answer, _ = await world.send(
        "POST",
        "/sign-in",
        key="",
        data={**given, "tenant": ""},
        headers=of_our_page(world),
    )
    cookie = answer.cookies["tandem_half_session"].value
    number = len(world.nest)
    text = world.nest.note("session", f"half session {number}", cookie)
    return {"Cookie": f"tandem_half_session={text}"}


async def _open(world: World, half: dict[str, str], path: str) -> tuple[int, Any, Any]:
    return await world.send("GET", path, key="", headers=half)


async def _give(
    world: World, half: dict[str, str], path: str, *, code: str
) -> tuple[int, Any, Any]:
    headers = {**of_our_page(world), **half}
    return await world.send("POST", path, key="", data={"code": code}, headers=headers)


async def _look(world: World, session: str) -> None:
    cookie = {"Cookie": f"tandem_session={session}"}
    assert (await world.send("GET", "/v1/session", key="", headers=cookie))[0] == 200


def _session_of(answer: Any) -> str:
    return str(answer.cookies["tandem_session"].value)


def _code_of(secret: str) -> str:
    step = totp.step_of(datetime.datetime.now(datetime.UTC))
    return totp.code_of(base64.b32decode(secret), step)
