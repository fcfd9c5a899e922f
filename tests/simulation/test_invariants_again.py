"""What the network brings a second time is no write of ours, and looks like an edit.

It can only take back what was written since the first time, where an app takes no
conditions (hazard 39). Each history has one beside it in which Tandem does the same
thing by itself, or in which the first time did not come to anything.
"""

import msgspec
import pytest

from proto.ids import RecordId
from proto.reconciler import Direction, Side
from tests.simulation.hand_made import History, job
from tests.simulation.invariants import convergence, losses, provenance
from tests.simulation.ledger import Entry

LEFT, RIGHT = Side.LEFT, Side.RIGHT
BY = pytest.mark.parametrize("by", ["network", "us"])


def carry(
    history: History, left: RecordId, right: RecordId, value: str | None
) -> Entry:
    """Have a user edit the left and us the right record; return our write."""
    history.wait(1.0)
    history.edit(LEFT, left, job=value)
    history.wait(1.0)
    history.write(RIGHT, right, job=value)
    return history.ledger.ours()[-1]


def come_back(history: History, by: str, right: RecordId, first: Entry) -> None:
    """Have a write of ours come again, by the network or by ourselves."""
    history.wait(0.5)
    if by == "network":
        history.double(RIGHT, right, first)
    else:
        history.write(RIGHT, right, job=first.cause.asked["JOB_TITLE"])
    history.tell(RIGHT, right)
    history.wait(1.0)


@BY
@pytest.mark.parametrize("is_whole", [True, False])
def test_i3b_a_call_that_comes_again_after_another_one(by, is_whole):
    history = History(right={"replaces_whole": is_whole})
    person, left, right = history.pair()
    first = carry(history, left, right, job(history, person))
    carry(history, left, right, job(history, person))
    come_back(history, by, right, first)
    assert history.broken() == ({"I3b"} if by == "us" else set())
    assert history.truth.exempt == ({} if by == "us" else {provenance.TWICE: 1})


@BY
def test_i3b_a_whole_record_that_comes_again_with_what_only_it_had(by):
    """Its user's value gave way to ours after the first time (seed 401622)."""
    history = History(right={"replaces_whole": True})
    person, left, right = history.pair()
    mine, theirs = job(history, person), job(history, person)
    history.edit(RIGHT, right, job=theirs)
    history.wait(1.0)
    history.write(RIGHT, right, job=theirs)
    first = history.ledger.ours()[-1]
    assert history.wrongs == []
    carry(history, left, right, mine)
    come_back(history, by, right, first)
    assert history.broken() == ({"I3b"} if by == "us" else set())


def test_i3b_a_call_that_was_refused_the_first_time():
    history = History()
    person, left, right = history.pair()
    first = carry(history, left, right, job(history, person))
    carry(history, left, right, job(history, person))
    cause = msgspec.structs.replace(first.cause, sent_at=first.cause.sent_at + 0.1)
    history.double(RIGHT, right, msgspec.structs.replace(first, cause=cause))
    assert history.broken() == {"I3b"}


def test_i3b_nobody_has_entered_it_the_second_time_either():
    history = History()
    person, left, right = history.pair()
    history.write(RIGHT, right, job="Boss")
    first = history.ledger.ours()[-1]
    carry(history, left, right, job(history, person))
    history.wrongs.clear()
    come_back(history, "network", right, first)
    assert history.broken() == {"I3b"}


@BY
def test_i3b_what_came_again_is_carried_as_what_was_entered_last(by):
    history = History()
    person, left, right = history.pair()
    first = carry(history, left, right, job(history, person))
    newer = job(history, person)
    history.wait(1.0)
    history.edit(RIGHT, right, job=newer)
    history.tell(RIGHT, right)
    history.write(LEFT, left, job=newer)
    carry(history, left, right, job(history, person))
    come_back(history, by, right, first)
    history.wrongs.clear()
    history.write(LEFT, left, job=first.cause.asked["JOB_TITLE"])
    assert history.broken() == ({"I3b"} if by == "us" else set())


@BY
def test_i1_a_target_of_one_way_may_differ_by_what_came_again(by):
    history = History()
    history.direct(Direction.TO_RIGHT)
    person, left, right = history.pair()
    first = carry(history, left, right, job(history, person))
    carry(history, left, right, job(history, person))
    come_back(history, by, right, first)
    found = list(convergence.check(history.after(), history.truth))
    assert len(found) == (by == "us")


@BY
def test_i3_a_value_that_was_cleared_and_came_again_is_carried(by):
    history = History()
    person, left, right = history.pair()
    value = job(history, person)
    first = carry(history, left, right, value)
    history.wait(losses.YOUNG_S)
    carry(history, left, right, None)
    come_back(history, by, right, first)
    history.write(LEFT, left, job=value)
    found = list(losses.check(history.after(), history.truth))
    assert len(found) == (by == "us")


@BY
def test_i3_an_edit_that_went_across_and_was_taken_back_there(by):
    history = History()
    person, left, right = history.pair()
    older, newer = job(history, person), job(history, person)
    first = carry(history, left, right, older)
    carry(history, left, right, newer)
    come_back(history, by, right, first)
    history.write(LEFT, left, job=older)
    found = list(losses.check(history.after(), history.truth))
    assert len(found) == (by == "us")
