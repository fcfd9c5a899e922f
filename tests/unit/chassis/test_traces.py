"""A person is taken out of messages, and everybody else stays in them."""

import datetime

import pytest

from proto import traces
from proto.connector import (
    ContactsObserved,
    ContactsWritten,
    ContactWrite,
    ContactWritten,
    ReadNow,
    ReadRecords,
    ScanPart,
    WriteContacts,
    WriteKind,
    WriteOutcome,
)
from proto.erasure import Place
from proto.fields import Item
from proto.record import Record

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
SHARED = {"tenant_id": "tnt_1", "account_id": "acct_1"}
ANA = traces.of(
    emails=["ana@example.org"],
    places=[Place(account_id="acct_1", record_id="r1")],
    intent_ids=["int_1"],
)


def observed(*records: Record, **changes: object) -> ContactsObserved:
    return ContactsObserved(records=records, read_at=NOW, **SHARED, **changes)


def write(intent_id: str = "int_9", **changes: object) -> ContactWrite:
    return ContactWrite(
        intent_id=intent_id, kind=WriteKind.UPDATE, not_after=NOW, **changes
    )


def result(intent_id: str, record: Record | None = None) -> ContactWritten:
    return ContactWritten(
        intent_id=intent_id,
        kind=WriteKind.UPDATE,
        outcome=WriteOutcome.WRITTEN,
        record=record,
        read_at=NOW,
    )


BY_ID = Record(record_id="r1")
BY_TEXT = Record(record_id="r2", fields={"x": " ANA@example.org"})
BY_ITEM = Record(record_id="r3", fields={"x": (Item(value="Ana@Example.org"),)})
BO = Record(record_id="r4", fields={"x": "bo@example.org"})


@pytest.mark.parametrize("record", [BY_ID, BY_TEXT, BY_ITEM])
def test_a_record_is_taken_out_by_its_id_or_by_any_field(record):
    assert traces.without(observed(record, BO), ANA) == observed(BO)
    assert traces.without(observed(record), ANA) is None


def test_a_part_of_a_scan_stays_although_it_is_empty():
    part = ScanPart(scan_id="scan_1", part=0)
    assert traces.without(observed(BY_ID, scan=part), ANA) == observed(scan=part)


def test_writes_and_their_answers_are_taken_out():
    job = {"app": "x", "connection_id": "conn_1", **SHARED}
    gone = (write("int_1"), write(record_id="r1"), write(emails=("ANA@example.org",)))
    kept = write(record_id="r4", fields={"x": "bo@example.org"})
    asked = WriteContacts(writes=(*gone, kept), **job)
    assert traces.without(asked, ANA) == WriteContacts(writes=(kept,), **job)
    assert traces.without(WriteContacts(writes=gone, **job), ANA) is None
    answer = {"connection_id": "conn_1", **SHARED}
    results = (result("int_1"), result("int_2", BY_TEXT), result("int_3", BO))
    told = traces.without(ContactsWritten(results=results, **answer), ANA)
    assert told == ContactsWritten(results=results[2:], **answer)


def test_reads_are_taken_out_and_others_are_left_alone():
    asked = ReadRecords(record_ids=("r1", "r4"), control_ids=("r1",), **SHARED)
    assert traces.without(asked, ANA) == ReadRecords(record_ids=("r4",), **SHARED)
    assert traces.without(ReadRecords(record_ids=("r1",), **SHARED), ANA) is None
    # The same id in another account is somebody else.
    other = ReadRecords(tenant_id="tnt_1", account_id="acct_2", record_ids=("r1",))
    assert traces.without(other, ANA) == other
    assert traces.without(ReadNow(**SHARED), ANA) == ReadNow(**SHARED)
