"""Intents become jobs that keep to the limits of a message."""

import datetime

import msgspec

from proto import codec
from proto.base import BATCH_BYTES_MAX, BATCH_RECORDS_MAX
from proto.connector import WriteKind
from proto.reconciler import Side
from services.reconciler import writing
from tests.unit.reconciler import values


def jobs(intents):
    return writing.jobs_of(values.connection(), intents, now=values.NOW, age_s=60.0)


def test_each_account_gets_its_own_jobs_in_the_order_of_the_intents():
    found = jobs(
        [
            values.intent(1, side=Side.RIGHT),
            values.intent(2, side=Side.LEFT),
            values.intent(3, side=Side.RIGHT),
        ]
    )
    assert {
        job.account_id: [write.intent_id for write in job.writes] for job in found
    } == {"acct_right": ["int_1", "int_3"], "acct_left": ["int_2"]}
    assert {job.app for job in found} == {"left", "right"}


def test_a_job_has_at_most_500_writes():
    found = jobs([values.intent(n) for n in range(1001)])
    assert [len(job.writes) for job in found] == [BATCH_RECORDS_MAX] * 2 + [1]


def test_a_job_stays_below_the_bytes_of_a_message():
    found = jobs([values.intent(n, note="x" * 10_000) for n in range(200)])
    assert len(found) > 1
    assert all(len(codec.encode(job)) <= BATCH_BYTES_MAX for job in found)
    assert sum(len(job.writes) for job in found) == 200


def test_a_create_carries_its_source_and_an_update_does_not():
    known = msgspec.structs.replace(
        values.intent(2, kind=WriteKind.UPDATE), seen_created_at=values.NOW
    )
    (job,) = jobs([values.intent(1), known])
    create, update = job.writes
    assert update.seen_created_at == values.NOW
    assert create.source is not None
    assert (create.source.account_id, create.source.record_id) == ("acct_left", "s1")
    assert (create.record_id, create.marker) == (None, "m1")
    assert (update.source, update.record_id) == (None, "r2")
    assert create.not_after == values.NOW + datetime.timedelta(seconds=60)


def test_what_is_written_because_a_record_is_gone_carries_it():
    intent = values.intent(1, kind=WriteKind.UPDATE)
    (job,) = jobs([msgspec.structs.replace(intent, source_is_gone=True)])
    (source,) = [write.source for write in job.writes]
    assert (source.account_id, source.record_id) == ("acct_left", "s1")
    assert source.is_gone


def test_a_look_sets_nothing():
    look = writing.look_of(values.intent(1), not_after=values.NOW)
    assert (look.kind, look.fields, look.marker) == (WriteKind.LOOK, {}, "m1")
