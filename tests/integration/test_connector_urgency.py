"""What carries an unsubscribe goes ahead of everything else, however much waits."""

import asyncio
import contextlib
import datetime
import json

import msgspec
import pytest

from proto.connector import WriteContacts, WriteKind, WriteOutcome
from proto.errors import ErrorCode
from proto.ids import AccountId, IntentId, RecordId
from proto.record import Consent
from services.connector import writer
from tests.integration.connector_vendor import APP, Vendor
from tests.integration.connector_world import CONNECTION, REF, TENANT, World
from tests.integration.connector_writes import carried_out, create, look, update, write

CONSENT_S_MAX = 30.0
"""Hazards, S19."""
QUEUED = 10_000
OTHER = AccountId("acct_2")


@contextlib.asynccontextmanager
async def standing(database, **settings):
    async with (
        Vendor().listening() as vendor,
        World(database, vendor).standing() as world,
    ):
        world.settings = msgspec.structs.replace(
            world.settings, lease_s=1_000_000.0, **settings
        )
        yield world


def unsubscribe(world, number: int, **values):
    return write(
        world,
        number,
        WriteKind.UPDATE,
        record_id=RecordId("r00001"),
        consent=Consent.UNSUBSCRIBED,
        is_urgent=True,
        not_after=later(world),
        **values,
    )


def later(world) -> datetime.datetime:
    return world.clock.now() + datetime.timedelta(hours=9)


def updates(world, numbers, *, first: int = 1):
    return [
        update(world, n, seen=f"P{n}", name=f"New {n}", not_after=later(world))
        for n in numbers
    ]


class Watch:
    """Notes what is written, and when an unsubscribe arrives at the vendor."""

    def __init__(self, world) -> None:
        self.world = world
        self.written: list[str] = []
        self.unsubscribed_s: float | None = None
        world.vendor.faults.append(self._note)

    async def _note(self, request):
        if request.method in ("PUT", "POST"):
            body = json.loads(await request.read())
            self.written.append(request.path.rpartition("/")[2])
            if body.get("consent") == "unsubscribed" and self.unsubscribed_s is None:
                self.unsubscribed_s = self.world.clock.monotonic()


async def test_an_unsubscribe_is_sent_before_what_is_older(database):
    async with standing(database, calls_per_second_max=4.0) as world:
        world.vendor.add(40)
        watch = Watch(world)
        replica = world.replica()
        await world.ask_to_write(replica, *updates(world, range(2, 41)))
        world.clock.move(10)
        await world.ask_to_write(replica, unsubscribe(world, 1))
        await replica.write()
        assert watch.written[0] == "r00001"
        assert len(watch.written) == 40


@pytest.mark.parametrize("queued_first", [0, 37])
async def test_ten_thousand_updates_do_not_hold_up_an_unsubscribe(
    database, queued_first
):
    """Hazard 84, S19: it comes while they are being written."""
    async with standing(database, calls_per_second_max=4.0) as world:
        world.vendor.add(QUEUED)
        watch = Watch(world)
        replica = world.replica()
        replica.writer._stopping = asyncio.Event()
        asked_s: list[float] = []

        async def asks(request):
            if request.method == "PUT" and not asked_s:
                if len(watch.written) < queued_first:
                    return
                asked_s.append(world.clock.monotonic())
                await world.ask_to_write(replica, unsubscribe(world, 0))
            elif watch.unsubscribed_s is not None:
                replica.writer._stopping.set()

        world.vendor.faults.append(asks)
        queued = updates(world, range(1, QUEUED + 1))
        for start in range(0, QUEUED, 500):
            await world.ask_to_write(replica, *queued[start : start + 500])
        await replica.write()
        assert watch.unsubscribed_s is not None
        assert watch.unsubscribed_s - asked_s[0] <= CONSENT_S_MAX
        assert len(watch.written) < queued_first + 100
        results = {r.intent_id: r for r in await world.take_results()}
        assert results["int_0"].outcome is WriteOutcome.WRITTEN
        assert results["int_0"].record.consent is Consent.UNSUBSCRIBED


async def test_an_app_that_answers_slowly_does_not_hold_it_up_either(database):
    """However fast it may be called: a hundred writes of two seconds are minutes."""
    async with standing(database) as world:
        world.vendor.add(300)
        watch = Watch(world)
        replica = world.replica()
        asked_s: list[float] = []

        async def slow(request):
            world.clock.move(0.5)
            if request.method == "PUT" and len(watch.written) == 150:
                asked_s.append(world.clock.monotonic())
                await world.ask_to_write(replica, unsubscribe(world, 0))

        world.vendor.faults.append(slow)
        await world.ask_to_write(replica, *updates(world, range(1, 301)))
        await replica.write()
        assert watch.unsubscribed_s - asked_s[0] <= CONSENT_S_MAX
        assert len(await world.take_results()) == 301


async def test_other_accounts_make_room_for_an_unsubscribe(database):
    """A turn lasted until its account had nothing left, be it for hours."""
    async with standing(
        database, calls_per_second_max=4.0, accounts_at_once_max=1
    ) as world:
        world.vendor.add(400)
        watch = Watch(world)
        replica = world.replica()
        await world.ask_to_write(replica, *updates(world, range(1, 301)))
        asked_s: list[float] = []

        async def asks(request):
            if request.method == "PUT" and not asked_s:
                asked_s.append(world.clock.monotonic())
                await world.receive(
                    replica,
                    WriteContacts(
                        tenant_id=TENANT,
                        account_id=OTHER,
                        app=APP,
                        connection_id=CONNECTION,
                        writes=(unsubscribe(world, 0),),
                    ),
                )

        world.vendor.faults.append(asks)
        for _ in range(100):
            await replica.write()
            if len(watch.written) == 301:
                break
        assert len(watch.written) == 301
        assert watch.unsubscribed_s - asked_s[0] <= CONSENT_S_MAX


async def test_a_turn_that_nobody_waits_for_is_not_cut_short(database):
    async with standing(database, calls_per_second_max=4.0) as world:
        world.vendor.add(100)
        began_s = world.clock.monotonic()
        found = await carried_out(world, *updates(world, range(1, 101)))
        assert len(found) == 100
        assert world.clock.monotonic() - began_s > 2 * writer.TURN_S


async def test_the_last_calls_of_the_day_are_kept_for_unsubscribes(database):
    """Hazard 46."""
    async with standing(database, calls_per_second_max=None) as world:
        world.vendor.add(2)
        replica = world.replica()
        today = world.clock.now().date()
        replica.transport.budget_of(REF).set_stored(day=today, count=96_000)
        await world.ask_to_write(
            replica, *updates(world, [2]), create(world, 3), unsubscribe(world, 1)
        )
        await replica.write()
        found = {r.intent_id: r for r in await world.take_results()}
        assert found["int_1"].outcome is WriteOutcome.WRITTEN
        assert found["int_2"].outcome is WriteOutcome.STALE
        assert found["int_2"].reason is ErrorCode.QUOTA_EXHAUSTED
        assert len(world.vendor.made("PUT")) == 1


async def test_the_question_what_became_of_an_unsubscribe_is_as_urgent(database):
    async with standing(database, calls_per_second_max=4.0) as world:
        world.vendor.add(30)
        world.vendor.cuts.append("PUT")
        replica = world.replica()
        await world.ask_to_write(replica, unsubscribe(world, 1))
        await replica.write()
        (unknown,) = await world.take_results()
        assert unknown.outcome is WriteOutcome.UNKNOWN
        await world.ask_to_write(replica, *updates(world, range(2, 31)))
        world.clock.move(10)
        await world.ask_to_write(replica, look(world, 1, record_id=RecordId("r00001")))
        world.vendor.calls.clear()
        await replica.write()
        assert world.vendor.made("GET", "/api/contacts/")[0].endswith("r00001")
        (looked, *_) = await world.take_results()
        assert looked.outcome is WriteOutcome.EXISTS
        assert looked.record.consent is Consent.UNSUBSCRIBED


async def test_an_unsubscribe_that_cannot_be_written_holds_up_nothing_else(database):
    async with standing(database, calls_per_second_max=4.0) as world:
        world.vendor.add(20)
        gone = msgspec.structs.replace(
            unsubscribe(world, 1),
            intent_id=IntentId("int_gone"),
            record_id=RecordId("gone"),
        )
        found = await carried_out(world, gone, *updates(world, range(2, 21)))
        assert found["int_gone"].outcome is WriteOutcome.MISSING
        assert len(found) == 20
