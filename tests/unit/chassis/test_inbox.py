"""A message that names no tenant is kept for an operator, and for nobody else."""

import datetime
import random

import msgspec
import pytest

from proto import codec
from proto.auth import AccountLost
from proto.ids import AccountId, MessageId, TenantId
from services.chassis.clock import SystemClock
from services.chassis.identifiers import Identifiers
from services.chassis.inbox import Receiver
from services.chassis.loops import Wake
from services.chassis.outbox import Envelope
from services.chassis.store import Store, Work
from tests.fakes import loop
from tests.fakes.database.database import MemoryDatabase

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
LOST = AccountLost(
    tenant_id=TenantId("tnt_1"), account_id=AccountId("acct_1"), at=START
)


class Delivery:
    """A message from auth, and what became of it."""

    is_repeated = False

    def __init__(self, message: AccountLost) -> None:
        self.envelope = Envelope(
            tenant_id=message.tenant_id,
            message_id=MessageId("msg_1"),
            sender="auth",
            subject="evt.auth.account_lost.v1.acct_1",
            stream="AUTH_INTERNAL",
            payload=codec.encode(message),
        )
        self.is_settled = False

    async def acknowledge(self) -> None:
        self.is_settled = True


class Source:
    """Takes receipts, and tells nobody of them."""

    async def send_receipt(self, sender: str, _receipt: object) -> None:
        assert sender == "auth"


@pytest.mark.parametrize(
    ("tenant_id", "is_handled"),
    [("tnt_1", True), ("", False), ("*", False), ("a'; RESET ROLE; --", False)],
)
def test_a_message_without_a_tenant_is_buried(tenant_id, is_handled):
    """It was tried for ever: whatever was stored for it needed a tenant, too."""
    database = MemoryDatabase(random.Random(1))
    delivery = Delivery(msgspec.structs.replace(LOST, tenant_id=tenant_id))
    handled = []

    async def handle(_work: Work, message: AccountLost) -> None:
        handled.append(message)

    async def receive() -> None:
        clock = SystemClock()
        store = Store(
            database.as_service("reconciler"),
            Work,
            clock=clock,
            identifiers=Identifiers(clock),
            relay_wake=Wake(),
        )
        receiver = Receiver(
            Source(),  # type: ignore[arg-type]
            store,
            handlers={AccountLost: handle},
            service="reconciler",
            clock=clock,
            replay_idle_s=1.0,
        )
        await receiver.receive(AccountLost, delivery)  # type: ignore[arg-type]

    loop.run(receive(), start=START)
    assert delivery.is_settled
    assert bool(handled) is is_handled
    buried = database.rows("reconciler.dead_letters")
    assert [row["reason"] for row in buried] == (
        [] if is_handled else ["undecodable: it names no tenant"]
    )
