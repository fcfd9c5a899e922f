"""Whoever is let in or refused is written down: in the log, and where it is theirs."""

from typing import Any

import pytest
import pytest_asyncio
import structlog.testing

from services.api import routes
from services.api.proofs import keys
from services.api.proofs.passwords import Hasher
from services.api.requests import windows
from services.api.requests.windows import Windows
from services.api.store import guesses
from services.chassis import logs
from tests.integration.api_system.fixtures import system
from tests.integration.api_system.running import System
from tests.security.test_people import OTHER, PASSWORD, acts_of, path_of, sign_in

__all__ = ["system"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

REFUSED = ("request_refused", "sign_in_refused")


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _nobody_guessed(system: System) -> None:
    await system.rows("DELETE FROM guesses")


def told(captured: list[Any], *events: str) -> list[dict[str, Any]]:
    """Return what was logged of some events, as it leaves the process."""
    found = [dict(line) for line in captured if line["event"] in events]
    for line in found:
        del line["log_level"]
        assert logs.HIDDEN not in logs.hide_unlisted(None, "", line).values()
        assert line["remote"] == "127.0.0.1"
    return found


async def test_a_refused_right_says_whose_it_was(system: System) -> None:
    """The tenant reads of the first of an hour; of each there is a line of the log."""
    viewer, client = await system.person("viewer"), await system.client("read")
    for who, actor, code in (
        (viewer, viewer.person_id, "role_missing"),
        (client, "", "scope_missing"),
        (await system.client(), "", "person_missing"),
    ):
        method, path = "DELETE", f"/v1/sessions/sess_{'0' * 8}"
        if code != "person_missing":
            method, path = "POST", "/v1/api-keys"
        with structlog.testing.capture_logs() as captured:
            for _ in range(3):
                answer = await who(method, path, {"name": "n"})
                assert (answer.status, answer.code) == (403, code)
        lines = told(captured, *REFUSED)
        assert len(lines) == 3
        (line, *_) = lines
        assert (line["code"], line["method"]) == (code, method)
        assert line["tenant_id"] == who.tenant_id
        assert not actor or line["actor"] == actor
        assert await acts_of(system, who.tenant_id) == [
            (line["actor"], "request.refuse", code)
        ]


@pytest.mark.parametrize(
    ("change", "code"),
    [("revoked_at", "key_revoked"), ("expires_at", "key_expired")],
)
async def test_a_key_that_is_over_says_whose_it_was(
    system: System, change: str, code: str
) -> None:
    tenant_id = await system.tenant()
    key = await system.key(tenant_id)
    await system.rows(
        f"UPDATE api_keys SET {change} = now() WHERE tenant_id = $1", tenant_id
    )
    with structlog.testing.capture_logs() as captured:
        for _ in range(2):
            assert (await system.stranger(key)("GET", "/v1/apps")).code == code
    first, second = told(captured, *REFUSED)
    assert (first["code"], first["tenant_id"]) == (code, tenant_id)
    assert first["actor"] == second["actor"]
    assert await acts_of(system, tenant_id) == [
        (first["actor"], "request.refuse", code)
    ]


async def test_a_key_or_a_session_of_nobody_is_told_too(system: System) -> None:
    cookie = {"Cookie": "tandem_session=x", "Sec-Fetch-Site": "same-origin"}
    foreign = {**cookie, "Sec-Fetch-Site": "cross-site"}
    for method, key, headers, code in (
        ("GET", "tdm_short", {}, "key_malformed"),
        ("GET", keys.generate(), {}, "key_unknown"),
        ("GET", None, cookie, "session_over"),
        ("DELETE", None, foreign, "foreign_page"),
    ):
        with structlog.testing.capture_logs() as captured:
            answer = await system.stranger(key)(method, "/v1/session", headers=headers)
        assert answer.code == code
        (line,) = told(captured, *REFUSED)
        assert (line["code"], "actor" in line) == (code, False)


async def test_each_sign_in_is_told_with_how_it_ended(system: System) -> None:
    person = await system.person(password_hash=await Hasher().hash(PASSWORD))
    email = f"{person.person_id}@example.org"
    with structlog.testing.capture_logs() as captured:
        await sign_in(system, email)
        await sign_in(system, email, OTHER)
        await sign_in(system, "nobody@example.org", OTHER)
        await system.rows("UPDATE guesses SET count = $1", guesses.PLACE.times)
        await sign_in(system, email)
    lines = told(captured, "signed_in", *REFUSED)
    who = (person.tenant_id, person.person_id)
    assert [
        (one["event"], one.get("code"), one.get("tenant_id"), one.get("actor"))
        for one in lines
    ] == [
        ("signed_in", None, *who),
        ("sign_in_refused", "sign_in_refused", *who),
        ("sign_in_refused", "sign_in_refused", None, None),
        ("sign_in_refused", "too_many_guesses", None, None),
    ]
    assert {one["kind"] for one in lines} == {"password"}
    assert not any(text in str(captured) for text in (email, PASSWORD, OTHER))


async def test_every_request_with_a_key_or_a_session_says_whose(
    system: System,
) -> None:
    for who in (await system.person(), await system.client()):
        with structlog.testing.capture_logs() as captured:
            await who("GET", "/v1/accounts")
        (line,) = [one for one in captured if one["event"] == "request_served"]
        assert line["tenant_id"] == who.tenant_id
        assert line["actor"].startswith(("pers_", "key_"))


async def test_nobody_fills_the_audit_log_by_being_refused(
    system: System, figures: dict[str, Any]
) -> None:
    """Whatever a viewer tries, and however often: one entry an hour and code."""
    viewer = await system.person("viewer")
    tried = 0
    for route in routes.ROUTES:
        if route.scope == "manage":
            for _ in range(5):
                await viewer(route.method, path_of(route), b"{}")
                tried += 1
    figures["refusals_tried"] = tried
    assert tried > 50
    assert len(await acts_of(system, viewer.tenant_id)) == 1


async def test_a_window_begins_with_what_was_written_down() -> None:
    told = Windows(remembered_max=3)
    assert told.is_first("a", "x", now_s=0.0)
    assert not told.is_first("a", "x", now_s=windows.WINDOW_S - 1)
    assert told.is_first("a", "y", now_s=1.0)
    assert told.is_first("a", "x", now_s=windows.WINDOW_S)
    assert not told.is_first("a", "x", now_s=windows.WINDOW_S + 1)
    for number in range(3):
        assert told.is_first(str(number), now_s=windows.WINDOW_S)
    # Whom it has forgotten it tells once more, and never more than that at a time.
    assert told.is_first("a", "x", now_s=windows.WINDOW_S + 2)
