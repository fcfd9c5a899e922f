"""Who is back from the dead is met anew, whatever became of the link meanwhile."""

from collections.abc import Callable

import msgspec
import pytest

from proto.connector import WriteOutcome
from proto.errors import ErrorCode
from proto.reconciler import RecordState, Side
from proto.record import Presence
from services.reconciler.engine import model
from services.reconciler.engine.model import NOTHING, Reason, other
from tests.engine.test_rules import BOTH_ABLE
from tests.engine.world import Pair, linked

LEFT, RIGHT = Side.LEFT, Side.RIGHT
JOB = {LEFT: "job", RIGHT: "title"}


def in_step(**options: object) -> Pair:
    settings = {**BOTH_ABLE, "tags_deletions": True, **options}
    return linked({"job": "Boss"}, {"title": "Boss"}, **settings)


def come_back(pair: Pair, side: Side) -> None:
    """Restore a record without its job, as a trash gives some of them back."""
    pair.put(side, presence=Presence.LIVE)
    pair.edit(side, **{JOB[side]: None})


def while_known_as_gone(pair: Pair, side: Side) -> None:
    pair.mark(side, Presence.DELETED)
    pair.settle()
    assert pair.link.state is RecordState.DELETED
    come_back(pair, side)


def while_merged(pair: Pair, side: Side) -> None:
    pair.mark(side, Presence.MERGED)
    pair.settle()
    assert pair.link.state is RecordState.MERGED
    come_back(pair, side)


def while_the_tag_is_on_its_way(pair: Pair, side: Side) -> None:
    pair.mark(side, Presence.DELETED)
    tagging = pair.plan().intent
    assert tagging is not None
    come_back(pair, side)
    pair.carry_out(tagging)


def once_the_tag_was_refused(pair: Pair, side: Side) -> None:
    pair.mark(side, Presence.DELETED)
    tagging = pair.plan().intent
    assert tagging is not None
    pair.answer(tagging, WriteOutcome.REFUSED, reason=ErrorCode.APP_REFUSED)
    assert pair.plan().intent is None
    assert pair.link.state is RecordState.FAILED
    come_back(pair, side)


def while_held_as_a_mass_change(pair: Pair, side: Side) -> None:
    pair.mark(side, Presence.DELETED)
    pair.hold_back()
    assert pair.link.reason == Reason.MASS_CHANGE
    come_back(pair, side)


def while_an_edit_of_it_is_on_its_way(pair: Pair, side: Side) -> None:
    """The answer tells what was there in its former life."""
    pair.edit(side, **{JOB[side]: "Chief"})
    carrying = pair.plan().intent
    assert carrying is not None
    pair.mark(side, Presence.DELETED)
    come_back(pair, side)
    pair.carry_out(carrying)


def before_anybody_has_planned(pair: Pair, side: Side) -> None:
    pair.mark(side, Presence.DELETED)
    come_back(pair, side)


@pytest.mark.behaviour(
    33,
    broken_by="reconciler/engine/lives.py: only a link that is still over once its"
    " record is back has it met anew",
)
@pytest.mark.parametrize("side", [LEFT, RIGHT])
@pytest.mark.parametrize(
    "happens",
    [
        while_known_as_gone,
        while_merged,
        while_the_tag_is_on_its_way,
        once_the_tag_was_refused,
        while_held_as_a_mass_change,
        while_an_edit_of_it_is_on_its_way,
        before_anybody_has_planned,
    ],
)
def test_b33_who_comes_back_without_a_value_gets_it_from_the_survivor(
    happens: Callable[[Pair, Side], None], side: Side
):
    """Hazards 57 and 74: a restored contact cleared its counterpart, without a word.

    A tag that had been written, refused or held meanwhile had the link forget that its
    record had been gone.
    """
    pair = in_step()
    happens(pair, side)
    pair.settle()
    kept = pair.records[other(side)].fields[JOB[other(side)]]
    assert kept in {"Boss", "Chief"}
    assert pair.records[side].fields[JOB[side]] == kept
    assert pair.records[other(side)].tags == ()
    assert pair.link.state is RecordState.IN_SYNC


@pytest.mark.behaviour(
    33,
    broken_by="reconciler/engine/plan.py: a link at rest is not looked at again once"
    " its record was gone and is back",
)
def test_b33_what_is_cleared_once_the_restored_was_met_is_cleared_on_both_sides():
    """That it was gone once counts no more, though it came back as it had been."""
    pair = in_step(tags_deletions=False)
    pair.mark(LEFT, Presence.DELETED)
    pair.mark(LEFT, Presence.LIVE)
    assert pair.settle() == 0
    pair.edit(LEFT, job=None)
    pair.settle()
    assert pair.right["title"] is None


def test_a_link_at_rest_is_looked_at_again_once_its_record_was_gone():
    """It reads as it did: as long as nobody looks, it counts as of its former life."""
    pair = in_step()
    assert pair.plan() is NOTHING
    pair.mark(LEFT, Presence.DELETED)
    pair.mark(LEFT, Presence.LIVE)
    assert pair.plan() is not NOTHING
    assert pair.plan() is NOTHING


@pytest.mark.parametrize("state", [RecordState.DELETED, RecordState.MERGED])
def test_a_bond_that_was_over_before_lives_were_remembered_is_taken_up_anew(state):
    pair = in_step()
    reason = model.DELETED_ON[LEFT] if state is RecordState.DELETED else ""
    pair.link = msgspec.structs.replace(
        pair.link, state=state, reason=str(reason), left_life=None, right_life=None
    )
    pair.edit(LEFT, job=None)
    pair.settle()
    assert (pair.left["job"], pair.right["title"]) == ("Boss", "Boss")
