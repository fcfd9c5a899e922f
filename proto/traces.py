"""Takes a person out of messages that carry contacts. Pure."""

from collections.abc import Iterable
from typing import Final

import msgspec

from proto.base import Message
from proto.connector import (
    ContactsObserved,
    ContactsWritten,
    ContactWrite,
    ContactWritten,
    ReadRecords,
    WriteContacts,
)
from proto.erasure import Place
from proto.fields import Fields
from proto.ids import AccountId, IntentId, RecordId
from proto.record import Record

CARRIERS: Final = (ContactsObserved, ContactsWritten, ReadRecords, WriteContacts)
"""Every message that says something of contacts."""


class Traces(msgspec.Struct, frozen=True, kw_only=True):
    """What a person is known by."""

    emails: frozenset[str]
    """However they are spelled, folded."""
    places: frozenset[tuple[AccountId, RecordId]]
    intent_ids: frozenset[IntentId]


def of(
    *, emails: Iterable[str], places: Iterable[Place], intent_ids: Iterable[IntentId]
) -> Traces:
    """Return what to look for."""
    return Traces(
        emails=frozenset(folded(email) for email in emails),
        places=frozenset((each.account_id, each.record_id) for each in places),
        intent_ids=frozenset(intent_ids),
    )


def folded(text: str) -> str:
    """Return a text as it is compared here."""
    return text.strip().casefold()


def without(message: Message, traces: Traces) -> Message | None:
    """Return a message without a person; None if nothing is left of it.

    The parts of a scan stay: they are counted.
    """
    match message:
        case ContactsObserved():
            return _of_observed(message, traces)
        case ContactsWritten():
            results = tuple(
                each
                for each in message.results
                if not _is_result_of(each, traces, message=message)
            )
            left = msgspec.structs.replace(message, results=results)
            return left if results else None
        case WriteContacts():
            writes = tuple(
                each
                for each in message.writes
                if not _is_write_of(each, traces, account_id=message.account_id)
            )
            return msgspec.structs.replace(message, writes=writes) if writes else None
        case ReadRecords():
            return _of_reads(message, traces)
    return message


def _of_observed(message: ContactsObserved, traces: Traces) -> Message | None:
    records = tuple(
        each
        for each in message.records
        if not _is_record_of(each, traces, account_id=message.account_id)
    )
    if not records and message.scan is None:
        return None
    return msgspec.structs.replace(message, records=records)


def _of_reads(message: ReadRecords, traces: Traces) -> Message | None:
    def left(ids: tuple[RecordId, ...]) -> tuple[RecordId, ...]:
        gone = traces.places
        return tuple(each for each in ids if (message.account_id, each) not in gone)

    record_ids = left(message.record_ids)
    if not record_ids:
        return None
    return msgspec.structs.replace(
        message, record_ids=record_ids, control_ids=left(message.control_ids)
    )


def _is_record_of(record: Record, traces: Traces, *, account_id: AccountId) -> bool:
    is_there = (account_id, record.record_id) in traces.places
    return is_there or _has_email(record.fields, traces)


def _is_result_of(
    result: ContactWritten, traces: Traces, *, message: ContactsWritten
) -> bool:
    if result.intent_id in traces.intent_ids:
        return True
    record, source = result.record, result.source_record
    if record is not None and _is_record_of(
        record, traces, account_id=message.account_id
    ):
        return True
    return source is not None and _has_email(source.fields, traces)


def _is_write_of(write: ContactWrite, traces: Traces, *, account_id: AccountId) -> bool:
    if write.intent_id in traces.intent_ids:
        return True
    if write.record_id is not None and (account_id, write.record_id) in traces.places:
        return True
    source = write.source
    if source is not None and (source.account_id, source.record_id) in traces.places:
        return True
    return any(folded(email) in traces.emails for email in write.emails) or _has_email(
        write.fields, traces
    )


def _has_email(fields: Fields, traces: Traces) -> bool:
    """Say whether any value is one of the addresses, whatever its field is for."""
    for value in fields.values():
        if isinstance(value, str) and folded(value) in traces.emails:
            return True
        if isinstance(value, tuple) and any(
            isinstance(item.value, str) and folded(item.value) in traces.emails
            for item in value
        ):
            return True
    return False
