"""How emulators push: in order, in batches, and only what somebody is to be told."""

import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import msgspec
import pytest
from aiohttp import web

from tests.emulators.core import hooks
from tests.emulators.core.account import Account, JournalLine, Opening
from tests.emulators.core.clock import Clock
from tests.emulators.core.hooks import UNANSWERED, Hook, Request
from tests.emulators.core.settings import Behaviour
from tests.emulators.core.statistics import Statistics


class Hooks(hooks.Hooks):
    events_max = 3

    def events_of(self, _account: Account[Any], line: JournalLine) -> Iterable[object]:
        return line.fields

    def request(self, hook: Hook, events: Sequence[Any]) -> Request:
        return Request(msgspec.json.encode([hook.secret, *events]), {"X-Kind": "a"})


class Contact:
    last_writer = ""
    api_writes = 0
    user_writes = 0


class Listener:
    """Somebody who is told."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.asked: list[str] = []
        self.status = 200
        self.url = ""

    async def answer(self, request: web.BaseRequest) -> web.Response:
        if request.method == "GET":
            self.asked.append(request.path)
        else:
            self.heard.append(msgspec.json.decode(await request.read()))
        return web.Response(status=self.status)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator["Listener"]:
        runner = web.ServerRunner(web.Server(self.answer))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/here"
        yield self
        await runner.cleanup()


def account(told: Hooks, account_id: str = "a") -> Account[Any]:
    opening = Opening(account_id, 0, told.clock, Statistics(), Behaviour())
    found: Account[Any] = Account(opening, account_id=account_id)
    found.tell = lambda line: told.tell(found, line)
    return found


def change(of: Account[Any], *fields: str, who: str = "user") -> None:
    of.note(Contact(), contact_id=1, who=who, operation="change", fields=fields)


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    async with Listener().listening() as standing:
        yield standing


async def test_changes_are_told_in_order_and_in_batches(listener):
    told = Hooks(Clock())
    told.enter(Hook(url=listener.url, account_id="a", secret="s"))
    async with told.running():
        own, other = account(told), account(told, "b")
        change(own, "1", "2")
        change(own, "seeded", who="seed")
        change(other, "not theirs")
        change(own, "3", "4", who="api")
        assert [one.status for one in await told.settled()] == [200, 200]
        assert listener.heard == [["s", "1", "2", "3"], ["s", "4"]]


async def test_what_does_not_go_together_goes_in_pushes_of_its_own(listener):
    class Sorted(Hooks):
        def go_together(self, first: Any, event: Any) -> bool:
            return bool(first[0] == event[0])

    told = Sorted(Clock())
    told.enter(Hook(url=listener.url, account_id="a"))
    async with told.running():
        change(account(told), "a1", "a2", "b1", "a3")
        await told.settled()
        assert listener.heard == [["", "a1", "a2"], ["", "b1"], ["", "a3"]]


async def test_an_address_of_all_accounts_is_told_of_each(listener):
    class All(Hooks):
        is_for_all = True

    told = All(Clock())
    told.enter(Hook(url=listener.url))
    async with told.running():
        for name in ("a", "b"):
            change(account(told, name), name)
        await told.settled()
        assert listener.heard == [["", "a", "b"]]


async def test_an_address_that_has_to_answer_is_none_until_it_does(listener):
    class Asking(Hooks):
        asks_by_get = True

    told = Asking(Clock())
    async with told.running():
        for status, count in ((404, 0), (200, 1)):
            listener.status = status
            told.enter(Hook(url=listener.url, account_id="a"))
            assert (await told.settled())[-1].status == status
            assert len(told.entered) == count
        assert listener.asked == ["/here", "/here"]


async def test_what_nobody_takes_is_sent_once(listener):
    told = Hooks(Clock())
    told.enter(Hook(url="http://127.0.0.1:1/", account_id="a"))
    async with told.running():
        change(account(told), "1")
        assert [one.status for one in await told.settled()] == [UNANSWERED]
