"""A process's connection to the broker in memory, with the methods of the real one.

Messages go as bytes, answers go through the real answering side, and every method
is a place where the process can be killed.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar, cast

from proto import codec, subjects
from proto.base import Command, Message, Reply
from proto.errors import ErrorReply
from services.chassis import dialling
from services.chassis.answering import Answerer, CommandHandler
from services.chassis.bus import COMMAND_TIMEOUT_S, NOBODY_THERE_S, PUBLISH_TIMEOUT_S
from services.chassis.errors import BusUnavailable, CommandFailed
from services.chassis.inbox import Delivery
from services.chassis.outbox import Envelope, Receipt
from tests.fakes.broker import LATENCY_S, Asked, Member, MemoryBroker
from tests.fakes.loop import Life

WAIT_S_MIN: Final = 300.0
"""What a wait for messages lasts; whoever stops ends it, and a message does."""

R = TypeVar("R", bound=Reply)


class MemoryBus:
    """One process's connection, with the methods of ``services.chassis.bus.Bus``."""

    def __init__(
        self,
        broker: MemoryBroker,
        *,
        service: str,
        life: Life,
        on_reconnected: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.life = life
        self._broker = broker
        self._service = service
        self._on_reconnected = on_reconnected
        self._fetching: dict[asyncio.Future[None], None] = {}
        self._client = _Client(broker, life=life)
        self._answerer = Answerer(cast("Any", self._client), service=service)
        broker.connect(self)

    @property
    def is_connected(self) -> bool:
        return self._broker.is_up

    async def request(
        self, command: Command[R], *, timeout_s: float = COMMAND_TIMEOUT_S
    ) -> R:
        self._pass("request", type(command))
        try:
            async with asyncio.timeout(timeout_s):
                data = await self._ask(command)
        except TimeoutError as err:
            raise BusUnavailable("TimeoutError") from err
        self._pass("replied", type(command))
        reply = codec.decode(data, cast("type[Reply]", command.reply | ErrorReply))
        if isinstance(reply, ErrorReply):
            raise CommandFailed.of(reply)
        return cast("R", reply)

    async def answer(
        self, command_class: type[Command[Any]], handler: CommandHandler
    ) -> None:
        await self._answerer.answer(command_class, handler)

    async def publish(self, envelope: Envelope) -> None:
        place = ".".join(envelope.subject.split(".")[1:3])
        self.life.pass_by(f"bus publish {place}")
        if not self._broker.is_up:
            await asyncio.sleep(PUBLISH_TIMEOUT_S)
            raise BusUnavailable("TimeoutError")
        broker = self._broker
        is_refused = broker.happens(broker.faults.refuses)
        if not is_refused or broker.happens(0.5):
            try:
                broker.store(envelope)
            except BusUnavailable:
                await self.ensure_streams()
                raise
            broker.note("bus", "published", envelope.subject, envelope.message_id)
        await broker.pass_time()
        self.life.pass_by(f"bus published {place}")
        if is_refused:
            raise BusUnavailable("TimeoutError")

    async def fetch(
        self, message_class: type[Message], *, wait_s: float
    ) -> Delivery | None:
        """Return a message, or none when the wait is over.

        A short wait becomes a long one: beginning it anew changes little, and costs
        steps of the loop.
        """
        self._pass("fetch", message_class)
        if not self._broker.is_up:
            raise BusUnavailable("ConnectionClosedError")
        consumer = self._broker.consumer(message_class, self._service)
        waiting: asyncio.Future[None] = _loop().create_future()
        self._fetching[waiting] = None
        timer = _loop().call_later(max(wait_s, WAIT_S_MIN), _end, waiting)
        try:
            delivery = await consumer.next(waiting, life=self.life)
        finally:
            timer.cancel()
            self._fetching.pop(waiting, None)
        self._pass("fetched", message_class)
        return delivery

    async def receive_receipts(self, take: Callable[[Receipt], None]) -> None:
        def receive(message: Asked) -> None:
            take(codec.decode(message.data, Receipt))

        subject = subjects.receipt_subject(self._service)
        self._broker.subscribe(Member(subject, receive, life=self.life))

    async def send_receipt(self, sender: str, receipt: Receipt) -> None:
        assert sender in subjects.SERVICES
        self.life.pass_by("bus receipt")
        broker = self._broker
        member = broker.member(subjects.receipt_subject(sender))
        is_lost = not broker.is_up or broker.happens(broker.faults.loses_receipts)
        if member is None or is_lost:
            broker.counts["receipt lost"] += 1
            return
        message = Asked(codec.encode(receipt))
        delay_s = broker.source.uniform(*LATENCY_S)
        _loop().call_later(delay_s, member.deliver, message)

    async def ensure_streams(self) -> None:
        self._pass("ensure_streams")
        if not self._broker.is_up:
            raise BusUnavailable("TimeoutError")
        self._broker.add_streams(self._service)

    def forget_consumers(self) -> None:
        self.interrupt()

    def interrupt(self) -> None:
        for waiting in list(self._fetching):
            _end(waiting)

    async def settle(self, *, timeout_s: float) -> None:
        self._pass("settle")
        await self._answerer.settle(timeout_s=timeout_s)

    async def drain(self, *, timeout_s: float) -> None:
        await self.settle(timeout_s=timeout_s)

    async def reconnect(self, delay_s: float) -> None:
        """Do what the real connection does when it is there again."""
        self._client.stats["reconnects"] += 1
        await asyncio.sleep(delay_s)
        self.forget_consumers()
        with contextlib.suppress(BusUnavailable):
            await self.ensure_streams()
        if self._on_reconnected is not None:
            await self._on_reconnected()

    async def _ask(self, command: Command[Any]) -> bytes:
        """Ask until somebody is there to answer: a service may be starting."""
        broker = self._broker
        subject, data = subjects.base_subject(type(command)), codec.encode(command)
        while True:
            await broker.pass_time()
            member = broker.member(subject) if broker.is_up else None
            if member is not None:
                break
            await asyncio.sleep(NOBODY_THERE_S)
        answer: asyncio.Future[bytes] = _loop().create_future()
        inbox = f"{dialling.inbox_of(self._service)}.asks"
        if not broker.happens(broker.faults.loses_commands):
            member.deliver(Asked(data, reply=inbox, answer=answer))
        elif broker.happens(0.5):
            member.deliver(Asked(data, reply=inbox))
        return await answer

    def _pass(self, what: str, kind: type[Message] | None = None) -> None:
        self.life.pass_by(f"bus {what} {kind.__name__}" if kind else f"bus {what}")


class _Client:
    """The part of NATS' client that the answering side uses."""

    def __init__(self, broker: MemoryBroker, *, life: Life) -> None:
        self.stats = {"reconnects": 0}
        self._broker = broker
        self._life = life

    @property
    def is_connected(self) -> bool:
        return self._broker.is_up

    async def subscribe(
        self,
        subject: str,
        *,
        queue: str,
        cb: Callable[[Asked], Coroutine[Any, Any, None]],
    ) -> "_Subscribed":
        """Join the queue group of a subject; commands have no ids in theirs."""
        assert subject.split(".")[1] == queue
        life = self._life
        member = Member(subject, lambda message: life.start(cb(message)), life=life)
        self._broker.subscribe(member)
        return _Subscribed(self._broker, member)

    async def flush(self, *, timeout: float) -> None:  # noqa: ASYNC109
        """Nothing is kept back."""


class _Subscribed:
    """A place in a queue group."""

    def __init__(self, broker: MemoryBroker, member: Member) -> None:
        self._broker = broker
        self._member = member

    async def drain(self) -> None:
        """Leave it; what came before is in hand already."""
        self._broker.leave(self._member)


def _end(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()
