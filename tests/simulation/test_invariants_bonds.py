"""What is known of a record goes with its bond: another counterpart begins anew."""

import pytest

from proto.fields import Role
from proto.ids import RecordId
from proto.reconciler import Side
from proto.record import Consent
from proto.rules import Unsubscribes
from tests.simulation.hand_made import History
from tests.simulation.invariants import convergence
from tests.simulation.ledger import Cause, Who

LEFT, RIGHT = Side.LEFT, Side.RIGHT
NO = Consent.UNSUBSCRIBED
OURS = Cause(who=Who.TANDEM)


@pytest.mark.parametrize("is_bound_anew", [True, False])
def test_i3b_an_older_value_may_come_with_another_counterpart(is_bound_anew):
    """At their first match the winning app decides (behaviour 32, seed 40109)."""
    history = History()
    person, left, right = history.pair()
    older, newer = (history.value(Role.JOB_TITLE, person) for _ in range(2))
    other = history.enter(LEFT, person, job=older)
    history.wait(1.0)
    history.edit(LEFT, left, job=newer)
    history.write(RIGHT, right, job=newer)
    history.wait(1.0)
    if is_bound_anew:
        history.books[LEFT].delete(left)
        history.link(other, right)
        history.wait(1.0)
    history.write(RIGHT, right, job=older)
    assert history.broken() == (set() if is_bound_anew else {"I3b"})


def alone(*, email: str | None = None) -> tuple[History, RecordId]:
    """Have a record of ours deleted, and its counterpart bound to another."""
    history = History()
    person, left, right = history.pair(email=email)
    history.books[RIGHT].delete(right)
    given = history.books[LEFT].holders[left].now.fields["given"]
    other = history.enter(RIGHT, person, given=given)
    history.links.clear()
    history.link(left, other)
    history.link(None, right, state="excluded", reason="made_by_us")
    return history, right


def complaints(history: History) -> list[str]:
    return [str(each) for each in convergence.check(history.after(), history.truth)]


def test_i1_who_is_back_without_a_counterpart_or_address_stays_where_it_is():
    """Nobody can tell whether the other app has this person (seed 40779)."""
    history, right = alone()
    history.books[RIGHT].restore(right)
    assert complaints(history) == []


def test_i1_who_has_an_address_does_not():
    history, right = alone(email="a@b.org")
    history.books[RIGHT].restore(right)
    assert "made_by_us" in "".join(complaints(history))


def test_i1_who_was_never_bound_to_anybody_else_does_not():
    history = History()
    _, left, _ = history.pair(email=None)
    history.books[LEFT].delete(left)
    history.links[0] = history.links[0]._replace(
        left_id=None, state="excluded", reason="made_by_us"
    )
    assert len(complaints(history)) == 1


@pytest.mark.parametrize("is_carried", [True, False])
def test_i12_a_no_that_was_carried_goes_on_to_the_next_counterpart(is_carried):
    """Whoever said it is gone, and whom it was carried to stays unsubscribed (I7)."""
    history = History()
    history.choose(unsubscribes=Unsubscribes.STATUS)
    person, left, right = history.pair()
    if is_carried:
        history.books[LEFT].edit(left, consent=NO)
    history.books[RIGHT].edit(right, consent=NO, cause=OURS)
    history.books[LEFT].delete(left)
    given = history.value(Role.NAME_GIVEN, person)
    other = history.enter(LEFT, person, given=given)
    history.link(other, right)
    history.wrongs.clear()
    history.books[LEFT].edit(other, consent=NO, cause=OURS)
    assert history.broken() == (set() if is_carried else {"I12"})
