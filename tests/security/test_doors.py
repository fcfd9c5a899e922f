"""Invitations, and the plain pages by which people get in and out."""

import asyncio
import html.parser
import re
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import pytest_asyncio

from proto.ids import InvitationId, TenantId
from services.api import routes
from services.api.proofs import keys
from services.api.store import guests
from services.chassis.store import Work
from tests.integration.api_system.fixtures import system
from tests.integration.api_system.running import Answer, Client, System
from tests.security.test_people import PASSWORD, acts_of, sign_in

__all__ = ["system"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

OWN = {"Sec-Fetch-Site": "same-origin"}
MARKUP = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onfocus=alert(1) autofocus='",
    "{{ 7 * 7 }}",
    "</title><svg onload=alert(1)>",
    "javascript:alert(1)",
)


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _nobody_guessed(system: System) -> None:
    await system.rows("DELETE FROM guesses")


async def invited(owner: Client, email: str, role: str = "editor") -> Answer:
    answer = await owner("POST", "/v1/invitations", {"email": email, "role": role})
    assert answer.status == 201, answer.body
    return answer


def secret_of(answer: Answer) -> str:
    """Return what a link has behind its #, which a browser keeps to itself."""
    return answer.body["link"].partition("#")[2]


async def accept(
    system: System, invitation: Answer, password: str = PASSWORD
) -> Answer:
    body = {"secret": secret_of(invitation), "password": password}
    return await system.stranger()("POST", "/v1/invitations/accept", body)


async def send(
    system: System, path: str, headers: dict[str, str] | None = None, **fields: str
) -> Answer:
    """Send a form as a browser does."""
    sent = aiohttp.FormData(fields)() if fields else None
    content = {"Content-Type": "application/x-www-form-urlencoded"}
    return await system.stranger()(
        "POST",
        path,
        headers={**content, **(OWN if headers is None else headers)},
        **({"data": sent} if sent else {}),
    )


async def state_of(owner: Client, invitation: Answer) -> str:
    listed = (await owner("GET", "/v1/invitations")).body["items"]
    (one,) = [
        i for i in listed if i["invitation_id"] == invitation.body["invitation_id"]
    ]
    assert "link" not in one
    return one["state"]


async def test_an_invitation_makes_one_person_once(system: System) -> None:
    owner = await system.person()
    invitation = await invited(owner, " Eve@Example.ORG ")
    assert invitation.body["email"] == "eve@example.org"
    assert await state_of(owner, invitation) == "open"
    assert (await accept(system, invitation, "short")).code == "body_invalid"
    answers = await asyncio.gather(*(accept(system, invitation) for _ in range(3)))
    assert sorted(answer.status for answer in answers) == [204, 410, 410]
    assert await state_of(owner, invitation) == "accepted"
    answer = await sign_in(system, "eve@example.org")
    assert (answer.status, answer.body["role"]) == (201, "editor")
    people = await system.rows(
        "SELECT 1 FROM people WHERE tenant_id = $1", owner.tenant_id
    )
    assert len(people) == 2
    acts = await acts_of(system, owner.tenant_id)
    assert acts[:2] == [
        (owner.person_id, "invitation.create", "done"),
        (answer.body["person_id"], "invitation.accept", "done"),
    ]


async def test_a_link_is_stored_nowhere(system: System) -> None:
    invitation = await invited(await system.person(), "eve@example.org")
    secret = secret_of(invitation)
    assert len(secret) == 43
    rows = await system.rows("SELECT invitations::text AS row FROM invitations")
    assert not any(secret in row["row"] for row in rows)


async def test_what_is_over_lets_nobody_in(system: System) -> None:
    owner = await system.person()
    first = await invited(owner, "eve@example.org")
    second = await invited(owner, "eve@example.org", "viewer")
    assert await state_of(owner, first) == "replaced"
    path = f"/v1/invitations/{second.body['invitation_id']}"
    renewed = await owner("POST", f"{path}/resend")
    assert renewed.body["link"] != second.body["link"]
    for old in (first, second):
        assert (await accept(system, old)).code == "invitation_over"
    assert (await owner("DELETE", path)).status == 204
    assert await state_of(owner, second) == "revoked"
    assert (await owner("POST", f"{path}/resend")).code == "invitation_over"
    late = await invited(owner, "eve@example.org")
    await system.rows(
        "UPDATE invitations SET expires_at = now() WHERE invitation_id = $1",
        late.body["invitation_id"],
    )
    assert await state_of(owner, late) == "expired"
    for over in (renewed, late):
        assert (await accept(system, over)).code == "invitation_over"
        page = await send(system, "/invitation", secret=secret_of(over))
        assert (page.status, "Ask for another one" in page.body) == (410, True)
    assert (await send(system, "/invitation", secret="x")).status == 410


async def test_whoever_is_late_with_a_link_ends_nothing(system: System) -> None:
    """Between the look at a link and its use it may be replaced, or used."""
    owner = await system.person()
    invitation = await invited(owner, "eve@example.org")
    invitation_id = invitation.body["invitation_id"]
    path = f"/v1/invitations/{invitation_id}"
    renewed = await owner("POST", f"{path}/resend")

    tenant_id = TenantId(owner.tenant_id)

    async def end(link: Answer) -> bool:
        async with system.runtime.store(Work).transaction(tenant_id) as work:
            return await guests.end_invitation(
                work.transaction,
                tenant_id,
                invitation_id=InvitationId(invitation_id),
                outcome="accepted",
                digest=keys.digest(secret_of(link)),
                now=system.runtime.clock.now(),
            )

    assert [await end(link) for link in (invitation, renewed, renewed)] == [
        False,
        True,
        False,
    ]


async def test_who_is_there_is_not_invited_but_another_tenant_does_not_tell(
    system: System,
) -> None:
    owner, other = await system.person(), await system.person()
    there = await system.person("viewer", tenant_id=other.tenant_id)
    email = f"{there.person_id}@example.org"
    body = {"email": email, "role": "viewer"}
    assert (await other("POST", "/v1/invitations", body)).code == "already_exists"
    assert (await accept(system, await invited(owner, email))).status == 204


async def test_a_stay_of_strangers_is_bounded(system: System) -> None:
    owner = await system.person()
    await system.rows(
        "INSERT INTO invitations SELECT $1, 'inv_' || n, n || '@example.org', 'viewer',"
        " n::text::bytea, now(), '', now() + interval '1 day'"
        " FROM generate_series(1, 998) AS n",
        owner.tenant_id,
    )
    await invited(owner, "eve@example.org")
    await invited(owner, "eve@example.org")
    body = {"email": "adam@example.org", "role": "viewer"}
    assert (await owner("POST", "/v1/invitations", body)).code == "limit_reached"
    await system.rows("DELETE FROM invitations WHERE invitation_id LIKE 'inv_9%'")


async def test_a_person_gets_in_and_out_by_the_pages_alone(system: System) -> None:
    stranger = system.stranger()
    invitation = await invited(await system.person(), "adam@example.org")
    secret = secret_of(invitation)
    shown = await send(system, "/invitation", secret=secret)
    assert (shown.status, "adam@example.org" in shown.body) == (200, True)
    form = {"secret": secret, "email": "x@example.org"}
    weak = await send(system, "/invitation/accept", **form, password="password1234")
    assert (weak.status, 'role="alert"' in weak.body) == (422, True)
    done = await send(system, "/invitation/accept", **form, password=PASSWORD)
    assert (done.status, done.headers["Location"]) == (303, "/sign-in?note=accepted")
    note = await stranger("GET", "/sign-in?note=accepted")
    assert "You can sign in now." in note.body
    wrong = await send(system, "/sign-in", email="adam@example.org", password="no")
    assert (wrong.status, 'role="alert"' in wrong.body) == (422, True)
    assert 'value="adam@example.org"' in wrong.body
    done = await send(system, "/sign-in", email="adam@example.org", password=PASSWORD)
    assert (done.status, done.headers["Location"]) == (303, "/account")
    cookie = {"Cookie": f"tandem_session={done.cookies['tandem_session']}"}
    account = await stranger("GET", "/account", headers=cookie)
    assert "<strong>adam@example.org</strong> (editor)" in account.body
    assert (await stranger("GET", "/sign-in", headers=cookie)).status == 303
    out = await send(system, "/sign-out", {**OWN, **cookie})
    assert (out.status, out.cookies["tandem_session"]) == (303, "")
    back = await stranger("GET", "/account", headers=cookie)
    assert (back.status, back.headers["Location"]) == (303, "/sign-in")


async def test_signing_out_has_the_browser_forget_what_it_keeps_of_us(
    system: System,
) -> None:
    """ASVS 14.3.1. Cookies of neighbouring hosts are not ours to take."""
    by_page, by_program = await system.person(), await system.person()
    out = await send(system, "/sign-out", {**OWN, "Cookie": by_page.cookie})
    ended = await by_program("DELETE", "/v1/session")
    for answer in (out, ended):
        assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
        assert answer.cookies["tandem_session"] == ""
    assert out.cookies["tandem_half_session"] == ""
    # Nothing of a page waits in the browser until then, either.
    account = await system.stranger()(
        "GET", "/account", headers={"Cookie": (await system.person()).cookie}
    )
    assert account.headers["Cache-Control"] == "no-store"


async def test_too_many_guesses_say_when_to_go_on_on_the_page(system: System) -> None:
    for _ in range(11):
        answer = await send(system, "/sign-in", email="no address", password="x")
    assert (answer.status, 'role="alert"' in answer.body) == (429, True)
    assert int(answer.headers["Retry-After"]) > 800


async def test_a_links_secret_never_reaches_a_server_in_an_address(
    system: System,
) -> None:
    """Addresses are in logs, histories and referrers (ASVS 14.2.1)."""
    invitation = await invited(await system.person(), "eve@example.org")
    where = urlsplit(invitation.body["link"])
    assert (where.path, where.query) == ("/invitation", "")
    assert len(where.fragment) == 43
    shown = await system.stranger()("GET", "/invitation")
    page = _Page(shown.body)
    (form,), (script,) = page.named("form"), page.named("script")
    policy = shown.headers["Content-Security-Policy"]
    assert (form["method"], form["action"]) == ("post", "/invitation")
    assert f"script-src 'nonce-{script['nonce']}'" in policy
    assert "history.replaceState" in shown.body
    # Whoever runs no script can type it.
    assert "secret" in {given["name"] for given in page.named("input")}


@pytest.mark.parametrize("path", [form.path for form in routes.FORMS])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://attacker.example"},
        {"Origin": "null"},
    ],
)
async def test_forms_of_other_sites_do_nothing(
    system: System, path: str, headers: dict[str, str]
) -> None:
    owner = await system.person()
    invitation = await invited(owner, "eve@example.org")
    sent = {"Cookie": owner.cookie, **headers}
    secret = secret_of(invitation)
    answer = await send(system, path, sent, secret=secret, password=PASSWORD)
    assert (answer.status, answer.headers["Content-Type"][:9]) == (403, "text/html")
    assert (await owner("GET", "/v1/session")).status == 200
    assert await state_of(owner, invitation) == "open"


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        (b"email=a", "text/plain", 415),
        (b'{"email": "a"}', "application/json", 415),
        (b"email=a&email=b&password=x", None, 400),
        (b"email=a&password=x&next=//evil.example", None, 400),
        (b"email=a&password=%00", None, 400),
        (b"email=%ff&password=x", None, 400),
        (b"\xff\xfe", None, 400),
        (b"email=" + b"x" * 1_001, None, 400),
        (b"&".join(b"a%d=1" % n for n in range(50)), None, 400),
        (b"email=" + b"x" * 1_100_000, None, 413),
    ],
)
async def test_what_is_no_form_of_ours_is_a_page_that_says_so(
    system: System, data: bytes, content_type: str | None, status: int
) -> None:
    content = content_type or "application/x-www-form-urlencoded"
    answer = await system.stranger()(
        "POST", "/sign-in", headers={**OWN, "Content-Type": content}, data=data
    )
    assert answer.status == status
    assert answer.headers["Content-Type"].startswith("text/html")


class _Page(html.parser.HTMLParser):
    """What a browser sees in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, Any]]:
        return [attributes for name, attributes in self.tags if name == tag]


async def test_nobody_reads_a_password_over_a_shoulder(system: System) -> None:
    """Where one is typed it is masked, and nothing is shown of it afterwards."""
    owner = await system.person()
    secret = secret_of(await invited(owner, "eve@example.org"))
    seen = 0
    for shown, path, more in (
        (await system.stranger()("GET", "/sign-in"), "/sign-in", {}),
        (
            await send(system, "/invitation", secret=secret),
            "/invitation/accept",
            {"secret": secret},
        ),
    ):
        form = {**more, "email": "eve@example.org", "password": "s3cr3t"}
        sent = await send(system, path, **form)
        assert (shown.status, sent.status) == (200, 422)
        assert "s3cr3t" not in sent.body
        for body in (shown.body, sent.body):
            fields = _Page(body).named("input")
            typed = [one for one in fields if "password" in one.get("autocomplete", "")]
            assert [one["type"] for one in typed] == ["password"]
            assert "value" not in typed[0]
            seen += 1
    assert seen == 4


@pytest.mark.parametrize("text", MARKUP)
async def test_what_people_type_is_text_and_nothing_else(
    system: System, text: str
) -> None:
    plain = _Page((await system.stranger()("GET", "/sign-in")).body)
    answer = await send(system, "/sign-in", email=text, password="x", tenant=text)
    page = _Page(answer.body)
    inputs = {given["name"]: given for given in page.named("input")}
    assert (inputs["email"]["value"], inputs["tenant"]["value"]) == (text, text)
    # But for the line that says what is wrong, there is no tag that was not there.
    names = [name for name, _ in page.tags]
    assert sorted(names) == sorted([*(name for name, _ in plain.tags), "p"])
    attributes = {key for _, given in page.tags for key in given}
    assert not {key for key in attributes if key.startswith("on")}


async def test_a_tenants_name_is_text_too(system: System) -> None:
    owner = await system.person()
    name = f"{MARKUP[0]} {owner.tenant_id}"
    await system.rows(
        "UPDATE tenants SET name = $1 WHERE tenant_id = $2", name, owner.tenant_id
    )
    secret = secret_of(await invited(owner, "a@example.org"))
    shown = await send(system, "/invitation", secret=secret)
    assert "<script" not in shown.body
    assert "&lt;script&gt;" in shown.body


async def test_pages_bring_no_script_and_are_in_no_frame(system: System) -> None:
    owner = await system.person()
    secret = secret_of(await invited(owner, "eve@example.org"))
    for answer in (
        await system.stranger()("GET", "/sign-in"),
        await system.stranger()("GET", "/account", headers={"Cookie": owner.cookie}),
        await send(system, "/invitation", secret=secret),
        await send(system, "/invitation", secret="nothing"),
    ):
        policy = answer.headers["Content-Security-Policy"]
        nonce = re.findall("'nonce-([^']+)'", policy)
        assert len(nonce) == 1
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "frame-ancestors 'none'" in policy
        assert "form-action 'self'" in policy
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["Cache-Control"] == "no-store"
        page = _Page(answer.body)
        assert page.named("script") == []
        assert [given["nonce"] for given in page.named("style")] == nonce
        sources = [value for _, given in page.tags for value in given.values() if value]
        assert not any("//" in value for value in sources)


async def test_pages_can_be_used_without_seeing_them(system: System) -> None:
    """Each field has a label, the page a language, a heading and one main part."""
    owner = await system.person()
    secret = secret_of(await invited(owner, "eve@example.org"))
    for shown in (
        await system.stranger()("GET", "/sign-in"),
        await system.stranger()("GET", "/invitation"),
        await send(system, "/invitation", secret=secret),
    ):
        page = _Page(shown.body)
        assert [given["lang"] for given in page.named("html")] == ["en"]
        assert (len(page.named("h1")), len(page.named("main"))) == (1, 1)
        labels = {given["for"] for given in page.named("label")}
        fields = [one for one in page.named("input") if one.get("type") != "hidden"]
        assert {given["id"] for given in fields} == labels
        assert all(given["autocomplete"] for given in fields)
