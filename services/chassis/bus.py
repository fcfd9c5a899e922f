"""NATS: commands with replies, messages handed to JetStream, receipts.

The only importer of nats, with ``answering``, ``streams`` and ``dialling``. What must
arrive goes through ``outbox`` and ``inbox``; this module alone gives no such promise.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import nats
import nats.errors
import nats.js.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from proto import codec, subjects
from proto.base import Command, Message, Reply
from proto.errors import ErrorReply
from proto.ids import MessageId, TenantId
from services.chassis import dialling, streams
from services.chassis.answering import Answerer, CommandHandler
from services.chassis.clock import Clock
from services.chassis.dialling import Proof
from services.chassis.errors import BusUnavailable, CommandFailed
from services.chassis.inbox import Delivery
from services.chassis.outbox import Envelope, Receipt
from services.chassis.tls import Papers

log = structlog.get_logger()

COMMAND_TIMEOUT_S: Final = 10.0
PUBLISH_TIMEOUT_S: Final = 5.0
NOBODY_THERE_S: Final = 0.2
"""How soon a command that nobody answers is asked again."""
_TENANT_HEADER: Final = "Tandem-Tenant-Id"
_ID_HEADER: Final = "Tandem-Message-Id"
_SENDER_HEADER: Final = "Tandem-Sender"
_TRIES_HEADER: Final = "Tandem-Tries"
_NAME_LENGTH_MAX: Final = 128
_NUMBER: Final = re.compile(r"[0-9]{1,9}")

R = TypeVar("R", bound=Reply)


class NatsDelivery:
    """A JetStream message, settled by acknowledging or refusing it."""

    def __init__(self, message: Msg) -> None:
        headers = message.headers or {}
        self._message = message
        self.envelope = Envelope(
            tenant_id=TenantId(_name_in(headers, _TENANT_HEADER)),
            message_id=MessageId(_name_in(headers, _ID_HEADER)),
            sender=_name_in(headers, _SENDER_HEADER),
            subject=message.subject,
            stream="",
            payload=message.data,
            tries=_number_in(headers, _TRIES_HEADER),
        )
        self.is_repeated = self.envelope.tries > 1 or message.metadata.num_delivered > 1

    async def acknowledge(self) -> None:
        """Tell the broker that it can forget the message."""
        with dialling.own_errors():
            await self._message.ack()

    async def refuse(self, *, delay_s: float) -> None:
        """Ask the broker to deliver it again later."""
        with dialling.own_errors():
            await self._message.nak(delay=delay_s)


def _name_in(headers: dict[str, str], name: str) -> str:
    """Return a header that can be a name; another one counts as missing."""
    text = headers.get(name, "")
    is_name = text.isascii() and text.isprintable() and len(text) <= _NAME_LENGTH_MAX
    return text if is_name else ""


def _number_in(headers: dict[str, str], name: str) -> int:
    """Return a header that can be a number; another one counts as 1."""
    text = headers.get(name, "")
    return int(text) if _NUMBER.fullmatch(text) else 1


class Bus:
    """One service's connection to NATS."""

    def __init__(
        self, client: Client, *, service: str, public_replicas: int = 1
    ) -> None:
        self._client = client
        self._service = service
        self._public_replicas = public_replicas
        self._jetstream = client.jetstream(timeout=PUBLISH_TIMEOUT_S)
        self._consumers: dict[type[Message], Any] = {}
        self._fetching: set[asyncio.Task[list[Msg]]] = set()
        self._answerer = Answerer(client, service=service)

    @property
    def is_connected(self) -> bool:
        """Whether NATS can be reached at this moment."""
        return bool(self._client.is_connected)

    async def request(
        self, command: Command[R], *, timeout_s: float = COMMAND_TIMEOUT_S
    ) -> R:
        """Send a command and return its reply.

        Raises:
            CommandFailed: It was answered with an error.
            BusUnavailable: Nobody answered in time.
        """
        with dialling.own_errors():
            async with asyncio.timeout(timeout_s):
                answer = await self._ask(command, timeout_s=timeout_s)
        try:
            reply = codec.decode(
                answer.data,
                cast("type[Reply]", command.reply | ErrorReply),
            )
        except codec.Undecodable as err:
            raise BusUnavailable(f"undecodable reply: {err.reason}") from err
        if isinstance(reply, ErrorReply):
            raise CommandFailed.of(reply)
        return cast("R", reply)

    async def answer(
        self, command_class: type[Command[Any]], handler: CommandHandler
    ) -> None:
        """Answer a command, one of the replicas each time."""
        await self._answerer.answer(command_class, handler)

    async def publish(self, envelope: Envelope) -> None:
        """Hand a message to JetStream; it may still be lost after that.

        Raises:
            BusUnavailable: It was not acknowledged.
        """
        headers = {
            _TENANT_HEADER: envelope.tenant_id,
            _ID_HEADER: envelope.message_id,
            _SENDER_HEADER: envelope.sender,
            _TRIES_HEADER: str(envelope.tries),
        }
        try:
            with dialling.own_errors():
                await self._jetstream.publish(
                    envelope.subject, envelope.payload, headers=headers
                )
        except BusUnavailable as err:
            if isinstance(err.__cause__, nats.js.errors.NoStreamResponseError):
                await self.ensure_streams()
            raise

    async def fetch(
        self, message_class: type[Message], *, wait_s: float
    ) -> Delivery | None:
        """Return a waiting message of a class, or none when the wait is over.

        One at a time: a message is a batch of up to 500 records already, and the
        client waits for a larger number to be complete.
        """
        subscription = self._consumers.get(message_class)
        try:
            if subscription is None:
                with dialling.own_errors():
                    subscription = await streams.bind_consumer(
                        self._jetstream, message_class, receiver=self._service
                    )
                self._consumers[message_class] = subscription
            with dialling.own_errors():
                message = await self._fetch_one(subscription, wait_s=wait_s)
        except BusUnavailable as err:
            await self._after_failed_fetch(message_class, err)
            return None
        return None if message is None else NatsDelivery(message)

    async def receive_receipts(self, take: Callable[[Receipt], None]) -> None:
        """Hand every receipt for this service's outbox to ``take``."""

        async def receive(message: Msg) -> None:
            try:
                take(codec.decode(message.data, Receipt))
            except codec.Undecodable as err:
                log.warning("receipt_undecodable", reason=err.reason)

        with dialling.own_errors():
            await self._client.subscribe(
                subjects.receipt_subject(self._service),
                queue=self._service,
                cb=receive,
            )

    async def send_receipt(self, sender: str, receipt: Receipt) -> None:
        """Tell the sender of messages that their effect is committed here."""
        # The inbox has made sure of it: a denied publish would show for good.
        assert sender in subjects.SERVICES
        with dialling.own_errors():
            await self._client.publish(
                subjects.receipt_subject(sender), codec.encode(receipt)
            )

    async def ensure_streams(self) -> None:
        """Make the streams this service owns, or give them our settings.

        Raises:
            BusRefused: NATS cannot keep them like that.
        """
        with dialling.own_errors():
            await streams.ensure_streams(
                self._jetstream, self._service, public_replicas=self._public_replicas
            )

    async def purge(self, message_class: type[Message], address: str) -> None:
        """Have the broker forget the messages of a class that are for one address.

        Only of a stream that this service keeps. Whoever waits for one of them gets it
        from its sender's outbox again.

        Raises:
            BusUnavailable: It is not known whether it did.
        """
        assert message_class.owner == self._service, "it is in somebody else's stream"
        with dialling.own_errors():
            await self._jetstream.purge_stream(
                subjects.stream_of(message_class),
                subject=f"{subjects.base_subject(message_class)}.{address}",
            )

    def forget_consumers(self) -> None:
        """Bind anew at the next fetch, because the broker may have lost them."""
        self._consumers.clear()
        self.interrupt()

    def interrupt(self) -> None:
        """End every fetch that is waiting, as if its time were over."""
        for task in self._fetching:
            task.cancel()

    async def settle(self, *, timeout_s: float) -> None:
        """Take no more commands and let those in hand be answered; stay connected."""
        await self._answerer.settle(timeout_s=timeout_s)

    async def drain(self, *, timeout_s: float) -> None:
        """Let commands in hand be answered, then close."""
        await self.settle(timeout_s=timeout_s)
        with contextlib.suppress(BusUnavailable), dialling.own_errors():
            async with asyncio.timeout(timeout_s):
                if self.is_connected:
                    # What closes with answers unsent, or unread, may lose them.
                    await self._client.flush()
        with contextlib.suppress(BusUnavailable), dialling.own_errors():
            await asyncio.wait_for(self._client.close(), timeout=timeout_s)

    async def _ask(self, command: Command[Any], *, timeout_s: float) -> Msg:
        """Ask until somebody is there to answer: a service may be starting."""
        subject, payload = subjects.subject_of(command), codec.encode(command)
        while True:
            try:
                return await self._client.request(subject, payload, timeout=timeout_s)
            except nats.errors.NoRespondersError:
                await asyncio.sleep(NOBODY_THERE_S)

    async def _fetch_one(self, subscription: Any, *, wait_s: float) -> Msg | None:
        task: asyncio.Task[list[Msg]] = asyncio.ensure_future(
            subscription.fetch(1, timeout=wait_s)
        )
        self._fetching.add(task)
        try:
            # Waiting does not cancel the task, so that an interrupt and a
            # cancellation of our own caller stay two things.
            await asyncio.wait((task,))
            return None if task.cancelled() else next(iter(task.result()), None)
        finally:
            self._fetching.discard(task)
            task.cancel()

    async def _after_failed_fetch(
        self, message_class: type[Message], err: BusUnavailable
    ) -> None:
        if isinstance(err.__cause__, nats.errors.TimeoutError) and self.is_connected:
            # Nothing came, or the consumer is gone with its server's memory.
            await self._check_consumer(message_class)
            return
        self._consumers.pop(message_class, None)
        raise err

    async def _check_consumer(self, message_class: type[Message]) -> None:
        subscription = self._consumers.get(message_class)
        if subscription is None:
            return
        try:
            with dialling.own_errors():
                await subscription.consumer_info()
        except BusUnavailable:
            self._consumers.pop(message_class, None)
            raise


@contextlib.asynccontextmanager
async def connect(
    url: str,
    *,
    service: str,
    seed_file: Path | None,
    papers: Papers | None = None,
    clock: Clock,
    timeout_s: float = 60.0,
    public_replicas: int = 1,
    on_reconnected: Callable[[], Awaitable[None]] | None = None,
    on_denied: Callable[[str], None] | None = None,
) -> AsyncIterator[Bus]:
    """Connect to NATS, waiting for it up to ``timeout_s``, and keep connected.

    ``on_denied`` is told each subject that NATS does not let us say or hear.

    Raises:
        BusUnavailable: NATS did not answer in that time.
        BusRefused: NATS cannot keep our streams as they should be kept.
        BadConfiguration: The server is too old, or refuses our key.
    """
    held: list[Bus] = []

    async def reconnected() -> None:
        log.info("bus_reconnected")
        for bus in held:
            bus.forget_consumers()
            with contextlib.suppress(BusUnavailable):
                await bus.ensure_streams()
        if on_reconnected is not None:
            await on_reconnected()

    heard: list[Exception] = []

    async def failed(err: Exception) -> None:
        heard[:] = [err]
        # A denied publish shows nowhere else: its sender sees a timeout only.
        subject = dialling.denied_subject(err)
        if subject is not None:
            log.error("bus_permission_denied", subject=subject)
            if on_denied is not None:
                on_denied(subject)

    options = dialling.options(url, service=service, seed_file=seed_file)
    client = await dialling.dial(
        options | {"error_cb": failed, "reconnected_cb": reconnected},
        Proof(seed_file, papers),
        service=service,
        heard=heard,
        clock=clock,
        timeout_s=timeout_s,
    )
    bus = Bus(client, service=service, public_replicas=public_replicas)
    held.append(bus)
    try:
        dialling.refuse_old(client)
        await bus.ensure_streams()
        yield bus
    finally:
        await bus.drain(timeout_s=PUBLISH_TIMEOUT_S)
