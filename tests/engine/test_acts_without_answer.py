"""What rules and options did in a write without an answer, before people edited it."""

import pytest

from proto.connector import WriteOutcome
from proto.ids import ContainerId, FieldId
from proto.reconciler import Side
from proto.record import Presence
from proto.rules import Action, ActionKind, Operator, Rule
from tests.engine.test_deletions import pair_with
from tests.engine.test_rules import BOTH_ABLE, rule, tag, when
from tests.engine.world import LOOK, Pair, config, items

LEFT, RIGHT = Side.LEFT, Side.RIGHT
ACTIONS = (
    tag("VIP"),
    Action(kind=ActionKind.REMOVE_TAG, value="new"),
    Action(kind=ActionKind.ADD_TO_CONTAINER, value="vips"),
    Action(kind=ActionKind.REMOVE_FROM_CONTAINER, value="leads"),
    Action(kind=ActionKind.SET_FIELD, field_id=FieldId("org"), value="Ours"),
)


def lose_answer(pair: Pair, *, is_applied: bool = True) -> None:
    """Have a write take effect, or not, that only a look tells of, after an edit."""
    intent = pair.plan().intent
    pair.answer(intent, WriteOutcome.UNKNOWN)
    if is_applied:
        pair.apply(intent)
    pair.edit(RIGHT, title="Boss")
    found = pair.records[RIGHT]
    folded = pair.answer(intent, WriteOutcome.EXISTS, kind=LOOK, record=found)
    assert not folded.is_written


def test_a_second_deletion_is_told_after_the_tag_was_taken_back_unseen():
    """The missing tag was taken for a person's removal, so nobody was told (I6).

    Seed 176: the write that took it back after the first had no answer, and the look
    found the record edited.
    """
    pair = pair_with()
    pair.mark(LEFT, Presence.DELETED)
    pair.settle()
    pair.mark(LEFT, Presence.LIVE)
    pair.edit(LEFT, job="Clerk")
    lose_answer(pair)
    assert pair.records[RIGHT].tags == ()
    pair.mark(LEFT, Presence.DELETED)
    pair.settle()
    assert pair.records[RIGHT].tags == ("PieSync Trash",)


def test_a_tag_that_was_not_taken_back_is_taken_back_at_the_next_try():
    pair = pair_with()
    pair.mark(LEFT, Presence.DELETED)
    pair.settle()
    pair.mark(LEFT, Presence.LIVE)
    pair.edit(LEFT, job="Clerk")
    lose_answer(pair, is_applied=False)
    assert pair.records[RIGHT].tags == ("PieSync Trash",)
    pair.settle()
    assert pair.records[RIGHT].tags == ()


@pytest.mark.parametrize("is_applied", [True, False])
@pytest.mark.parametrize("action", ACTIONS)
def test_what_a_rule_did_unseen_is_taken_back_as_its_own(action, is_applied):
    """It was taken for what had been so before, and stayed for ever (behaviour 9)."""
    is_owner = when(Operator.IS, "Owner", "job")
    settings = config(
        left_rules=(rule(is_owner, do=(action,), undoes=True), Rule(rule_id="all")),
        off=("company",),
        **BOTH_ABLE,
    )
    pair = Pair(settings, {"email": "a@x.com"}, {"emails": items("a@x.com")})
    pair.put(RIGHT, tags=("new",), containers=(ContainerId("leads"),))
    pair.settle()
    before = pair.records[RIGHT]
    pair.edit(LEFT, job="Owner")
    lose_answer(pair, is_applied=is_applied)
    pair.settle()
    assert pair.records[RIGHT].fields["org"] != before.fields["org"] or (
        pair.records[RIGHT].tags,
        pair.records[RIGHT].containers,
    ) != (before.tags, before.containers)
    pair.edit(LEFT, job="Clerk")
    pair.settle()
    after = pair.records[RIGHT]
    assert (after.tags, after.containers) == (before.tags, before.containers)
    assert after.fields["org"] == before.fields["org"]
