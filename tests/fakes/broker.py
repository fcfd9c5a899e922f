"""A broker in memory: what NATS gives, and no more.

A command reaches one answerer or nobody. A message comes at least once while its
stream and its consumer live; what was acknowledged may still be lost. How often
things go wrong is a ``BusFaults``.
"""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from proto import subjects
from proto.base import Message
from services.chassis import streams
from services.chassis.errors import BusUnavailable
from services.chassis.outbox import Envelope
from tests.fakes.chance import Fickle
from tests.fakes.loop import Life

LATENCY_S: Final = (0.0005, 0.005)
RECONNECTS_IN_S: Final = (0.0, 0.5)
COPIES_MAX: Final = 4
HURRY_S: Final = (0.0, 0.05)
"""How long the broker waits for an acknowledgement where it hurries."""

Note = Callable[..., None]


class BusFaults(msgspec.Struct, frozen=True, kw_only=True):
    """How often each thing goes wrong, as a share from 0 to 1."""

    loses: float = 0.0
    """A message is acknowledged and gone."""
    refuses: float = 0.0
    """A publish fails; half of these messages are kept all the same."""
    repeats: float = 0.0
    """A message comes up to four times more."""
    delays: float = 0.0
    """A message comes late, and so behind others."""
    delay_s_max: float = 20.0
    hurries: float = 0.0
    """A message comes again while somebody is still at work on it."""
    loses_receipts: float = 0.0
    loses_commands: float = 0.0
    """A command or its reply is gone, and the asker waits for nothing."""


class Connection(Protocol):
    """What the broker knows of a bus that is connected to it."""

    life: Life

    def interrupt(self) -> None:
        """End every fetch that is waiting."""

    async def reconnect(self, delay_s: float) -> None:
        """Be connected again."""


class MemoryBroker(Fickle):
    """The one broker of a simulation."""

    def __init__(self, source: random.Random, *, note: Note | None = None) -> None:
        self.source = source
        self.faults = BusFaults()
        self.is_up = True
        self.note = note or _note_nothing
        self.counts: Counter[str] = Counter()
        """How often each thing went wrong."""
        self._connections: list[Connection] = []
        self._streams: dict[str, dict[str, Consumer]] = {}
        self._groups: dict[str, list[Member]] = {}

    def connect(self, connection: Connection) -> None:
        """Take in a new connection."""
        self._connections.append(connection)

    def go_away(self) -> None:
        """Be out of reach from now on."""
        self.is_up = False
        self.note("bus", "away")
        for each in self._connections:
            each.interrupt()

    def come_back(self, *, is_wiped: bool) -> None:
        """Be there again; a server that was restarted has forgotten its streams."""
        self.is_up = True
        self.note("bus", "back", is_wiped)
        if is_wiped:
            self._streams.clear()
        self._connections = [
            each for each in self._connections if not each.life.is_over
        ]
        for each in self._connections:
            each.life.start(each.reconnect(self.source.uniform(*RECONNECTS_IN_S)))

    async def pass_time(self) -> None:
        """Let a message travel."""
        await asyncio.sleep(self.source.uniform(*LATENCY_S))

    def add_streams(self, service: str) -> None:
        """Make a service's streams where they are missing."""
        for stream in streams.owned_by(service):
            self._streams.setdefault(stream, {})

    def store(self, envelope: Envelope) -> None:
        """Keep a message for every consumer that there is; others never see it.

        Raises:
            BusUnavailable: Its stream is missing.
        """
        if envelope.stream not in self._streams:
            raise BusUnavailable("NoStreamResponseError")
        base = ".".join(envelope.subject.split(".")[:4])
        if self.happens(self.faults.loses):
            self.note("bus", "lost", envelope.message_id)
            self.counts["lost"] += 1
            return
        copies = 1
        if self.happens(self.faults.repeats):
            copies += self.source.randint(1, COPIES_MAX)
            self.counts["repeated"] += 1
        for consumer in self._streams[envelope.stream].values():
            for _ in range(copies if consumer.base_subject == base else 0):
                _loop().call_later(self._delay_s(), consumer.add, Kept(envelope))

    def consumer(self, message_class: type[Message], receiver: str) -> "Consumer":
        """Return a receiver's durable consumer, made where it is missing.

        Raises:
            BusUnavailable: The stream is missing.
        """
        stream = self._streams.get(subjects.stream_of(message_class))
        if stream is None:
            raise BusUnavailable("NotFoundError")
        name = subjects.consumer_of(message_class, receiver)
        found = stream.get(name)
        if found is None:
            base = subjects.base_subject(message_class)
            found = stream[name] = Consumer(self, base)
        return found

    def subscribe(self, member: "Member") -> None:
        """Take in a member of a subject's only queue group: its owner's replicas."""
        self._groups.setdefault(member.subject, []).append(member)

    def leave(self, member: "Member") -> None:
        """Let nothing more come to a member."""
        self._groups[member.subject].remove(member)

    def member(self, subject: str) -> "Member | None":
        """Return who of a queue group gets the next message, if anybody is there."""
        group = self._groups.get(subject, ())
        there = [member for member in group if not member.life.is_over]
        return self.source.choice(there) if there else None

    def ack_wait_s(self) -> float:
        """Return how long a message may be in somebody's hands."""
        if self.happens(self.faults.hurries):
            return self.source.uniform(*HURRY_S)
        return streams.ACK_WAIT_S

    def _delay_s(self) -> float:
        if self.happens(self.faults.delays):
            self.counts["late"] += 1
            return self.source.uniform(0.0, self.faults.delay_s_max)
        return self.source.uniform(*LATENCY_S)


class Asked:
    """A message of core NATS, as the answering side sees it."""

    def __init__(
        self,
        data: bytes,
        *,
        reply: str = "",
        answer: asyncio.Future[bytes] | None = None,
    ) -> None:
        self.data = data
        self.reply = reply
        """The subject that an answer goes to."""
        self._answer = answer

    async def respond(self, data: bytes) -> None:
        """Answer, if anybody still waits for it."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(data)


class Member:
    """A member of a queue group."""

    def __init__(
        self, subject: str, receive: Callable[["Asked"], object], *, life: Life
    ) -> None:
        self.subject = subject
        self.life = life
        self._receive = receive

    def deliver(self, message: "Asked") -> None:
        """Hand a message over, unless nobody is there any more."""
        if not self.life.is_over:
            self._receive(message)


class Kept:
    """A message in a stream, and how often a consumer was given it."""

    def __init__(self, envelope: Envelope) -> None:
        self.envelope = envelope
        self.delivered = 0


class Consumer:
    """A durable consumer with explicit acknowledgement."""

    def __init__(self, broker: MemoryBroker, base_subject: str) -> None:
        self.base_subject = base_subject
        self.broker = broker
        self._ready: deque[Kept] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._unacknowledged = 0

    def add(self, kept: Kept) -> None:
        """Have a message to give."""
        self._ready.append(kept)
        self._wake_one()

    async def next(
        self, waiting: asyncio.Future[None], *, life: Life
    ) -> "_Delivery | None":
        """Return a message when there is one; none if ``waiting`` is ended before."""
        if not self._may_give():
            self._waiting.append(waiting)
            try:
                await waiting
            except asyncio.CancelledError:
                # Whoever was woken and is gone now must not keep others waiting.
                self._wake_one()
                raise
            if not self._may_give():
                return None
        self._unacknowledged += 1
        return _Delivery(self, self._ready.popleft(), life=life)

    def settle(self, kept: Kept, *, again_in_s: float | None) -> None:
        """Take note of an acknowledgement, a refusal, or silence for too long."""
        self._unacknowledged -= 1
        if again_in_s is not None:
            _loop().call_later(again_in_s, self.add, kept)
        self._wake_one()

    def _may_give(self) -> bool:
        is_free = self._unacknowledged < streams.UNACKNOWLEDGED_MAX
        return bool(self._ready) and is_free and self.broker.is_up

    def _wake_one(self) -> None:
        while self._waiting and self._may_give():
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)
                return


class _Delivery:
    """A message in somebody's hands, until it is settled or held for too long."""

    def __init__(self, consumer: Consumer, kept: Kept, *, life: Life) -> None:
        kept.delivered += 1
        self.envelope = kept.envelope
        self.is_repeated = kept.envelope.tries > 1 or kept.delivered > 1
        self._kept = kept
        self._consumer = consumer
        self._life = life
        wait_s = consumer.broker.ack_wait_s()
        self._again = _loop().call_later(wait_s, self._lose_patience)
        self._is_settled = False

    def _lose_patience(self) -> None:
        """Give the message to somebody else, whoever is at work on it."""
        if not self._life.is_over:
            self._consumer.broker.counts["held too long"] += 1
        self._settle(0.0)

    async def acknowledge(self) -> None:
        """Tell the broker that it can forget the message."""
        self._life.pass_by("bus acknowledge")
        if self._consumer.broker.is_up:
            self._settle(None)

    async def refuse(self, *, delay_s: float) -> None:
        """Ask the broker to deliver it again later."""
        self._life.pass_by("bus refuse")
        if self._consumer.broker.is_up:
            self._settle(delay_s)

    def _settle(self, again_in_s: float | None) -> None:
        if not self._is_settled:
            self._is_settled = True
            self._again.cancel()
            self._consumer.settle(self._kept, again_in_s=again_in_s)


def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def _note_nothing(*_facts: object) -> None:
    """Keep no trace."""
