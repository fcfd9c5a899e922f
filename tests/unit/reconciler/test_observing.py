"""What one answer of an app amounts to."""

import datetime

from proto.ids import RecordId
from proto.record import Record
from services.reconciler import observing
from tests.unit.reconciler import values


def record(record_id: str, *, version: str, minute: int | None = None) -> Record:
    at = None if minute is None else values.NOW + datetime.timedelta(minutes=minute)
    return Record(record_id=RecordId(record_id), version=version, modified_at=at)


def versions(*records: Record) -> list[str]:
    found = observing.seen_of(records, read_at=values.NOW)
    return [seen.record.version for seen in found]


def test_a_record_shown_twice_counts_once_and_the_newer_state_wins():
    old, new = record("r1", version="1", minute=1), record("r1", version="2", minute=2)
    assert versions(old, new) == versions(new, old) == ["2"]


def test_without_change_times_the_later_one_in_the_answer_wins():
    assert versions(record("r1", version="1"), record("r1", version="2")) == ["2"]


def test_a_record_whose_id_cannot_be_stored_is_left_out():
    assert versions(record("", version="1"), record("a\x00b", version="2")) == []
