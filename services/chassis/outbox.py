"""Send once: messages are stored with their cause and closed by a receipt.

The broker may lose what it acknowledged, so a message counts as delivered only
when its receiver says that it has committed the effect (hazard 90).
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol, TypeAlias

import msgspec
import structlog
from prometheus_client import Gauge

from proto import codec, subjects
from proto.base import Message
from proto.ids import MessageId, TenantId
from services.chassis import loops, queries
from services.chassis.clock import Clock
from services.chassis.database import Database, Transaction
from services.chassis.identifiers import Identifiers
from services.chassis.loops import Wake
from services.chassis.tenancy import ALL_TENANTS

log = structlog.get_logger()
Q = queries.load(Path(__file__).parent / "sql" / "queries.sql")

AGAIN_S: Final = 15.0
"""Without a receipt in this time a message is sent again, then twice as late…"""
AGAIN_S_MAX: Final = 600.0
CLAIM_MAX: Final = 16
"""Messages in flight at once; each may carry half a megabyte."""
RECEIPTS_MAX: Final = 10_000

WAITING = Gauge("tandem_outbox_waiting", "Messages without a receipt yet")
OLDEST_S = Gauge("tandem_outbox_oldest_seconds", "Age of the oldest of them")


Key: TypeAlias = tuple[TenantId, MessageId]

NOBODY: Final = TenantId("")
"""Stands for the tenant of a message that does not say whose it is."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it goes over the broker."""

    tenant_id: TenantId
    message_id: MessageId
    sender: str
    subject: str
    stream: str
    payload: bytes
    tries: int = 1
    """How often its sender has sent it, with this time."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """A receiver's word that it has committed the effect of these messages."""

    receiver: str
    tenant_id: TenantId
    message_ids: tuple[MessageId, ...]


class Publisher(Protocol):
    """The part of the bus that the relay uses."""

    async def publish(self, envelope: Envelope) -> None:
        """Hand a message to the broker and wait for its acknowledgement."""


async def put(
    transaction: Transaction,
    messages: Sequence[Message],
    *,
    identifiers: Identifiers,
    clock: Clock,
) -> None:
    """Store messages to be sent when the transaction has committed."""
    if not messages:
        return
    kinds = [type(message) for message in messages]
    await transaction.execute(
        Q["add_to_outbox"](
            message_ids=[identifiers.new(MessageId) for _ in messages],
            tenant_ids=[message.tenant_id for message in messages],
            subjects=[subjects.subject_of(message) for message in messages],
            streams=[subjects.stream_of(kind) for kind in kinds],
            payloads=[codec.encode(message) for message in messages],
            awaiting=[",".join(subjects.receivers_of(kind)) for kind in kinds],
            now=clock.now(),
        )
    )


class Relay:
    """Sends what is due and closes what is receipted, for one service's outbox."""

    def __init__(
        self,
        database: Database,
        bus: Publisher,
        *,
        service: str,
        clock: Clock,
        idle_s: float,
    ) -> None:
        self._database = database
        self._bus = bus
        self._service = service
        self._clock = clock
        self._idle_s = idle_s
        self._receipts: asyncio.Queue[Receipt] = asyncio.Queue(RECEIPTS_MAX)
        self.wake = Wake()

    def take(self, receipt: Receipt) -> None:
        """Note a receipt; one that does not fit is repeated by its sender."""
        if not self._receipts.full():
            self._receipts.put_nowait(receipt)

    async def run(self, stopping: asyncio.Event) -> None:
        """Relay until told to stop."""
        async with asyncio.TaskGroup() as group:
            for name, step, wake in (
                ("outbox_relay", self.send_due, self.wake),
                ("outbox_receipts", self.close_receipted, None),
            ):
                group.create_task(
                    loops.forever(
                        name,
                        step,
                        clock=self._clock,
                        stopping=stopping,
                        idle_s=self._idle_s if wake else 0.0,
                        wake=wake,
                    )
                )

    async def send_due(self) -> bool:
        """Send one batch of due messages; True when there may be more."""
        now = self._clock.now()
        async with self._database.transaction(ALL_TENANTS) as transaction:
            rows = await transaction.fetch(
                Q["claim_outbox"](
                    now=now, limit=CLAIM_MAX, again_s=AGAIN_S, again_s_max=AGAIN_S_MAX
                )
            )
        envelopes = [
            Envelope(
                tenant_id=row["tenant_id"],
                message_id=row["message_id"],
                sender=self._service,
                subject=row["subject"],
                stream=row["stream"],
                payload=row["payload"],
                tries=row["tries"],
            )
            for row in rows
        ]
        sent = await asyncio.gather(
            *(self._bus.publish(envelope) for envelope in envelopes),
            return_exceptions=True,
        )
        for outcome in sent:
            if isinstance(outcome, BaseException):
                # Every one was tried; those that failed are due again by themselves.
                raise outcome
        # Where nobody's receipt is awaited, the broker's own word has to do.
        unawaited = [
            (row["tenant_id"], row["message_id"]) for row in rows if not row["awaiting"]
        ]
        if unawaited:
            await self._close("", unawaited)
        return len(rows) == CLAIM_MAX

    async def close_receipted(self) -> bool:
        """Close the messages of the receipts that have come in."""
        try:
            async with asyncio.timeout(self._idle_s):
                receipts = [await self._receipts.get()]
        except TimeoutError:
            await self._measure()
            return False
        while not self._receipts.empty():
            receipts.append(self._receipts.get_nowait())
        by_receiver: dict[str, list[Key]] = {}
        for receipt in receipts:
            keys = [(receipt.tenant_id, each) for each in receipt.message_ids]
            by_receiver.setdefault(receipt.receiver, []).extend(keys)
        for receiver, keys in by_receiver.items():
            await self._close(receiver, keys)
        return True

    async def hasten(self) -> None:
        """Send everything again soon, because the broker was away."""
        async with self._database.transaction(ALL_TENANTS) as transaction:
            await transaction.execute(Q["hasten_outbox"](now=self._clock.now()))
        self.wake.ring()

    async def _close(self, receiver: str, keys: Sequence[Key]) -> None:
        async with self._database.transaction(ALL_TENANTS) as transaction:
            await transaction.execute(
                Q["close_outbox"](
                    receiver=receiver,
                    tenant_ids=[tenant_id for tenant_id, _ in keys],
                    message_ids=[message_id for _, message_id in keys],
                )
            )

    async def _measure(self) -> None:
        reader = self._database.reader(ALL_TENANTS)
        row = await reader.fetch_row(Q["count_outbox"](now=self._clock.now()))
        if row is not None:
            WAITING.set(row["waiting"])
            OLDEST_S.set(row["oldest_s"])
