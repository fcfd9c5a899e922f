"""I1, I5 and I6 see who was merged: nobody is left behind, none of it is a deletion.

Nor does it make a resurrection of what was none.
"""

import pytest

from proto.fields import Role
from proto.ids import RecordId
from proto.reconciler import Side
from tests.simulation.hand_made import History
from tests.simulation.invariants import convergence
from tests.simulation.invariants.denials import BELIEF_S
from tests.simulation.invariants.safety import TRASH
from tests.simulation.ledger import Cause, Who
from tests.simulation.vendors.ways import Merges

LEFT, RIGHT = Side.LEFT, Side.RIGHT
ABLE = {"can_tag": True}
OURS = Cause(who=Who.TANDEM)


def merged(merges: Merges = Merges.POINTS) -> tuple[History, RecordId, RecordId]:
    """Have somebody entered anew, and a linked record merged into the new one."""
    history = History(left={"merges": merges}, right=ABLE)
    history.choose(tags_deletions=True)
    person, left, right = history.pair()
    given = history.value(Role.NAME_GIVEN, person)
    heir = history.enter(LEFT, person, given=given)
    history.wait(BELIEF_S)
    history.books[LEFT].merge(left, heir)
    history.wait(5.0)
    restate(history, "merged", "merged_away")
    return history, heir, right


def restate(history: History, state: str, reason: str) -> None:
    history.links[0] = history.links[0]._replace(state=state, reason=reason)


def complaints(history: History) -> list[str]:
    return [str(each) for each in convergence.check(history.after(), history.truth)]


@pytest.mark.parametrize("merges", [Merges.POINTS, Merges.REDIRECTS])
def test_i1_who_did_not_follow_a_merge_is_left_behind(merges):
    history, heir, _ = merged(merges)
    history.link(heir, None, state="duplicate", reason="match_is_linked")
    assert "is free" in "".join(complaints(history))


@pytest.mark.parametrize("is_reused", [True, False])
def test_i1_nobody_follows_the_one_that_an_id_came_to_mean(is_reused):
    """Whoever was merged is not who the link had meant (seed 2397)."""
    history = History(left={"merges": Merges.POINTS})
    person, left, _ = history.pair()
    if is_reused:
        history.books[LEFT].delete(left)
        given = history.fields(LEFT, given=history.value(Role.NAME_GIVEN, person))
        history.books[LEFT].recycle(left, given, person=history.person())
    heir = history.enter(LEFT, person, given=history.value(Role.NAME_GIVEN, person))
    history.books[LEFT].merge(left, heir)
    history.wait(5.0)
    restate(history, "held", "id_reused")
    said = "".join(complaints(history))
    assert ("is free" in said) == (not is_reused)


def test_i1_who_followed_it_is_in_step():
    history, heir, right = merged()
    history.links[0] = history.links[0]._replace(left_id=heir)
    restate(history, "in_sync", "")
    history.write(
        RIGHT, right, given=history.books[LEFT].holders[heir].now.fields["given"]
    )
    assert complaints(history) == []


def test_i1_nobody_follows_into_somebody_elses_record():
    history, heir, _ = merged()
    now = history.books[LEFT].holders[heir].now.fields
    history.books[RIGHT].delete(history.links[0].right_id or RecordId(""))
    other = history.make(RIGHT, mark="2", email=now["email"], given=now["given"])
    history.link(heir, other)
    assert complaints(history) == []


@pytest.mark.parametrize("merges", list(Merges))
def test_i1_who_was_merged_is_not_said_to_be_deleted(merges):
    history, heir, _ = merged(merges)
    history.link(heir, None, state="duplicate", reason="match_is_linked")
    restate(history, "deleted", "deleted_left")
    is_wrong = "said to be deleted" in "".join(complaints(history))
    assert is_wrong == (merges is not Merges.SILENT)


def test_i1_who_was_merged_into_a_deleted_one_may_be_said_to_be():
    history, heir, _ = merged()
    history.books[LEFT].delete(heir)
    restate(history, "deleted", "deleted_left")
    assert complaints(history) == []


def test_i1_whom_its_app_denied_may_be_said_to_be_deleted():
    history, heir, _ = merged()
    other = history.make(RIGHT, mark="2")
    history.link(heir, other)
    restate(history, "deleted", "deleted_left")
    [gone] = [row.left_id for row in history.links[:1]]
    history.truth.calls(history.books[LEFT].place).denied[gone].append(history.time)
    assert "said to be deleted" not in "".join(complaints(history))


@pytest.mark.parametrize("merges", list(Merges))
def test_i6_a_merge_is_no_deletion_where_its_app_tells_it(merges):
    history, _, right = merged(merges)
    history.books[RIGHT].edit(right, tags=[TRASH], cause=OURS)
    assert history.broken() == (set() if merges is Merges.SILENT else {"I6"})


def test_i6_a_merge_into_somebody_who_is_deleted_is_one():
    history, heir, right = merged()
    history.books[LEFT].delete(heir)
    history.books[RIGHT].edit(right, tags=[TRASH], cause=OURS)
    assert history.broken() == set()


@pytest.mark.parametrize("is_into_it", [True, False])
def test_i5_who_was_merged_into_a_record_of_ours_is_its_other_end(is_into_it):
    """What was made for them goes on with whom they are a part of (seed 600566)."""
    history = History(left={"merges": Merges.POINTS})
    _, left, right = history.pair()
    another = history.value(Role.EMAIL, history.person())
    ours = history.make(LEFT, mark="9", email=another)
    heir = ours if is_into_it else history.enter(LEFT, history.person())
    history.books[LEFT].merge(left, heir)
    history.wait(1.0)
    history.links.pop()
    history.link(ours, right)
    found = any(each.startswith("I5") for each in complaints(history))
    assert found != is_into_it


@pytest.mark.parametrize("merges", [Merges.POINTS, Merges.SILENT])
@pytest.mark.parametrize(
    ("another", "restored", "is_allowed"),
    [
        ("before", "before", True),
        ("never", "before", False),
        ("after", "before", False),
        ("before", "after", False),
    ],
)
def test_i5_a_counterpart_merged_into_who_was_made_anew(
    another, restored, is_allowed, merges
):
    """A restored record of ours had lost its own, and got a new one (hazard 74).

    Only then was the one that it had lost merged into the new one (seed 311254): that
    tells nothing of what it was when the two were bound.
    """
    history = History(right={"merges": merges})
    person, other = history.person(), history.person()
    given = {"given": history.value(Role.NAME_GIVEN, person)}
    lost = history.enter(RIGHT, person, **given)
    history.link(back := history.make(LEFT, **given), lost)
    history.books[LEFT].delete(back)

    def act(when: str) -> None:
        history.wait(1.0)
        if another == when:
            history.link(history.enter(LEFT, other), lost)
        if restored == when:
            history.books[LEFT].restore(back)

    act("before")
    history.wait(1.0)
    history.link(back, new := history.make(RIGHT, mark="9", **given))
    act("after")
    history.wait(1.0)
    history.books[RIGHT].merge(lost, new)
    assert any("I5" in each for each in complaints(history)) != is_allowed
