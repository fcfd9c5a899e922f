"""The real api and the real auth around a vendor, and people with browsers."""

import contextlib
import html
import re
from collections.abc import AsyncIterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import aiohttp

from deploy.local import nats, postgres
from proto.ids import AppId
from services.auth import rows, sealing, vault
from services.auth.sealing import AccountSecret
from tests.contract.emulator_caller import CLIENT_SECRET
from tests.emulators.constant_contact.settings import Settings as VendorSettings
from tests.emulators.core.oauth import Client as VendorClient
from tests.integration import auth_world
from tests.integration.api_system import others, running
from tests.integration.api_system.running import Answer, Client, System
from tests.integration.auth_world import MAIL, World

BEGIN = "/v1/accounts/authorisations"
REDIRECTS_MAX = 10


class Form(HTMLParser):
    """The fields of a page's first form, and where it goes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and not self.action:
            self.action = given.get("action", "")
        if tag == "input" and given.get("name"):
            self.fields[given["name"]] = given.get("value", "")


class Page(NamedTuple):
    """What a browser was shown."""

    url: str
    status: int
    location: str
    text: str
    headers: Mapping[str, str]

    @property
    def outcome(self) -> str:
        """What a page of ours says came of it; empty for pages of others."""
        found = re.search(r'<main data-outcome="([^"]*)"', self.text)
        return html.unescape(found[1]) if found else ""


class Browser:
    """A person's browser: keeps cookies, and follows nothing by itself."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def open(self, url: str, form: Mapping[str, str] | None = None) -> Page:
        """Open an address, or send a form there.

        What an address has behind its # is sent as our page's script sends it.
        """
        url, _, secret = url.partition("#")
        headers = {}
        if secret:
            form, headers = {"secret": secret}, {"Sec-Fetch-Site": "same-origin"}
        method = "GET" if form is None else "POST"
        async with self.session.request(
            method, url, data=form, headers=headers, allow_redirects=False
        ) as answer:
            text = await answer.text()
            onward = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', text)
            location = html.unescape(onward[1]) if onward else ""
            location = answer.headers.get("Location", location)
            return Page(
                url=url,
                status=answer.status,
                location=urljoin(url, location) if location else "",
                text=text,
                headers=answer.headers,
            )

    async def walk(self, url: str, *, until: str) -> Page:
        """Follow redirects to a page, or to the first that leads to ``until``."""
        for _ in range(REDIRECTS_MAX):
            page = await self.open(url)
            if not page.location or page.location.startswith(until):
                return page
            url = page.location
        raise AssertionError(f"{REDIRECTS_MAX} redirects, and no page")

    async def agree(
        self, url: str, *, vendor_id: str, decision: str = "approve"
    ) -> str:
        """Decide on the emulated vendor's page; return where that sends the browser."""
        page = await self.open(url)
        assert page.status == 200, page
        fields = {**Form(page.text).fields, "account_id": vendor_id}
        sent = await self.open(url, {**fields, "decision": decision})
        assert sent.location, sent
        return sent.location


class Site:
    """An installation with tenants, and what strangers can reach of it."""

    def __init__(
        self, world: World, system: System, *, stack: contextlib.AsyncExitStack
    ) -> None:
        self.world = world
        self.system = system
        self._stack = stack

    @property
    def vendor_ids(self) -> list[str]:
        return self.world.vendor_ids

    def callback(self, app: AppId = MAIL) -> str:
        return f"{self.system.url}/oauth/callback/{app}"

    async def browser(self) -> Browser:
        """Return a person's browser without any cookie."""
        jar = aiohttp.CookieJar(unsafe=True)
        session = aiohttp.ClientSession(cookie_jar=jar)
        return Browser(await self._stack.enter_async_context(session))

    async def tenant(self, app: AppId = MAIL, **changes: str) -> Client:
        """Return a tenant's client of the REST interface, its own app client stored."""
        client = await self.system.client()
        self.register(client.tenant_id, self.callback(app))
        await self.store_client(client, app, **changes)
        return client

    async def store_client(self, client: Client, app: AppId, **changes: str) -> None:
        """Store a tenant's client of an app, registered at the emulator or not."""
        values = {"client_id": client.tenant_id, "client_secret": CLIENT_SECRET}
        path = f"/v1/apps/{app}/client"
        answer = await client("PUT", path, {**values, **changes})
        assert answer.status == 200, answer

    def register(self, client_id: str, *redirect_uris: str) -> None:
        """Make a client known at the emulated vendor."""
        self.world.emulator.server.register(
            VendorClient(
                client_id=client_id,
                client_secret=CLIENT_SECRET,
                redirect_uris=redirect_uris,
            )
        )

    async def begin(self, client: Client, app: AppId = MAIL, **body: str) -> Answer:
        answer = await client("POST", BEGIN, {"app": app, **body})
        assert answer.status == 201, answer
        return answer

    async def start(
        self, client: Client, browser: Browser, app: AppId = MAIL, **body: str
    ) -> str:
        """Begin, and open the link; return where the vendor is asked."""
        begun = await self.begin(client, app, **body)
        page = await browser.open(begun.body["authorise_url"])
        assert (page.status, bool(page.location)) == (200, True), page
        return page.location

    async def go(self, client: Client, browser: Browser, **body: str) -> str:
        """Begin, and agree at the vendor; return the callback with its code."""
        url = await self.start(client, browser, **body)
        return await browser.agree(url, vendor_id=self.vendor_ids[0])

    async def connect(self, client: Client, browser: Browser) -> str:
        """Walk the whole way; return the account's id."""
        page = await browser.open(await self.go(client, browser))
        assert (page.status, page.outcome) == (200, "done")
        (account,) = await self.accounts(client)
        return account["account_id"]

    async def accounts(self, client: Client) -> list[dict[str, str]]:
        return (await client("GET", "/v1/accounts")).body["items"]


def changed(url: str, /, **fields: str | None) -> str:
    """Return an address with some query fields replaced; None takes one away."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query)) | fields
    kept = {name: value for name, value in query.items() if value is not None}
    return urlunsplit(parts._replace(query=urlencode(kept)))


def fields_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


@contextlib.asynccontextmanager
async def opened(
    postgres_server: postgres.Server, broker: nats.Server, *, directory: Path
) -> AsyncIterator[Site]:
    """Run the api and auth, with a stand-in connector and an emulated vendor."""
    ring = auth_world.write_key_ring(directory / "ring.json")
    async with contextlib.AsyncExitStack() as stack:
        world = await stack.enter_async_context(
            auth_world.opened(
                postgres_server,
                broker,
                settings=VendorSettings(accounts=("Bakery", "Bookshop")),
            )
        )
        await stack.enter_async_context(world.auth(key_ring_file=ring))
        system = await stack.enter_async_context(
            running.running(
                world.database,
                broker,
                others=others.Others(),
                requests_per_minute_max=100_000,
            )
        )
        yield Site(world, system, stack=stack)


def opened_secret(row: Mapping[str, Any], *, ring: Path) -> AccountSecret:
    """Return what a row of ``auth.credentials`` holds, with the key ring's help."""
    return sealing.open_account(
        vault.load(ring),
        rows.sealed(row),
        tenant_id=row["tenant_id"],
        account_id=row["account_id"],
        version=row["version"],
    )
