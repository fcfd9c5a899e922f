"""Receive once: the effect of a message and the memory of it commit together.

A message seen twice repeats its receipt and has no further effect. One that
cannot be handled, or ends whoever handles it, is buried where an operator finds it,
and receipted too, unless nobody knows who sent it.
"""

import asyncio
import datetime
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
import structlog
from prometheus_client import Counter

from proto import codec, subjects
from proto.base import Message
from services.chassis import loops, queries, tenancy
from services.chassis.attempts import ATTEMPTS_MAX, Attempts
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.dead_letters import Replayer
from services.chassis.errors import Unavailable
from services.chassis.outbox import NOBODY, Envelope, Receipt
from services.chassis.retention import Rule
from services.chassis.store import Store
from services.chassis.tenancy import ALL_TENANTS

log = structlog.get_logger()
Q = queries.load(Path(__file__).parent / "sql" / "queries.sql")

FETCH_WAIT_S: Final = 5.0
KEPT: Final = datetime.timedelta(days=3)
"""How long a message is remembered; its sender has long given up repeating."""
FORGET_BATCH: Final = 5_000

RECEIVED = Counter("tandem_messages_received", "Messages handled", ["name", "result"])

Handler = Callable[[Any, Any], Awaitable[None]]
"""Called with the unit of work and the message; what it raises rolls both back."""


class Delivery(Protocol):
    """A message from the broker, to be settled one way or the other."""

    envelope: Envelope
    is_repeated: bool
    """Whether it was delivered before, as far as broker and sender know."""

    async def acknowledge(self) -> None:
        """Tell the broker that it can forget the message."""

    async def refuse(self, *, delay_s: float) -> None:
        """Ask the broker to deliver it again later."""


class Source(Protocol):
    """The part of the bus that receivers use."""

    async def fetch(
        self, message_class: type[Message], *, wait_s: float
    ) -> Delivery | None:
        """Return a waiting message of a class, or none when the wait is over."""

    def interrupt(self) -> None:
        """End every fetch that is waiting."""

    async def send_receipt(self, sender: str, receipt: Receipt) -> None:
        """Tell the sender what is committed here."""


class Receiver:
    """Handles the events and jobs that one service must get."""

    def __init__(
        self,
        source: Source,
        store: Store[Any],
        *,
        handlers: Mapping[type[Message], Handler],
        service: str,
        clock: Clock,
        replay_idle_s: float,
    ) -> None:
        self._source = source
        self._store = store
        self._handlers = handlers
        self._service = service
        self._clock = clock
        self._replay_idle_s = replay_idle_s
        self._replayer = Replayer(store, handlers, clock=clock)
        self._attempts = Attempts(store, clock=clock)

    async def run(self, stopping: asyncio.Event) -> None:
        """Receive every class of message until told to stop."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._interrupt_at(stopping))
            for message_class in self._handlers:
                group.create_task(self._run_one(message_class, stopping))
            group.create_task(
                loops.forever(
                    "dead_letter_replay",
                    self._replayer.step,
                    clock=self._clock,
                    stopping=stopping,
                    idle_s=self._replay_idle_s,
                )
            )

    def rules(self) -> list[Rule]:
        """Return what is to be taken away by its age of what receiving leaves."""
        return [
            Rule("inbox", self.forget_old),
            Rule("dead_letters", self._replayer.forget_old),
        ]

    async def _interrupt_at(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._source.interrupt()

    async def _run_one(
        self, message_class: type[Message], stopping: asyncio.Event
    ) -> None:
        async def step() -> bool:
            await self._attempts.settle()
            delivery = await self._source.fetch(message_class, wait_s=FETCH_WAIT_S)
            if delivery is not None:
                await self.receive(message_class, delivery)
            return True

        await loops.forever(
            f"receive_{message_class.__name__}",
            step,
            clock=self._clock,
            stopping=stopping,
            idle_s=0.0,
        )

    async def receive(self, message_class: type[Message], delivery: Delivery) -> None:
        """Handle one delivery to its end: effect, receipt, acknowledgement."""
        envelope = delivery.envelope
        name = message_class.__name__
        if not _is_credible(envelope, message_class):
            # No receipt: it would go to whoever the message pretends to be from. Nor
            # is it believed whose message it is, and a sender that is none of ours may
            # be any text at all.
            sender = envelope.sender if envelope.sender in subjects.SERVICES else ""
            envelope = msgspec.structs.replace(
                envelope, tenant_id=NOBODY, sender=sender
            )
            await self._bury(envelope, reason="no service that may send it is named")
            RECEIVED.labels(name, "buried").inc()
            await delivery.acknowledge()
            return
        try:
            message = _message_in(envelope, message_class)
        except codec.Undecodable as err:
            await self._bury(envelope, reason=f"undecodable: {err.reason}")
            RECEIVED.labels(name, "buried").inc()
        else:
            # What is stored with a message is stored for the tenant that it names.
            envelope = msgspec.structs.replace(envelope, tenant_id=message.tenant_id)
            if not await self._handle(message, delivery, envelope=envelope):
                RECEIVED.labels(name, "again").inc()
                return
            RECEIVED.labels(name, "done").inc()
        receipt = Receipt(
            receiver=self._service,
            tenant_id=envelope.tenant_id,
            message_ids=(envelope.message_id,),
        )
        await self._source.send_receipt(envelope.sender, receipt)
        await delivery.acknowledge()

    async def forget_old(self) -> bool:
        """Forget a batch of messages that nobody repeats any more."""
        async with self._store.transaction(ALL_TENANTS) as work:
            before = self._clock.now() - KEPT
            count = await work.transaction.execute(
                Q["forget_messages"](before=before, limit=FORGET_BATCH)
            )
            await work.transaction.execute(Q["forget_attempts"](before=before))
        return bool(count == FORGET_BATCH)

    async def _handle(
        self, message: Message, delivery: Delivery, *, envelope: Envelope
    ) -> bool:
        """Return True when the message is done with: it took effect or is buried."""
        with structlog.contextvars.bound_contextvars(
            message_id=envelope.message_id, tenant_id=envelope.tenant_id
        ):
            attempts = 0
            if delivery.is_repeated:
                attempts = await self._attempts.count(envelope)
            if attempts > ATTEMPTS_MAX:
                await self._bury(envelope, reason="no attempt came to an end")
                return True
            try:
                await self._take(message, envelope, is_counted=attempts > 0)
            except Unavailable:
                # Nothing is wrong with the message: the loop backs off, and the
                # broker or the sender's outbox brings it again.
                if attempts:
                    self._attempts.spare(envelope)
                raise
            except Exception as err:
                log.exception("handler_failed", subject=envelope.subject)
                attempts = attempts or await self._attempts.count(envelope)
                if attempts < ATTEMPTS_MAX:
                    await delivery.refuse(delay_s=float(2**attempts))
                    return False
                reason = f"handler failed: {type(err).__name__}"
                await self._bury(envelope, reason=reason)
        return True

    async def _take(
        self, message: Message, envelope: Envelope, *, is_counted: bool
    ) -> None:
        """Let a message take its effect, if it has not yet."""
        message_id, tenant_id = envelope.message_id, envelope.tenant_id
        async with self._store.transaction(tenant_id) as work:
            if await work.is_first_sight(message_id, tenant_id=tenant_id):
                await self._handlers[type(message)](work, message)
            if is_counted:
                await work.end_attempts(message_id, tenant_id=tenant_id)

    async def _bury(self, envelope: Envelope, *, reason: str) -> None:
        # Whose it is may be what is wrong with it.
        async with self._store.transaction(ALL_TENANTS) as work:
            await work.bury(envelope, reason=reason)
        log.error("message_buried", subject=envelope.subject, reason=reason)


def _message_in(envelope: Envelope, message_class: type[Message]) -> Message:
    """Return the message of an envelope.

    Raises:
        codec.Undecodable: It is none, or it names nobody as its tenant.
    """
    message = codec.decode(envelope.payload, message_class)
    if not tenancy.is_tenant(message.tenant_id):
        raise codec.Undecodable("it names no tenant")
    return message


def _is_credible(envelope: Envelope, message_class: type[Message]) -> bool:
    """Say whether a message has an id and names a sender that may send its class."""
    may_send = subjects.publishers_of(message_class)
    return bool(envelope.message_id) and envelope.sender in may_send


async def count_dead_letters(database: Database) -> int:
    """Return how many messages wait for an operator."""
    row = await database.reader(ALL_TENANTS).fetch_row(Q["count_dead_letters"]())
    return int(row["waiting"]) if row else 0
