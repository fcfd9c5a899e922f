"""A flood of pushes to a connector that goes on with its work (hazard 27).

Three real processes: the connector, who floods it, and this one with its peers.
"""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec
import pytest

from deploy.local import ports
from proto.auth import CredentialKind, IssueToken, Token
from proto.base import Message
from proto.connector import ContactsObserved, FollowAccount
from proto.ids import AccountId, ScanId
from services.chassis.clock import SystemClock
from services.chassis.store import Work
from services.connector import pushing
from tests.integration.connector_pushing import GIVEN, TENANT, UNSIGNED, target
from tests.integration.connector_vendor import Vendor
from tests.integration.push_flood import Order, Result
from tests.integration.test_connector_service import runtime_of
from tests.security.conftest import Figures
from tests.servers import Database

pytestmark = pytest.mark.slow

PER_SECOND = 5_000
SECONDS = 10 if os.environ.get("SECURITY_FULL") else 2
ACCOUNTS = {"acct_unsigned": UNSIGNED, "acct_given": GIVEN, "acct_quiet": UNSIGNED}
POLL_S = 2.0
GROWTH_MIB_MAX = 96


class Connector:
    """The process under the flood."""

    def __init__(self, child: asyncio.subprocess.Process, http: int, push: int) -> None:
        self.child = child
        self.http_port = http
        self.push_port = push

    def peak_mib(self) -> float:
        """Return the most memory that it ever had."""
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found
        return int(found[1]) / 1024

    def worked_s(self) -> float:
        """Return how long processors have worked for it."""
        text = Path(f"/proc/{self.child.pid}/stat").read_text()
        # Behind the name in brackets, which may have spaces: states, and the times.
        user, system = text.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    async def pushes(self, session: aiohttp.ClientSession) -> dict[str, int]:
        """Return what it counted, by outcome."""
        async with session.get(f"http://127.0.0.1:{self.http_port}/metrics") as answer:
            text = await answer.text()
        found = re.findall(r'connector_pushes_total\{outcome="(\w+)"\} ([\d.]+)', text)
        return {outcome: int(float(count)) for outcome, count in found if float(count)}


@contextlib.asynccontextmanager
async def connector(
    database: Database, broker, *, folder: Path, keys: Path
) -> AsyncIterator[Connector]:
    http, push = ports.free_port(), ports.free_port()
    settings = {
        "DATABASE_URL": database.service_url("connector"),
        "NATS_URL": broker.url,
        "NATS_SEED_FILE": str(broker.seed_file("connector")),
        "HTTP_PORT": str(http),
        "PRIVATE_ADDRESSES": "127.0.0.0/8",
        "POLL_INTERVAL_S": str(POLL_S),
        "PUSH_PORT": str(push),
        "PUSH_URL": "https://tandem.example",
        "PUSH_KEY_FILE": str(keys),
    }
    with (folder / "connector.log").open("wb") as log:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.integration.pushed_connector"),
            env={"PATH": os.environ["PATH"]}
            | {f"CONNECTOR_{name}": text for name, text in settings.items()},
            stdout=log,
            stderr=log,
        )
        try:
            yield Connector(child, http, push)
        finally:
            with contextlib.suppress(ProcessLookupError):
                child.send_signal(signal.SIGTERM)
            assert await child.wait() == 0


async def until(condition, *, within_s: float = 30) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.02)


async def flooded(order: Order) -> Result:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.push_flood"),
        msgspec.json.encode(order).decode(),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await child.communicate()
    assert child.returncode == 0
    return msgspec.json.decode(said, type=Result)


class Peers:
    """The apps, auth and the reconciler, as far as reading needs them."""

    def __init__(self) -> None:
        self.vendors: dict[str, Vendor] = {}
        self.seen: list[str] = []
        """The names that were told of, in order."""

    async def issue(self, command: IssueToken) -> Token:
        base_url = self.vendors[command.account_id].base_url
        return Token(
            kind=CredentialKind.BEARER, secret="t", base_url=base_url, version=1
        )

    async def take(self, work: Work, message: Message) -> None:
        assert isinstance(message, ContactsObserved)
        names = [str(record.fields["name"]) for record in message.records]
        work.transaction.after_commit(lambda: self.seen.extend(names))


@contextlib.asynccontextmanager
async def standing(database: Database, broker) -> AsyncIterator[Peers]:
    """Stand around a connector that is to follow all accounts."""
    peers = Peers()
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        for account_id in ACCOUNTS:
            vendor = peers.vendors[account_id] = await enter(Vendor().listening())
            vendor.add(5)
        auth = await enter(runtime_of("auth", database, broker))
        reconciler = await enter(runtime_of("reconciler", database, broker))
        # Its tables are made here; the process does its own work.
        await enter(runtime_of("connector", database, broker))
        await auth.bus.answer(IssueToken, peers.issue)
        store = reconciler.store(Work)
        receiver = reconciler.receiver(store, {ContactsObserved: peers.take})
        stopping = asyncio.Event()
        group = await enter(asyncio.TaskGroup())
        stack.callback(stopping.set)
        group.create_task(receiver.run(stopping))
        group.create_task(reconciler.relay.run(stopping))
        async with store.transaction(TENANT) as work:
            await work.send(*map(followed, ACCOUNTS))
        yield peers


def followed(account_id: str) -> FollowAccount:
    return FollowAccount(
        tenant_id=TENANT,
        account_id=AccountId(account_id),
        app=ACCOUNTS[account_id],
        is_wanted=True,
        scan_id=ScanId("scan_1"),
        asked_at=SystemClock().now(),
    )


@pytest.mark.timeout(240)
async def test_a_flood_of_pushes_is_survived(
    database: Database, *, nats_server, tmp_path: Path, figures: Figures
):
    """5,000 a second for 10 s in full, half of them forged or to nowhere."""
    key_file = tmp_path / "keys"
    key_file.write_text("qYk3H2v0b9Zl8mT1wXc5RjD7uEoGfPnS4aLiKhVtJyQ=\n")
    keys = pushing.load(key_file)
    signed = target(GIVEN, "acct_given")
    unsigned = keys.path(target(UNSIGNED, "acct_unsigned"))
    async with (
        standing(database, nats_server) as peers,
        connector(database, nats_server, folder=tmp_path, keys=key_file) as flooding,
        aiohttp.ClientSession() as session,
    ):
        await until(lambda: len(peers.seen) >= 5 * len(ACCOUNTS))
        before_mib = flooding.peak_mib()
        for vendor in peers.vendors.values():
            vendor.calls.clear()
        order = Order(
            port=flooding.push_port,
            per_second=PER_SECOND,
            seconds=SECONDS,
            unsigned_path=unsigned,
            signed_path=keys.path(signed),
            secret=keys.signing_secrets(signed)[0].decode(),
        )
        before_s = flooding.worked_s()
        result = await flooded(order)
        worked_s = flooding.worked_s() - before_s
        reads = {each: len(vendor.calls) for each, vendor in peers.vendors.items()}
        grown_mib = flooding.peak_mib() - before_mib
        counted = await flooding.pushes(session)

        peers.vendors["acct_unsigned"].put("r00001", name="Edited after the flood")
        edited_s = SystemClock().monotonic()
        url = f"http://127.0.0.1:{flooding.push_port}{unsigned}"
        async with session.post(url, data=b"{}") as answer:
            assert answer.status == 200
        await until(lambda: "Edited after the flood" in peers.seen)
        seen_s = SystemClock().monotonic() - edited_s

    figures["pushes"] = sum(result.statuses.values())
    figures["answered_within_s"] = round(result.lasted_s, 1)
    figures["worked_us_each"] = round(worked_s / sum(result.statuses.values()) * 1e6)
    figures["edit_seen_after_s"] = round(seen_s, 2)
    figures["memory_grown_mib"] = round(grown_mib, 1)
    each = PER_SECOND * SECONDS // 4
    assert result.statuses == {
        "unsigned 200": each,
        "signed 200": each,
        "forged 404": each,
        "strange 404": each,
    }
    assert counted == {"heard": 2 * each, "forged": each, "unknown": each}
    for count in reads.values():
        # By its own schedule and once in two seconds because of pushes, each at most.
        assert 1 <= count <= 2 * result.lasted_s / POLL_S + 4
    assert grown_mib < GROWTH_MIB_MAX
