"""How much a sign-in at a provider proves: one factor, unless the provider says two."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
import structlog.testing
from joserfc.jwk import RSAKey

from deploy.local import nats, postgres
from services.api.proofs import totp
from tests.fakes.clock import MovableClock
from tests.integration.api_system import fixtures
from tests.integration.api_system.running import Client, System
from tests.security import forger
from tests.security.forger import CLIENT_ID, CLIENT_SECRET, Provider
from tests.security.second_factors import HALF, Home, next_step
from tests.security.second_factors import Visitor as Browser
from tests.security.test_doors import send
from tests.security.test_oidc import REFUSED, Visitor, outcome_of
from tests.security.test_people import acts_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
CLOCK = MovableClock()
WEAK = (403, "One factor is too few")
SUBJECT = "subject of eve"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def provider() -> AsyncIterator[Provider]:
    async with forger.running() as started:
        yield started


def settings_of(provider: Provider, folder: Path) -> dict[str, Any]:
    """Return what an api needs to know of a provider."""
    secret_file = folder / "secret"
    secret_file.write_text(CLIENT_SECRET)
    return {
        "oidc_issuer": provider.issuer,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret_file": secret_file,
        "private_addresses": ("127.0.0.0/8",),
        "clock": CLOCK,
    }


async def known(system: System, *, requires: bool = True) -> Client:
    """Return somebody whom the provider knows, of a new tenant."""
    await system.rows("DELETE FROM identities")
    tenant_id = await system.tenant(requires_second_factor=requires)
    person = await system.person("editor", tenant_id=tenant_id)
    await system.rows(
        "INSERT INTO identities VALUES ($1, $2, $3, $4)",
        *(tenant_id, person.person_id, system.parts.config.oidc_issuer, SUBJECT),
    )
    return person


async def test_without_a_word_of_it_a_provider_proves_one_factor(
    postgres_server: postgres.Server,
    nats_server: nats.Server,
    provider: Provider,
    tmp_path: Path,
) -> None:
    """ASVS 6.8.4: so the second one is asked for here, whatever the token says."""
    settings = settings_of(provider, tmp_path)
    async with fixtures.alone(postgres_server, nats_server, **settings) as system:
        person = await known(system)
        visitor = Visitor(system, provider)
        await visitor.go(sub=SUBJECT, acr="high", amr=["mfa", "otp"])
        answer = await visitor.come_back()
        assert answer.headers["Location"] == "/sign-in/enrol"
        assert "tandem_session" not in answer.cookies
        email = f"{person.person_id}@example.org"
        cookies = {HALF: answer.cookies[HALF]}
        browser = Browser(system, CLOCK, email, cookies=cookies)
        assert (await browser.enrol()).status == 200
        assert (await browser.get("/account")).status == 200
        await visitor.go(sub=SUBJECT)
        answer = await visitor.come_back()
        assert answer.headers["Location"] == "/sign-in/code"
        browser.cookies = {HALF: answer.cookies[HALF]}
        next_step(CLOCK)
        code = totp.code_of(browser.secret, totp.step_of(CLOCK.now()))
        assert (await browser.give_code(code)).headers["Location"] == "/account"
        acts = await acts_of(system, person.tenant_id)
        assert [(act, outcome) for _, act, outcome in acts] == [
            ("session.begin", "enrolment_needed"),
            ("second_factor.add", "done"),
            ("session.begin", "done"),
            ("session.begin", "code_needed"),
            ("session.begin", "done"),
        ]
        # It ends with what the provider proved, as any session from there.
        (row,) = await system.rows(
            "SELECT max(expires_at) - max(created_at) AS lasts FROM sessions"
            " WHERE person_id = $1",
            person.person_id,
        )
        assert row["lasts"].total_seconds() <= 86_400
        home = Home(system, CLOCK, person.tenant_id, "")
        await home.require(False)


@pytest.mark.parametrize(
    ("wanted", "claims", "is_let_in"),
    [
        ({"oidc_amr": ("mfa", "hwk")}, {"amr": ["pwd", "mfa"]}, True),
        ({"oidc_amr": ("mfa", "hwk")}, {"amr": ["hwk"]}, True),
        ({"oidc_amr": ("mfa", "hwk")}, {"amr": ["pwd"]}, False),
        ({"oidc_amr": ("mfa", "hwk")}, {"amr": "mfa"}, False),
        ({"oidc_amr": ("mfa", "hwk")}, {"amr": [["mfa"], {"mfa": 1}]}, False),
        ({"oidc_amr": ("mfa", "hwk")}, {}, False),
        ({"oidc_acr": ("urn:two", "urn:more")}, {"acr": "urn:more"}, True),
        ({"oidc_acr": ("urn:two", "urn:more")}, {"acr": "urn:one"}, False),
        ({"oidc_acr": ("urn:two", "urn:more")}, {"acr": ["urn:two"]}, False),
        ({"oidc_acr": ("urn:two", "urn:more")}, {"amr": ["mfa"]}, False),
        ({"oidc_acr": ("a",), "oidc_amr": ("mfa",)}, {"acr": "a"}, False),
        (
            {"oidc_acr": ("a",), "oidc_amr": ("mfa",)},
            {"acr": "a", "amr": ["mfa"]},
            True,
        ),
    ],
)
async def test_a_provider_that_has_to_say_two_lets_in_who_proved_two(
    postgres_server: postgres.Server,
    nats_server: nats.Server,
    provider: Provider,
    tmp_path: Path,
    wanted: dict[str, Any],
    claims: dict[str, Any],
    is_let_in: bool,
) -> None:
    settings = settings_of(provider, tmp_path) | wanted
    async with fixtures.alone(postgres_server, nats_server, **settings) as system:
        await known(system)
        visitor = Visitor(system, provider)
        with structlog.testing.capture_logs() as logs:
            await visitor.go(sub=SUBJECT, **claims)
            answer = await visitor.come_back()
        if is_let_in:
            # Nothing more is asked, although the tenant wants two.
            assert answer.headers["Location"] == "/account"
            return
        assert outcome_of(answer) == WEAK
        assert answer.cookies.keys() <= {"tandem_oidc"}
        told = [one["reason"] for one in logs if one["event"] == "sign_in_refused"]
        assert told in (["token_of_another_acr"], ["token_of_another_amr"])


async def test_the_provider_is_asked_for_what_it_has_to_say(
    postgres_server: postgres.Server,
    nats_server: nats.Server,
    provider: Provider,
    tmp_path: Path,
) -> None:
    settings = settings_of(provider, tmp_path) | {"oidc_acr": ("urn:two", "urn:more")}
    async with fixtures.alone(postgres_server, nats_server, **settings) as system:
        answer = await send(system, "/sign-in/oidc", tenant="")
        link = answer.body.partition('<a href="')[2].partition('"')[0]
        query = parse_qs(urlsplit(link.replace("&amp;", "&")).query)
        assert query["acr_values"] == ["urn:two urn:more"]


async def test_a_provider_with_short_keys_is_refused_with_the_setting_that_takes_it(
    postgres_server: postgres.Server,
    nats_server: nats.Server,
    tmp_path: Path,
) -> None:
    """ASVS 11.2.3: 2048 bits are 112 of security, which an operator may accept."""
    key = RSAKey.generate_key(2048)
    async with forger.running(key=key) as provider:
        settings = settings_of(provider, tmp_path)
        for bits in (3072, 2048):
            async with fixtures.alone(
                postgres_server, nats_server, oidc_rsa_bits_min=bits, **settings
            ) as system:
                with structlog.testing.capture_logs() as logs:
                    answer = await send(system, "/sign-in/oidc", tenant="")
                told = [e for e in logs if e["event"] == "provider_keys_too_short"]
                if bits == 2048:
                    assert (answer.status, told) == (200, [])
                    continue
                assert outcome_of(answer) == (403, "Keys too short")
                assert "API_OIDC_RSA_BITS_MIN=2048" in answer.body
                assert told[0]["variable"] == "API_OIDC_RSA_BITS_MIN"


async def test_a_client_secret_is_replaced_without_a_restart(
    postgres_server: postgres.Server,
    nats_server: nats.Server,
    provider: Provider,
    tmp_path: Path,
) -> None:
    """ASVS 13.3.1: a vault writes the file anew, and while it does nobody is let in."""
    settings = settings_of(provider, tmp_path)
    async with fixtures.alone(postgres_server, nats_server, **settings) as system:
        await known(system, requires=False)
        visitor = Visitor(system, provider)

        async def come_back() -> tuple[int, str]:
            await visitor.go(sub=SUBJECT)
            answer = await visitor.come_back()
            if answer.status == 303:
                return answer.status, answer.headers["Location"]
            return outcome_of(answer)

        kept, provider.client_secret = provider.client_secret, "another one"
        try:
            assert await come_back() == REFUSED
            (tmp_path / "secret").write_text("")
            assert await come_back() == (503, "Sign-in service away")
            (tmp_path / "secret").write_text("another one")
            assert await come_back() == (303, "/account")
        finally:
            provider.client_secret = kept


async def test_a_token_under_a_key_that_is_too_short_signs_nobody_in(
    postgres_server: postgres.Server,
    nats_server: nats.Server,
    provider: Provider,
    tmp_path: Path,
) -> None:
    """Also where the provider has another one that is long enough."""
    settings = settings_of(provider, tmp_path)
    short = RSAKey.generate_key(2048)
    async with fixtures.alone(postgres_server, nats_server, **settings) as system:
        await known(system, requires=False)
        visitor = Visitor(system, provider)
        await visitor.go(sub=SUBJECT)
        kept = provider.key, provider.kid
        provider.key, provider.kid = short, "short"
        try:
            assert outcome_of(await visitor.come_back()) == REFUSED
        finally:
            provider.key, provider.kid = kept
