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
from tests.servers import Database

pytestmark = pytest.mark.slow

PER_SECOND = 5_000
SECONDS = 10
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

    async def pushes(self, session: aiohttp.ClientSession) -> dict[str, int]:
        """Return what it counted, by outcome."""
        async with session.get(f"http://127.0.0.1:{self.http_port}/metrics") as answer:
            text = await answer.text()
        found = re.findall(r'connector_pushes_total\{outcome="(\w+)"\} ([\d.]+)', text)
        return {outcome: int(float(count)) for outcome, count in found if float(count)}


@contextlib.asynccontextmanager
async def connector(
    database: Database, broker, folder: Path, keys: Path
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


@pytest.mark.timeout(240)
async def test_a_flood_of_pushes_is_survived(
    database: Database, nats_server, tmp_path: Path
):
    """5,000 a second for 10 s, half of them forged or to nowhere."""
    key_file = tmp_path / "keys"
    key_file.write_text("qYk3H2v0b9Zl8mT1wXc5RjD7uEoGfPnS4aLiKhVtJyQ=\n")
    keys = pushing.load(key_file)
    seen: list[str] = []

    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        vendors = {each: await enter(Vendor().listening()) for each in ACCOUNTS}
        for vendor in vendors.values():
            vendor.add(5)

        async def issue(command: IssueToken) -> Token:
            return Token(
                kind=CredentialKind.BEARER,
                secret="t",
                base_url=vendors[command.account_id].base_url,
                version=1,
            )

        async def take(work: Work, message: Message) -> None:
            assert isinstance(message, ContactsObserved)
            names = [str(record.fields["name"]) for record in message.records]
            work.transaction.after_commit(lambda: seen.extend(names))

        auth = await enter(runtime_of("auth", database, nats_server))
        reconciler = await enter(runtime_of("reconciler", database, nats_server))
        # Its tables are made here; the process does its own work.
        await enter(runtime_of("connector", database, nats_server))
        stopping = asyncio.Event()
        stack.callback(stopping.set)
        await auth.bus.answer(IssueToken, issue)
        receiver = reconciler.receiver(reconciler.store(Work), {ContactsObserved: take})
        group = await enter(asyncio.TaskGroup())
        group.create_task(receiver.run(stopping))
        group.create_task(reconciler.relay.run(stopping))
        flooding = await enter(connector(database, nats_server, tmp_path, key_file))
        session = await enter(aiohttp.ClientSession())
        async with reconciler.store(Work).transaction(TENANT) as work:
            await work.send(
                *(
                    FollowAccount(
                        tenant_id=TENANT,
                        account_id=AccountId(account_id),
                        app=app,
                        is_wanted=True,
                        scan_id=ScanId("scan_1"),
                        asked_at=SystemClock().now(),
                    )
                    for account_id, app in ACCOUNTS.items()
                )
            )
        await until(lambda: len(seen) >= 5 * len(ACCOUNTS))
        before_mib = flooding.peak_mib()
        for vendor in vendors.values():
            vendor.calls.clear()

        signed = target(GIVEN, "acct_given")
        unsigned = keys.path(target(UNSIGNED, "acct_unsigned"))
        result = await flooded(
            Order(
                port=flooding.push_port,
                per_second=PER_SECOND,
                seconds=SECONDS,
                unsigned_path=unsigned,
                signed_path=keys.path(signed),
                secret=keys.signing_secrets(signed)[0].decode(),
            )
        )
        reads = {each: len(vendor.calls) for each, vendor in vendors.items()}
        grown_mib = flooding.peak_mib() - before_mib
        counted = await flooding.pushes(session)

        vendors["acct_unsigned"].put("r00001", name="Edited after the flood")
        edited_s = SystemClock().monotonic()
        url = f"http://127.0.0.1:{flooding.push_port}{unsigned}"
        async with session.post(url, data=b"{}") as answer:
            assert answer.status == 200
        await until(lambda: "Edited after the flood" in seen)
        seen_s = SystemClock().monotonic() - edited_s
        stopping.set()

    print(f"\n{result}\nreads {reads}, grown {grown_mib:.1f} MiB, edit {seen_s:.2f} s")
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
