"""Calls leave when it is their turn, and not in a bunch some time later (I10)."""

import asyncio
import contextlib
import datetime
import random
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest

from proto.auth import CredentialKind, Token
from proto.connector import AuthMethod, Capabilities
from proto.ids import AccountId, AppId, TenantId
from services.chassis.identifiers import Identifiers
from services.chassis.loops import Wake
from services.chassis.store import Store
from services.connector.accounts import AccountRef, Claim
from services.connector.config import Config
from services.connector.credentials import Credentials
from services.connector.manifest import Limits, Manifest
from services.connector.pacing import Lane
from services.connector.port import Call
from services.connector.registry import Entry, Registry
from services.connector.store import ConnectorWork
from services.connector.transport import Transport
from services.connector.turns import SKEW_S, Leases
from tests.fakes import loop
from tests.fakes.database.database import MemoryDatabase
from tests.fakes.loop import VirtualClock
from tests.simulation.vendors.messages import Response
from tests.simulation.vendors.session import Answered

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
APP = AppId("sample")
REF = AccountRef(TenantId("tnt_1"), AccountId("acct_1"), APP)
OTHER = AccountRef(TenantId("tnt_1"), AccountId("acct_2"), APP)
THIRD = AccountRef(TenantId("tnt_1"), AccountId("acct_3"), APP)
READ = Call(method="GET", path="/x")
MANIFEST = Manifest(
    app=APP,
    name="Sample",
    tier="bronze",
    auth_method=AuthMethod.OAUTH,
    limits=Limits(calls_per_second=1, concurrent_calls=5),
    capabilities=Capabilities(),
    base_url="https://sample.example",
)


class App:
    """An app that no answer surprises."""

    def __init__(self, _manifest: Manifest, _facts: object) -> None:
        """Remember nothing."""


class Auth:
    """Issues a token, after a while."""

    def __init__(self) -> None:
        self.delay_s = 0.0

    async def request(self, _command: Any, *, timeout_s: float = 10.0) -> Token:
        del timeout_s
        await asyncio.sleep(self.delay_s)
        return Token(kind=CredentialKind.BEARER, secret="s-1", version=1)


class Session:
    """Notes when calls leave; each takes the app a while."""

    def __init__(self, clock: VirtualClock, *, takes_s: float) -> None:
        self.sent_at: list[float] = []
        self._clock = clock
        self._takes_s = takes_s

    @contextlib.asynccontextmanager
    async def request(self, *_what: object, **_how: object) -> AsyncIterator[Answered]:
        self.sent_at.append(self._clock.monotonic())
        await asyncio.sleep(self._takes_s)
        yield Answered(Response(status=200, body=b"{}"))


class Bench:
    """A transport in virtual time."""

    def __init__(
        self,
        *,
        takes_s: float = 0.0,
        calls_at_once_max: int = 9,
        ahead_s: float = 0.0,
    ) -> None:
        self.clock = VirtualClock(loop.running(), ahead_s=ahead_s)
        self.auth = Auth()
        self.session = Session(self.clock, takes_s=takes_s)
        session: Any = self.session
        self.transport = Transport(
            session,
            Registry({APP: Entry(MANIFEST, App)}),
            credentials=Credentials(self.auth, self.clock),
            settings=Config(
                database_url="", nats_url="", calls_at_once_max=calls_at_once_max
            ),
            clock=self.clock,
        )

    async def read(self, ref: AccountRef = REF) -> None:
        def operation() -> Any:
            yield READ

        opened = await self.transport.open(ref)
        await self.transport.drive(opened, operation(), lane=Lane.POLL)


class Replica:
    """A process that claims the account and calls for it."""

    def __init__(
        self, database: MemoryDatabase, owner: str, *, ahead_s: float = 0.0
    ) -> None:
        self.bench = Bench(ahead_s=ahead_s)
        clock = self.bench.clock
        self.store = Store(
            database.as_service("connector"),
            ConnectorWork,
            clock=clock,
            identifiers=Identifiers(clock, random.Random(owner)),
            relay_wake=Wake(),
        )
        self.leases = Leases(
            self.store, self.bench.transport, owner=owner, lease_s=30.0, clock=clock
        )

    async def follow(self) -> None:
        async with self.store.transaction(REF.tenant_id) as work:
            await work.follow(REF, is_wanted=True, asked_at=START, scan_id=None)

    async def claim(self) -> list[Claim]:
        return await self.leases.claim(is_writing=False, busy=[], limit=9)


SOON = datetime.timedelta(seconds=2)


def gaps_s(moments: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(moments)]


def test_calls_that_waited_for_a_token_do_not_leave_together():
    """The turns of calls came one by one while auth was slow, and then they left."""

    async def play():
        bench = Bench()
        await bench.read()
        await bench.clock.sleep(61.0)
        # The token in hand is too old by now, and the account open all the same.
        bench.auth.delay_s = 8.0
        opened = await bench.transport.open(REF)
        await bench.clock.sleep(55.0)
        bench.session.sent_at.clear()

        def operation() -> Any:
            yield READ

        calls = [
            bench.transport.drive(opened, operation(), lane=Lane.POLL) for _ in range(4)
        ]
        await bench.clock.sleep(6.0)
        await asyncio.gather(*calls)
        return bench.session.sent_at

    sent_at = loop.run(play(), start=START)
    assert len(sent_at) == 4
    assert min(gaps_s(sent_at)) >= 1.0


def test_calls_that_waited_for_a_place_do_not_leave_together():
    """A process that has all its places taken lets turns pass by."""

    async def play():
        bench = Bench(takes_s=7.0, calls_at_once_max=2)
        others = [bench.read(OTHER), bench.read(THIRD)]
        await asyncio.gather(*others, *(bench.read() for _ in range(3)))
        return bench.session.sent_at[len(others) :]

    sent_at = loop.run(play(), start=START)
    assert len(sent_at) == 3
    assert min(gaps_s(sent_at)) >= 1.0


def test_an_account_that_waits_for_its_turn_takes_no_place_of_others():
    """Hazard 107: the one place of the process is free until a turn comes."""

    async def play():
        bench = Bench(calls_at_once_max=1)
        slow = [asyncio.create_task(bench.read()) for _ in range(9)]
        await bench.clock.sleep(1.5)
        before_s = bench.clock.monotonic()
        await bench.read(OTHER)
        took_s = bench.clock.monotonic() - before_s
        await asyncio.gather(*slow)
        return took_s

    assert loop.run(play(), start=START) < 0.1


@pytest.mark.parametrize("ahead_s", [-10.0, 0.0, 10.0])
def test_who_takes_an_account_over_waits_until_the_last_calls_are_past(ahead_s):
    """Hazard 45: two replicas each kept the pace, and the app got twice as many calls.

    Whoever made the calls knows of them, and may go on at once. A clock that is ahead
    of theirs brings nobody forward, though both are five seconds off (seed 1044).
    """

    async def play():
        database = MemoryDatabase(random.Random(1))
        first = Replica(database, "one")
        second = Replica(database, "two", ahead_s=ahead_s)
        await first.follow()
        await first.bench.clock.sleep(SKEW_S)
        [claim] = await first.claim()
        await first.bench.read()
        await first.leases.release(claim)
        assert await second.claim() == []
        [again] = await first.claim()
        await first.leases.release(again)
        await first.bench.clock.sleep(1.1 + SKEW_S - ahead_s)
        [claim] = await second.claim()
        await second.leases.release(claim)
        await first.bench.clock.sleep(max(ahead_s, 0.0))
        assert len(await first.claim()) == 1, "nobody called, so nobody has to wait"

    loop.run(play(), start=START)


@pytest.mark.parametrize("ahead_s", [-10.0, 10.0])
def test_what_is_read_of_an_account_is_never_older_by_another_replica_s_clock(ahead_s):
    """Hazard 19: an app's own answer to a write counted as older than what came before.

    Another replica had read that just before, by a clock that was ahead, and some time
    had passed since its last call. Where the app does not tell when a record changed,
    the record then looked as if somebody had edited it back.
    """

    async def play():
        database = MemoryDatabase(random.Random(1))
        first = Replica(database, "one")
        second = Replica(database, "two", ahead_s=ahead_s)
        await first.follow()
        await first.bench.clock.sleep(SKEW_S)
        [claim] = await first.claim()
        await first.bench.read()
        read_at = first.bench.clock.now()
        await first.bench.clock.sleep(1.1)
        await first.leases.release(claim)
        while not await second.claim():
            assert second.bench.clock.now() < read_at + SOON, "it waits in vain"
            await second.bench.clock.sleep(0.5)
        assert second.bench.clock.now() > read_at

    loop.run(play(), start=START)
