"""Takes a person out of the messages that the reconciler has stored, and sends to."""

import datetime
from collections.abc import Iterable
from typing import Final

from proto import traces
from proto.connector import WriteKind
from proto.erasure import Cancelled, EraseTraces, Place
from proto.ids import ErasureId, TenantId
from services.chassis import redacting
from services.chassis.database import Transaction
from services.chassis.store import Work
from services.reconciler.identifying import Found, Subject
from services.reconciler.store.erasures import OpenWrite

REMEMBERED_MAX: Final = 5_000
"""Writes that the connector is asked to forget: more than one person has in days."""


async def redact(work: Work, subject: Subject, *, tenant_id: TenantId) -> int:
    """Take a person out of the outbox and of the dead letters."""
    known = traces.of(
        emails=(*subject.emails, subject.whom.email),
        places=_places(subject),
        intent_ids=subject.intent_ids,
    )
    return await redacting.redact(
        work.transaction,
        tenant_id=tenant_id,
        classes=traces.CARRIERS,
        strip=lambda message: traces.without(message, known),
    )


async def is_told(
    transaction: Transaction, *, tenant_id: TenantId, erasure_id: ErasureId
) -> bool:
    """Say whether no message about an erasure itself is on its way any more."""
    empty = EraseTraces(
        tenant_id=tenant_id, erasure_id=erasure_id, account_ids=(), emails=(), places=()
    )
    waiting = await redacting.count_waiting(transaction, empty, tenant_id=tenant_id)
    return waiting == 0


def job_of(
    subject: Subject,
    *,
    tenant_id: TenantId,
    erasure_id: ErasureId,
    found: Found,
    cancelled: Iterable[Cancelled] = (),
    is_last: bool = False,
) -> EraseTraces:
    """Return what the connector is to forget, and which writes not to begin."""
    return EraseTraces(
        tenant_id=tenant_id,
        erasure_id=erasure_id,
        account_ids=tuple(sorted(found.apps)),
        emails=subject.emails if is_last else (),
        places=_places(subject) if is_last else (),
        cancelled=tuple(cancelled),
        intent_ids=subject.intent_ids[-REMEMBERED_MAX:] if is_last else (),
        is_last=is_last,
    )


def to_call_off(
    under_way: Iterable[OpenWrite], subject: Subject, *, after: datetime.datetime
) -> list[Cancelled]:
    """Return the writes that may not have been begun, and were not called off before.

    Args:
        after: What was decided before is being looked for already: that tells more.
    """
    return [
        Cancelled(
            intent_id=each.intent_id,
            kind=WriteKind(each.kind),
            account_id=each.account_id,
            connection_id=each.connection_id,
        )
        for each in under_way
        if each.state == "open"
        and each.decided_at > after
        and each.intent_id not in subject.called_off
    ]


def _places(subject: Subject) -> tuple[Place, ...]:
    return tuple(
        Place(account_id=account_id, record_id=record_id)
        for account_id, record_id in subject.places
    )
