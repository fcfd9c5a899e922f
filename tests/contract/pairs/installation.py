"""One installation for all pairs, and two accounts of a tenant's own connected on it.

Everything goes through the REST API: apps that are authorised in a browser are agreed
to there, others are given what their form asks for. Polling is real and comes often.
"""

import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp

from deploy.demo.browser import Browser
from deploy.demo.rest import Tandem
from deploy.local import ports
from deploy.local.access import new_key
from deploy.local.layout import Layout
from deploy.local.programs import Options
from deploy.local.supervisor import Supervisor
from tests.contract.conformance.proxy import Proxy
from tests.contract.conformance.stage import Stage
from tests.contract.pairs import own
from tests.contract.pairs.crossing import Crossing
from tests.contract.pairs.own import Own

POLL_S: Final = 3.0
"""How often a quiet account is read; one that changes ten times as often."""
LIVE_TIMEOUT_S: Final = 60.0
_SETTINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "auth": {"AUTH_PRIVATE_ADDRESSES": ports.LOOPBACK},
    "connector": {
        "CONNECTOR_PRIVATE_ADDRESSES": ports.LOOPBACK,
        "CONNECTOR_CALLS_PER_SECOND_MAX": "0",
        "CONNECTOR_POLL_INTERVAL_S": str(POLL_S),
    },
    "reconciler": {"RECONCILER_SETTLE_S": "1", "RECONCILER_SWEEP_S": "1"},
    "api": {"API_REQUESTS_PER_MINUTE_MAX": "6000"},
}


class End(NamedTuple):
    """One side: a stage, and what Tandem calls in its place."""

    stage: Stage
    proxy: Proxy

    @property
    def write_count(self) -> int:
        """Say how often Tandem tried to change something."""
        return sum(
            self.stage.is_write(method=one.method, path=one.path, body=one.body)
            for one in self.proxy.seen
        )


class Connection(NamedTuple):
    """Two accounts that are connected."""

    tandem: Tandem
    ends: Mapping[str, End]
    connection_id: str

    async def tell(self, act: str) -> None:
        """Tell the connection to start, pause, resume or sync."""
        await self.tandem.call("POST", f"{self._path}/{act}")

    async def until_live(self) -> None:
        """Wait until both sides were read and nothing is left to do."""
        await self.tandem.until(
            self.connection_id, state="live", timeout_s=LIVE_TIMEOUT_S
        )

    async def troubles(self) -> list[str]:
        """Return what Tandem itself says of what is not in sync."""
        status = await self.tandem.call("GET", f"{self._path}/status")
        records = await self.tandem.pages(f"{self._path}/records")
        odd = [one for one in records if one["state"] not in ("in_sync", "excluded")]
        what = status["attention"] or status["troubles"] or "and well"
        return [
            f"Tandem says that it is {status['state']} {what}",
            *(
                f"{one['email']} is {one['state']}: {one['reason']} {one['fields']}"
                for one in odd
            ),
        ]

    @property
    def _path(self) -> str:
        return f"/v1/connections/{self.connection_id}"


class Installation:
    """A running installation that knows no tenant yet."""

    def __init__(
        self, layout: Layout, system: Supervisor, session: aiohttp.ClientSession
    ) -> None:
        self._layout = layout
        self._system = system
        self._session = session

    @contextlib.asynccontextmanager
    async def connected(
        self,
        stages: Mapping[str, Stage],
        *,
        tenant: str,
        owns: Iterable[Own] = (),
        containers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Connection]:
        """Connect two accounts; they and the connection are gone after the block.

        Args:
            containers: The lists that are connected, by side; without one it is all.
        """
        key = await new_key(self._layout, self._system, tenant=tenant)
        tandem = Tandem(self._session, self._system.url("api"), key=key)
        catalogue = (await tandem.call("GET", "/v1/apps"))["items"]
        apps = {one["app"]: one for one in catalogue}
        async with contextlib.AsyncExitStack() as stack:
            ends: dict[str, End] = {}
            accounts: dict[str, str] = {}
            for side, stage in stages.items():
                proxy = Proxy(stage.base_url)
                await stack.enter_async_context(proxy.listening())
                ends[side] = End(stage, proxy)
                app = apps[stage.app]
                accounts[side] = await _account(tandem, ends[side], app=app)
            fields = {
                side: (await tandem.call("GET", f"/v1/accounts/{one}/description"))[
                    "fields"
                ]
                for side, one in accounts.items()
            }
            connection = await tandem.call(
                "POST",
                "/v1/connections",
                body={
                    "name": tenant,
                    **{
                        side: {
                            "account_id": one,
                            "container_id": (containers or {}).get(side),
                        }
                        for side, one in accounts.items()
                    },
                    "custom_mappings": own.mappings(owns, fields),
                    "unsubscribes": Crossing.of(stages).unsubscribes,
                },
            )
            connection_id = connection["connection_id"]
            try:
                yield Connection(tandem, ends, connection_id)
            finally:
                await tandem.call("DELETE", f"/v1/connections/{connection_id}")
                for account_id in accounts.values():
                    await tandem.call("DELETE", f"/v1/accounts/{account_id}")


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[Installation]:
    """Run an installation in a folder of its own; leave nothing behind."""
    with tempfile.TemporaryDirectory(prefix="tandem-pairs-") as folder:
        layout = Layout(Path(folder))
        options = Options(environment=_SETTINGS, durable=False)
        timeout = aiohttp.ClientTimeout(total=60)
        async with (
            Supervisor(layout, options) as system,
            aiohttp.ClientSession(timeout=timeout) as session,
        ):
            yield Installation(layout, system, session)


async def _account(tandem: Tandem, end: End, *, app: Any) -> str:
    """Authorise an account; return its id."""
    stage = end.stage
    if app["redirect_uri"] is None:
        secret = stage.token(version_min=0).secret
        given = {"base_url": end.proxy.url, "username": stage.username}
        form = {
            field["name"]: given.get(field["name"], secret)
            for field in app["credential_fields"]
        }
        made = await tandem.call(
            "POST", "/v1/accounts", body={"app": stage.app, **form}
        )
        return str(made["account_id"])
    login = stage.login(app["redirect_uri"])
    client = {**login._asdict(), "api_url": end.proxy.url}
    await tandem.call("PUT", f"/v1/apps/{stage.app}/client", body=client)
    begun = await tandem.call(
        "POST", "/v1/accounts/authorisations", body={"app": stage.app}
    )
    async with Browser() as browser:
        await browser.agree(begun["authorise_url"])
    for account in await tandem.pages("/v1/accounts"):
        if account["app"] == stage.app:
            return str(account["account_id"])
    raise AssertionError(f"{stage.app} was agreed to, and has no account")
