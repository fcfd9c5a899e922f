"""Two factors: what a half-open session opens, and what a code is good for."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from deploy.local import nats, postgres
from proto.ids import PersonId
from services.api import routes
from services.api.people import enrolling, halfway
from services.api.proofs import recovery
from services.api.proofs.passwords import Hasher
from services.api.store import guesses
from tests.fakes.clock import MovableClock
from tests.integration.api_system import fixtures
from tests.integration.api_system.running import System
from tests.security.second_factors import (
    HALF,
    WHOLE,
    Home,
    Visitor,
    next_step,
    person_of,
)
from tests.security.test_people import PASSWORD, path_of, sign_in

pytestmark = pytest.mark.asyncio(loop_scope="module")
CLOCK = MovableClock()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(
    postgres_server: postgres.Server, nats_server: nats.Server
) -> AsyncIterator[System]:
    """An api whose time a test can move."""
    async with fixtures.alone(postgres_server, nats_server, clock=CLOCK) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def password_hash() -> str:
    return await Hasher().hash(PASSWORD)


@pytest_asyncio.fixture(loop_scope="module")
async def home(system: System, password_hash: str) -> Home:
    """A tenant that wants a second factor, where nobody has guessed yet."""
    await system.rows("DELETE FROM guesses")
    tenant_id = await system.tenant(requires_second_factor=True)
    return Home(system, CLOCK, tenant_id, password_hash)


async def test_a_password_alone_leads_to_a_second_factor_and_no_further(
    home: Home,
) -> None:
    """Behaviour 44, hazard 123: who has the password alone is not in."""
    visitor = await home.person()
    assert await visitor.sign_in() == "/sign-in/enrol"
    assert WHOLE not in visitor.cookies
    assert (await visitor.get("/account")).headers["Location"] == "/sign-in"
    wrong = await visitor.send("/sign-in/enrol", code="12345x")
    # No error shows what the app is to know; the page that it leads to does.
    assert (wrong.status, "otpauth" in wrong.body) == (303, False)
    assert 'role="alert"' in (await visitor.get(wrong.headers["Location"])).body
    done = await visitor.enrol()
    assert (done.status, len(visitor.recovery_codes)) == (200, recovery.COUNT)
    assert HALF not in visitor.cookies
    assert visitor.email in (await visitor.get("/account")).body
    assert (await visitor.api("GET", "/v1/accounts")).status == 200
    assert await home.acts(visitor) == [
        ("session.begin", "enrolment_needed", ["password"]),
        ("second_factor.add", "done", ["second_factor"]),
        ("session.begin", "done", ["second_factor"]),
    ]


@pytest.mark.parametrize("is_enrolled", [False, True])
async def test_a_half_open_session_opens_nothing_else(
    home: Home, is_enrolled: bool, figures: dict[str, Any]
) -> None:
    """Every route and page there is, with its cookie under either name."""
    visitor = await (home.enrolled() if is_enrolled else home.person())
    visitor.cookies.clear()
    await visitor.sign_in()
    half = visitor.cookies[HALF]
    stranger = home.system.stranger()
    for name in (HALF, WHOLE):
        headers = {"Cookie": f"{name}={half}", "Sec-Fetch-Site": "same-origin"}
        for route in routes.ROUTES:
            answer = await stranger(route.method, path_of(route), headers=headers)
            expected = "key_missing" if name == HALF else "session_over"
            assert (answer.status, answer.code) == (401, expected), route.name
            figures["half_refused"] = int(figures.get("half_refused", 0)) + 1
    for page in routes.PAGES:
        if page.path.startswith("/account"):
            answer = await visitor.get(page.path)
            assert answer.headers["Location"] == "/sign-in", page.path
    for form in routes.FORMS:
        if form.path.startswith("/account"):
            assert (await visitor.send(form.path)).status == 401, form.path


async def test_a_code_counts_once_and_in_its_own_30_seconds(home: Home) -> None:
    """ASVS 6.5.1 and 6.5.5; RFC 6238, 5.2: a code that was seen is worth nothing."""
    visitor = await home.enrolled()
    # The one that confirmed the app is used up by that.
    assert await visitor.sign_in() == "/sign-in/code"
    assert (await visitor.give_code(visitor.code())).status == 422
    next_step(CLOCK)
    for steps in (-2, -1, 1):
        assert (await visitor.give_code(visitor.code(steps=steps))).status == 422
    used = visitor.code()
    done = await visitor.give_code(f" {used[:3]} {used[3:]} ")
    assert (done.status, done.headers["Location"]) == (303, "/account")
    assert await visitor.sign_in() == "/sign-in/code"
    assert (await visitor.give_code(used)).status == 422
    assert (await home.acts(visitor))[-3:] == [
        ("session.begin", "done", ["password", "code"]),
        ("session.begin", "code_needed", ["password"]),
        ("session.begin", "code_refused", ["password", "code"]),
    ]


async def test_a_code_lets_one_browser_in_however_many_have_it(home: Home) -> None:
    visitor = await home.enrolled()
    others = [Visitor(home.system, CLOCK, visitor.email) for _ in range(4)]
    for other in others:
        await other.sign_in()
    next_step(CLOCK)
    code = visitor.code()
    answers = await asyncio.gather(*(other.give_code(code) for other in others))
    assert sorted(answer.status for answer in answers) == [303, 422, 422, 422]


async def test_a_recovery_code_signs_in_once(home: Home) -> None:
    visitor = await home.enrolled()
    first, second = visitor.recovery_codes[:2]
    for code, status in (
        (first.lower().replace("-", " "), 303),
        (first, 422),
        (second, 303),
    ):
        await visitor.sign_in()
        assert (await visitor.give_code(code)).status == status
    shown = await visitor.get("/account/second-factor")
    assert "8 recovery\ncodes left" in shown.body
    assert (await home.acts(visitor))[-1] == (
        "session.begin",
        "done",
        ["password", "recovery_code"],
    )


async def test_a_recovery_code_of_somebody_else_is_none(home: Home) -> None:
    one, other = await home.enrolled(), await home.enrolled()
    await one.sign_in()
    assert (await one.give_code(other.recovery_codes[0])).status == 422
    await other.sign_in()
    assert (await other.give_code(other.recovery_codes[0])).status == 303


async def test_a_half_open_session_ends_after_ten_minutes(home: Home) -> None:
    assert halfway.HOLDS.total_seconds() == enrolling.HOLDS.total_seconds() == 600
    visitor = await home.enrolled()
    await visitor.sign_in()
    CLOCK.move(halfway.HOLDS.total_seconds())
    assert (await visitor.get("/sign-in/code")).headers["Location"] == "/sign-in"
    assert (await visitor.give_code(visitor.code())).status == 401
    fresh = await home.person()
    await fresh.sign_in()
    page = await fresh.get("/sign-in/enrol")
    fresh.read(page)
    CLOCK.move(halfway.HOLDS.total_seconds())
    assert (await fresh.send("/sign-in/enrol", code=fresh.code())).status == 401


async def test_guesses_at_a_code_end_whoever_makes_them(
    home: Home, figures: dict[str, Any]
) -> None:
    """A new half-open session, or the password once more, gives no more guesses."""
    visitor = await home.enrolled()
    next_step(CLOCK)
    statuses = []
    for _ in range(guesses.CODE.times + 3):
        attacker = Visitor(home.system, CLOCK, visitor.email)
        await attacker.sign_in()
        statuses.append(await attacker.give_code("000000"))
    refused = [answer.status for answer in statuses]
    assert refused == [422] * guesses.CODE.times + [429] * 3
    assert int(statuses[-1].headers["Retry-After"]) > 600
    # Not even the right one, which might be the next guess.
    await visitor.sign_in()
    assert (await visitor.give_code(visitor.code())).status == 429
    figures["codes_tried"] = len(statuses)
    CLOCK.move(guesses.CODE.window.total_seconds())
    await visitor.enter()


async def test_guesses_at_a_code_from_everywhere_end_sooner_than_at_a_password(
    home: Home,
) -> None:
    """Whoever guesses a code knows the password, and may come from many places."""
    assert guesses.CODE.times < guesses.EMAIL.times
    visitor = await home.enrolled()
    elsewhere = guesses.subjects_of_code(PersonId(person_of(visitor)), "192.0.2.1")
    await home.system.rows(
        "INSERT INTO guesses VALUES ($1, $2, $3)",
        *(elsewhere.whole, guesses.CODE.times - 1),
        CLOCK.now() + guesses.CODE.window,
    )
    await visitor.sign_in()
    tried = [(await visitor.give_code("000000")).status for _ in range(2)]
    assert tried == [422, 429]


async def test_nothing_of_a_factor_is_readable_in_the_database(home: Home) -> None:
    visitor = await home.enrolled()
    await visitor.sign_in()
    secret = visitor.secret
    words = [
        secret.hex(),
        base64.b32encode(secret).decode(),
        visitor.cookies[HALF],
        *visitor.recovery_codes,
        *(code.replace("-", "") for code in visitor.recovery_codes),
    ]
    tables = ("second_factors", "recovery_codes", "enrolments", "half_sessions")
    for table in (*tables, "audit_entries", "guesses"):
        rows = await home.system.rows(f"SELECT one::text AS row FROM {table} AS one")
        for row in rows:
            assert not [word for word in words if word in row["row"]], table


async def test_a_secret_of_somebody_else_proves_nothing(home: Home) -> None:
    """Hazard 121: a row that was copied to another person does not open."""
    one, other = await home.enrolled(), await home.enrolled()
    await home.system.rows(
        "UPDATE second_factors SET (key_id, sealed, last_step) = ("
        " SELECT key_id, sealed, 0 FROM second_factors WHERE person_id = $2)"
        " WHERE person_id = $1",
        person_of(one),
        person_of(other),
    )
    await one.sign_in()
    next_step(CLOCK)
    assert (await one.give_code(other.code())).status == 500
    assert (await home.acts(one))[-1][1] == "code_needed"


async def test_a_password_shows_and_replaces_nothing_that_its_owner_sets_up(
    home: Home,
) -> None:
    """Somebody knows the password, and waits until its owner changes their factor.

    What the owner's app is about to know is neither shown to a half-open session nor
    confirmed by one.
    """
    visitor = await home.enrolled()
    next_step(CLOCK)
    begun = await visitor.send(
        "/account/second-factor/begin", password=PASSWORD, code=visitor.code()
    )
    assert begun.headers["Location"] == "/account/second-factor/confirm"
    attacker = Visitor(home.system, CLOCK, visitor.email)
    assert await attacker.sign_in() == "/sign-in/code"
    shown = await attacker.get("/sign-in/enrol")
    assert (shown.status, "otpauth" in shown.body) == (410, False)
    visitor.read(await visitor.get("/account/second-factor/confirm"))
    next_step(CLOCK)
    taken = await attacker.send("/sign-in/enrol", code=visitor.code())
    assert taken.status == 410
    assert (
        await visitor.send("/account/second-factor/confirm", code=visitor.code())
    ).status == 200


async def test_a_new_password_ends_what_is_half_open(home: Home) -> None:
    visitor = await home.enrolled()
    other = Visitor(home.system, CLOCK, visitor.email, secret=visitor.secret)
    await other.sign_in()
    body = {"current_password": PASSWORD, "password": "nine brave umbrellas"}
    changed = await visitor.api("PUT", "/v1/password", body)
    assert changed.status == 204
    next_step(CLOCK)
    assert (await other.give_code(visitor.code())).status == 401
    # And the session that takes its place is of two factors, as the one before.
    visitor.cookies[WHOLE] = changed.cookies[WHOLE]
    assert (await visitor.api("GET", "/v1/session")).status == 200


async def test_programs_sign_in_by_both_in_one_request(home: Home) -> None:
    fresh = await home.person()
    assert (await sign_in(home.system, fresh.email)).code == "enrolment_needed"
    visitor = await home.enrolled()
    system = home.system

    async def begin(code: str) -> Any:
        body = {"email": visitor.email, "password": PASSWORD, "code": code}
        return await system.stranger()("POST", "/v1/session", body)

    assert (await begin("")).code == "code_needed"
    assert (await begin("000000")).code == "code_refused"
    next_step(CLOCK)
    done = await begin(visitor.code())
    assert (done.status, done.body["email"]) == (201, visitor.email)
    wrong = await sign_in(system, visitor.email, "another password")
    assert wrong.code == "sign_in_refused"


async def test_the_page_with_the_key_runs_nothing_and_names_its_picture(
    home: Home,
) -> None:
    visitor = await home.person()
    await visitor.sign_in()
    page = await visitor.get("/sign-in/enrol")
    policy = page.headers["Content-Security-Policy"]
    assert "script-src" not in policy
    assert "img-src" not in policy
    assert page.headers["Cache-Control"] == "no-store"
    assert "<script" not in page.body
    assert len(re.findall(r'<p role="img" aria-label="[^"]+"><svg ', page.body)) == 1
    assert '<label for="code">' in page.body
