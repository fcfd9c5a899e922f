"""A person authorises an account in a browser, and nobody else can for them."""

import html
import re
from typing import Any

import aiohttp
import pytest

from proto.auth import BeginAuthorisation, CompleteAuthorisation
from proto.errors import ErrorCode
from services.api.content.bodies import FORM
from services.api.requests import sessions
from tests.integration.api_system import others
from tests.integration.api_system.fixtures import system
from tests.integration.api_system.running import Answer, Client, System

__all__ = ["system"]
pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/v1/accounts/authorisations"
CALLBACK = "/oauth/callback/constant_contact"


class Browser:
    """Keeps cookies and follows nothing by itself."""

    def __init__(self, system: System) -> None:
        self._client = system.stranger()
        self._base = system.url
        self.cookies: dict[str, str] = {}

    async def open(self, url: str) -> Answer:
        """Open an address, and do what the page's script does with what is behind #."""
        path, _, secret = url.removeprefix(self._base).partition("#")
        sent: dict[str, Any] = {"headers": {"Sec-Fetch-Site": "same-origin"}}
        if secret:
            sent["data"] = aiohttp.FormData({"secret": secret})()
            sent["headers"]["Content-Type"] = FORM
        answer = await self._client(
            "POST" if secret else "GET", path, cookies=self.cookies, **sent
        )
        for name, value in answer.cookies.items():
            self.cookies[name] = value
            if not value:
                del self.cookies[name]
        return answer

    async def agree(self, begun: Answer) -> str:
        """Go to the app as far as its answer; return the state it brings back."""
        gone = await self.open(begun.body["authorise_url"])
        assert gone.status == 200, gone
        url = html.unescape(gone.body.partition('<a href="')[2].partition('"')[0])
        assert url.startswith(others.VENDOR_URL)
        return url.removeprefix(others.VENDOR_URL)


async def begin(client: Client, **body: str) -> Answer:
    answer = await client("POST", PATH, {"app": "constant_contact", **body})
    assert answer.status == 201
    return answer


async def state_of(client: Client, begun: Answer) -> tuple[str, str]:
    answer = await client("GET", begun.headers["Location"])
    return answer.body["state"], answer.body["reason"]


async def test_a_person_authorises_an_account(system: System) -> None:
    client, browser = await system.client(), Browser(system)
    begun = await begin(client)
    asked = system.others.last(BeginAuthorisation)
    assert asked.redirect_uri == system.url + CALLBACK
    assert await state_of(client, begun) == ("waiting", "")
    state = await browser.agree(begun)
    assert await state_of(client, begun) == ("opened", "")
    done = await browser.open(f"{CALLBACK}?state={state}&code=c0de&iss=https://v")
    assert done.status == 200
    assert "Account connected" in done.body
    sent = system.others.last(CompleteAuthorisation)
    assert (sent.code, sent.issuer, sent.browser) == (
        "c0de",
        "https://v",
        asked.browser,
    )
    assert await state_of(client, begun) == ("done", "")
    assert browser.cookies == {}
    (account,) = (await client("GET", "/v1/accounts")).body["items"]
    shown = (await client("GET", begun.headers["Location"])).body
    assert shown["account_id"] == account["account_id"]
    assert account["account_id"] in done.body


async def test_the_page_lets_nothing_else_in(system: System) -> None:
    answer = await Browser(system).open(f"{CALLBACK}?state=<script>alert(1)</script>")
    policy = answer.headers["Content-Security-Policy"]
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", policy)
    assert nonce
    assert answer.body.count(f'nonce="{nonce[1]}"') == answer.body.count("<script") + 1
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "alert(1)" not in answer.body
    again = await Browser(system).open(f"{CALLBACK}?state=x")
    assert nonce[1] not in again.body


async def test_the_cookie_is_for_this_server_alone(system: System) -> None:
    client = await system.client()
    url = (await begin(client)).body["authorise_url"]
    cookie = (await Browser(system).open(url)).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    # On http only loopback is allowed, where "Secure" would lose the cookie.
    assert "Secure" not in cookie


async def test_a_link_works_in_one_browser(system: System) -> None:
    client, browser, other = await system.client(), Browser(system), Browser(system)
    begun = await begin(client)
    state = await browser.agree(begun)
    assert await browser.agree(begun) == state
    refused = await other.open(begun.body["authorise_url"])
    assert refused.status == 409
    assert "another browser" in refused.body
    late = await other.open("/oauth/start#" + "x" * 43)
    assert late.status == 410


async def test_a_callback_in_another_browser_connects_nothing(system: System) -> None:
    """Somebody else's code must not be slipped under a person's session."""
    client, browser, other = await system.client(), Browser(system), Browser(system)
    begun, second = await begin(client), await begin(client)
    state = await browser.agree(begun)
    await other.agree(second)
    asked = len(system.others.asked)
    for visitor in (Browser(system), other):
        refused = await visitor.open(f"{CALLBACK}?state={state}&code=c")
        assert refused.status == 403
        assert "not begun in this browser" in refused.body
    assert len(system.others.asked) == asked
    done = await browser.open(f"{CALLBACK}?state={state}&code=c")
    assert done.status == 200


async def test_what_a_person_began_nobody_else_brings_to_its_end(
    system: System,
) -> None:
    """Not whoever was sent the link, nor who uses the browser after them."""
    eve = await system.person()
    ann = await system.person(tenant_id=eve.tenant_id)
    own, hers = (each.cookie.partition("=")[2] for each in (ann, eve))
    name, browser = sessions.cookie_name(system.url), Browser(system)
    begun = await begin(ann)
    asked = len(system.others.asked)
    for session in ("", hers, "unknown"):
        browser.cookies[name] = session
        refused = await browser.open(begun.body["authorise_url"])
        assert (refused.status, "Another person" in refused.body) == (403, True)
    assert await state_of(ann, begun) == ("waiting", "")
    browser.cookies[name] = own
    state = await browser.agree(begun)
    for session in ("", hers):
        browser.cookies[name] = session
        refused = await browser.open(f"{CALLBACK}?state={state}&code=c")
        assert (refused.status, "Another person" in refused.body) == (403, True)
    assert len(system.others.asked) == asked
    browser.cookies[name] = own
    done = await browser.open(f"{CALLBACK}?state={state}&code=c")
    assert done.status == 200
    log = await ann("GET", "/v1/audit?act=account.complete_authorisation")
    assert [entry["actor"] for entry in log.body["items"]] == [ann.person_id]


async def test_a_callback_of_another_app_connects_nothing(system: System) -> None:
    """Each app has its own address, so that one cannot pass for another (mix-up)."""
    client, browser = await system.client(), Browser(system)
    begun = await begin(client)
    state = await browser.agree(begun)
    for app in ("carddav", "unheard_of", "Bad-Name"):
        refused = await browser.open(f"/oauth/callback/{app}?state={state}&code=c")
        assert refused.status in (404, 410)
    assert await state_of(client, begun) == ("opened", "")


async def test_a_callback_works_once(system: System) -> None:
    client, browser = await system.client(), Browser(system)
    state = await browser.agree(await begin(client))
    cookies = dict(browser.cookies)
    url = f"{CALLBACK}?state={state}&code=c"
    assert (await browser.open(url)).status == 200
    browser.cookies = cookies
    again = await browser.open(url)
    assert again.status == 410
    assert "Begin it again" in again.body
    assert len((await client("GET", "/v1/accounts")).body["items"]) == 1


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 410),
        ("?code=c", 410),
        ("?state=", 410),
        ("?state=unknown&code=c", 410),
        ("?state=a&state=b", 400),
        ("?state=%00", 400),
        ("?state=" + "x" * 4_097, 400),
    ],
)
async def test_a_broken_callback_is_a_page(
    system: System, query: str, status: int
) -> None:
    answer = await Browser(system).open(CALLBACK + query)
    assert answer.status == status
    assert answer.headers["Content-Type"].startswith("text/html")


async def test_a_person_may_say_no(system: System) -> None:
    client, browser = await system.client(), Browser(system)
    begun = await begin(client)
    state = await browser.agree(begun)
    answer = await browser.open(f"{CALLBACK}?state={state}&error=access_denied")
    assert answer.status == 409
    assert "not given leave" in answer.body
    assert await state_of(client, begun) == ("failed", "authorisation_denied")


async def test_another_account_than_before_is_said(system: System) -> None:
    client, browser = await system.client(), Browser(system)
    lost = system.others.add_account(client.tenant_id, others.MAIL)
    begun = await begin(client, account_id=lost.account_id)
    assert system.others.last(BeginAuthorisation).account_id == lost.account_id
    state = await browser.agree(begun)
    with system.others.refusing(CompleteAuthorisation, ErrorCode.ACCOUNT_MISMATCH):
        answer = await browser.open(f"{CALLBACK}?state={state}&code=c")
    assert answer.status == 409
    assert "another account of the app" in answer.body
    assert await state_of(client, begun) == ("failed", "account_mismatch")


async def test_a_callback_can_be_repeated_while_auth_is_away(system: System) -> None:
    client, browser = await system.client(), Browser(system)
    state = await browser.agree(await begin(client))
    url = f"{CALLBACK}?state={state}&code=c"
    with system.others.refusing(CompleteAuthorisation, ErrorCode.SERVICE_UNAVAILABLE):
        away = await browser.open(url)
    assert (away.status, away.headers["Retry-After"]) == (503, "5")
    # The address must survive on the page, and nobody may take this for the end.
    assert "<script" not in away.body
    assert (await browser.open(url)).status == 200


async def test_an_outcome_of_auth_ends_the_authorisation(system: System) -> None:
    """Auth has used up the state by then: a page that offers another try would lie."""
    client, browser = await system.client(), Browser(system)
    begun = await begin(client)
    url = f"{CALLBACK}?state={await browser.agree(begun)}&code=c"
    with system.others.refusing(CompleteAuthorisation, ErrorCode.APP_UNREACHABLE):
        ended = await browser.open(url)
    assert ended.status == 502
    assert "Retry-After" not in ended.headers
    assert "history.replaceState" in ended.body
    assert await state_of(client, begun) == ("failed", "app_unreachable")
    assert (await browser.open(url)).status == 410


async def test_an_authorisation_expires(system: System) -> None:
    client, browser = await system.client(), Browser(system)
    begun, waiting = await begin(client), await begin(client)
    state = await browser.agree(begun)
    await system.rows(
        "UPDATE authorisations SET expires_at = now() WHERE tenant_id = $1",
        client.tenant_id,
    )
    late = await browser.open(f"{CALLBACK}?state={state}&code=c")
    assert late.status == 410
    assert (await browser.open(waiting.body["authorise_url"])).status == 410
    assert await state_of(client, begun) == ("expired", "")


async def test_a_tenants_open_authorisations_are_bounded(system: System) -> None:
    client = await system.client()
    for _ in range(system.runtime.settings.authorisations_open_max):
        await begin(client)
    answer = await client("POST", PATH, {"app": "constant_contact"})
    assert (answer.status, answer.code) == (409, "limit_reached")


async def test_what_the_app_or_its_client_lacks_is_said_at_once(
    system: System,
) -> None:
    client = await system.client()
    body = {"app": "constant_contact"}
    for code, status in (
        (ErrorCode.CLIENT_MISSING, 409),
        (ErrorCode.UNKNOWN_APP, 404),
        (ErrorCode.INVALID, 422),
    ):
        with system.others.refusing(BeginAuthorisation, code, field="app"):
            answer = await client("POST", PATH, body)
        assert (answer.status, answer.code, answer.faults) == (status, code, ["/app"])


async def test_the_table_holds_no_secret(system: System) -> None:
    client, browser = await system.client(), Browser(system)
    begun = await begin(client)
    state = await browser.agree(begun)
    link = begun.body["authorise_url"].partition("#")[2]
    assert len(link) == 43
    rows = await system.rows(
        "SELECT * FROM authorisations WHERE tenant_id = $1", client.tenant_id
    )
    secrets = [state, link, *browser.cookies.values()]
    held = b"".join(
        v if isinstance(v, bytes) else str(v).encode() for r in rows for v in r.values()
    )
    assert all(secret.encode() not in held for secret in secrets)


async def test_the_browsers_part_is_in_the_audit_log(system: System) -> None:
    client, browser = await system.client(), Browser(system)
    begun = await begin(client)
    state = await browser.agree(begun)
    await browser.open(f"{CALLBACK}?state={state}&code=c0de")
    rows = await system.rows(
        "SELECT * FROM audit_entries WHERE tenant_id = $1 ORDER BY entry_id",
        client.tenant_id,
    )
    assert [
        (r["act"].partition(".")[2], r["actor"][:4], r["outcome"]) for r in rows
    ] == [
        ("begin_authorisation", "key_", "begun"),
        ("begin_authorisation", "key_", "done"),
        ("complete_authorisation", "brow", "done"),
    ]
    assert {row["object_id"] for row in rows} == {begun.body["authorisation_id"]}
    assert "c0de" not in str(rows)
