"""People sign in, and stay who they are: guessing, theft, other sites' pages, roles."""

import asyncio
import datetime
import os
import re
import statistics
import sys
import time
from typing import Any

import argon2
import pytest
import pytest_asyncio

from deploy.local import nats, postgres
from proto.ids import PersonId, TenantId
from services.api import routes
from services.api.proofs.passwords import Hasher
from services.api.requests import sessions
from services.api.requests.permissions import SCOPES_OF
from services.api.requests.routing import Page, Route
from services.api.store import guesses
from tests.integration.api_system import fixtures
from tests.integration.api_system.fixtures import system
from tests.integration.api_system.running import Answer, Client, System

__all__ = ["system"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

PASSWORD = "stapled pigeons argue"
OTHER = "seven quiet lighthouses"
ID = "0197f3a0-5a51-7c07-9a56-3f2c1f2b9d11"
UNSAFE = [route for route in routes.ROUTES if route.method != "GET"]
KINDS = ("acct", "athz", "conn", "key", "link", "pers", "sess", "inv")


def path_of(route: Route | Page) -> str:
    """Return a route's path with ids of nothing in it."""
    names = re.findall(r"{(\w+)}", route.path)
    kinds = {kind[:2]: f"{kind}_{ID}" for kind in KINDS}
    ids = {name: kinds.get(name[:2], "carddav") for name in names if name != "app"}
    return route.path.format(app="carddav", **ids)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def password_hash() -> str:
    return await Hasher().hash(PASSWORD)


async def with_password(
    system: System, password_hash: str, role: str = "owner", **changes: Any
) -> tuple[Client, str]:
    """Return a person and their address, from a place of their own."""
    person = await system.person(role, password_hash=password_hash, **changes)
    (row,) = await system.rows(
        "SELECT email FROM people WHERE person_id = $1", person.person_id
    )
    return person, row["email"]


async def sign_in(
    system: System, email: str, password: str = PASSWORD, **options: Any
) -> Answer:
    tenant = options.pop("tenant", "")
    body = {"email": email, "password": password, "tenant": tenant}
    return await system.stranger()("POST", "/v1/session", body, **options)


def browser(system: System, answer: Answer) -> Client:
    cookie = f"tandem_session={answer.cookies['tandem_session']}"
    return Client(system.session, system.url, cookie=cookie)


async def forget_guesses(system: System) -> None:
    """Let no test be late because of what another one tried."""
    await system.rows("DELETE FROM guesses")


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _nobody_guessed(system: System) -> None:
    await forget_guesses(system)


async def acts_of(system: System, tenant_id: str) -> list[tuple[str, str, str]]:
    rows = await system.rows(
        "SELECT actor, act, outcome FROM audit_entries WHERE tenant_id = $1"
        " ORDER BY number",
        tenant_id,
    )
    return [(row["actor"], row["act"], row["outcome"]) for row in rows]


async def test_a_person_signs_in_looks_around_and_signs_out(
    system: System, password_hash: str
) -> None:
    person, email = await with_password(system, password_hash, "editor")
    answer = await sign_in(system, f" {email.upper()} ")
    assert (answer.status, answer.body["email"]) == (201, email)
    assert answer.body["scopes"] == ["read", "write"]
    signed_in = browser(system, answer)
    assert (await signed_in("GET", "/v1/session")).body == answer.body
    assert (await signed_in("GET", "/v1/accounts")).status == 200
    ended = await signed_in("DELETE", "/v1/session")
    assert (ended.status, ended.cookies) == (204, {"tandem_session": ""})
    after = await signed_in("GET", "/v1/session")
    assert (after.status, after.code) == (401, "session_over")
    assert await acts_of(system, person.tenant_id) == [
        (person.person_id, "session.begin", "done"),
        (person.person_id, "session.end", "done"),
    ]


async def test_the_cookie_is_out_of_reach_and_its_text_stored_nowhere(
    system: System, password_hash: str
) -> None:
    _, email = await with_password(system, password_hash)
    answer = await sign_in(system, email)
    shown = answer.headers["Set-Cookie"].split("; ")
    assert {"HttpOnly", "Path=/", "SameSite=Lax", "Max-Age=604800"} <= set(shown)
    text = answer.cookies["tandem_session"]
    assert len(text) == 43
    rows = await system.rows("SELECT sessions::text AS row FROM sessions")
    assert not any(text in row["row"] for row in rows)
    hashes = await system.rows(
        "SELECT password_hash FROM people WHERE email = $1", email
    )
    assert hashes[0]["password_hash"].startswith("$argon2id$v=19$m=65536,t=3,p=4$")


async def test_who_fails_learns_nothing(system: System, password_hash: str) -> None:
    person, email = await with_password(system, password_hash)
    nobody, _ = await with_password(system, "")
    answers = [
        await sign_in(system, email, OTHER),
        await sign_in(system, "nobody@example.org", PASSWORD),
        await sign_in(system, "no address", PASSWORD),
        await sign_in(system, f"{nobody.person_id}@example.org", PASSWORD),
        await sign_in(system, email, PASSWORD, tenant="somewhere else"),
    ]
    assert {(answer.status, answer.code) for answer in answers} == {
        (422, "sign_in_refused")
    }
    assert len({answer.body["detail"] for answer in answers}) == 1
    assert not any("Set-Cookie" in answer.headers for answer in answers)
    # Who is meant can read of it; an address that is nobody's has no log.
    assert await acts_of(system, person.tenant_id) == [
        (person.person_id, "session.begin", "sign_in_refused")
    ]


async def test_an_unknown_address_takes_as_long_as_a_known_one(
    system: System, password_hash: str, figures: dict[str, Any]
) -> None:
    """In the time of all processors: who else is on the machine is no matter."""
    _, email = await with_password(system, password_hash)
    times: dict[str, list[float]] = {email: [], "nobody@example.org": []}
    for _ in range(4):
        await forget_guesses(system)
        for address, taken in times.items():
            began = time.process_time()
            await sign_in(system, address, OTHER)
            taken.append(time.process_time() - began)
    known, unknown = map(min, times.values())
    figures["sign_in_worked_ms_known"] = round(known * 1000)
    figures["sign_in_worked_ms_unknown"] = round(unknown * 1000)
    assert statistics.median(times["nobody@example.org"]) > 0.02
    # A hash is more than a hundred milliseconds; without one, three are left.
    assert 0.4 < unknown / known < 2.5


async def test_one_address_in_two_tenants_says_which(
    system: System, password_hash: str
) -> None:
    """Each has a password of its own, and neither sees the other (hazard 113)."""
    person, email = await with_password(system, password_hash)
    other = await system.person(email=email, password_hash=await Hasher().hash(OTHER))
    names = {
        row["tenant_id"]: row["name"]
        for row in await system.rows("SELECT tenant_id, name FROM tenants")
    }
    assert (await sign_in(system, email)).code == "sign_in_refused"
    for which, password in ((person, PASSWORD), (other, OTHER)):
        name = names[which.tenant_id]
        answer = await sign_in(system, email, password, tenant=name)
        assert answer.body["person_id"] == which.person_id
    wrong = await sign_in(system, email, OTHER, tenant=names[person.tenant_id])
    assert wrong.code == "sign_in_refused"


async def test_guesses_at_one_address_end_and_say_when_to_go_on(
    system: System, password_hash: str
) -> None:
    _, email = await with_password(system, password_hash)
    for address in (email, "nobody@example.org"):
        await system.rows(
            "INSERT INTO guesses VALUES ($1, $2, now() + interval '900 seconds')",
            guesses.subjects_of(address, "127.0.0.1").here,
            guesses.HERE.times - 1,
        )
        answers = [await sign_in(system, address, OTHER) for _ in range(3)]
        codes = [answer.code for answer in answers]
        assert codes == ["sign_in_refused", "too_many_guesses", "too_many_guesses"]
        assert answers[-1].status == 429
        assert 800 < int(answers[-1].headers["Retry-After"]) <= 901
    # The right password does not help before then: it might be the next guess.
    assert (await sign_in(system, email)).code == "too_many_guesses"


async def test_guesses_at_the_same_moment_count_too(
    system: System, password_hash: str
) -> None:
    _, email = await with_password(system, password_hash)
    answers = await asyncio.gather(
        *(sign_in(system, email, f"{OTHER} {n}") for n in range(14))
    )
    codes = [answer.code for answer in answers]
    assert codes.count("sign_in_refused") == guesses.HERE.times


async def test_guesses_from_one_place_end_whatever_the_address(
    system: System,
) -> None:
    times = guesses.PLACE.times
    await system.rows(
        "INSERT INTO guesses VALUES ($1, $2, now() + interval '1 hour')",
        guesses.subjects_of("", "127.0.0.1").place,
        times - 1,
    )
    codes = [(await sign_in(system, f"a{n}@example.org")).code for n in range(2)]
    assert codes == ["sign_in_refused", "too_many_guesses"]


async def test_who_knows_the_password_is_not_counted_as_guessing(
    system: System, password_hash: str
) -> None:
    _, email = await with_password(system, password_hash)
    for _ in range(3):
        await sign_in(system, email, OTHER)
        assert (await sign_in(system, email)).status == 201
    counts = {
        bytes(row["subject"]): row["count"]
        for row in await system.rows("SELECT subject, count FROM guesses")
    }
    subjects = guesses.subjects_of(email, "127.0.0.1")
    assert counts == {subjects.here: 0, subjects.whole: 3, subjects.place: 3}


async def test_a_sign_in_never_takes_over_a_session_that_was_there(
    system: System, password_hash: str
) -> None:
    """Session fixation: the cookie of before is worth nothing afterwards."""
    planted = await system.person()
    _, email = await with_password(system, password_hash)
    answer = await sign_in(
        system,
        email,
        headers={"Cookie": planted.cookie, "Sec-Fetch-Site": "same-origin"},
    )
    assert answer.cookies["tandem_session"] not in planted.cookie
    assert (await planted("GET", "/v1/session")).code == "session_over"
    assert (await browser(system, answer)("GET", "/v1/session")).status == 200
    assert (planted.person_id, "session.end", "done") in await acts_of(
        system, planted.tenant_id
    )


@pytest.mark.parametrize(
    ("column", "age"),
    [("seen_at", "interval '12 hours'"), ("expires_at", "interval '8 days'")],
)
async def test_a_session_ends_by_itself(system: System, column: str, age: str) -> None:
    person = await system.person()
    assert (await person("GET", "/v1/session")).status == 200
    await system.rows(
        f"UPDATE sessions SET {column} = {column} - {age} WHERE person_id = $1",
        person.person_id,
    )
    answer = await person("GET", "/v1/session")
    assert (answer.status, answer.code) == (401, "session_over")
    assert "WWW-Authenticate" in answer.headers


async def test_a_session_in_use_goes_on(system: System) -> None:
    person = await system.person()
    await system.rows(
        "UPDATE sessions SET seen_at = seen_at - interval '11 hours'"
        " WHERE person_id = $1",
        person.person_id,
    )
    assert (await person("GET", "/v1/session")).status == 200
    (row,) = await system.rows(
        "SELECT seen_at FROM sessions WHERE person_id = $1", person.person_id
    )
    idle = datetime.datetime.now(datetime.UTC) - row["seen_at"]
    assert idle < datetime.timedelta(minutes=1)


async def test_a_person_sees_and_ends_their_own_sessions(
    system: System, password_hash: str
) -> None:
    first, email = await with_password(system, password_hash)
    second = browser(system, await sign_in(system, email, headers={"User-Agent": "B"}))
    listed = (await second("GET", "/v1/sessions")).body["items"]
    assert [(item["is_current"], item["browser"]) for item in listed] == [
        (True, "B"),
        (False, "test"),
    ]
    path = f"/v1/sessions/{listed[1]['session_id']}"
    assert (await second("DELETE", path)).status == 204
    assert (await second("DELETE", path)).status == 404
    assert (await first("GET", "/v1/session")).code == "session_over"
    assert (await second("GET", "/v1/session")).status == 200


async def test_the_oldest_session_ends_for_one_too_many(
    system: System, password_hash: str
) -> None:
    first, email = await with_password(system, password_hash)
    for _ in range(sessions.SESSIONS_MAX - 1):
        await system.session_of(TenantId(first.tenant_id), PersonId(first.person_id))
    assert (await first("GET", "/v1/session")).status == 200
    last = browser(system, await sign_in(system, email))
    assert (await first("GET", "/v1/session")).code == "session_over"
    listed = (await last("GET", "/v1/sessions")).body["items"]
    assert len(listed) == sessions.SESSIONS_MAX


async def test_a_new_password_wants_the_old_one_and_ends_all_sessions(
    system: System, password_hash: str
) -> None:
    person, email = await with_password(system, password_hash)
    other = browser(system, await sign_in(system, email))
    for current, new, status, code in (
        (OTHER, "thirteen brave umbrellas", 422, "not_confirmed"),
        (PASSWORD, "short", 422, "body_invalid"),
        (PASSWORD, email, 422, "body_invalid"),
    ):
        body = {"current_password": current, "password": new}
        answer = await person("PUT", "/v1/password", body)
        assert (answer.status, answer.code) == (status, code), new
    assert (await other("GET", "/v1/session")).status == 200
    body = {"current_password": PASSWORD, "password": OTHER}
    changed = await person("PUT", "/v1/password", body)
    assert changed.status == 204
    assert (await browser(system, changed)("GET", "/v1/session")).status == 200
    assert (await person("GET", "/v1/session")).code == "session_over"
    assert (await other("GET", "/v1/session")).code == "session_over"
    assert (await sign_in(system, email)).code == "sign_in_refused"
    assert (await sign_in(system, email, OTHER)).status == 201
    acts = await acts_of(system, person.tenant_id)
    assert [act[1:] for act in acts if act[1] == "password.change"] == [
        ("password.change", "not_confirmed"),
        ("password.change", "done"),
    ]


async def test_a_hash_by_other_parameters_is_made_anew(system: System) -> None:
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
    _, email = await with_password(system, weak.hash(PASSWORD))
    for _ in range(2):
        assert (await sign_in(system, email)).status == 201
        (row,) = await system.rows(
            "SELECT password_hash FROM people WHERE email = $1", email
        )
        assert row["password_hash"].startswith("$argon2id$v=19$m=65536,t=3,p=4$")


@pytest.mark.parametrize("route", UNSAFE, ids=lambda r: r.name)
async def test_the_page_of_another_site_does_nothing(
    system: System, route: Route, figures: dict[str, Any]
) -> None:
    """Every unsafe route, with a cookie, as the browser of a victim sends it (S12)."""
    person = await system.person()
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://sub.example.org"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "", "Origin": "https://attacker.example"},
        {"Sec-Fetch-Site": "", "Origin": "null"},
        {"Sec-Fetch-Site": "", "Origin": f"{system.url}.attacker.example"},
        {"Sec-Fetch-Site": ""},
    ):
        sent = {"Cookie": person.cookie, **{k: v for k, v in headers.items() if v}}
        answer = await system.stranger()(
            route.method, path_of(route), b"{}", headers=sent
        )
        assert (answer.status, answer.code) == (403, "foreign_page"), headers
        figures["csrf_tried"] = int(figures.get("csrf_tried", 0)) + 1
    assert await acts_of(system, person.tenant_id) == []
    assert (await person("GET", "/v1/session")).status == 200


async def test_an_older_browser_says_its_page_by_origin(system: System) -> None:
    person = await system.person()
    sent = {"Cookie": person.cookie, "Origin": system.url}
    answer = await system.stranger()("DELETE", "/v1/session", headers=sent)
    assert answer.status == 204


async def test_no_other_page_signs_a_browser_in(
    system: System, password_hash: str
) -> None:
    """Else a victim would work in the attacker's tenant (login CSRF)."""
    _, email = await with_password(system, password_hash)
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://attacker.example"},
    ):
        answer = await sign_in(system, email, headers=headers)
        assert (answer.status, answer.code) == (403, "foreign_page")
    assert (await sign_in(system, email)).status == 201


@pytest.mark.parametrize("role", list(SCOPES_OF))
@pytest.mark.parametrize("route", routes.ROUTES, ids=lambda r: r.name)
async def test_a_role_reaches_what_the_table_says_and_no_more(
    system: System, route: Route, role: str, figures: dict[str, Any]
) -> None:
    person = await system.person(role)
    answer = await person(route.method, path_of(route), b"{}")
    is_allowed = route.scope in SCOPES_OF[role]
    is_refused = answer.status == 403
    assert is_refused is not is_allowed
    if is_refused:
        assert answer.code == "role_missing"
        assert await acts_of(system, person.tenant_id) == [
            (person.person_id, "request.refuse", "role_missing")
        ]
    figures["roles_tried"] = int(figures.get("roles_tried", 0)) + 1


@pytest.mark.parametrize("route", routes.ROUTES, ids=lambda r: r.name)
async def test_what_is_about_a_person_is_nothing_for_a_key(
    system: System, route: Route
) -> None:
    client = await system.client()
    answer = await client(route.method, path_of(route), b"{}")
    assert (answer.status == 403) is route.is_personal
    if route.is_personal:
        assert answer.code == "person_missing"


async def test_nobody_raises_themselves_and_an_owner_remains(system: System) -> None:
    owner = await system.person()
    own = f"/v1/people/{owner.person_id}"
    for role in ("viewer", "owner"):
        assert (await owner("PATCH", own, {"role": role})).code == "own_role"
    assert (await owner("DELETE", own)).code == "last_owner"
    key = Client(
        system.session, system.url, await system.key(owner.tenant_id), owner.tenant_id
    )
    assert (await key("PATCH", own, {"role": "editor"})).code == "last_owner"
    editor = await system.person("editor", tenant_id=owner.tenant_id)
    theirs = f"/v1/people/{editor.person_id}"
    assert (await editor("PATCH", theirs, {"role": "owner"})).code == "role_missing"
    changed = await owner("PATCH", theirs, {"role": "owner"})
    assert (changed.status, changed.body["role"]) == (200, "owner")
    assert (await editor("PATCH", own, {"role": "viewer"})).status == 200
    # It holds at once, in the session that goes on.
    assert (await owner("GET", "/v1/people")).code == "role_missing"
    assert (await editor("DELETE", own)).status == 204
    assert (await owner("GET", "/v1/session")).code == "session_over"
    acts = await acts_of(system, owner.tenant_id)
    assert [act for act in acts if act[1] != "request.refuse"] == [
        (owner.person_id, "person.make_owner", "done"),
        (editor.person_id, "person.make_viewer", "done"),
        (editor.person_id, "person.remove", "done"),
    ]


async def test_two_owners_cannot_remove_each_other_at_once(system: System) -> None:
    for _ in range(5):
        owners = [await system.person()]
        owners.append(await system.person(tenant_id=owners[0].tenant_id))
        answers = await asyncio.gather(
            *(
                one("DELETE", f"/v1/people/{other.person_id}")
                for one, other in zip(owners, reversed(owners), strict=True)
            )
        )
        left = await system.rows(
            "SELECT 1 FROM people WHERE tenant_id = $1", owners[0].tenant_id
        )
        assert (len(left), min(a.status for a in answers)) == (1, 204)


async def test_an_owner_signs_a_person_out_everywhere(system: System) -> None:
    owner = await system.person()
    editor = await system.person("editor", tenant_id=owner.tenant_id)
    path = f"/v1/people/{editor.person_id}/sessions"
    assert (await owner("DELETE", path)).status == 204
    assert (await editor("GET", "/v1/session")).code == "session_over"


async def test_a_key_that_a_person_made_has_no_more_rights_than_they(
    system: System,
) -> None:
    owner = await system.person()
    made = await owner("POST", "/v1/api-keys", {"name": "k", "scopes": ["read"]})
    assert made.body["created_by"] == owner.person_id
    assert made.body["expires_at"] is None
    (listed,) = (await owner("GET", "/v1/api-keys")).body["items"]
    assert listed["created_by"] == owner.person_id
    key = system.stranger(made.body["key"])
    assert (await key("GET", "/v1/accounts")).status == 200
    assert (await key("GET", "/v1/people")).code == "scope_missing"


async def run(system: System, *arguments: str, password: str) -> tuple[int, str, str]:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.api", "create-person", *arguments),
        env={
            "PATH": os.environ["PATH"],
            "API_DATABASE_URL": system.runtime.settings.database_url,
            "API_NATS_URL": "nats://127.0.0.1:1",
            "API_KEY_RING_FILE": str(system.runtime.settings.key_ring_file),
        },
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        out, err = await child.communicate(f"{password}\n".encode())
    assert b"Traceback" not in err
    return child.returncode or 0, out.decode().strip(), err.decode()


async def test_a_fresh_installation_knows_nobody(
    postgres_server: postgres.Server, nats_server: nats.Server
) -> None:
    """No account comes with it: nobody can be signed in, and no key is good."""
    async with fixtures.alone(postgres_server, nats_server) as fresh:
        for table in ("tenants", "people", "identities", "invitations", "api_keys"):
            (row,) = await fresh.rows(f"SELECT count(*) AS found FROM {table}")
            assert row["found"] == 0, table


async def test_the_first_owner_is_made_on_the_command_line(system: System) -> None:
    who = ("--tenant", "acme", "--email", "Ana@Example.org")
    code, person_id, _ = await run(system, *who, password=PASSWORD)
    assert (code, person_id[:5]) == (0, "pers_")
    (row,) = await system.rows(
        "SELECT role FROM people WHERE person_id = $1", person_id
    )
    assert row["role"] == "owner"
    # They get in by a browser, which leads them on from there.
    assert (await sign_in(system, "ana@example.org")).code == "enrolment_needed"
    for arguments, password, reason in (
        (who, PASSWORD, "somebody of this address"),
        (("--tenant", "acme", "--email", "b@example.org"), "short", "at least 12"),
        (("--tenant", "acme", "--email", "b"), PASSWORD, "no email address"),
    ):
        code, out, err = await run(system, *arguments, password=password)
        assert (code > 0, out, reason in err) == (True, "", True), err
    rows = await system.rows(
        "SELECT actor, fields FROM audit_entries WHERE act = 'person.add'"
    )
    assert [(row["actor"], row["fields"]) for row in rows] == [
        ("command_line", ["email", "password", "role"])
    ]
