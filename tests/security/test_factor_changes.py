"""Second factors come and go: by their person, an owner, and the tenant's rule."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from deploy.local import nats, postgres
from services.api.people import enrolling
from services.api.proofs.passwords import Hasher
from services.api.requests import access
from tests.fakes.clock import MovableClock
from tests.integration.api_system import fixtures
from tests.integration.api_system.running import System
from tests.security.second_factors import (
    WHOLE,
    Home,
    Visitor,
    next_step,
    person_of,
)
from tests.security.test_people import PASSWORD

pytestmark = pytest.mark.asyncio(loop_scope="module")
CLOCK = MovableClock()
ONE = "/account/second-factor"


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
    """A tenant that wants no second factor, where nobody has guessed yet."""
    await system.rows("DELETE FROM guesses")
    return Home(system, CLOCK, await system.tenant(), password_hash)


async def test_an_owner_requires_it_and_one_factor_is_too_few_at_once(
    home: Home,
) -> None:
    owner, editor = await home.person("owner"), await home.person()
    for visitor in (owner, editor):
        assert await visitor.sign_in() == "/account"
    key = await home.system.key(home.tenant_id)  # type: ignore[arg-type]
    program = home.system.stranger(key)
    assert (await editor.api("GET", "/v1/tenant")).body["requires_second_factor"] is (
        False
    )
    body = {"requires_second_factor": True}
    assert (await editor.api("PATCH", "/v1/tenant", body)).code == "role_missing"
    changed = await owner.api("PATCH", "/v1/tenant", body)
    assert (changed.status, changed.body["requires_second_factor"]) == (200, True)
    for visitor in (owner, editor):
        assert (await visitor.api("GET", "/v1/session")).code == "session_over"
        assert (await visitor.get("/account")).headers["Location"] == "/sign-in"
        assert await visitor.sign_in() == "/sign-in/enrol"
    # A key is nobody's, and goes on.
    assert (await program("GET", "/v1/accounts")).status == 200
    assert (await owner.enrol()).status == 200
    waived = await owner.api("PATCH", "/v1/tenant", {"requires_second_factor": False})
    assert waived.status == 200
    assert await editor.sign_in() == "/account"
    acts = [act for act, outcome, _ in await home.acts(owner) if outcome == "done"]
    assert "tenant.require_second_factor" in acts
    assert "tenant.waive_second_factor" in acts


async def test_the_rule_is_changed_right_after_signing_in_alone(home: Home) -> None:
    owner = await home.person("owner")
    await owner.sign_in()
    CLOCK.move(access.FRESH.total_seconds())
    for method, path, body in (
        ("PATCH", "/v1/tenant", {"requires_second_factor": True}),
        ("DELETE", f"/v1/people/{person_of(owner)}/second-factor", None),
    ):
        assert (await owner.api(method, path, body)).code == "sign_in_again"


async def test_who_has_one_gives_its_code_whatever_the_tenant_wants(
    home: Home,
) -> None:
    visitor = await home.enrolled()
    await home.require(False)
    assert await visitor.sign_in() == "/sign-in/code"
    people = await (await _owner(home)).api("GET", "/v1/people")
    shown = {one["email"]: one["has_second_factor"] for one in people.body["items"]}
    assert shown[visitor.email] is True
    assert sorted(shown.values()) == [False, True]


async def test_a_person_sets_one_up_and_their_other_sessions_end(home: Home) -> None:
    visitor = await home.person()
    await visitor.sign_in()
    other = Visitor(home.system, CLOCK, visitor.email)
    await other.sign_in()
    wrong = await visitor.send(f"{ONE}/begin", password="no", code="")
    assert (wrong.status, 'role="alert"' in wrong.body) == (422, True)
    begun = await visitor.send(f"{ONE}/begin", password=PASSWORD, code="")
    assert begun.headers["Location"] == f"{ONE}/confirm"
    # Until its first code nothing has changed.
    assert (await other.get("/account")).status == 200
    before = visitor.cookies[WHOLE]
    assert (await visitor.enrol(f"{ONE}/confirm")).status == 200
    assert visitor.cookies[WHOLE] != before
    assert (await other.get("/account")).headers["Location"] == "/sign-in"
    assert (await visitor.get("/account")).status == 200
    acts = [(act, outcome) for act, outcome, _ in await home.acts(visitor)]
    assert acts[2:] == [
        ("second_factor.begin", "not_confirmed"),
        ("second_factor.begin", "done"),
        ("second_factor.add", "done"),
    ]


@pytest.mark.parametrize("act", ["begin", "remove", "recovery-codes"])
async def test_a_change_of_the_own_factor_asks_for_password_and_code(
    home: Home, act: str
) -> None:
    visitor = await home.enrolled()
    await home.require(False)
    next_step(CLOCK)
    path = f"{ONE}/{act}"
    for password, code in (
        (PASSWORD, ""),
        (PASSWORD, "000000"),
        ("no", visitor.code()),
        ("", visitor.code()),
        (PASSWORD, visitor.code(steps=-1)),
    ):
        refused = await visitor.send(path, password=password, code=code)
        assert (refused.status, 'role="alert"' in refused.body) == (422, True)
    done = await visitor.send(path, password=PASSWORD, code=visitor.code())
    assert done.status in (200, 303)
    again = await visitor.send(path, password=PASSWORD, code=visitor.code())
    # The code is used up; and who has removed it needs none.
    assert again.status == (404 if act == "remove" else 422)


async def test_the_old_one_counts_until_the_new_one_is_confirmed(home: Home) -> None:
    visitor = await home.enrolled()
    old, codes = visitor.secret, visitor.recovery_codes
    next_step(CLOCK)
    await visitor.send(f"{ONE}/begin", password=PASSWORD, code=visitor.code())
    other = Visitor(home.system, CLOCK, visitor.email, secret=old)
    await other.enter()
    await visitor.enrol(f"{ONE}/confirm")
    assert visitor.secret != old
    assert await other.sign_in() == "/sign-in/code"
    next_step(CLOCK)
    assert (await other.give_code(other.code())).status == 422
    assert (await other.give_code(codes[0])).status == 422
    assert (await other.give_code(visitor.recovery_codes[0])).status == 303


async def test_what_waits_to_be_confirmed_waits_ten_minutes(home: Home) -> None:
    visitor = await home.enrolled()
    next_step(CLOCK)
    await visitor.send(f"{ONE}/begin", password=PASSWORD, code=visitor.code())
    CLOCK.move(enrolling.HOLDS.total_seconds())
    assert (await visitor.get(f"{ONE}/confirm")).status == 410
    assert (await visitor.send(f"{ONE}/confirm", code="000000")).status == 410
    await visitor.enter()


@pytest.mark.parametrize("is_required", [False, True])
async def test_what_an_app_is_to_know_is_shown_where_it_was_begun_alone(
    home: Home, is_required: bool
) -> None:
    """Somebody is in by the password, too, and waits for its owner to get a factor.

    Each saw the secret, and so kept a second factor that was shown to nobody.
    """
    await home.require(is_required)
    visitor = await home.person()
    attacker = Visitor(home.system, CLOCK, visitor.email)
    await attacker.sign_in()
    await visitor.sign_in()
    path = "/sign-in/enrol"
    if not is_required:
        path = f"{ONE}/confirm"
        await visitor.send(f"{ONE}/begin", password=PASSWORD, code="")
    shown = await attacker.get(path)
    assert (shown.status, "otpauth" in shown.body) == (410, False)
    visitor.read(await visitor.get(path))
    next_step(CLOCK)
    assert (await attacker.send(path, code=visitor.code())).status == 410
    assert (await visitor.send(path, code=visitor.code())).status == 200


async def test_new_recovery_codes_replace_the_old_ones(home: Home) -> None:
    visitor = await home.enrolled()
    next_step(CLOCK)
    shown = await visitor.send(
        f"{ONE}/recovery-codes", password=PASSWORD, code=visitor.code()
    )
    old = visitor.recovery_codes[0]
    assert (shown.status, old in shown.body) == (200, False)
    await visitor.sign_in()
    assert (await visitor.give_code(old)).status == 422


async def test_the_own_factor_stays_where_the_tenant_wants_one(home: Home) -> None:
    visitor = await home.enrolled()
    assert f'formaction="{ONE}/remove"' not in (await visitor.get(ONE)).body
    next_step(CLOCK)
    refused = await visitor.send(
        f"{ONE}/remove", password=PASSWORD, code=visitor.code()
    )
    assert refused.status == 409
    await home.require(False)
    next_step(CLOCK)
    removed = await visitor.send(
        f"{ONE}/remove", password=PASSWORD, code=visitor.code()
    )
    assert (removed.status, removed.headers["Location"]) == (303, ONE)
    assert await visitor.sign_in() == "/account"
    rows = await home.system.rows(
        "SELECT 1 FROM recovery_codes WHERE person_id = $1", person_of(visitor)
    )
    assert rows == []


async def test_an_owner_takes_a_lost_factor_away(home: Home) -> None:
    """ASVS 6.4.4: after that it is set up as the first one was."""
    owner, visitor = await home.enrolled("owner"), await home.enrolled()
    path = f"/v1/people/{person_of(visitor)}/second-factor"
    assert (await visitor.api("DELETE", path)).code == "role_missing"
    own = f"/v1/people/{person_of(owner)}/second-factor"
    assert (await owner.api("DELETE", own)).code == "not_allowed_now"
    assert (await owner.api("DELETE", path)).status == 204
    assert (await visitor.api("GET", "/v1/session")).code == "session_over"
    assert await visitor.sign_in() == "/sign-in/enrol"
    assert (await visitor.enrol()).status == 200
    rows = await home.system.rows(
        "SELECT actor, object_id, outcome FROM audit_entries"
        " WHERE act = 'person.remove_second_factor' AND tenant_id = $1",
        home.tenant_id,
    )
    assert [tuple(row.values()) for row in rows] == [
        (person_of(owner), person_of(visitor), "done")
    ]


async def test_who_has_no_password_sets_one_up_right_after_signing_in(
    home: Home,
) -> None:
    """People who sign in at a provider alone; its proof is what is at hand."""
    person = await home.system.person("editor", tenant_id=home.tenant_id)
    cookie = person.cookie.partition("=")[2]
    email = f"{person.person_id}@example.org"
    visitor = Visitor(home.system, CLOCK, email, cookies={WHOLE: cookie})
    begun = await visitor.send(f"{ONE}/begin")
    assert begun.headers["Location"] == f"{ONE}/confirm"
    CLOCK.move(access.FRESH.total_seconds())
    assert (await visitor.send(f"{ONE}/begin")).status == 403


async def _owner(home: Home) -> Visitor:
    owner = await home.person("owner")
    assert await owner.sign_in() == "/account"
    return owner
