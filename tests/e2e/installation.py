"""An installation for one test: started, filled, connected; both vendors to look at.

The people come from the demo, in smaller numbers; what is compared in the end is what
the two servers hold, never Tandem's database. Tandem calls both through gates.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec

from deploy.demo import people, setting
from deploy.demo.agreement import Agreement, compare
from deploy.demo.browser import Browser
from deploy.demo.people import Crowd, Person
from deploy.demo.rest import Tandem
from deploy.demo.story import Story
from deploy.demo.vendors import CardDav, ConstantContact
from deploy.local import keys, programs
from deploy.local.access import create_key
from deploy.local.layout import Layout
from deploy.local.supervisor import Supervisor
from tests.e2e.gate import Call, Gate, gate

SYNC_TIMEOUT_S = 240.0
LOOK_S = 0.2
_UNDER_WAY = """
SELECT
    (SELECT count(*) FROM connector.outbox)
    + (SELECT count(*) FROM reconciler.outbox)
    + (SELECT count(*) FROM reconciler.dirty)
    + (SELECT count(*) FROM connector.wanted_reads)
    + (SELECT count(*) FROM connector.writes WHERE state IN ('new', 'sent')) AS count
"""
QUICK: Mapping[str, Mapping[str, str]] = {
    "connector": {
        **setting.SERVICES["connector"],
        "CONNECTOR_LEASE_S": "3",
        "CONNECTOR_REQUEST_TIMEOUT_S": "3",
    },
    "reconciler": {
        "RECONCILER_SETTLE_S": "1",
        "RECONCILER_LEASE_S": "3",
        "RECONCILER_SWEEP_S": "1",
    },
    "api": {**setting.SERVICES["api"]},
}
"""Waits shortened where a test would otherwise wait for a crash to be noticed."""


@dataclass(kw_only=True)
class Installation:
    """A running installation and both vendors' own views of their data."""

    system: Supervisor
    session: aiohttp.ClientSession
    story: Story
    key: str
    """The API key of the tenant that owns everything here."""
    gates: Mapping[str, Gate]
    """What Tandem calls, by app."""

    @property
    def tandem(self) -> Tandem:
        return self.story.tandem

    @property
    def left(self) -> ConstantContact:
        return self.story.left

    @property
    def right(self) -> CardDav:
        return self.story.right

    async def start(self) -> None:
        """Start the connection; it is not awaited."""
        path = f"/v1/connections/{self.story.connection_id}/start"
        await self.tandem.call("POST", path)

    async def until_live(self, *, timeout_s: float = SYNC_TIMEOUT_S) -> dict[str, Any]:
        """Wait until nothing is left to do, and return the status."""
        return await self.tandem.until(
            self.story.connection_id, state="live", timeout_s=timeout_s
        )

    async def sync(self) -> dict[str, Any]:
        """Read both sides now and wait until everything is done.

        A reading that was already under way may have seen the side as it was before,
        so one that begins from now on is waited for.
        """
        asked_at = datetime.now(UTC)
        path = f"/v1/connections/{self.story.connection_id}/sync"
        await self.tandem.call("POST", path)
        while any(read_at <= asked_at for read_at in await self.reads()):
            await self.until_live()
        return await self.until_live()

    async def settle(self) -> dict[str, Any]:
        """Read both sides now and wait until all that follows from it is done.

        A connection stays live while an edit is on its way, so the state alone does
        not tell; what is still to be told, planned or written does.
        """
        await self.sync()
        async with asyncio.timeout(SYNC_TIMEOUT_S):
            while (await self.rows(_UNDER_WAY))[0]["count"]:
                await asyncio.sleep(LOOK_S)
        return await self.until_live()

    async def status(self) -> dict[str, Any]:
        """Return the connection's status as it is now."""
        path = f"/v1/connections/{self.story.connection_id}/status"
        return dict(await self.tandem.call("GET", path))

    async def until(
        self,
        is_so: Callable[[dict[str, Any]], bool],
        *,
        timeout_s: float = 60.0,
    ) -> dict[str, Any]:
        """Wait until the status is as wanted, and return it."""
        status: dict[str, Any] = {}
        try:
            async with asyncio.timeout(timeout_s):
                while not is_so(status := await self.status()):
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise AssertionError(f"still {status}") from None
        return status

    async def records(self, state: str) -> list[dict[str, Any]]:
        """Return the contacts in a state, as a person is shown them."""
        path = f"/v1/connections/{self.story.connection_id}/records?state={state}"
        return await self.tandem.pages(path)

    async def tell(self, act: str) -> None:
        """Tell the connection to start, pause, resume, sync or go ahead (approve)."""
        path = f"/v1/connections/{self.story.connection_id}/{act}"
        await self.tandem.call("POST", path)

    async def authorise(self, **given: str) -> None:
        """Authorise Constant Contact in a browser, or an account of it again."""
        begun = await self.tandem.call(
            "POST",
            "/v1/accounts/authorisations",
            body={"app": "constant_contact", **given},
        )
        async with Browser() as browser:
            await browser.agree(begun["authorise_url"])

    async def fault(self, kind: str, **rule: object) -> None:
        """Have the emulator go wrong."""
        await self.emulator("POST", "/faults", {"kind": kind, **rule})

    async def no_faults(self) -> None:
        """Have the emulator work again."""
        await self.emulator("DELETE", "/faults")

    async def reads(self) -> list[Any]:
        """Return when each account was last read."""
        rows = await self.rows(
            "SELECT last_read_at FROM connector.accounts ORDER BY account_id"
        )
        return [row["last_read_at"] for row in rows]

    async def rows(self, sql: str) -> list[Any]:
        """Look into the database for a trace of what goes on; never to compare."""
        connection = await asyncpg.connect(self.system.admin_url, timeout=5)
        try:
            return list(await connection.fetch(sql))
        finally:
            await connection.close(timeout=5)

    async def agreement(self) -> Agreement:
        """Ask both servers and compare."""
        return await compare(self.left, self.right)

    async def assert_whole(self) -> None:
        """Check that everybody with an email is there once, the same on each side."""
        agreement = await self.agreement()
        assert agreement.is_whole, agreement
        crowd = self.story.crowd
        with_email = {p.number for p in (*crowd.left, *crowd.right) if p.emails}
        assert agreement.people == len(with_email)
        only_left, only_right = (
            sum(1 for person in side[crowd.shared_count :] if person.emails)
            for side in (crowd.left, crowd.right)
        )
        contacts = [c for c in await self.left.contacts() if not c.get("deleted_at")]
        assert len(contacts) == len(crowd.left) + only_right
        assert len(await self.right.paths()) == len(crowd.right) + only_left

    async def emulator(self, method: str, path: str, body: object = None) -> Any:
        """Call the emulator's administration."""
        url = self.system.url("constant_contact") + "/_emulator" + path
        async with self.session.request(method, url, json=body) as answer:
            assert answer.status < 400, await answer.text()
            text = await answer.text()
            return msgspec.json.decode(text) if text else None

    async def writes_to_left(self) -> list[dict[str, Any]]:
        """Return every change that the API made to contacts, oldest first."""
        account_id = await self.left.account_id()
        journal = await self.emulator("GET", f"/accounts/{account_id}/journal")
        return [line for line in journal if line["who"] == "api"]

    async def write_counts(self) -> tuple[int, int]:
        """Return how often Tandem has changed contacts, and tried to change cards."""
        return len(await self.writes_to_left()), len(self.writes_to_right())

    def writes_to_right(self) -> list[Call]:
        """Return every call of Tandem that was to change a card, oldest first."""
        return self.gates["carddav"].writes


@contextlib.asynccontextmanager
async def installation(
    *,
    left_count: int = 60,
    right_count: int = 40,
    shared_count: int = 20,
    unsynced: tuple[int, int] = (0, 0),
    environment: Mapping[str, Mapping[str, str]] = QUICK,
    replicas: Mapping[str, int] | None = None,
    is_connected: bool = True,
) -> AsyncIterator[Installation]:
    """Run an installation in a folder of its own; leave nothing behind.

    On either side there can be people besides who have no email: they are read like
    all others, and nothing is written for them.
    """
    with tempfile.TemporaryDirectory(prefix="tandem-e2e-") as folder:
        layout = Layout(Path(folder))
        options = msgspec.structs.replace(
            setting.options(layout),
            environment=environment,
            replicas=replicas or {},
            durable=False,
        )
        async with (
            Supervisor(layout, options) as system,
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session,
            gate(system.url("constant_contact")) as left_gate,
            gate(system.url("radicale")) as right_gate,
        ):
            key = await create_key(layout, system, tenant="test")
            made = Installation(
                system=system,
                session=session,
                story=_story(layout, system, session, key=key),
                key=key,
                gates={"constant_contact": left_gate, "carddav": right_gate},
            )
            made.story.client["api_url"] = f"{left_gate.url}/v3"
            made.story.card_login["base_url"] = right_gate.url
            crowd = people.crowd(
                left_count=left_count,
                right_count=right_count,
                shared_count=shared_count,
            )
            made.story.crowd = _joined_by(crowd, unsynced)
            await made.story.fill()
            if is_connected:
                await made.story.connect()
            yield made


def _joined_by(crowd: Crowd, counts: tuple[int, int]) -> Crowd:
    """Add people without email to each side."""
    left, right = (
        tuple(
            Person(number=first + n, given=f"Nobody {n}", family="Reachable")
            for n in range(count)
        )
        for first, count in zip((100_000, 200_000), counts, strict=True)
    )
    return replace(crowd, left=(*crowd.left, *left), right=(*crowd.right, *right))


def _story(
    layout: Layout, system: Supervisor, session: aiohttp.ClientSession, *, key: str
) -> Story:
    emulator, books = system.url("constant_contact"), system.url("radicale")
    user, password = programs.DEMO_USER, keys.password(layout.keys, "radicale")
    return Story(
        tandem=Tandem(session, system.url("api"), key=key),
        left=ConstantContact(session, emulator),
        right=CardDav(session, books, user=user, password=password),
        crowd=people.Crowd(left=(), right=(), shared_count=0),
        client=setting.client(layout, emulator),
        card_login={"base_url": books, "username": user, "password": password},
        say=lambda _sentence: None,
        watch=lambda _status: None,
    )
