"""Dead letters on a real database: whose they are, how long, and a second chance."""

import argparse
import json

import pytest

from proto import codec
from proto.connector import ContactsObserved
from proto.ids import MessageId, TenantId
from services.chassis import dead_letters
from services.chassis.dead_letters import Replayer
from services.chassis.errands import Desk
from services.chassis.errors import DatabaseUnavailable
from services.chassis.inbox import count_dead_letters
from services.chassis.outbox import Envelope
from services.chassis.process import Runtime
from services.chassis.store import Work
from services.chassis.tenancy import ALL_TENANTS
from tests.fakes.clock import MovableClock
from tests.integration.chassis_world import EVENT, TENANT, service

DAY_S = 86_400.0


@pytest.fixture
async def reconciler(database, nats_server):
    async with service("reconciler", database, nats_server) as runtime:
        yield runtime


def envelope(message_id: str = "msg_1", tenant_id: TenantId = TENANT) -> Envelope:
    return Envelope(
        tenant_id=tenant_id,
        message_id=MessageId(message_id),
        sender="connector",
        subject="evt.connector.contacts_observed.v1.acct_1",
        stream="CONNECTOR_INTERNAL",
        payload=codec.encode(EVENT),
    )


def desk_of(runtime: Runtime) -> Desk:
    return Desk(
        settings=runtime.settings,
        clock=runtime.clock,
        identifiers=runtime.identifiers,
        store=runtime.store(Work),
    )


async def bury(runtime: Runtime, *envelopes: Envelope) -> None:
    async with runtime.store(Work).transaction(ALL_TENANTS) as work:
        for each in envelopes:
            await work.bury(each, reason="handler failed: ValueError")


async def listed(runtime: Runtime, capsys) -> list[dict]:
    capsys.readouterr()
    shown = argparse.Namespace(replay=None)
    assert await dead_letters.ERRAND.do(desk_of(runtime), shown) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


async def test_each_message_without_an_id_is_kept(reconciler, capsys):
    """The second one was taken for the first, and nobody ever saw it."""
    await bury(reconciler, envelope(""), envelope(""))
    letters = await listed(reconciler, capsys)
    assert len({letter["message_id"] for letter in letters}) == 2
    assert all(letter["message_id"].startswith("msg_") for letter in letters)


async def test_letters_of_two_tenants_do_not_meet(reconciler, capsys):
    await bury(reconciler, envelope(), envelope(), envelope(tenant_id="tnt_2"))
    letters = await listed(reconciler, capsys)
    assert sorted(each["tenant_id"] for each in letters) == ["tnt_1", "tnt_2"]


async def test_letters_are_kept_for_a_month_unless_an_operator_wants_them(
    reconciler, capsys
):
    """They hold contact values, so they may not lie there for ever."""
    clock = MovableClock()
    replayer = Replayer(reconciler.store(Work), {}, clock=clock)
    await bury(reconciler, envelope("msg_1"), envelope("msg_2"))
    clock.move(29 * DAY_S)
    assert not await replayer.forget_old()
    asked = argparse.Namespace(replay="msg_2")
    assert await dead_letters.ERRAND.do(desk_of(reconciler), asked) == 0
    clock.move(2 * DAY_S)
    assert not await replayer.forget_old()
    letters = await listed(reconciler, capsys)
    assert [each["message_id"] for each in letters] == ["msg_2"]


async def test_a_buried_message_is_listed_without_content_and_replayed(
    reconciler, capsys
):
    store = reconciler.store(Work)
    is_mended = False
    seen: list[ContactsObserved] = []

    async def handle(work: Work, message: ContactsObserved) -> None:
        if not is_mended:
            raise ValueError("somebody@example.com")
        seen.append(message)

    async with store.transaction(TENANT) as work:
        await work.bury(
            envelope(),
            reason="handler failed: ValueError",
        )
    desk = desk_of(reconciler)
    asked = argparse.Namespace(replay="all")
    replayer = Replayer(store, {ContactsObserved: handle}, clock=reconciler.clock)

    assert not await replayer.step()
    assert await dead_letters.ERRAND.do(desk, asked) == 0
    assert await replayer.step()
    assert await count_dead_letters(reconciler.database) == 1

    capsys.readouterr()
    assert await dead_letters.ERRAND.do(desk, argparse.Namespace(replay=None)) == 0
    listed = capsys.readouterr().out
    assert "msg_1" in listed
    assert "replay failed: ValueError" in listed
    assert "read_at" not in listed
    assert "somebody" not in listed

    is_mended = True
    assert await dead_letters.ERRAND.do(desk, asked) == 0
    assert await replayer.step()
    assert seen == [EVENT]
    assert await count_dead_letters(reconciler.database) == 0
    unknown = argparse.Namespace(replay="msg_2")
    assert await dead_letters.ERRAND.do(desk, unknown) == 1


class Killed(BaseException):
    """The process is gone: nothing after this is done by it."""


async def test_a_letter_that_ends_whoever_replays_it_does_so_once(reconciler, capsys):
    """It was still due when the service came back, and ended it again."""

    async def handle(work: Work, message: ContactsObserved) -> None:
        raise Killed

    def restarted() -> Replayer:
        store, clock = reconciler.store(Work), reconciler.clock
        return Replayer(store, {ContactsObserved: handle}, clock=clock)

    await bury(reconciler, envelope())
    asked = argparse.Namespace(replay="all")
    assert await dead_letters.ERRAND.do(desk_of(reconciler), asked) == 0
    with pytest.raises(Killed):
        await restarted().step()
    assert not await restarted().step()
    (letter,) = await listed(reconciler, capsys)
    assert letter["reason"] == dead_letters.CUT_OFF


async def test_a_replay_that_an_outage_cut_off_goes_on_after_it(reconciler, capsys):
    seen: list[ContactsObserved] = []
    outages = 3

    async def handle(work: Work, message: ContactsObserved) -> None:
        nonlocal outages
        outages -= 1
        if outages >= 0:
            raise DatabaseUnavailable("ConnectionResetError")
        seen.append(message)

    store, clock = reconciler.store(Work), reconciler.clock
    replayer = Replayer(store, {ContactsObserved: handle}, clock=clock)
    await bury(reconciler, envelope())
    asked = argparse.Namespace(replay="all")
    assert await dead_letters.ERRAND.do(desk_of(reconciler), asked) == 0
    for _ in range(3):
        with pytest.raises(DatabaseUnavailable):
            await replayer.step()
    assert await replayer.step()
    assert seen == [EVENT]
    assert await listed(reconciler, capsys) == []
