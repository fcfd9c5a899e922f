"""Receive once: the effect of a message and the memory of it commit together.

A message seen twice repeats its receipt and has no further effect. One that
cannot be handled is buried where an operator finds it, and receipted too, unless
nobody knows who sent it.
"""

import asyncio
import datetime
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import structlog
from prometheus_client import Counter

from proto import codec, subjects
from proto.base import Message
from proto.ids import MessageId
from services.chassis import loops, queries
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.dead_letters import Replayer
from services.chassis.errors import Unavailable
from services.chassis.outbox import Envelope, Receipt
from services.chassis.store import Store

log = structlog.get_logger()
Q = queries.load(Path(__file__).parent / "sql" / "queries.sql")

FETCH_WAIT_S: Final = 5.0
FAILURES_MAX: Final = 5
"""After so many failures of its handler a message is buried."""
KEPT: Final = datetime.timedelta(days=3)
"""How long a message is remembered; its sender has long given up repeating."""
FORGET_BATCH: Final = 5_000
FORGET_EVERY_S: Final = 600.0
REPLAY_EVERY_S: Final = 5.0
_COUNTED_MAX: Final = 10_000

RECEIVED = Counter("tandem_messages_received", "Messages handled", ["name", "result"])

Handler = Callable[[Any, Any], Awaitable[None]]
"""Called with the unit of work and the message; what it raises rolls both back."""


class Delivery(Protocol):
    """A message from the broker, to be settled one way or the other."""

    envelope: Envelope

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
    ) -> None:
        self._source = source
        self._store = store
        self._handlers = handlers
        self._service = service
        self._clock = clock
        self._replayer = Replayer(store, handlers, clock=clock)
        self._failures: OrderedDict[MessageId, int] = OrderedDict()

    async def run(self, stopping: asyncio.Event) -> None:
        """Receive every class of message until told to stop."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._interrupt_at(stopping))
            for message_class in self._handlers:
                group.create_task(self._run_one(message_class, stopping))
            group.create_task(
                loops.forever(
                    "inbox_pruning",
                    self.forget_old,
                    clock=self._clock,
                    stopping=stopping,
                    idle_s=FORGET_EVERY_S,
                )
            )
            group.create_task(
                loops.forever(
                    "dead_letter_replay",
                    self._replayer.step,
                    clock=self._clock,
                    stopping=stopping,
                    idle_s=REPLAY_EVERY_S,
                )
            )

    async def _interrupt_at(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._source.interrupt()

    async def _run_one(
        self, message_class: type[Message], stopping: asyncio.Event
    ) -> None:
        async def step() -> bool:
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
            # No receipt: it would go to whoever the message pretends to be from.
            await self._bury(envelope, reason="no service that may send it is named")
            RECEIVED.labels(name, "buried").inc()
            await delivery.acknowledge()
            return
        try:
            message = codec.decode(envelope.payload, message_class)
        except codec.Undecodable as err:
            await self._bury(envelope, reason=f"undecodable: {err.reason}")
            RECEIVED.labels(name, "buried").inc()
        else:
            if not await self._handle(message, delivery):
                RECEIVED.labels(name, "again").inc()
                return
            RECEIVED.labels(name, "done").inc()
        receipt = Receipt(receiver=self._service, message_ids=(envelope.message_id,))
        await self._source.send_receipt(envelope.sender, receipt)
        await delivery.acknowledge()

    async def forget_old(self) -> bool:
        """Forget a batch of messages that nobody repeats any more."""
        async with self._store.transaction() as work:
            count = await work.transaction.execute(
                Q["forget_messages"](
                    before=self._clock.now() - KEPT, limit=FORGET_BATCH
                )
            )
        return bool(count == FORGET_BATCH)

    async def _handle(self, message: Message, delivery: Delivery) -> bool:
        envelope = delivery.envelope
        with structlog.contextvars.bound_contextvars(
            message_id=envelope.message_id, tenant_id=message.tenant_id
        ):
            try:
                async with self._store.transaction() as work:
                    if await work.is_first_sight(envelope.message_id):
                        await self._handlers[type(message)](work, message)
            except Unavailable:
                # Nothing is wrong with the message: the loop backs off, and the
                # broker or the sender's outbox brings it again.
                raise
            except Exception as err:
                log.exception("handler_failed", subject=envelope.subject)
                return await self._count_failure(delivery, err)
        self._failures.pop(envelope.message_id, None)
        return True

    async def _count_failure(self, delivery: Delivery, error: Exception) -> bool:
        """Return True when the message is given up and buried."""
        message_id = delivery.envelope.message_id
        failures = self._failures.pop(message_id, 0) + 1
        if failures >= FAILURES_MAX:
            await self._bury(
                delivery.envelope, reason=f"handler failed: {type(error).__name__}"
            )
            return True
        self._failures[message_id] = failures
        if len(self._failures) > _COUNTED_MAX:
            self._failures.popitem(last=False)
        await delivery.refuse(delay_s=float(2**failures))
        return False

    async def _bury(self, envelope: Envelope, *, reason: str) -> None:
        async with self._store.transaction() as work:
            await work.bury(envelope, reason=reason)
        log.error("message_buried", subject=envelope.subject, reason=reason)


def _is_credible(envelope: Envelope, message_class: type[Message]) -> bool:
    """Say whether a message has an id and names a sender that may send its class."""
    may_send = subjects.publishers_of(message_class)
    return bool(envelope.message_id) and envelope.sender in may_send


async def count_dead_letters(database: Database) -> int:
    """Return how many messages wait for an operator."""
    row = await database.fetch_row(Q["count_dead_letters"]())
    return int(row["waiting"]) if row else 0
