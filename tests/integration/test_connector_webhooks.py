"""What apps push makes accounts due, and does nothing else (behaviour 27)."""

import asyncio
import contextlib

import pytest
from aiohttp import web

from proto.auth import Account, AccountState
from proto.ids import AccountId, AppId
from proto.pushes import AccountPush, ReadAccountPush
from services.chassis.errors import DatabaseUnavailable
from services.chassis.loops import Wake
from services.connector import clients, handlers, webhooks
from services.connector import hints as hints_module
from services.connector.handlers import Desk
from services.connector.hints import Hints
from services.connector.pushing import Site
from tests.fakes.clock import SkippingClock
from tests.integration.connector_pushing import (
    CLIENT,
    GIVEN,
    KEYS,
    UNSIGNED,
    URL,
    Pushed,
    registry,
    sign_given,
    target,
)
from tests.integration.connector_vendor import Vendor
from tests.integration.connector_world import ACCOUNT, TENANT, World
from tests.integration.connector_writes import create


@pytest.fixture
async def pushed():
    async with Pushed(None, SkippingClock()).listening() as listening:
        yield listening


@pytest.fixture
async def world(database):
    async with Vendor().listening() as vendor, World(database, vendor).standing() as w:
        yield w


def hints_of(world: World, **bounds) -> Hints:
    bounds = {"writing_s": 0.0} | bounds
    return Hints(world.store, reading=Wake(), clock=world.clock, **bounds)


def counted(outcome: str) -> float:
    return webhooks.PUSHES.labels(outcome)._value.get()


@pytest.mark.parametrize("app", [UNSIGNED, GIVEN])
async def test_a_push_is_answered_and_its_account_waits(pushed, app):
    before = counted("heard")
    assert await pushed.push(app) == 200
    assert pushed.waiting == ["acct_1"]
    assert counted("heard") == before + 1


async def test_a_push_to_a_client_is_for_the_accounts_that_it_names(pushed):
    body = b'[{"portal": "portal-2"}, {"portal": "portal-9"}, {"portal": "portal-2"}]'
    assert await pushed.push(CLIENT, body) == 200
    assert pushed.waiting == ["acct_2"]


async def test_the_client_is_asked_for_once_a_minute_however_many_push(pushed):
    bodies = [
        b'[{"portal": "portal-1"}, {"n": "%d", "portal": ""}]' % n for n in range(20)
    ]
    await asyncio.gather(*(pushed.push(CLIENT, body) for body in bodies))
    assert pushed.auth.asked == 1
    pushed.clock.move(61)
    assert await pushed.push(CLIENT, bodies[0]) == 200
    assert pushed.auth.asked == 2


async def test_while_auth_is_away_the_app_is_asked_to_push_again(pushed):
    pushed.auth.is_away = True
    body = b'[{"portal": "portal-1"}]'
    assert await pushed.push(CLIENT, body) == 503
    pushed.auth.is_away = False
    assert await pushed.push(CLIENT, body) == 200
    assert pushed.waiting == ["acct_1"]


async def test_a_push_that_was_not_heard_is_none_that_came_before(pushed, monkeypatch):
    """Auth goes away between a push's secret and its accounts."""
    monkeypatch.setattr(clients, "AGE_S_MAX", 0.0)
    pushed.auth.away_from = 2
    body, stamp = b'[{"portal": "portal-1"}]', pushed.stamp()
    assert await pushed.push(CLIENT, body, stamp=stamp) == 503
    assert pushed.waiting == []
    pushed.auth.away_from = None
    assert await pushed.push(CLIENT, body, stamp=stamp) == 200
    assert pushed.waiting == ["acct_1"]


async def test_without_a_client_nothing_is_believed(pushed):
    pushed.auth.secret = None
    assert await pushed.push(CLIENT, b'[{"portal": "portal-1"}]') == 404
    assert pushed.waiting == []


async def test_an_address_is_there_for_an_app_that_asks_by_get(pushed):
    assert await pushed.send(KEYS.path(target(UNSIGNED)), method="GET") == 200
    assert await pushed.send(KEYS.path(target(GIVEN)), method="GET") == 404
    assert await pushed.send(KEYS.path(target(UNSIGNED))[:-1], method="GET") == 404
    assert pushed.waiting == []


class Accounts:
    """Auth, which knows what app an account is of."""

    def __init__(self, app: str) -> None:
        self.app = AppId(app)

    async def request(self, command, **_times):
        return Account(
            account_id=command.account_id,
            app=self.app,
            state=AccountState.CONNECTED,
        )


def desk_of(pushed: Pushed, app: str, *, site: Site | None) -> Desk:
    unused = dict.fromkeys(("store", "transport", "credentials", "writing"))
    return Desk(
        bus=Accounts(app),
        registry=registry(),
        clock=pushed.clock,
        reading=pushed.reading,
        site=site,
        **unused,
    )


@pytest.mark.parametrize(
    ("app", "is_pushing", "has_secret"),
    [
        (UNSIGNED, True, False),
        (GIVEN, True, True),
        (CLIENT, True, False),
        ("silent", False, False),
    ],
)
async def test_the_address_that_is_shown_is_the_one_that_is_heard(
    pushed, app, is_pushing, has_secret
):
    command = ReadAccountPush(tenant_id=TENANT, account_id=ACCOUNT)
    desk = desk_of(pushed, app, site=Site(KEYS, URL))
    shown = await handlers.read_account_push(desk, command)
    assert bool(shown.signing_secret) == has_secret
    path = KEYS.path(target(app)) if is_pushing else ""
    assert shown.url == (URL + path if is_pushing else "")
    nowhere = desk_of(pushed, app, site=None)
    assert await handlers.read_account_push(nowhere, command) == AccountPush()
    if has_secret:
        stamp, secret = pushed.stamp(), shown.signing_secret.encode()
        sign = sign_given(secret, stamp=stamp, body=b"{}")
        assert await pushed.send(path, X_Stamp=stamp, X_Sign=sign) == 200
        assert pushed.waiting == [ACCOUNT]


async def test_a_body_that_is_too_large_is_not_read(pushed):
    path = KEYS.path(target())
    most = webhooks.BODY_BYTES_MAX
    assert await pushed.send(path, b"x" * most) == 200
    assert await pushed.send(path, b"x" * (most + 1)) == 413
    assert await pushed.send("/push/strange", b"x" * (most + 1)) == 404
    sent = _endless(most + 1)
    async with pushed.session.post(path, data=sent) as answer:
        assert answer.status == 404


async def _endless(count):
    yield b"x" * count


async def test_a_body_that_does_not_come_is_not_waited_for(pushed, monkeypatch):
    monkeypatch.setattr(webhooks, "BODY_TIMEOUT_S", 0.05)
    before = counted("broken")
    reader, writer = await asyncio.open_connection("127.0.0.1", pushed.port)
    head = (
        f"POST {KEYS.path(target())} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"
    )
    writer.write(head.encode() + b"half")
    assert b" 404 " in await reader.readline()
    writer.close()
    assert counted("broken") == before + 1
    assert pushed.waiting == []


async def test_bodies_in_hand_have_a_bound_and_strangers_take_none(pushed, monkeypatch):
    """Whoever does not know an address cannot use up what others need."""
    monkeypatch.setattr(webhooks, "IN_HAND_BYTES_MAX", webhooks.PUSH_BYTES + 100)
    path = KEYS.path(target())
    async with contextlib.AsyncExitStack() as stack:
        for where in ("/push/strange", path):
            _, writer = await asyncio.open_connection("127.0.0.1", pushed.port)
            stack.callback(writer.close)
            head = f"POST {where} HTTP/1.1\r\nHost: a\r\nContent-Length: 90\r\n\r\n"
            writer.write(head.encode())
            while where == path and not pushed.listener._in_hand_bytes:
                await asyncio.sleep(0.01)
        assert await pushed.send(path, b"x" * 11) == 503
        assert await pushed.send("/push/strange", b"x" * 11) == 404
    while pushed.listener._in_hand_bytes:
        await asyncio.sleep(0.01)
    assert await pushed.send(path, b"x" * 11) == 200


async def test_an_account_is_due_once_however_often_it_is_pushed(world):
    pushed = Pushed(world.store, world.clock)
    replica = world.replica()
    world.vendor.add(3)
    await world.follow(replica)
    await replica.read()
    world.vendor.calls.clear()
    async with pushed.listening():
        for number in range(50):
            world.vendor.put("r00001", name=f"Name {number}")
            assert await pushed.push(UNSIGNED, b"%d" % number) == 200
        await pushed.hints.make_due()
    await replica.read()
    await replica.read()
    assert world.vendor.calls == [("GET", "/api/changes")]


@pytest.mark.behaviour(
    27, broken_by="connector/hints.py: what comes while it rests is forgotten"
)
async def test_a_push_after_a_read_is_read_when_the_account_has_rested(world):
    """An edit between a read and the end of the rest has to wait, and is not lost."""
    hints = hints_of(world, every_s=2.0)
    replica = world.replica()
    await world.follow(replica)
    await replica.read()
    for _ in range(2):
        hints.add((TENANT, ACCOUNT))
        world.vendor.calls.clear()
        await hints.make_due()
        await replica.read()
        assert world.vendor.calls == [("GET", "/api/changes")]
        hints.add((TENANT, ACCOUNT))
        world.vendor.calls.clear()
        await hints.make_due()
        await replica.read()
        assert world.vendor.calls == []
        assert len(hints) == 1
        world.clock.move(2.0)


async def test_what_listings_show_late_is_read_once_more(world):
    """Counted from the last push: a listing that was read before it shows nothing."""
    hints = hints_of(world, every_s=2.0)
    replica = world.replica()
    await world.follow(replica)
    await replica.read()
    for passed_s, is_read in ((0, True), (19, False), (1, True), (5, False)):
        world.clock.move(passed_s)
        world.vendor.calls.clear()
        if not passed_s:
            hints.add((TENANT, ACCOUNT), shown_after_s=10.0)
            hints.add((TENANT, ACCOUNT), shown_after_s=20.0)
        await hints.make_due()
        await replica.read()
        assert bool(world.vendor.calls) is is_read, passed_s


async def test_while_an_account_is_written_to_its_pushes_are_read_less_often(world):
    """Apps tell of our own writes, too; a first sync makes thousands."""
    hints = hints_of(world, every_s=2.0, writing_s=20.0)
    replica = world.replica()
    await world.follow(replica)
    await replica.read()
    await world.ask_to_write(replica, create(world, 1))
    # Nobody writes: the intent stays open.
    for passed_s, is_read in ((0, True), (2, False), (17, False), (1, True)):
        world.clock.move(passed_s)
        world.vendor.calls.clear()
        hints.add((TENANT, ACCOUNT))
        await hints.make_due()
        await replica.read()
        assert bool(world.vendor.calls) is is_read, passed_s


async def test_a_push_while_an_account_is_read_has_it_read_again(world):
    """What was read is older than what the push tells of."""
    hints = hints_of(world, every_s=0.1)
    replica = world.replica()
    await world.follow(replica)
    await replica.read()
    world.clock.move(301)
    pushes = []

    async def push(request):
        if not pushes:
            pushes.append(request.path)
            hints.add((TENANT, ACCOUNT))
            await hints.make_due()

    world.vendor.faults.append(push)
    world.vendor.calls.clear()
    await replica.read()
    await replica.read()
    await replica.read()
    assert world.vendor.calls == [("GET", "/api/changes")] * 2


async def test_a_push_does_not_end_the_pause_of_an_account_that_fails(world):
    """Whoever pushes would have us call an app that has asked for a pause."""
    hints = hints_of(world, every_s=0.1)
    replica = world.replica()
    await world.follow(replica)
    await replica.read()
    world.clock.move(301)
    world.vendor.faults.append(lambda _request: web.json_response({}, status=429))
    await replica.read()
    world.vendor.calls.clear()
    hints.add((TENANT, ACCOUNT))
    await hints.make_due()
    await replica.read()
    assert world.vendor.calls == []


async def test_a_push_for_who_is_not_followed_or_is_gone_does_nothing(world):
    hints = hints_of(world, every_s=0.1)
    replica = world.replica()
    await world.follow(replica)
    await world.follow(replica, is_wanted=False)
    hints.add((TENANT, ACCOUNT))
    hints.add((TENANT, AccountId("acct_gone")))
    before = await world.account()
    await hints.make_due()
    assert await world.account() == before
    assert len(hints) == 0


async def test_hints_beyond_the_bound_are_dropped_and_counted(world):
    hints = hints_of(world, every_s=0.1, waiting_max=10)
    before = hints_module.DROPPED._value.get()
    for _ in range(2):
        for number in range(25):
            hints.add((TENANT, AccountId(f"acct_{number}")), shown_after_s=9.0)
    assert len(hints) == len(hints._later_s) == 10
    assert hints_module.DROPPED._value.get() == before + 30


class AwayStore:
    """A database that is away for a while."""

    def __init__(self, store) -> None:
        self.store = store
        self.is_away = True

    def transaction(self, scope):
        if self.is_away:
            raise DatabaseUnavailable("away")
        return self.store.transaction(scope)


async def test_hints_outlast_an_outage_of_the_database(world):
    away = AwayStore(world.store)
    hints = Hints(away, reading=Wake(), every_s=2.0, writing_s=0.0, clock=world.clock)
    replica = world.replica()
    await world.follow(replica)
    await replica.read()
    world.vendor.calls.clear()
    hints.add((TENANT, ACCOUNT))
    with pytest.raises(DatabaseUnavailable):
        await hints.make_due()
    assert len(hints) == 1
    away.is_away = False
    await hints.make_due()
    await replica.read()
    assert world.vendor.calls == [("GET", "/api/changes")]
