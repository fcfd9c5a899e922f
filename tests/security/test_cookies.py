"""Cookies where browsers come by https, and how long a provider's session lasts."""

import datetime
import html
import time
from collections.abc import AsyncIterator
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import pytest_asyncio

from deploy.local import nats, postgres
from services.api.proofs.passwords import Hasher
from tests.integration.api_system import fixtures
from tests.integration.api_system.running import Answer, System
from tests.security import forger
from tests.security.forger import CLIENT_ID, CLIENT_SECRET, Provider
from tests.security.test_doors import send
from tests.security.test_people import PASSWORD, sign_in

pytestmark = pytest.mark.asyncio(loop_scope="module")

PUBLIC = "https://tandem.example.org"
AUTH_AGE_S = 3_600


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provider() -> AsyncIterator[Provider]:
    async with forger.running() as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(
    postgres_server: postgres.Server,
    nats_server: nats.Server,
    provider: Provider,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[System]:
    """An api that believes itself behind https, with a provider that it asks twice."""
    secret_file: Path = tmp_path_factory.mktemp("oidc") / "secret"
    secret_file.write_text(CLIENT_SECRET)
    async with fixtures.alone(
        postgres_server,
        nats_server,
        public_url=PUBLIC,
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret_file=secret_file,
        oidc_auth_age_s=AUTH_AGE_S,
        private_addresses=("127.0.0.0/8",),
    ) as started:
        yield started


def kept(answer: Answer) -> dict[str, Morsel[str]]:
    """Return the cookies that a browser is told to keep."""
    jar: SimpleCookie = SimpleCookie()
    for line in answer.headers.getall("Set-Cookie", []):
        jar.load(line)
    return {name: morsel for name, morsel in jar.items() if morsel.value}


async def at_provider(
    system: System, provider: Provider, **claims: Any
) -> tuple[Answer, Answer, str]:
    """Go to the provider and come back; both answers, and where the way led."""
    begun = await send(system, "/sign-in/oidc", tenant="")
    url = html.unescape(begun.body.partition('<a href="')[2].partition('"')[0])
    code = provider.log_in(url, **claims)
    (state,) = parse_qs(urlsplit(url).query)["state"]
    ((name, morsel),) = kept(begun).items()
    query = f"state={state}&code={quote(code)}"
    back = await system.stranger()(
        "GET",
        f"/sign-in/oidc/callback?{query}",
        headers={"Cookie": f"{name}={morsel.value}"},
    )
    return begun, back, url


async def somebody(system: System, subject: str) -> str:
    """Store a person whom the provider knows; return their id."""
    person = await system.person(password_hash=await Hasher().hash(PASSWORD))
    await system.rows(
        "INSERT INTO identities SELECT tenant_id, person_id, $2, $3 FROM people"
        " WHERE person_id = $1",
        person.person_id,
        system.runtime.settings.oidc_issuer,
        subject,
    )
    return person.person_id


async def test_every_cookie_is_for_this_host_and_https_alone(
    system: System, provider: Provider, figures: dict[str, int]
) -> None:
    """``__Host-`` means: by this host, with Secure, for every path, for no other."""
    person_id = await somebody(system, "cookies")
    client = await system.client()
    begun = await client(
        "POST", "/v1/accounts/authorisations", {"app": "constant_contact"}
    )
    where, _, secret = begun.body["authorise_url"].partition("#")
    assert where == f"{PUBLIC}/oauth/start"
    to_provider, back, _ = await at_provider(
        system, provider, sub="cookies", auth_time=int(time.time())
    )
    answers = {
        "session": await sign_in(system, f"{person_id}@example.org"),
        "form": await send(
            system,
            "/sign-in",
            email=f"{person_id}@example.org",
            password=PASSWORD,
            tenant="",
        ),
        "to the provider": to_provider,
        "from the provider": back,
        "to an app": await send(system, "/oauth/start", secret=secret),
    }
    for way, answer in answers.items():
        ((name, morsel),) = kept(answer).items()
        assert name.startswith("__Host-tandem_"), way
        assert (morsel["secure"], morsel["httponly"]) == (True, True), way
        assert (morsel["path"], morsel["domain"]) == ("/", ""), way
        assert morsel["samesite"] == "Lax", way
        figures["cookies_seen"] = figures.get("cookies_seen", 0) + 1
    # A cookie of the name that it has without https is none.
    stolen = kept(answers["session"])["__Host-tandem_session"].value
    headers = {"Cookie": f"tandem_session={stolen}"}
    answer = await system.stranger()("GET", "/v1/session", headers=headers)
    assert answer.status == 401


async def lasts(system: System, person_id: str) -> datetime.timedelta:
    """Return how long a person's newest session lasts."""
    (row,) = await system.rows(
        "SELECT expires_at - created_at AS lasts FROM sessions WHERE person_id = $1"
        " ORDER BY session_id DESC LIMIT 1",
        person_id,
    )
    return row["lasts"]


@pytest.mark.parametrize("age_s", [0, 600, AUTH_AGE_S - 60])
async def test_a_session_lasts_as_long_as_the_proof_at_the_provider(
    system: System, provider: Provider, age_s: int
) -> None:
    """So after API_OIDC_AUTH_AGE_S the person proves there again who they are."""
    person_id = await somebody(system, f"proved {age_s}")
    proved = int(time.time()) - age_s
    _, back, url = await at_provider(
        system, provider, sub=f"proved {age_s}", auth_time=proved
    )
    assert back.status == 303
    assert parse_qs(urlsplit(url).query)["max_age"] == [str(AUTH_AGE_S)]
    left = (await lasts(system, person_id)).total_seconds()
    assert AUTH_AGE_S - age_s - 30 < left <= AUTH_AGE_S - age_s


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"auth_time": "now"},
        {"auth_time": True},
        {"auth_time": None},
        {"auth_time": int(time.time()) - AUTH_AGE_S - 120},
        {"auth_time": int(time.time()) + 86_400},
    ],
)
async def test_what_was_proved_too_long_ago_or_never_signs_nobody_in(
    system: System, provider: Provider, claims: dict[str, Any]
) -> None:
    await somebody(system, f"not proved {claims}")
    _, back, _ = await at_provider(
        system, provider, sub=f"not proved {claims}", **claims
    )
    assert (back.status, kept(back)) == (403, {})


async def test_a_password_has_no_proof_elsewhere_that_ends(system: System) -> None:
    person_id = await somebody(system, "password")
    await sign_in(system, f"{person_id}@example.org")
    assert await lasts(system, person_id) == datetime.timedelta(days=7)
