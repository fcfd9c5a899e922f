"""How long a sync still takes, from the rate so far."""

import datetime

import pytest

from proto.reconciler import RecordState
from services.reconciler import views
from tests.unit.reconciler import values

LATER = values.NOW + datetime.timedelta(seconds=10)


@pytest.mark.parametrize(
    ("counters", "to_plan", "to_write", "seconds"),
    [
        ({}, 0, 0, 0),
        ({}, 100, 0, None),
        ({"planned": 100}, 100, 5, None),
        ({"planned": 100}, 50, 0, 5),
        ({"planned": 100, "done": 50}, 0, 50, 10),
        ({"planned": 100, "done": 40, "failed": 10}, 100, 50, 30),
    ],
)
def test_seconds_left_follow_from_the_rate(counters, to_plan, to_write, seconds):
    found = views.seconds_left(
        values.connection(**counters), to_plan=to_plan, to_write=to_write, now=LATER
    )
    assert found == seconds


def test_nothing_is_estimated_before_both_scans_are_complete():
    waiting = values.connection(sync_started_at=None)
    assert views.seconds_left(waiting, to_plan=5, to_write=0, now=LATER) is None


def test_linked_counts_every_state():
    counts = views.counts_of(
        values.connection(created_left=3),
        {RecordState.IN_SYNC: (5, 5), RecordState.HELD: (2, 1)},
    )
    assert (counts.in_sync, counts.held, counts.linked) == (5, 2, 6)
    assert (counts.created_left, counts.excluded) == (3, 0)
