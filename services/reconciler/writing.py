"""Turns intents into jobs for the connector. Pure: it only says what is to be sent."""

import datetime
from collections.abc import Iterable, Sequence
from typing import Final

from proto import codec
from proto.base import BATCH_BYTES_MAX, BATCH_RECORDS_MAX, Instant
from proto.connector import ContactWrite, SourceSeen, WriteContacts, WriteKind
from proto.ids import AccountId, AppId, ConnectionId, TenantId
from services.reconciler.engine import model
from services.reconciler.engine.model import Intent, SideConfig
from services.reconciler.store.connections import StoredConnection

ENVELOPE_BYTES: Final = 1_024
"""Kept free for what a job says besides its writes."""


def jobs_of(
    connection: StoredConnection,
    intents: Sequence[Intent],
    *,
    now: Instant,
    age_s: float,
) -> list[WriteContacts]:
    """Return jobs that carry out intents, by account and in the intents' order."""
    not_after = now + datetime.timedelta(seconds=age_s)
    by_side: dict[AccountId, tuple[SideConfig, list[ContactWrite]]] = {}
    for intent in intents:
        end = connection.config.side(intent.side)
        source = connection.config.side(model.other(intent.side))
        _, writes = by_side.setdefault(end.account_id, (end, []))
        writes.append(_write(intent, source, not_after=not_after))
    return [
        job
        for end, writes in by_side.values()
        for job in in_batches(
            writes,
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            account_id=end.account_id,
            app=end.app,
        )
    ]


def look_of(intent: Intent, *, not_after: Instant) -> ContactWrite:
    """Return the question what became of an intent."""
    return ContactWrite(
        intent_id=intent.intent_id,
        kind=WriteKind.LOOK,
        record_id=intent.record_id,
        emails=intent.emails,
        marker=intent.marker,
        not_after=not_after,
    )


def in_batches(
    writes: Iterable[ContactWrite],
    *,
    tenant_id: TenantId,
    connection_id: ConnectionId,
    account_id: AccountId,
    app: AppId,
) -> list[WriteContacts]:
    """Return as few jobs as the limits of a message allow."""
    batches: list[list[ContactWrite]] = []
    bytes_left = 0
    for write in writes:
        size = len(codec.encode(write)) + 1
        is_full = bool(batches) and len(batches[-1]) == BATCH_RECORDS_MAX
        if not batches or is_full or size > bytes_left:
            batches.append([])
            bytes_left = BATCH_BYTES_MAX - ENVELOPE_BYTES
        batches[-1].append(write)
        bytes_left -= size
    return [
        WriteContacts(
            tenant_id=tenant_id,
            account_id=account_id,
            app=app,
            connection_id=connection_id,
            writes=tuple(batch),
        )
        for batch in batches
    ]


def _write(intent: Intent, source: SideConfig, *, not_after: Instant) -> ContactWrite:
    seen_source = None
    if intent.kind is WriteKind.CREATE or intent.source_is_gone:
        seen_source = SourceSeen(
            account_id=source.account_id,
            app=source.app,
            record_id=intent.source_id,
            version=intent.source_version,
            fields=intent.source,
            consent=intent.consent,
            seen_at=intent.source_read_at,
            is_gone=intent.source_is_gone,
        )
    return ContactWrite(
        intent_id=intent.intent_id,
        kind=intent.kind,
        record_id=intent.record_id,
        fields=intent.fields,
        seen=intent.seen,
        seen_version=intent.seen_version,
        seen_created_at=intent.seen_created_at,
        containers=intent.containers,
        memberships=intent.memberships,
        consent=intent.consent,
        is_urgent=intent.is_urgent,
        emails=intent.emails,
        marker=intent.marker,
        source=seen_source,
        not_after=not_after,
    )
