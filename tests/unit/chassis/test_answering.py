"""Commands are answered by the connection that they came by, or not at all."""

import asyncio
import datetime
import random
from typing import ClassVar

import pytest

from proto import codec
from proto.auth import Account, AccountState, GetAccount
from proto.ids import AccountId, AppId, TenantId
from services.chassis.answering import AT_ONCE_MAX, Answerer
from services.chassis.errors import BusUnavailable
from tests.fakes import loop
from tests.fakes.broker import MemoryBroker
from tests.fakes.bus import MemoryBus
from tests.fakes.loop import Life

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
ACCOUNT = Account(
    account_id=AccountId("acct_1"), app=AppId("app"), state=AccountState.CONNECTED
)
ASK = GetAccount(tenant_id=TenantId("tnt_1"), account_id=ACCOUNT.account_id)
AWAY_AT_S, BACK_AT_S = 5.0, 10.0


async def answered(*, takes_s: float, at_once: int = 1) -> int:
    """Return how many commands got an answer, with NATS away for a while."""
    broker = MemoryBroker(random.Random(1))
    auth = MemoryBus(broker, service="auth", life=Life("auth"))
    api = MemoryBus(broker, service="api", life=Life("api"))

    async def answer(_command: GetAccount) -> Account:
        await asyncio.sleep(takes_s)
        return ACCOUNT

    await auth.answer(GetAccount, answer)
    at = loop.running().call_later
    at(AWAY_AT_S, broker.go_away)
    at(BACK_AT_S, lambda: broker.come_back(is_wiped=False))
    asking = (api.request(ASK, timeout_s=60.0) for _ in range(at_once))
    replies = await asyncio.gather(*asking, return_exceptions=True)
    assert all(each == ACCOUNT or isinstance(each, BusUnavailable) for each in replies)
    return replies.count(ACCOUNT)


@pytest.mark.parametrize(("takes_s", "count"), [(3.0, 1), (7.0, 0), (20.0, 0)])
def test_an_answer_goes_by_the_connection_that_its_command_came_by(takes_s, count):
    """Else it counts as a breach of our permissions, and the process is sick for good.

    One that was given while NATS was away stayed in the client until there was a new
    connection, and was sent by that.
    """
    assert loop.run(answered(takes_s=takes_s), start=START) == count


def test_a_command_that_waited_for_its_turn_has_come_by_the_connection_before():
    """It was taken for one of the new connection, when its turn came after that."""
    waiting = answered(takes_s=BACK_AT_S + 1.0, at_once=AT_ONCE_MAX + 1)
    assert loop.run(waiting, start=START) == 0


class Asked:
    """A command whose sender says itself where the answer is to go."""

    subject = "cmd.auth.get_account.v1"

    def __init__(self, reply: str) -> None:
        self.data = codec.encode(ASK)
        self.reply = reply
        self.answers: list[bytes] = []

    async def respond(self, data: bytes) -> None:
        self.answers.append(data)


class Client:
    """A connection over which one command comes."""

    is_connected = True
    stats: ClassVar = {"reconnects": 0}

    async def subscribe(self, _subject, *, queue, cb):
        assert queue == "auth"
        self.deliver = cb

    async def flush(self, timeout):  # noqa: ASYNC109
        """Everything is there at once."""


@pytest.mark.parametrize(
    ("reply", "count"),
    [
        ("_INBOX_api.1.2", 1),
        ("_INBOX_connector.1.2", 1),
        ("_INBOX_auth.1.2", 0),
        ("_INBOX_apis.1.2", 0),
        ("evt.auth.account_lost.v1.acct_1", 0),
        ("$JS.API.STREAM.DELETE.AUTH_INTERNAL", 0),
        ("", 0),
    ],
)
async def test_an_answer_goes_to_the_inbox_of_who_may_ask(reply, count):
    """NATS lets the one answer through to wherever the command says (hazard 128)."""
    client, carried_out = Client(), []

    async def answer(command: GetAccount) -> Account:
        carried_out.append(command)
        return ACCOUNT

    answerer = Answerer(client, service="auth")  # type: ignore[arg-type]
    await answerer.answer(GetAccount, answer)
    asked = Asked(reply)
    await client.deliver(asked)
    async with asyncio.timeout(5):
        while answerer._tasks:
            await asyncio.sleep(0)
    assert len(asked.answers) == len(carried_out) == count
