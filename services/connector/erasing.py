"""Forgets what the connector keeps of a person who is erased.

First writes that were not begun are ended, also those that are still to come; those
under way are answered by themselves. When nobody waits for an answer any more, the
journal, the reads that are wanted and stored messages lose the person, and so do the
messages on the bus: what is lost there with them is sent again.
"""

from pathlib import Path
from typing import Final

from proto import codec, traces
from proto.base import BATCH_RECORDS_MAX, Message
from proto.connector import (
    ContactsObserved,
    ContactsWritten,
    ContactWrite,
    ContactWritten,
    ReadRecords,
    WriteContacts,
    WriteOutcome,
)
from proto.erasure import Cancelled, EraseTraces, TracesErased
from services.chassis import queries, redacting
from services.chassis.bus import Bus
from services.chassis.store import Work
from services.connector import batches
from services.connector.errors import BadMessage

Q = queries.load(Path(__file__).parent / "sql" / "erasure_queries.sql")

INTENTS_MAX: Final = 5_000
ACCOUNTS_MAX: Final = 1_000
_ON_THE_BUS: Final[tuple[type[Message], ...]] = (
    ContactsObserved,
    ContactsWritten,
    ReadRecords,
    WriteContacts,
)


async def erase_traces(work: Work, message: EraseTraces, *, bus: Bus) -> None:
    """Forget a person as far as that can be done by now, and tell when it is all."""
    _check(message)
    if message.cancelled:
        await _cancel(work, message)
    if not message.is_last:
        return
    await _erase_rows(work, message)
    known = traces.of(
        emails=message.emails,
        places=message.places,
        intent_ids=message.intent_ids,
    )
    await redacting.redact(
        work.transaction,
        tenant_id=message.tenant_id,
        classes=traces.CARRIERS,
        strip=lambda stored: traces.without(stored, known),
    )
    # While the messages are locked here, so that none is sent again as it was.
    for account_id in message.account_ids:
        for message_class in _ON_THE_BUS:
            await bus.purge(message_class, account_id)
    await work.send(
        TracesErased(
            tenant_id=message.tenant_id,
            erasure_id=message.erasure_id,
            at=work.clock.now(),
        )
    )


async def _cancel(work: Work, message: EraseTraces) -> None:
    """End writes that were not begun, and tell it like any other answer."""
    now = work.clock.now()
    answers = {
        each.intent_id: ContactWritten(
            intent_id=each.intent_id,
            kind=each.kind,
            outcome=WriteOutcome.STALE,
            read_at=now,
        )
        for each in message.cancelled
    }
    rows = await work.transaction.fetch(
        Q["cancel_writes"](
            tenant_id=message.tenant_id,
            intent_ids=[each.intent_id for each in message.cancelled],
            account_ids=[each.account_id for each in message.cancelled],
            connection_ids=[each.connection_id for each in message.cancelled],
            payloads=[
                codec.encode(
                    ContactWrite(
                        intent_id=each.intent_id, kind=each.kind, not_after=now
                    )
                )
                for each in message.cancelled
            ],
            results=[codec.encode(answers[e.intent_id]) for e in message.cancelled],
            now=now,
        )
    )
    ended = {row["intent_id"] for row in rows}
    by_target: dict[tuple[str, str], list[Cancelled]] = {}
    for each in message.cancelled:
        if each.intent_id in ended:
            target = (each.account_id, each.connection_id)
            by_target.setdefault(target, []).append(each)
    await work.send(
        *(
            ContactsWritten(
                tenant_id=message.tenant_id,
                account_id=found[0].account_id,
                connection_id=found[0].connection_id,
                results=batch,
            )
            for found in by_target.values()
            for batch in batches.split([answers[each.intent_id] for each in found])
        )
    )


async def _erase_rows(work: Work, message: EraseTraces) -> None:
    gone = {*message.intent_ids, *(each.intent_id for each in message.cancelled)}
    await work.transaction.execute(
        Q["erase_writes"](tenant_id=message.tenant_id, intent_ids=sorted(gone))
    )
    await work.transaction.execute(
        Q["erase_wanted_reads"](
            tenant_id=message.tenant_id,
            account_ids=[each.account_id for each in message.places],
            record_ids=[each.record_id for each in message.places],
        )
    )


def _check(message: EraseTraces) -> None:
    """Refuse what no erasure of one person can be."""
    for what, count, most in (
        ("accounts", len(message.account_ids), ACCOUNTS_MAX),
        ("writes", len(message.cancelled), INTENTS_MAX),
        ("writes", len(message.intent_ids), INTENTS_MAX),
        ("records", len(message.places), BATCH_RECORDS_MAX),
    ):
        if count > most:
            raise BadMessage(f"more than {most} {what}")
