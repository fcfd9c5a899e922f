"""Sign-in at a provider of OpenID Connect, attacked at our callback (RFC 9700)."""

import datetime
import html
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import pytest_asyncio
import structlog.testing
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import RSAKey

from deploy.local import nats, postgres
from services.api.config import Config
from services.api.proofs import issuers
from services.api.proofs.oidc import UnknownKey
from tests.fakes.clock import MovableClock
from tests.integration.api_system import fixtures
from tests.integration.api_system.running import Answer, Client, System
from tests.security import forger
from tests.security.forger import CLIENT_ID, CLIENT_SECRET, Provider
from tests.security.test_doors import OWN, invited, secret_of, send, state_of
from tests.security.test_people import acts_of, sign_in

pytestmark = pytest.mark.asyncio(loop_scope="module")

STRANGER_KEY = RSAKey.generate_key(2048)
VERIFIED = {"email": "Eve@example.org", "email_verified": True}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provider() -> AsyncIterator[Provider]:
    async with forger.running() as started:
        yield started


@pytest.fixture(scope="module")
def secret_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("oidc") / "secret"
    path.write_text(CLIENT_SECRET + "\n")
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(
    postgres_server: postgres.Server,
    nats_server: nats.Server,
    provider: Provider,
    secret_file: Path,
) -> AsyncIterator[System]:
    """An api whose people may sign in at the provider."""
    async with fixtures.alone(
        postgres_server,
        nats_server,
        oidc_issuer=provider.issuer,
        oidc_name="Example ID",
        oidc_client_id=CLIENT_ID,
        oidc_client_secret_file=secret_file,
        private_addresses=("127.0.0.0/8",),
    ) as started:
        yield started


@pytest.fixture(autouse=True)
def _honest(provider: Provider) -> None:
    provider.forge = provider.answer = None


class Visitor:
    """A browser on its way to the provider and back."""

    def __init__(self, system: System, provider: Provider) -> None:
        self.system, self.provider = system, provider
        self.cookie = self.state = self.code = ""

    async def go(
        self,
        path: str = "/sign-in/oidc",
        form: dict[str, str] | None = None,
        **claims: Any,
    ) -> "Visitor":
        """Send a form of ours, and sign in at the provider that it leads to."""
        answer = await send(self.system, path, **(form or {"tenant": ""}))
        return await self.follow(answer, **claims)

    async def follow(self, answer: Answer, **claims: Any) -> "Visitor":
        """Do what a browser does with a page that leads to the provider."""
        assert answer.status == 200
        url = html.unescape(answer.body.partition('<a href="')[2].partition('"')[0])
        assert f'content="0; url={html.escape(url)}"' in answer.body
        assert url.startswith(f"{self.provider.issuer}/authorise?x=1&")
        self.cookie = f"tandem_oidc={answer.cookies['tandem_oidc']}"
        (self.state,) = parse_qs(urlsplit(url).query)["state"]
        self.code = self.provider.log_in(url, **claims)
        return self

    async def come_back(self, *, cookie: str | None = None, **query: str) -> Answer:
        given = {"state": self.state, "code": self.code, **query}
        path = "&".join(f"{name}={quote(text)}" for name, text in given.items())
        sent = self.cookie if cookie is None else cookie
        headers = {"Cookie": sent, "Sec-Fetch-Site": "cross-site"}
        return await self.system.stranger()(
            "GET", f"/sign-in/oidc/callback?{path}", headers=headers
        )


@pytest.fixture
def visitor(system: System, provider: Provider) -> Visitor:
    return Visitor(system, provider)


def outcome_of(answer: Answer) -> tuple[int, str]:
    """Return how a sign-in ended, as its page says it."""
    title = answer.body.partition("<title>")[2].partition(" - ")[0]
    assert "tandem_session" not in answer.cookies
    return answer.status, title


REFUSED = (403, "Not signed in")
UNKNOWN = (403, "Not known here")
OVER = (410, "Sign-in over")
AWAY = (503, "Sign-in service away")


async def member(system: System, visitor: Visitor, subject: str) -> Client:
    """Return the browser of an owner; somebody else of the tenant has the subject."""
    owner = await system.person()
    invitation = await invited(owner, "eve@example.org")
    form = {"secret": secret_of(invitation)}
    await visitor.go("/invitation/oidc", form, sub=subject, **VERIFIED)
    answer = await visitor.come_back()
    assert answer.headers.get("Location") == "/account", answer.body
    return owner


async def test_an_invitation_is_accepted_and_the_subject_is_known_from_then_on(
    system: System, visitor: Visitor
) -> None:
    owner = await member(system, visitor, "subject of eve")
    # Whatever the provider says of addresses later: a subject is for ever.
    await visitor.go(sub="subject of eve", email="other@example.org")
    answer = await visitor.come_back()
    assert (answer.status, answer.headers["Location"]) == (303, "/account")
    shown = answer.headers.getall("Set-Cookie")
    assert all("HttpOnly" in line for line in shown if "Max-Age=0" not in line)
    cookie = f"tandem_session={answer.cookies['tandem_session']}"
    signed_in = Client(system.session, system.url, cookie=cookie)
    who = (await signed_in("GET", "/v1/session")).body
    assert (who["email"], who["role"]) == ("eve@example.org", "editor")
    (session,) = (await signed_in("GET", "/v1/sessions")).body["items"][:1]
    began, ends = (
        datetime.datetime.fromisoformat(session[name])
        for name in ("created_at", "expires_at")
    )
    # Sooner than one that began here: whoever lost their place there is out here.
    assert abs(ends - began - datetime.timedelta(days=1)).total_seconds() < 30
    assert await acts_of(system, owner.tenant_id) == [
        (owner.person_id, "invitation.create", "done"),
        (who["person_id"], "invitation.accept", "done"),
        (who["person_id"], "session.begin", "done"),
        (who["person_id"], "session.begin", "done"),
    ]
    assert (
        "Sign in with Example ID" in (await system.stranger()("GET", "/sign-in")).body
    )
    # There is no password to guess.
    assert (await sign_in(system, "eve@example.org", "")).status == 422


async def test_each_way_back_is_told_with_how_it_ended(
    system: System, visitor: Visitor
) -> None:
    owner = await member(system, visitor, "told")
    with structlog.testing.capture_logs() as captured:
        await visitor.go(sub="told")
        assert (await visitor.come_back()).status == 303
        await visitor.go(sub="told")
        await visitor.come_back(error="access_denied")
        await visitor.go(sub="told", nonce="another")
        await visitor.come_back()
        await visitor.go(sub="stranger")
        await visitor.come_back()
        await visitor.come_back()
    lines = [
        (one["event"], one.get("code"), one.get("reason"), one.get("tenant_id"))
        for one in captured
        if one["event"] in ("signed_in", "sign_in_refused")
        and (one["kind"], one["remote"]) == ("provider", "127.0.0.1")
    ]
    assert lines == [
        ("signed_in", None, None, owner.tenant_id),
        ("sign_in_refused", "oidc_refused", "", None),
        ("sign_in_refused", "oidc_refused", "token_InvalidClaimError", None),
        ("sign_in_refused", "oidc_unknown", "", None),
        ("sign_in_refused", "oidc_over", "", None),
    ]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://attacker.example"},
    ],
)
async def test_a_session_begins_by_a_button_of_ours_alone(
    system: System, headers: dict[str, str]
) -> None:
    """No link, no other page, and nobody but the person at it (ASVS 7.6.2)."""
    owner = await system.person()
    secret = secret_of(await invited(owner, "eve@example.org"))
    before = await system.rows("SELECT count(*) FROM oidc_sign_ins")
    for path, form in (
        ("/sign-in/oidc", {"tenant": ""}),
        ("/invitation/oidc", {"secret": secret}),
    ):
        answer = await send(system, path, headers, **form)
        assert (answer.status, "tandem_oidc" in answer.cookies) == (403, False)
        async with system.session.get(system.url + path, headers=OWN) as opened:
            assert (opened.status, "tandem_oidc" in opened.cookies) == (405, False)
    assert await system.rows("SELECT count(*) FROM oidc_sign_ins") == before


async def linked(
    system: System, visitor: Visitor, person: Client, subject: str
) -> Answer:
    """Add the provider to who is signed in, as their browser does."""
    own = {**OWN, "Cookie": person.cookie}
    answer = await send(system, "/account/oidc", own)
    assert answer.status == 200, answer.body
    await visitor.follow(answer, sub=subject)
    return await visitor.come_back(cookie=f"{visitor.cookie}; {person.cookie}")


async def test_who_is_signed_in_can_add_the_provider(
    system: System, visitor: Visitor
) -> None:
    person = await system.person(password_hash="x")
    answer = await linked(system, visitor, person, "added")
    assert (answer.status, answer.headers["Location"]) == (303, "/account?note=linked")
    assert "tandem_session" not in answer.cookies
    shown = await person("GET", "/account?note=linked")
    assert "you can sign in there, too" in shown.body
    assert "/account/oidc" not in shown.body
    await visitor.go(sub="added")
    back = await visitor.come_back()
    cookie = f"tandem_session={back.cookies['tandem_session']}"
    signed_in = Client(system.session, system.url, cookie=cookie)
    who = (await signed_in("GET", "/v1/session")).body
    assert who["person_id"] == person.person_id
    assert (person.person_id, "identity.link", "done") in await acts_of(
        system, person.tenant_id
    )


async def test_nobody_takes_who_somebody_else_is(
    system: System, visitor: Visitor
) -> None:
    owner = await member(system, visitor, "eve's own")
    thief = await system.person(tenant_id=owner.tenant_id, password_hash="x")
    taken = (409, "Not added")
    assert outcome_of(await linked(system, visitor, thief, "eve's own")) == taken
    assert (await linked(system, visitor, thief, "thief's own")).status == 303
    assert outcome_of(await linked(system, visitor, thief, "another")) == taken
    assert [
        act[1:] for act in await acts_of(system, owner.tenant_id) if "link" in act[1]
    ] == [
        ("identity.link", "identity_taken"),
        ("identity.link", "done"),
        ("identity.link", "identity_taken"),
    ]


async def test_a_way_in_is_added_to_the_session_that_asked(
    system: System, visitor: Visitor
) -> None:
    person, victim = await system.person(), await system.person()
    for cookie in ("", victim.cookie, "tandem_session=x"):
        own = {**OWN, "Cookie": person.cookie}
        await visitor.follow(await send(system, "/account/oidc", own), sub="planted")
        answer = await visitor.come_back(cookie=f"{visitor.cookie}; {cookie}")
        assert outcome_of(answer) == OVER
    assert (await send(system, "/account/oidc")).status == 401
    await system.rows("UPDATE sessions SET created_at = now() - interval '1 hour'")
    stale = await send(system, "/account/oidc", {**OWN, "Cookie": person.cookie})
    assert stale.status == 403
    assert await system.rows("SELECT 1 FROM identities WHERE subject = 'planted'") == []


async def test_an_address_alone_makes_nobody_known(
    system: System, visitor: Visitor
) -> None:
    person = await system.person()
    email = f"{person.person_id}@example.org"
    await visitor.go(sub="new", email=email, email_verified=True)
    assert outcome_of(await visitor.come_back()) == UNKNOWN


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "adam@example.org", "email_verified": True},
        {"email": "eve@example.org", "email_verified": False},
        {"email": "eve@example.org", "email_verified": "true"},
        {"email": "eve@example.org"},
        {"email_verified": True},
        {"email": ["eve@example.org"], "email_verified": True},
    ],
)
async def test_an_invitation_is_for_who_was_invited(
    system: System, visitor: Visitor, claims: dict[str, Any]
) -> None:
    owner = await system.person()
    invitation = await invited(owner, "eve@example.org")
    form = {"secret": secret_of(invitation)}
    await visitor.go("/invitation/oidc", form, sub="thief", **claims)
    assert outcome_of(await visitor.come_back()) == UNKNOWN
    assert await state_of(owner, invitation) == "open"


async def test_one_subject_in_two_tenants_says_which(
    system: System, visitor: Visitor
) -> None:
    owners = [await member(system, visitor, "twice") for _ in range(2)]
    await visitor.go(sub="twice")
    assert outcome_of(await visitor.come_back()) == UNKNOWN
    for owner in owners:
        (row,) = await system.rows(
            "SELECT name FROM tenants WHERE tenant_id = $1", owner.tenant_id
        )
        await visitor.go(form={"tenant": row["name"]}, sub="twice")
        assert (await visitor.come_back()).status == 303


async def test_a_state_is_good_once_and_in_its_own_browser(
    system: System, provider: Provider, visitor: Visitor
) -> None:
    await member(system, visitor, "bound")
    other = await Visitor(system, provider).go(sub="bound")
    calls = provider.token_calls
    for change in (
        {"cookie": ""},
        {"cookie": other.cookie},
        {"state": ""},
        {"state": "x"},
    ):
        await visitor.go(sub="bound")
        assert outcome_of(await visitor.come_back(**change)) == OVER, change
    # After a wrong browser the right one has to begin again.
    await visitor.go(sub="bound")
    await visitor.come_back(cookie=other.cookie)
    assert outcome_of(await visitor.come_back()) == OVER
    assert provider.token_calls == calls
    await visitor.go(sub="bound")
    assert (await visitor.come_back()).status == 303
    assert outcome_of(await visitor.come_back()) == OVER
    await visitor.go(sub="bound")
    await system.rows("UPDATE oidc_sign_ins SET expires_at = now()")
    assert outcome_of(await visitor.come_back()) == OVER


async def test_a_code_of_another_sign_in_is_refused_by_its_challenge(
    system: System, provider: Provider, visitor: Visitor
) -> None:
    """Code injection: PKCE binds the code to the browser that began (RFC 9700)."""
    await member(system, visitor, "victim")
    victim = await Visitor(system, provider).go(sub="victim")
    await visitor.go(sub="victim")
    assert outcome_of(await visitor.come_back(code=victim.code)) == REFUSED


@pytest.mark.parametrize(
    "query",
    [
        {"error": "access_denied"},
        {"error": "access_denied", "code": ""},
        {"code": ""},
        {"code": "another"},
        {"iss": "https://attacker.example"},
    ],
)
async def test_an_answer_that_is_none_signs_nobody_in(
    system: System, visitor: Visitor, query: dict[str, str]
) -> None:
    await member(system, visitor, f"answers {query}")
    await visitor.go(sub=f"answers {query}")
    assert outcome_of(await visitor.come_back(**query)) == REFUSED


NOW = int(time.time())
FALSE_CLAIMS: dict[str, dict[str, Any]] = {
    "another issuer": {"iss": "https://attacker.example"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "another client"},
    "no audience": {"aud": None},
    "several audiences": {"aud": [CLIENT_ID, "another client"]},
    "issued to another": {"aud": [CLIENT_ID, "b"], "azp": "b"},
    "issued to another alone": {"azp": "b"},
    "expired": {"exp": NOW - 61},
    "without an end": {"exp": None},
    "an end that is no time": {"exp": "soon"},
    "of yesterday": {"iat": NOW - 86_400, "exp": NOW + 600},
    "of tomorrow": {"iat": NOW + 86_400, "exp": NOW + 90_000},
    "without a time": {"iat": None},
    "not yet": {"nbf": NOW + 3_600},
    "another nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "nobody": {"sub": ""},
    "a number": {"sub": 7},
    "a long subject": {"sub": "x" * 256},
}


@pytest.mark.parametrize("name", FALSE_CLAIMS)
async def test_a_token_that_is_not_for_this_sign_in_proves_nothing(
    system: System, visitor: Visitor, name: str, figures: dict[str, Any]
) -> None:
    await member(system, visitor, name)
    await visitor.go(**{"sub": name, **FALSE_CLAIMS[name]})
    assert outcome_of(await visitor.come_back()) == REFUSED
    figures["tokens_refused"] = int(figures.get("tokens_refused", 0)) + 1


def forgeries(provider: Provider) -> dict[str, Callable[[dict[str, Any]], str]]:
    def signed(key: Any, **header: Any) -> Callable[[dict[str, Any]], str]:
        given = {"alg": "RS256", "kid": provider.kid, **header}
        given = {name: value for name, value in given.items() if value is not None}
        return lambda claims: jwt.encode(given, claims, key)

    def keyed(secret: bytes, kid: str = "") -> Callable[[dict[str, Any]], str]:
        kid = kid or provider.kid
        return lambda claims: forger.keyed(claims, secret, kid=kid)

    honest = provider.token
    return {
        "nobody signed": forger.unsigned,
        "a stranger signed": signed(STRANGER_KEY),
        "a stranger's key": signed(STRANGER_KEY, kid="another"),
        "its key inside": signed(
            STRANGER_KEY, kid=None, jwk=STRANGER_KEY.as_dict(private=False)
        ),
        "the public key as a secret": keyed(provider.key.as_pem(private=False)),
        "our secret": keyed(CLIENT_SECRET.encode()),
        "a symmetric key that it shows": keyed(b"secret", kid="symmetric"),
        "cut off": lambda claims: honest(claims)[:-10],
        "no signature": lambda claims: honest(claims).rpartition(".")[0] + ".",
        "changed": lambda claims: honest(claims).replace(".e", ".f", 1),
        "nothing": lambda _: "",
        "noise": lambda _: "a.b.c",
    }


FORGERIES = tuple(forgeries(Provider(issuer="x")))


@pytest.mark.parametrize("name", FORGERIES)
async def test_a_token_that_the_provider_did_not_sign_proves_nothing(
    system: System,
    provider: Provider,
    visitor: Visitor,
    name: str,
    figures: dict[str, Any],
) -> None:
    await member(system, visitor, name)
    await visitor.go(sub=name)
    made = forgeries(provider)[name]
    provider.forge = made
    assert outcome_of(await visitor.come_back()) == REFUSED
    figures["tokens_refused"] = int(figures.get("tokens_refused", 0)) + 1


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (lambda: web.json_response({"error": "invalid_grant"}, status=400), REFUSED),
        (lambda: web.json_response({}), REFUSED),
        (lambda: web.Response(text="<html>"), REFUSED),
        (lambda: web.Response(status=302, headers={"Location": "/token"}), REFUSED),
        (lambda: web.Response(status=500), AWAY),
        (lambda: web.Response(body=b"x" * 300_000), AWAY),
    ],
)
async def test_whatever_the_token_endpoint_says_is_answered_with_a_page(
    system: System,
    provider: Provider,
    visitor: Visitor,
    answer: Callable[[], web.Response],
    outcome: tuple[int, str],
) -> None:
    await visitor.go()
    provider.answer = answer
    assert outcome_of(await visitor.come_back()) == outcome


async def test_a_provider_may_change_its_keys(
    provider: Provider, secret_file: Path
) -> None:
    """Read anew for a key that is not known, but not for each token that comes."""
    clock = MovableClock()
    settings = Config(
        database_url="x",
        nats_url="x",
        key_ring_file=Path("x"),
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret_file=secret_file,
        private_addresses=("127.0.0.1",),
    )
    kept = provider.key, provider.kid
    async with issuers.opened(settings, clock=clock) as issuer:
        assert issuer is not None

        async def identify() -> str:
            where = {"redirect_uri": "https://us.example/", "browser": "cookie"}
            url = await issuer.authorise_url(state="x", **where)
            code = provider.log_in(url)
            return (await issuer.identify(code=code, issuer="", **where)).subject

        try:
            assert await identify() == "subject 1"
            provider.key, provider.kid = RSAKey.generate_key(3072), "two"
            with pytest.raises(UnknownKey):
                await identify()
            clock.move(issuers.KEYS_PAUSE_S + 1)
            assert await identify() == "subject 1"
        finally:
            provider.key, provider.kid = kept


async def test_without_leave_nobody_calls_a_private_address(
    postgres_server: postgres.Server,
    nats_server: nats.Server,
    provider: Provider,
    secret_file: Path,
) -> None:
    async with fixtures.alone(
        postgres_server,
        nats_server,
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret_file=secret_file,
    ) as started:
        answer = await send(started, "/sign-in/oidc", tenant="")
        assert outcome_of(answer) == AWAY
        assert "tandem_oidc" not in answer.cookies
