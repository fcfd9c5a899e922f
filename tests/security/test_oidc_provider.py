"""The whole way at a server that others wrote: oidc-provider, a certified one.

PKCE is required there, refresh tokens rotate, and reuse of one revokes its family. It
agrees with the emulators by nothing but the standards.
"""

import asyncio
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio

from deploy.local import ports
from proto.auth import AccountState, GetAccount, Token
from proto.connector import VerifiedAccount
from proto.errors import ErrorCode
from proto.ids import AccountId, AppId, TenantId
from tests.integration.api_system.running import Client
from tests.integration.auth_world import refused
from tests.security import oauth_site, oidc_server
from tests.security.conftest import Figures
from tests.security.oauth_site import Browser, Form, Page, Site, changed, fields_of
from tests.security.oidc_server import OidcServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

APP = AppId("oidc_app")
SCOPES = ("openid", "offline_access", "contact_data")
LIFETIME_S = 3_600
OVER_S = LIFETIME_S + 1
CALLERS = 100
ANA, BEN = "ana", "ben"


class Setting:
    """An installation, and the server beside it."""

    def __init__(self, site: Site, server: OidcServer, *, ring: Path) -> None:
        self.site = site
        self.server = server
        self.world = site.world
        self.ring = ring

    async def tenant(self, **changes: str) -> Client:
        client = await self.site.system.client()
        values = {
            "client_id": self.server.client_id,
            "client_secret": self.server.client_secret,
        }
        await self.site.store_client(client, APP, **{**values, **changes})
        return client

    async def sign_in(
        self, browser: Browser, url: str, *, login: str = ANA, agrees: bool = True
    ) -> str:
        """Do as a person does on the server's pages; return where that leads."""
        back = self.site.callback(APP)
        for _ in range(3):
            page = await browser.walk(url, until=back)
            if page.location:
                return page.location
            form = Form(page.text)
            url = f"{form.action}/abort"
            if form.fields["prompt"] == "login" or agrees:
                entered = {**form.fields, "login": login, "password": "any"}
                url = (await browser.open(form.action, entered)).location
        raise AssertionError("the server sends nobody back")

    async def go(
        self, client: Client, browser: Browser, *, login: str = ANA, **body: str
    ) -> str:
        url = await self.site.start(client, browser, APP, **body)
        return await self.sign_in(browser, url, login=login)

    async def connect(self, client: Client, *, login: str = ANA) -> AccountId:
        browser = await self.site.browser()
        page = await browser.open(await self.go(client, browser, login=login))
        assert (page.status, page.outcome) == (200, "done"), page
        (account,) = await self.site.accounts(client)
        return AccountId(account["account_id"])

    async def issue(self, client: Client, account_id: AccountId, **asked: int) -> Token:
        return await self.world.issue(
            account_id, tenant_id=TenantId(client.tenant_id), **asked
        )

    async def refresh_token(self, account_id: AccountId) -> str:
        """Return what is stored, as only auth can."""
        (row,) = await self.world.rows(
            "SELECT * FROM auth.credentials WHERE account_id = $1", account_id
        )
        return oauth_site.opened_secret(row, ring=self.ring).refresh_token

    async def present(self, refresh_token: str) -> int:
        """Present a refresh token as whoever stole it, the client's secret with it."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        client_id = quote(self.server.client_id, safe="")
        basic = aiohttp.encode_basic_auth(client_id, self.server.client_secret)
        async with (
            aiohttp.ClientSession(headers={"Authorization": basic}) as session,
            session.post(f"{self.server.issuer}/token", data=form) as answer,
        ):
            return answer.status


@pytest.fixture(scope="module")
def folder() -> Path:
    """The server, installed; asked for first, as nothing goes on without."""
    return oidc_server.installed()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def setting(
    folder, postgres_server, nats_server, tmp_path_factory
) -> AsyncIterator[Setting]:
    directory = tmp_path_factory.mktemp("oidc")
    async with contextlib.AsyncExitStack() as stack:
        site = await stack.enter_async_context(
            oauth_site.opened(postgres_server, nats_server, directory=directory)
        )
        server = await stack.enter_async_context(
            oidc_server.serving(
                folder,
                redirect_uris=[site.callback(APP)],
                port=ports.free_port(),
                lifetime_s=LIFETIME_S,
            )
        )
        site.world.further_apps = (
            site.world.app(
                APP,
                # It gives a refresh token only to whom the person said yes just now.
                authorise_url=f"{server.issuer}/auth?prompt=consent",
                token_url=f"{server.issuer}/token",
                scopes=SCOPES,
                issuer=server.issuer,
                sends_issuer=True,
            ),
        )

        async def identify(token: Token) -> VerifiedAccount | None:
            found = await server.who(token.secret)
            if found is None:
                return None
            return VerifiedAccount(
                vendor_account_id=found["sub"], display_name=found["sub"].title()
            )

        site.world.identify[APP] = identify
        site.world.secrets.add(server.client_secret)
        yield Setting(site, server, ring=directory / "ring.json")


@pytest.mark.parametrize(
    ("changes", "secret", "redirect_uri"),
    [
        ({}, "accepted", "accepted"),
        ({"client_secret": "another"}, "refused", "accepted"),
        ({"client_id": "nobody"}, "refused", "unknown"),
    ],
)
async def test_a_client_is_tried_before_anybody_signs_in(
    setting: Setting, changes: dict[str, str], secret: str, redirect_uri: str
):
    """Scopes that it does not know this server leaves out without a word."""
    client = await setting.tenant(**changes)
    answer = await client("POST", f"/v1/apps/{APP}/client/check")
    assert {each["part"]: each["verdict"] for each in answer.body["findings"]} == {
        "secret": secret,
        "redirect_uri": redirect_uri,
        "scopes": "unknown",
    }


async def test_an_account_is_connected(setting: Setting, figures: Figures):
    """The stable id is pinned and the granted scopes are stored."""
    client = await setting.tenant()
    account_id = await setting.connect(client)
    command = GetAccount(tenant_id=TenantId(client.tenant_id), account_id=account_id)
    account = await setting.world.ask(command)
    assert account.state is AccountState.CONNECTED
    assert account.vendor_account_id == ANA
    assert set(account.scopes) <= set(SCOPES)
    assert {"openid", "contact_data"} <= set(account.scopes)
    token = await setting.issue(client, account_id)
    assert (await setting.server.who(token.secret) or {}).get("sub") == ANA
    figures["server"] = "oidc-provider"


async def test_the_server_requires_pkce(setting: Setting):
    """Or what is shown here would be shown of another server."""
    client, browser = await setting.tenant(), await setting.site.browser()
    url = await setting.site.start(client, browser, APP)
    bare = changed(url, code_challenge=None, code_challenge_method=None)
    sent = await browser.walk(bare, until=setting.site.callback(APP))
    assert fields_of(sent.location)["error"] == "invalid_request"
    page = await browser.open(sent.location)
    assert page.outcome == "authorisation_denied"
    assert await setting.site.accounts(client) == []


async def test_each_expiry_is_one_refresh_and_rotates(
    setting: Setting, figures: Figures
):
    """A hundred callers each time, at two replicas."""
    client = await setting.tenant()
    account_id = await setting.connect(client)
    before = await setting.server.counts()
    held = {await setting.refresh_token(account_id)}
    async with setting.world.auth(key_ring_file=setting.ring):
        for version in range(2, 7):
            setting.world.clock.move(OVER_S)
            tokens = await asyncio.gather(
                *(setting.issue(client, account_id) for _ in range(CALLERS))
            )
            assert {token.version for token in tokens} == {version}
            (secret,) = {token.secret for token in tokens}
            assert (await setting.server.who(secret) or {}).get("sub") == ANA
            held.add(await setting.refresh_token(account_id))
    after = await setting.server.counts()
    assert len(held) == 6
    assert after["refreshes"] - before["refreshes"] == 5
    assert after["revocations"] == before["revocations"]
    figures |= {
        "expiries": 5,
        "callers": CALLERS,
        "refreshes": after["refreshes"] - before["refreshes"],
        "revocations": after["revocations"] - before["revocations"],
    }


async def test_a_family_revoked_by_reuse_is_lost_and_healed_by_a_person(
    setting: Setting,
):
    """A thief presents an old token: the server takes all of the grant away."""
    client, world = await setting.tenant(), setting.world
    account_id = await setting.connect(client)
    stolen = await setting.refresh_token(account_id)
    world.clock.move(OVER_S)
    good = await setting.issue(client, account_id)
    before = (await setting.server.counts())["revocations"]
    assert await setting.present(stolen) == 400
    assert (await setting.server.counts())["revocations"] == before + 1
    assert await setting.server.who(good.secret) is None
    asked = {"version_min": good.version + 1}
    world.clock.move(OVER_S)
    failure = await refused(setting.issue(client, account_id, **asked))
    assert failure.code is ErrorCode.APP_UNREACHABLE
    world.clock.move(61)
    failure = await refused(setting.issue(client, account_id, **asked))
    assert failure.code is ErrorCode.ACCOUNT_LOST
    assert await lost_count(setting, account_id) == 1
    browser = await setting.site.browser()
    page = await browser.open(await setting.go(client, browser, account_id=account_id))
    assert page.outcome == "done"
    healed = await setting.issue(client, account_id, **asked)
    assert (await setting.server.who(healed.secret) or {}).get("sub") == ANA
    (account,) = await setting.site.accounts(client)
    assert (account["account_id"], account["state"]) == (account_id, "connected")


async def lost_count(setting: Setting, account_id: AccountId) -> int:
    rows = await setting.world.rows(
        "SELECT FROM auth.outbox WHERE subject = $1",
        f"evt.auth.account_lost.v1.{account_id}",
    )
    return len(rows)


async def test_a_denial_makes_no_account(setting: Setting):
    client, browser = await setting.tenant(), await setting.site.browser()
    url = await setting.site.start(client, browser, APP)
    back = await setting.sign_in(browser, url, agrees=False)
    assert fields_of(back)["error"] == "access_denied"
    page = await browser.open(back)
    assert (page.status, page.outcome) == (409, "authorisation_denied")
    assert await setting.site.accounts(client) == []


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"iss": "https://evil.example"}, "authorisation_denied"),
        ({"iss": None}, "authorisation_denied"),
        ({"code": "stolen" * 7}, "credentials_refused"),
        ({"state": "x" * 43}, "authorisation_expired"),
    ],
)
async def test_a_changed_callback_makes_no_account(
    setting: Setting, changes: dict[str, str | None], outcome: str
):
    client, browser = await setting.tenant(), await setting.site.browser()
    back = await setting.go(client, browser)
    assert fields_of(back)["iss"] == setting.server.issuer
    page = await browser.open(changed(back, **changes))
    assert page.outcome == outcome
    assert await setting.site.accounts(client) == []


async def test_a_code_of_one_authorisation_does_not_fit_another(setting: Setting):
    """PKCE, judged by a server that does not know how we do it."""
    client, browser = await setting.tenant(), await setting.site.browser()
    first = await setting.go(client, browser)
    second = await setting.go(client, browser)
    page = await browser.open(changed(second, code=fields_of(first)["code"]))
    assert page.outcome == "credentials_refused"
    assert await setting.site.accounts(client) == []


async def test_fewer_scopes_make_no_account(setting: Setting):
    client, browser = await setting.tenant(), await setting.site.browser()
    url = await setting.site.start(client, browser, APP)
    back = await setting.sign_in(browser, changed(url, scope="openid offline_access"))
    page = await browser.open(back)
    assert page.outcome == "authorisation_denied"
    assert "contact_data" in page.text
    assert await setting.site.accounts(client) == []


async def test_another_person_does_not_take_an_account_over(setting: Setting):
    client = await setting.tenant()
    account_id = await setting.connect(client)
    before = await setting.issue(client, account_id)
    browser = await setting.site.browser()
    back = await setting.go(client, browser, login=BEN, account_id=account_id)
    page = await browser.open(back)
    assert page.outcome == "account_mismatch"
    assert await setting.issue(client, account_id) == before


async def test_the_page_closes_itself_and_tells_its_opener(setting: Setting):
    """Its script, run by Node among stand-ins for what a browser offers it."""
    client, browser = await setting.tenant(), await setting.site.browser()
    done = await browser.open(await setting.go(client, browser))
    (account,) = await setting.site.accounts(client)
    origin = setting.site.system.url
    told = {
        "type": "tandem.authorisation",
        "outcome": "done",
        "account_id": account["account_id"],
    }
    assert run_script(done, origin=origin) == [
        ["history", f"{origin}/oauth/callback/{APP}"],
        ["channel", "tandem.authorisation", told],
        ["opener", told, origin],
        ["close"],
    ]
    failed = await browser.open(f"{setting.site.callback(APP)}?state=none")
    kinds = [entry[0] for entry in run_script(failed, origin=origin)]
    assert kinds == ["history", "channel", "opener"]


def run_script(page: Page, *, origin: str) -> list[list[object]]:
    """Return what a page's script does, in its order."""
    script = page.text.partition("<script")[2].partition(">")[2]
    script = script.partition("</script>")[0]
    path = page.url.partition("?")[0]
    setting = f"""
        const done = [];
        const location = {json.dumps({"origin": origin, "pathname": path})};
        const history = {{ replaceState: (_s, _t, to) => done.push(["history", to]) }};
        class BroadcastChannel {{
            constructor(name) {{ this.name = name; }}
            postMessage(told) {{ done.push(["channel", this.name, told]); }}
        }}
        const window = {{
            opener: {{ postMessage: (told, to) => done.push(["opener", told, to]) }},
            close: () => done.push(["close"]),
        }};
    """
    program = f"{setting}\n{script}\nconsole.log(JSON.stringify(done));"
    done = subprocess.run(
        ["node", "-e", program], capture_output=True, text=True, timeout=30, check=True
    )
    return json.loads(done.stdout)
