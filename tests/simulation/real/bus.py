"""A service's way to real NATS: with places to die at, and faults on request."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, TypeVar

from deploy.local import nats
from proto.base import Command, Message, Reply
from services.chassis.answering import CommandHandler
from services.chassis.bus import COMMAND_TIMEOUT_S, PUBLISH_TIMEOUT_S, Bus
from services.chassis.errors import BusUnavailable
from services.chassis.inbox import Delivery
from services.chassis.outbox import Envelope, Receipt
from tests.fakes.broker import BusFaults
from tests.fakes.chance import Fickle
from tests.fakes.loop import Life
from tests.simulation.real import loop
from tests.simulation.real.aside import Aside

FETCH_S_MIN: Final = 3_600.0
"""NATS keeps a request for messages by its own time, which does not jump."""
REPEATS_MAX: Final = 4

R = TypeVar("R", bound=Reply)


class RealBroker(Fickle):
    """The NATS server, and what befalls those who use it."""

    def __init__(
        self, server: nats.Server, aside: Aside, source: random.Random
    ) -> None:
        self.faults = BusFaults()
        self.counts: Counter[str] = Counter()
        """Empty: how often each thing goes wrong is counted in memory only."""
        self.is_up = True
        self.source = source
        self._server = server
        self._aside = aside

    def go_away(self) -> None:
        """Stop the server."""
        self.is_up = False
        self._aside.call(self._server.stop())

    def come_back(self, *, is_wiped: bool) -> None:
        """Start it again, perhaps without anything that it had stored."""
        if is_wiped:
            self._aside.call(self._server.delete_store())
        self._aside.call(self._server.start())
        self.is_up = True


class RealBus:
    """One process's connection, with the methods of ``services.chassis.bus.Bus``."""

    def __init__(self, opened: Bus, broker: RealBroker, *, life: Life) -> None:
        self._bus = opened
        self._broker = broker
        self._life = life

    def kill(self) -> None:
        """Cut the connection where it stands."""
        client = self._bus._client
        # It must not come back to say what it still had to say.
        client.options["allow_reconnect"] = False
        with contextlib.suppress(AttributeError):
            client._transport._io_writer.transport.abort()

    @property
    def is_connected(self) -> bool:
        """Whether NATS can be reached at this moment."""
        return self._bus.is_connected

    async def request(
        self, command: Command[R], *, timeout_s: float = COMMAND_TIMEOUT_S
    ) -> R:
        """Send a command and return its reply, if neither is lost."""
        self._life.pass_by(f"bus request {type(command).__name__}")
        broker = self._broker
        is_lost = broker.happens(broker.faults.loses_commands)
        if is_lost and broker.happens(0.5):
            await asyncio.sleep(timeout_s)
            raise BusUnavailable("TimeoutError")
        reply = await self._bus.request(command, timeout_s=timeout_s)
        if is_lost:
            await asyncio.sleep(timeout_s)
            raise BusUnavailable("TimeoutError")
        self._life.pass_by(f"bus replied {type(command).__name__}")
        return reply

    async def answer(
        self, command_class: type[Command[Any]], handler: CommandHandler
    ) -> None:
        """Answer a command, one of the replicas each time."""
        await self._bus.answer(command_class, handler)

    async def publish(self, envelope: Envelope) -> None:
        """Hand a message to JetStream, or do something else with it."""
        place = ".".join(envelope.subject.split(".")[1:3])
        self._life.pass_by(f"bus publish {place}")
        broker, faults = self._broker, self._broker.faults
        is_refused = broker.happens(faults.refuses)
        if is_refused and broker.happens(0.5):
            raise BusUnavailable("TimeoutError")
        if broker.happens(faults.loses):
            return
        if broker.happens(faults.delays):
            delay_s = broker.source.uniform(0.0, faults.delay_s_max)
            self._later(envelope, delay_s=delay_s)
            return
        await self._publish(envelope)
        if broker.happens(faults.repeats):
            for _ in range(broker.source.randint(1, REPEATS_MAX)):
                self._later(envelope, delay_s=broker.source.uniform(0.0, 2.0))
        self._life.pass_by(f"bus published {place}")
        if is_refused:
            raise BusUnavailable("TimeoutError")

    async def fetch(
        self, message_class: type[Message], *, wait_s: float
    ) -> Delivery | None:
        """Return a waiting message of a class, or none when the wait is over."""
        self._life.pass_by(f"bus fetch {message_class.__name__}")
        return await self._bus.fetch(message_class, wait_s=max(wait_s, FETCH_S_MIN))

    async def receive_receipts(self, take: Callable[[Receipt], None]) -> None:
        """Hand every receipt for this service's outbox to ``take``."""
        await self._bus.receive_receipts(take)

    async def send_receipt(self, sender: str, receipt: Receipt) -> None:
        """Tell the sender of messages that their effect is committed here."""
        self._life.pass_by("bus receipt")
        if not self._broker.happens(self._broker.faults.loses_receipts):
            await self._bus.send_receipt(sender, receipt)

    async def ensure_streams(self) -> None:
        """Make the streams this service owns."""
        await self._bus.ensure_streams()

    def forget_consumers(self) -> None:
        """Bind anew at the next fetch."""
        self._bus.forget_consumers()

    def interrupt(self) -> None:
        """End every fetch that is waiting."""
        self._bus.interrupt()

    async def settle(self, *, timeout_s: float) -> None:
        """Take no more commands and let those in hand be answered."""
        await self._bus.settle(timeout_s=timeout_s)

    async def drain(self, *, timeout_s: float) -> None:
        """Let commands in hand be answered, then close."""
        await self._bus.drain(timeout_s=timeout_s)

    def _later(self, envelope: Envelope, *, delay_s: float) -> None:
        async def publish() -> None:
            await asyncio.sleep(delay_s)
            with contextlib.suppress(BusUnavailable):
                await self._publish(envelope)

        self._life.start(publish())

    async def _publish(self, envelope: Envelope) -> None:
        if not self._broker.is_up:
            await asyncio.sleep(PUBLISH_TIMEOUT_S)
        with loop.running().working():
            await self._bus.publish(envelope)
