"""What the connector's own code makes of each fate of a call, and what was done."""

import asyncio
import datetime
import random

import msgspec
import pytest

from proto.fields import Role
from proto.ids import AppId
from services.chassis.addresses import Guard
from services.connector import exchange
from services.connector.exchange import NoAnswer, NotSent
from services.connector.port import Answer, Call
from tests.fakes import loop
from tests.simulation.ledger import Act, Ledger
from tests.simulation.vendors import catalogue, wire
from tests.simulation.vendors.api import Vendor
from tests.simulation.vendors.line import Line
from tests.simulation.vendors.messages import Request
from tests.simulation.vendors.session import Outside
from tests.simulation.vendors.ways import LATE_S_MAX, TIMEOUT_S, Markers, Ways
from tests.simulation.vendors.weather import Fate, Weather

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
EXPECTED = {
    Fate.FINE: (Answer, 1),
    Fate.UNREACHABLE: (NotSent, 0),
    Fate.RESET: (NoAnswer, 0),
    Fate.FAILS_BEFORE: (Answer, 0),
    Fate.BUSY: (Answer, 0),
    Fate.LIMITED: (Answer, 0),
    Fate.PAGE: (Answer, 0),
    Fate.LATE: (NoAnswer, 1),
    Fate.LOST: (NoAnswer, 1),
    Fate.CUT: (NoAnswer, 1),
    Fate.FAILS_AFTER: (Answer, 1),
    Fate.GARBLED: (Answer, 1),
    Fate.TWICE: (Answer, 1),
}


class Setting:
    """A vendor behind a line, and a token for it."""

    def __init__(self, fate: Fate, **more) -> None:
        running = loop.running()
        clock = loop.VirtualClock(running)
        ways = Ways(app=AppId("sim_a"), roles=(Role.EMAIL,), **more)
        self.ledger = Ledger()
        self.vendor = Vendor(
            ways, ledger=self.ledger, now=lambda: clock.now().timestamp()
        )
        self.book = self.vendor.open_book("acme")
        self.line = Line(self.vendor, source=random.Random(1))
        self.line.weather = Weather(chances={fate: 1.0}, total=1.0)
        self.outside = Outside([self.line])
        self.base_url = catalogue.manifest(self.vendor).base_url
        self.token = self.vendor.oauth.give("acme", now=self.vendor.now()).access_token

    async def call(self, call: Call) -> Answer:
        async with self.outside.open_session(Guard(())) as session:
            return await exchange.exchange(
                session,
                call,
                url=exchange.url_of(call, base_url=self.base_url),
                headers={"Authorization": f"Bearer {self.token}"},
                timeout_s=TIMEOUT_S,
            )


@pytest.mark.parametrize(("fate", "expected"), list(EXPECTED.items()))
def test_a_write_has_the_fate_that_was_drawn(fate, expected):
    async def act():
        setting = Setting(fate)
        body = msgspec.json.encode(wire.Draft(fields={"email": "a@x.example"}))
        call = Call(method="POST", path="/people", body=body, is_write=True)
        try:
            told: object = await setting.call(call)
        except (NoAnswer, NotSent) as err:
            told = err
        await loop.VirtualClock(loop.running()).sleep(LATE_S_MAX)
        return told, len(setting.ledger.entries), setting

    told, count, _ = loop.run(act(), start=START)
    assert (type(told), count) == expected


def test_what_the_network_doubles_was_sent_once():
    """I10 is about what we send: a doubled call was one call too many in a second."""

    async def act():
        setting = Setting(Fate.TWICE)
        path = "/people/nobody"
        call = Call(method="PATCH", path=path, body=b"{}", is_write=True)
        await setting.call(call)
        await loop.VirtualClock(loop.running()).sleep(LATE_S_MAX)
        [calls] = setting.line.vendor.calls.values()
        return calls.count, len(calls.sent)

    assert loop.run(act(), start=START) == (2, 1)


def test_what_the_network_doubles_is_known_as_one_call():
    """What it takes back is not held against us the second time (hazard 39)."""

    async def act():
        setting = Setting(Fate.TWICE)
        record_id = setting.book.create({"email": "a@x.example"})
        body = msgspec.json.encode(wire.Draft(fields={"email": "b@x.example"}))
        path = f"/people/{record_id}"
        await setting.call(Call(method="PATCH", path=path, body=body, is_write=True))
        await loop.VirtualClock(loop.running()).sleep(LATE_S_MAX)
        first, again = (entry.cause for entry in setting.ledger.ours())
        return first.is_doubled, again == msgspec.structs.replace(
            first, is_doubled=True
        )

    assert loop.run(act(), start=START) == (False, True)


def test_what_the_network_doubles_makes_nobody_again_whom_a_user_deleted():
    """It was taken for a resurrection of ours (seed 781)."""

    async def act():
        setting = Setting(Fate.TWICE, markers=Markers.UNIQUE)
        deleted = []

        def delete(entry):
            if entry.act is Act.CREATE:
                deleted.append(entry.record_id)
                loop.running().call_soon(setting.book.delete, entry.record_id)

        setting.ledger.watchers.append(delete)
        body = msgspec.json.encode(wire.Draft(marker="m-1"))
        call = Call(method="POST", path="/people", body=body, is_write=True)
        await setting.call(call)
        await loop.VirtualClock(loop.running()).sleep(LATE_S_MAX)
        return len(deleted)

    assert loop.run(act(), start=START) == 1


def test_what_is_sent_arrives_although_its_sender_is_gone():
    async def act():
        setting = Setting(Fate.FINE)
        body = msgspec.json.encode(wire.Draft(fields={"email": "a@x.example"}))
        call = Call(method="POST", path="/people", body=body, is_write=True)
        life = loop.Life("sender")
        life.start(setting.call(call))
        clock = loop.VirtualClock(loop.running())
        await clock.sleep(0.001)
        life.end()
        await clock.sleep(1.0)
        return len(setting.ledger.entries)

    assert loop.run(act(), start=START) == 1


@pytest.mark.parametrize(
    ("fate", "is_there", "is_told"),
    [
        (Fate.FINE, True, True),
        (Fate.FINE, False, False),
        (Fate.LOST, True, False),
        (Fate.GARBLED, True, False),
        (Fate.FAILS_AFTER, True, False),
    ],
)
def test_what_nobody_hears_tells_nothing(fate, is_there, is_told):
    """It was taken for known what a process had asked that died (seed 66058)."""

    async def act():
        setting = Setting(fate, lag_s=2.0)
        clock = loop.VirtualClock(loop.running())
        record_id = setting.book.create({"email": "a@x.example"})
        await clock.sleep(3.0)
        life = loop.Life("sender")
        asked = life.start(setting.call(Call(method="GET", path="/people")))
        await clock.sleep(0.001)
        if not is_there:
            life.end()
        await asyncio.wait([asked])
        await clock.sleep(LATE_S_MAX)
        [calls] = setting.vendor.calls.values()
        assert len(calls.appeared[record_id]) == 1
        return calls.sights.get(record_id, [])

    sights = loop.run(act(), start=START)
    assert [at - as_of > 2.0 for at, as_of in sights] == ([True] if is_told else [])


@pytest.mark.parametrize(("secret", "has_failed"), [("s", True), ("wrong", False)])
def test_a_token_endpoint_that_fails_answers_for_the_token_that_it_got(
    secret, has_failed
):
    """Whoever was not let in presented none: the last one there was somebody else's."""

    async def act():
        setting = Setting(Fate.FAILS_AFTER)
        oauth = setting.vendor.oauth
        oauth.clients["c"] = "s"
        theirs, ours = (oauth.give("acme", now=0.0).refresh_token for _ in range(2))
        form = {"grant_type": "refresh_token", "client_id": "c", "client_secret": "s"}
        theirs_form = form | {"refresh_token": theirs}
        oauth.handle(
            Request(method="POST", path="/oauth/token", form=theirs_form), now=0.0
        )
        form |= {"refresh_token": ours, "client_secret": secret}
        request = Request(method="POST", path="/oauth/token", form=form)
        assert (await setting.line.send(request)).status >= 500
        return [each for each in oauth.presented if each.has_failed], ours

    failed, ours = loop.run(act(), start=START)
    assert [each.token for each in failed] == ([ours] if has_failed else [])


@pytest.mark.parametrize(
    ("fate", "shown"), [(Fate.FINE, 4), (Fate.SHORT, 2), (Fate.EMPTY, 0)]
)
def test_a_listing_may_be_untrue(fate, shown):
    async def act():
        setting = Setting(fate)
        for number in range(4):
            setting.book.create({"email": f"p{number}@x.example"})
        answer = await setting.call(Call(method="GET", path="/people"))
        [calls] = setting.vendor.calls.values()
        appeared = {each for each, times in calls.appeared.items() if times}
        return answer.decode(wire.People).people, appeared, set(calls.sights)

    people, appeared, told = loop.run(act(), start=START)
    assert {person.id for person in people} == appeared == told
    assert len(people) == shown
