"""Accounts of one client share its limits, whosever they are, whoever calls (I10)."""

import asyncio
import contextlib
import datetime

import msgspec
import pytest

from proto.connector import FollowAccount, WriteContacts, WriteKind
from proto.ids import AccountId, RecordId, ScanId, TenantId
from proto.record import Consent
from services.chassis.queries import Query
from services.connector.accounts import AccountRef
from services.connector.manifest import CountedBy, Limits
from services.connector.pacing import Lane
from services.connector.turns import SKEW_S
from tests.fakes.clock import JointClock
from tests.integration.connector_vendor import APP, Vendor
from tests.integration.connector_world import CONNECTION, World
from tests.integration.connector_writes import write

REFS = [
    AccountRef(TenantId(f"tnt_{n}"), AccountId(f"acct_{n}"), APP) for n in range(1, 4)
]
A_SECOND = 4
AT_ONCE = 24
PAGES = 12


class Desk:
    """A vendor that counts by client, and replicas that call it for three tenants."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.called_s: list[float] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.is_reached = asyncio.Event()
        world.vendor.faults.append(self._note)

    async def _note(self, _request: object) -> None:
        self.called_s.append(self.world.clock.monotonic())
        self.is_reached.set()
        gate = self.gate
        await gate.wait()

    async def are_called(self, count: int) -> None:
        """Wait until so many calls have come."""
        while len(self.called_s) < count:
            self.is_reached.clear()
            await self.is_reached.wait()

    def open_for_later_calls(self) -> asyncio.Event:
        """Let calls through from now on; return what those that came still wait for."""
        shut, self.gate = self.gate, asyncio.Event()
        self.gate.set()
        return shut

    async def follow(self, replica, *refs: AccountRef) -> None:
        for ref in refs:
            message = FollowAccount(
                tenant_id=ref.tenant_id,
                account_id=ref.account_id,
                app=APP,
                is_wanted=True,
                scan_id=ScanId("scan_1"),
                asked_at=self.world.clock.now(),
            )
            await self.world.receive(replica, message)

    async def stored(self, ref: AccountRef):
        async with self.world.store.transaction(ref.tenant_id) as work:
            return await work.get_account(ref.tenant_id, ref.account_id)

    async def is_read(self, ref: AccountRef) -> bool:
        return (await self.stored(ref)).done_scan_id == "scan_1"

    def calls_a_second(self) -> float:
        """Return how fast calls came, but for those that the first second may hold."""
        later = len(self.called_s) - A_SECOND
        return later / (self.called_s[-1] - self.called_s[0])


@pytest.fixture
async def desk(database):
    async with contextlib.AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(Vendor().listening())
        world = World(database, vendor)
        world.clock = JointClock()
        world.auth.limited_by = "client"
        world.manifest = msgspec.structs.replace(
            world.manifest,
            limits=Limits(
                counted_by=CountedBy.CLIENT,
                calls_per_second=A_SECOND,
                concurrent_calls=AT_ONCE,
                timeout_s=9.0,
            ),
        )
        world.settings = msgspec.structs.replace(
            world.settings, calls_per_second_max=None
        )
        await stack.enter_async_context(world.standing())
        vendor.add(PAGES * vendor.page_size - 1)
        yield Desk(world)


async def test_accounts_of_a_client_are_called_no_faster_than_one_of_them(desk):
    replica = desk.world.replica()
    await desk.follow(replica, *REFS)
    await replica.read()
    assert [await desk.is_read(ref) for ref in REFS] == [True] * 3
    assert len(desk.called_s) == 3 * PAGES
    assert desk.calls_a_second() <= A_SECOND


async def test_accounts_of_other_clients_have_limits_of_their_own(desk):
    replica = desk.world.replica()
    await desk.follow(replica, REFS[0])
    await replica.read()
    desk.world.auth.limited_by = "another client"
    await desk.follow(replica, REFS[1])
    await replica.read()
    first, second = (replica.transport.budget_of(ref) for ref in REFS[:2])
    assert first is not second
    assert replica.transport.budget_of(REFS[0]) is first


async def test_one_replica_calls_for_all_accounts_of_a_client(desk):
    """Another one gives back what it took, and does not take it again and again."""
    one, other = desk.world.replica(), desk.world.replica()
    desk.gate.clear()
    await desk.follow(one, REFS[0])
    async with asyncio.TaskGroup() as group:
        group.create_task(one.read())
        await desk.is_reached.wait()
        await desk.follow(other, REFS[1])
        for _ in range(3):
            await other.read()
        assert len(desk.called_s) == 1
        version = (await desk.stored(REFS[1])).lease_version
        assert version == 1
        desk.gate.set()
    assert await desk.is_read(REFS[0])
    await other.read()
    assert not await desk.is_read(REFS[1]), "its calls would come on top"
    desk.world.clock.move(SKEW_S + 2)
    await other.read()
    assert await desk.is_read(REFS[1])
    assert desk.calls_a_second() <= A_SECOND


async def test_the_accounts_of_a_replica_that_died_are_taken_over(desk):
    one, other = desk.world.replica(), desk.world.replica()
    desk.gate.clear()
    await desk.follow(one, REFS[0])
    await desk.follow(other, REFS[1])
    await one.poller.turns.start_due()
    await desk.are_called(2)
    await other.read()
    assert not await desk.is_read(REFS[1])
    desk.world.clock.move(desk.world.settings.lease_s + 1)
    last_calls = desk.open_for_later_calls()
    await other.read()
    assert await desk.is_read(REFS[1])
    last_calls.set()
    await asyncio.wait_for(one.poller.turns.settle(), 20)
    assert len(desk.called_s) == 2 + 2 * PAGES, "it was not dead, yet calls no more"


async def test_a_lease_that_was_lost_is_noticed_before_anything_is_sent(desk):
    one, other = desk.world.replica(), desk.world.replica()
    await desk.follow(one, *REFS)
    (claim, *_) = await one.leases.claim(is_writing=False, busy=[], limit=1)
    assert await one.leases.join(claim)
    assert one.leases.is_ours(claim)
    async with one.leases.borrowed(REFS[2]) as is_ours:
        assert is_ours, "its limit is ours already"
    async with other.leases.borrowed(REFS[1]) as is_ours:
        assert not is_ours
    async with desk.world.pool.transaction(claim.ref.tenant_id) as transaction:
        await transaction.execute(taken_by("replica-2"))
    await one.leases.renew()
    assert not one.leases.is_ours(claim)


def taken_by(owner: str) -> Query:
    return Query("take", "UPDATE shared_limits SET lease_owner = $1", (owner,))


async def test_the_days_calls_are_counted_for_all_and_for_each(desk):
    """Whoever takes over knows what the others have spent (hazard 46)."""
    one, other = desk.world.replica(), desk.world.replica()
    await desk.follow(one, *REFS[:2])
    await one.read()
    assert [(await desk.stored(ref)).calls_today for ref in REFS[:2]] == [PAGES] * 2
    limits = msgspec.structs.replace(
        desk.world.manifest.limits, calls_per_day=round(2 * PAGES / 0.7)
    )
    desk.world.manifest = msgspec.structs.replace(desk.world.manifest, limits=limits)
    other = desk.world.replica()
    desk.world.clock.move(60)
    await desk.follow(other, REFS[2])
    await other.read()
    assert len(desk.world.vendor.made("GET", "/api/contacts")) == 2 * PAGES
    assert (await desk.stored(REFS[2])).error_code == "quota_exhausted"


async def test_an_unsubscribe_does_not_wait_for_the_scans_of_others(desk):
    """Hazard 107, across tenants: three calls of it, among hundreds."""
    replica, world = desk.world.replica(), desk.world
    world.vendor.add(200 * world.vendor.page_size)
    await desk.follow(replica, *REFS[:2])
    async with asyncio.TaskGroup() as group:
        scans = group.create_task(replica.read())
        await desk.is_reached.wait()
        began_s, made = world.clock.monotonic(), len(desk.called_s)
        ref = REFS[2]
        message = WriteContacts(
            tenant_id=ref.tenant_id,
            account_id=ref.account_id,
            app=APP,
            connection_id=CONNECTION,
            writes=(
                write(
                    world,
                    1,
                    WriteKind.UPDATE,
                    record_id=RecordId("r00001"),
                    consent=Consent.UNSUBSCRIBED,
                    is_urgent=True,
                    not_after=world.clock.now() + datetime.timedelta(hours=1),
                ),
            ),
        )
        await world.receive(replica, message)
        await replica.write()
        assert world.vendor.contacts["r00001"].consent == "unsubscribed"
        assert not scans.done()
        assert world.clock.monotonic() - began_s < 10
        assert len(desk.called_s) - made < 30
    assert desk.calls_a_second() <= A_SECOND


async def test_consent_has_most_turns_beside_the_scans_of_others(desk):
    """Three of four, about; if all three only took turns, it would be one of three."""
    transport = desk.world.replica().transport
    *scanning, quiet = [await transport.open(ref) for ref in REFS]
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            for account in scanning:
                scan = account.app.scan(None)
                group.create_task(transport.drive(account, scan, lane=Lane.SCAN))
            get = quiet.app.get([RecordId("r00001")])
            group.create_task(transport.drive(quiet, get, lane=Lane.CONSENT))
    is_theirs = [path != "/api/contacts" for _, path in desk.world.vendor.calls]
    assert is_theirs.count(True) == AT_ONCE
    last = len(is_theirs) - is_theirs[::-1].index(True)
    assert last <= 2 * AT_ONCE
