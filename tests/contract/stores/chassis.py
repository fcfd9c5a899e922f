"""What any service's user can do: send, receive, bury, relay."""

import datetime
from collections.abc import Sequence
from typing import Any

from proto.base import Message
from proto.ids import MessageId, TenantId
from services.chassis import outbox
from services.chassis import store as chassis_store
from services.chassis.outbox import Envelope
from services.chassis.store import Work
from tests.contract.stores.program import Player, act, unordered

Q = chassis_store.Q
TENANTS = [TenantId("tnt_1"), TenantId("tnt_2")]
MESSAGES = [MessageId(f"msg_{number}") for number in range(4)]


class ChassisPlayer(Player):
    """A user that sends and receives."""

    receivers: tuple[str, ...] = ("reconciler", "api")
    sent: Sequence[tuple[str, str]] = ()

    def message(self) -> Message:
        """Return something that the service can send."""
        raise AssertionError("each service sends something else")

    @act(weight=3)
    async def send(self, work: Work) -> None:
        await work.send(*(self.message() for _ in range(self.source.randint(1, 3))))

    @act(weight=3, is_narrow=True)
    async def is_first_sight(self, work: Work) -> bool:
        return await work.is_first_sight(
            self.one(MESSAGES), tenant_id=self.one(TENANTS)
        )

    @act(weight=1, is_narrow=True)
    async def bury(self, work: Work) -> None:
        envelope = Envelope(
            tenant_id=self.one(TENANTS),
            message_id=self.one(MESSAGES),
            sender="auth",
            subject="evt.auth.account_lost.v1.acct_1",
            stream="auth",
            payload=b"{}",
        )
        await work.bury(envelope, reason=self.one(["one", "another"]))

    @act(weight=3)
    async def claim_outbox(self, work: Work) -> object:
        rows = await work.transaction.fetch(
            Q["claim_outbox"](
                now=self.clock.now(),
                limit=100,
                again_s=outbox.AGAIN_S,
                again_s_max=self.one([20.0, outbox.AGAIN_S_MAX]),
            )
        )
        self.sent = sorted((row["tenant_id"], row["message_id"]) for row in rows)
        return unordered(rows)

    @act(weight=3, is_narrow=True)
    async def close_outbox(self, work: Work) -> None:
        keys = self.some([*self.sent, ("tnt_1", "msg_unknown")])
        await work.transaction.execute(
            Q["close_outbox"](
                receiver=self.one([*self.receivers, ""]),
                tenant_ids=[tenant_id for tenant_id, _ in keys],
                message_ids=[message_id for _, message_id in keys],
            )
        )

    @act(weight=1)
    async def hasten_outbox(self, work: Work) -> object:
        query = Q["hasten_outbox"](now=self.clock.now())
        return await work.transaction.execute(query)

    @act(weight=1)
    async def count_outbox(self, work: Work) -> object:
        query = Q["count_outbox"](now=self.clock.now())
        return unordered(await work.transaction.fetch(query))

    @act(weight=1)
    async def forget_messages(self, work: Work) -> object:
        before = self.clock.now() - datetime.timedelta(seconds=60)
        query = Q["forget_messages"](before=before, limit=100)
        return await work.transaction.execute(query)

    @act(weight=1)
    async def forget_dead_letters(self, work: Work) -> object:
        query = Q["forget_dead_letters"](before=self.time(), limit=100)
        return await work.transaction.execute(query)

    @act(weight=1)
    async def dead_letters(self, work: Work) -> object:
        transaction = work.transaction
        counted = await transaction.fetch_row(Q["count_dead_letters"]())
        listed = await transaction.fetch(Q["list_dead_letters"](limit=2))
        answer = await transaction.fetch(Q["check_database"]())
        return [dict(counted), [dict(row) for row in listed], unordered(answer)]

    @act(weight=1)
    async def replay_dead_letters(self, work: Work) -> object:
        chosen = self.maybe(self.one(MESSAGES), chance=0.7)
        query = Q["replay_dead_letters"](chosen=chosen, now=self.clock.now())
        return await work.transaction.execute(query)

    @act(weight=1, is_narrow=True)
    async def take_dead_letter(self, work: Work) -> object:
        query = Q["take_dead_letter"](reason="being replayed")
        return unordered(await work.transaction.fetch(query))

    @act(weight=1, is_narrow=True)
    async def drop_dead_letter(self, work: Work) -> object:
        return await work.transaction.execute(Q["drop_dead_letter"](**self.key()))

    @act(weight=1, is_narrow=True)
    async def keep_dead_letter(self, work: Work) -> object:
        query = Q["keep_dead_letter"](
            **self.key(), reason="again", replay_at=self.maybe(self.time())
        )
        return await work.transaction.execute(query)

    @act(is_narrow=True)
    async def count_attempt(self, work: Work) -> object:
        query = Q["count_attempt"](**self.key(), now=self.clock.now())
        return unordered(await work.transaction.fetch(query))

    @act(weight=1)
    async def spare_attempts(self, work: Work) -> object:
        message_ids = self.some(MESSAGES)
        query = Q["spare_attempts"](
            tenant_ids=[self.one(TENANTS) for _ in message_ids],
            message_ids=message_ids,
            counts=[self.source.randint(1, 2) for _ in message_ids],
        )
        return await work.transaction.execute(query)

    @act(is_narrow=True)
    async def end_attempts(self, work: Work) -> None:
        key = self.key()
        await work.end_attempts(key["message_id"], tenant_id=key["tenant_id"])

    @act(weight=1)
    async def forget_attempts(self, work: Work) -> object:
        return await work.transaction.execute(Q["forget_attempts"](before=self.time()))

    def key(self) -> dict[str, Any]:
        """Draw a message."""
        return {"tenant_id": self.one(TENANTS), "message_id": self.one(MESSAGES)}
