"""Commands are answered by the connection that they came by, or not at all."""

import asyncio
import datetime
import random

import pytest

from proto.auth import Account, AccountState, GetAccount
from proto.ids import AccountId, AppId, TenantId
from services.chassis.answering import AT_ONCE_MAX
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
