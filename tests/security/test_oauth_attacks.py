"""Attacks on an authorisation under way, all against the real callback and auth.

Whatever a stranger sends there ends in a page that says what happened, and in no
account (hazard 111; RFC 9700, RFC 9207, RFC 7636).
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from proto.ids import AppId
from services.auth import oauth
from tests.emulators.constant_contact.emulator import TOKEN_PATH
from tests.integration.api_system.running import Client
from tests.security import oauth_site
from tests.security.conftest import Figures
from tests.security.oauth_site import BEGIN, Page, Site, changed, fields_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

STRICT, OTHER = AppId("strict_mail"), AppId("other_mail")
ISSUER = "https://strict.example"
TOKEN_ROUTE = f"POST {TOKEN_PATH}"
VERIFIER = secrets.token_urlsafe(32)
"""One that an attacker knows."""
Repelled = Callable[..., Awaitable[None]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(postgres_server, nats_server, tmp_path_factory) -> AsyncIterator[Site]:
    directory = tmp_path_factory.mktemp("oauth")
    async with oauth_site.opened(
        postgres_server, nats_server, directory=directory
    ) as opened:
        world = opened.world
        world.further_apps = (
            world.app(STRICT, issuer=ISSUER, sends_issuer=True),
            world.app(OTHER, issuer=""),
        )
        yield opened


@pytest.fixture
def repelled(site: Site, figures: Figures) -> Repelled:
    """Return what holds an attack to have failed, and counts it."""
    figures.setdefault("attacks", 0)
    figures.setdefault("succeeded", 0)
    site.world.emulator.statistics.reset()

    async def check(
        attack: str, *pages: Page, nothing_at: tuple[Client, ...], exchanges: int = 0
    ) -> None:
        made = [one for client in nothing_at for one in await site.accounts(client)]
        figures["attacks"] += 1
        figures["succeeded"] += bool(made)
        assert made == [], attack
        for page in pages:
            assert_clear(page)
        calls = site.world.emulator.statistics.report().calls
        assert calls.get(TOKEN_ROUTE, 0) == exchanges
        site.world.emulator.statistics.reset()

    return check


def assert_clear(page: Page) -> None:
    """The page says what happened and what to do, and nothing of what was sent."""
    assert 400 <= page.status < 500, page
    assert page.headers["Content-Type"].startswith("text/html")
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.outcome not in ("", "done")
    assert not page.location
    assert "<h1>" in page.text
    assert len(page.text.partition("<p>")[2].partition("</p>")[0]) > 20
    for value in fields_of(page.url).values():
        assert len(value) < 10 or value not in page.text


# --- state --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "state",
    [
        *(None, "", "0", "x" * 43, "' OR true --", "%"),
        pytest.param(secrets.token_urlsafe(32), id="guessed"),
    ],
)
async def test_without_the_state_nothing_begins(
    site: Site, repelled: Repelled, state: str | None
):
    client, browser = await site.tenant(), await site.browser()
    back = await site.go(client, browser)
    page = await browser.open(changed(back, state=state))
    assert page.outcome == "authorisation_expired"
    await repelled("no state, or a guessed one", page, nothing_at=(client,))


async def test_a_state_serves_once(site: Site, repelled: Repelled):
    """Also with a fresh code of the same vendor, and in the same browser."""
    client, browser = await site.tenant(), await site.browser()
    back = await site.go(client, browser)
    assert (await browser.open(back)).outcome == "done"
    (account,) = await site.accounts(client)
    fresh = fields_of(await site.go(client, browser))["code"]
    site.world.emulator.statistics.reset()
    pages = [await browser.open(back), await browser.open(changed(back, code=fresh))]
    assert {page.outcome for page in pages} == {"authorisation_expired"}
    assert await site.accounts(client) == [account]
    await repelled("state replayed", *pages, nothing_at=())


async def test_twenty_callbacks_at_once_are_one(site: Site, repelled: Repelled):
    client, browser = await site.tenant(), await site.browser()
    back = await site.go(client, browser)
    pages = await asyncio.gather(*(browser.open(back) for _ in range(20)))
    late = [page for page in pages if page.outcome != "done"]
    assert len(late) == 19
    assert len(await site.accounts(client)) == 1
    await repelled("state raced", *late, nothing_at=(), exchanges=1)


async def test_a_state_is_of_one_browser(site: Site, repelled: Repelled):
    """A person is led to an attacker's callback, so that they work in his account."""
    client = await site.tenant()
    attacker, person, busy = [await site.browser() for _ in range(3)]
    await site.start(client, busy)
    back = await site.go(client, attacker)
    pages = [await person.open(back), await busy.open(back)]
    assert {page.outcome for page in pages} == {"other_browser"}
    await repelled("login CSRF", *pages, nothing_at=(client,))
    # It was not used up by that: who began it can still finish.
    assert (await attacker.open(back)).outcome == "done"


async def test_a_callback_that_was_listened_to_is_worth_nothing(
    site: Site, repelled: Repelled
):
    """Out of a log or a Referer, with all of its query."""
    client, foreign = await site.tenant(), await site.tenant()
    person, thief = await site.browser(), await site.browser()
    back = await site.go(client, person)
    await site.start(foreign, thief)
    page = await thief.open(back)
    await repelled("callback stolen", page, nothing_at=(client, foreign))


async def test_a_state_is_of_one_tenant(site: Site, repelled: Repelled):
    """Both cookies are in one browser, as with somebody who works for two tenants."""
    client, foreign, browser = (
        await site.tenant(),
        await site.tenant(),
        await site.browser(),
    )
    mine = await site.go(foreign, browser)
    theirs = await site.go(client, browser)
    crossed = changed(mine, code=fields_of(theirs)["code"])
    page = await browser.open(crossed)
    assert page.outcome == "credentials_refused"
    await repelled(
        "code of another tenant", page, nothing_at=(client, foreign), exchanges=1
    )


async def test_a_late_callback_is_refused(site: Site, repelled: Repelled):
    """Ten minutes, by the clock of auth and by that of the api alike."""
    client, browser = await site.tenant(), await site.browser()
    back = await site.go(client, browser)
    site.world.clock.move(601)
    page = await browser.open(back)
    site.world.clock.move(-601)
    await repelled("late at auth", page, nothing_at=(client,))
    back = await site.go(client, browser)
    await site.system.rows(
        "UPDATE authorisations SET expires_at = now() WHERE tenant_id = $1",
        client.tenant_id,
    )
    page = await browser.open(back)
    assert page.outcome == "authorisation_expired"
    await repelled("late at the api", page, nothing_at=(client,))


async def test_a_stolen_link_begins_nothing(site: Site, repelled: Repelled):
    client, person, thief = (
        await site.tenant(),
        await site.browser(),
        await site.browser(),
    )
    begun = await site.begin(client)
    assert (await person.open(begun.body["authorise_url"])).status == 200
    page = await thief.open(begun.body["authorise_url"])
    assert page.outcome == "link_opened"
    await repelled("link stolen", page, nothing_at=(client,))


async def test_a_stranger_cannot_end_what_somebody_began(
    site: Site, repelled: Repelled
):
    client, person, stranger = (
        await site.tenant(),
        await site.browser(),
        await site.browser(),
    )
    back = await site.go(client, person)
    denial = changed(back, code=None, error="access_denied")
    pages = [await stranger.open(denial) for _ in range(3)]
    await repelled("denied by a stranger", *pages, nothing_at=(client,))
    assert (await person.open(back)).outcome == "done"


# --- code and PKCE ------------------------------------------------------------------


async def test_a_code_is_of_one_authorisation(site: Site, repelled: Repelled):
    """A stolen code is put into an authorisation of the thief's own."""
    client, foreign = await site.tenant(), await site.tenant()
    person, thief = await site.browser(), await site.browser()
    stolen = fields_of(await site.go(client, person))["code"]
    own = await site.go(foreign, thief)
    page = await thief.open(changed(own, code=stolen))
    assert page.outcome == "credentials_refused"
    await repelled("code injected", page, nothing_at=(client, foreign), exchanges=1)


async def test_not_even_within_one_browser_and_client(site: Site, repelled: Repelled):
    """The same client at the vendor: PKCE alone tells the two apart."""
    client, browser = await site.tenant(), await site.browser()
    first = await site.go(client, browser)
    second = await site.go(client, browser)
    page = await browser.open(changed(second, code=fields_of(first)["code"]))
    assert page.outcome == "credentials_refused"
    await repelled("code of a twin", page, nothing_at=(client,), exchanges=1)


async def test_a_code_serves_once(site: Site, repelled: Repelled):
    client, browser = await site.tenant(), await site.browser()
    used = await site.go(client, browser)
    assert (await browser.open(used)).outcome == "done"
    before = await site.accounts(client)
    site.world.emulator.statistics.reset()
    fresh = await site.go(client, browser)
    page = await browser.open(changed(fresh, code=fields_of(used)["code"]))
    assert page.outcome == "credentials_refused"
    assert await site.accounts(client) == before
    await repelled("code replayed", page, nothing_at=(), exchanges=1)


@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge": oauth.challenge(VERIFIER)},
    ],
    ids=["taken away", "replaced"],
)
async def test_pkce_cannot_be_weakened(
    site: Site, repelled: Repelled, changes: dict[str, str | None]
):
    """The request is changed on its way to the vendor (RFC 9700 section 4.8.2)."""
    client, browser = await site.tenant(), await site.browser()
    url = await site.start(client, browser)
    assert fields_of(url)["code_challenge_method"] == "S256"
    weak = changed(url, **changes)
    back = await browser.agree(weak, vendor_id=site.vendor_ids[0])
    page = await browser.open(back)
    assert page.outcome == "credentials_refused"
    await repelled("PKCE weakened", page, nothing_at=(client,), exchanges=1)


async def test_a_plain_challenge_is_not_even_tried(site: Site, repelled: Repelled):
    client, browser = await site.tenant(), await site.browser()
    url = await site.start(client, browser)
    weak = changed(url, code_challenge=VERIFIER, code_challenge_method="plain")
    sent = await browser.open(weak)
    page = await browser.open(sent.location)
    assert page.outcome == "authorisation_denied"
    await repelled("PKCE plain", page, nothing_at=(client,))


# --- mix-up and redirects -----------------------------------------------------------


@pytest.mark.parametrize("issuer", ["https://evil.example", None, ISSUER + "/"])
async def test_an_answer_of_another_server_is_not_taken_to_the_apps(
    site: Site, repelled: Repelled, issuer: str | None
):
    """RFC 9207: also none, of an app that always says who it is."""
    client, browser = await site.tenant(STRICT), await site.browser()
    url = await site.start(client, browser, STRICT)
    back = await browser.agree(url, vendor_id=site.vendor_ids[0])
    page = await browser.open(changed(back, iss=issuer))
    assert page.outcome == "authorisation_denied"
    await repelled("iss of another", page, nothing_at=(client,))
    url = await site.start(client, browser, STRICT)
    back = await browser.agree(url, vendor_id=site.vendor_ids[0])
    assert (await browser.open(changed(back, iss=ISSUER))).outcome == "done"


async def test_a_code_of_one_app_is_not_taken_to_another(
    site: Site, repelled: Repelled
):
    """Mix-up: begun at one app, answered by another; its server would get the code.

    The emulator plays both, so that no exchange there means that neither got it.
    """
    client, browser = await site.tenant(), await site.browser()
    await site.store_client(client, OTHER)
    begun_at_other = await site.start(client, browser, OTHER)
    honest = await site.start(client, browser)
    # The evil app sends the browser on to the honest one, under its own state.
    state = fields_of(begun_at_other)["state"]
    mixed = changed(honest, state=state)
    back = await browser.agree(mixed, vendor_id=site.vendor_ids[0])
    assert back.startswith(site.callback())
    page = await browser.open(back)
    assert page.outcome == "authorisation_expired"
    # And with the evil app's redirect URI the honest one does not send it back at all.
    refused = await browser.open(changed(mixed, redirect_uri=site.callback(OTHER)))
    assert (refused.status, refused.location) == (400, "")
    await repelled("mix-up", page, nothing_at=(client,))


async def test_a_state_is_of_one_app(site: Site, repelled: Repelled):
    client, browser = await site.tenant(), await site.browser()
    back = await site.go(client, browser)
    elsewhere = back.replace(site.callback(), site.callback(OTHER))
    page = await browser.open(elsewhere)
    assert page.outcome == "authorisation_expired"
    await repelled("callback of another app", page, nothing_at=(client,))


async def test_a_code_for_another_redirect_uri_is_worth_nothing(
    site: Site, repelled: Repelled
):
    """At a lax vendor that sends people to variants of the registered address."""
    client, browser = await site.tenant(), await site.browser()
    right = site.callback()
    variants = [
        right + "/",
        right + "/../other_mail",
        right + "?next=https://evil.example",
        right.replace("/oauth/callback", "/oauth//callback"),
        right.upper(),
        "https://evil.example/oauth/callback/constant_contact",
        right.replace("127.0.0.1", "127.0.0.1.evil.example"),
        right + "#@evil.example",
    ]
    site.register(client.tenant_id, right, *variants)
    for variant in variants:
        url = await site.start(client, browser)
        lured = changed(url, redirect_uri=variant)
        got = await browser.agree(lured, vendor_id=site.vendor_ids[0])
        code = fields_of(got.replace("#", "%23"))["code"]
        state = fields_of(url)["state"]
        page = await browser.open(f"{right}?code={code}&state={state}")
        assert page.outcome == "credentials_refused", variant
        await repelled("redirect variant", page, nothing_at=(client,), exchanges=1)


async def test_the_callback_sends_nobody_anywhere(site: Site, repelled: Repelled):
    """No open redirector, before or after, whatever a parameter is called."""
    client, browser = await site.tenant(), await site.browser()
    names = ("next", "return_to", "redirect", "redirect_uri", "url", "continue")
    lure = dict.fromkeys(names, "https://evil.example/")
    begun = await site.begin(client)
    started = await browser.open(changed(begun.body["authorise_url"], **lure))
    assert "evil" not in started.location
    denied = changed(site.callback(), **lure, error="x", state="y")
    page = await browser.open(denied)
    await repelled("open redirector", page, nothing_at=(client,))
    back = await browser.agree(started.location, vendor_id=site.vendor_ids[0])
    done = await browser.open(changed(back, **lure))
    assert (done.outcome, done.location) == ("done", "")
    assert "evil" not in done.text


@pytest.mark.parametrize("name", ["state", "code", "iss", "error"])
async def test_a_parameter_that_is_there_twice_is_refused(
    site: Site, repelled: Repelled, name: str
):
    """RFC 6749 section 3.1: two readers could read two different ones."""
    client, browser = await site.tenant(), await site.browser()
    back = await site.go(client, browser)
    page = await browser.open(f"{back}&{name}=a&{name}=b")
    assert page.status == 400
    await repelled("parameter doubled", page, nothing_at=(client,))


# --- accounts and scopes ------------------------------------------------------------


async def test_another_account_never_takes_the_place_of_one(
    site: Site, repelled: Repelled
):
    """Hazard 10: the vendor's own id is pinned, and nothing is changed."""
    client, browser = await site.tenant(), await site.browser()
    account_id = await site.connect(client, browser)
    before = await site.accounts(client)
    assert before[0]["vendor_account_id"] == site.vendor_ids[0]
    site.world.emulator.statistics.reset()
    url = await site.start(client, browser, account_id=account_id)
    back = await browser.agree(url, vendor_id=site.vendor_ids[1])
    page = await browser.open(back)
    assert page.outcome == "account_mismatch"
    assert await site.accounts(client) == before
    await repelled("account switched", page, nothing_at=(), exchanges=1)


async def test_an_account_of_another_tenant_cannot_be_taken_over(
    site: Site, repelled: Repelled
):
    client, foreign, browser = (
        await site.tenant(),
        await site.tenant(),
        await site.browser(),
    )
    account_id = await site.connect(client, browser)
    site.world.emulator.statistics.reset()
    answer = await foreign(
        "POST", BEGIN, {"app": "constant_contact"} | {"account_id": account_id}
    )
    assert (answer.status, answer.code) == (404, "not_found")
    begun = await site.begin(client)
    assert (await foreign("GET", begun.headers["Location"])).status == 404
    await repelled("account of another tenant", nothing_at=(foreign,))


@pytest.mark.parametrize("scope", ["contact_data", "account_read offline_access"])
async def test_fewer_scopes_than_needed_make_no_account(
    site: Site, repelled: Repelled, scope: str
):
    client, browser = await site.tenant(), await site.browser()
    url = changed(await site.start(client, browser), scope=scope)
    back = await browser.agree(url, vendor_id=site.vendor_ids[0])
    page = await browser.open(back)
    assert page.outcome == "authorisation_denied"
    await repelled("scopes taken away", page, nothing_at=(client,), exchanges=1)


async def test_a_denial_is_a_page_and_ends_it(site: Site, repelled: Repelled):
    client, browser = await site.tenant(), await site.browser()
    url = await site.start(client, browser)
    back = await browser.agree(url, vendor_id=site.vendor_ids[0], decision="deny")
    page = await browser.open(back)
    assert page.outcome == "authorisation_denied"
    late = changed(back, error=None, code="c" * 40)
    pages = (page, await browser.open(late))
    await repelled("code after a denial", *pages, nothing_at=(client,))


async def test_other_methods_than_a_visit_are_refused(site: Site, repelled: Repelled):
    client, browser = await site.tenant(), await site.browser()
    back = await site.go(client, browser)
    page = await browser.open(site.callback(), fields_of(back))
    assert page.status == 405
    await repelled("callback posted", page, nothing_at=(client,))
    assert (await browser.open(back)).outcome == "done"


async def test_the_attacks_were_tried(figures: Figures):
    """Last in this file; the whole of it has to have run for this to say anything."""
    assert figures["attacks"] >= 14
    assert figures["succeeded"] == 0
