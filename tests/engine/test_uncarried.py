"""What was edited, came to nothing, and reads as before: its end is told (I3)."""

import pytest

from proto.connector import WriteOutcome
from proto.errors import ErrorCode
from proto.reconciler import Side
from proto.record import Consent
from proto.rules import Unsubscribes
from tests.engine import world
from tests.engine.world import LOOK, Pair, items

LEFT, RIGHT = Side.LEFT, Side.RIGHT


def given_up(pair: Pair, outcome: WriteOutcome) -> None:
    """Plan a write, and let it come to nothing."""
    intent = pair.plan().intent
    assert intent is not None
    if outcome is WriteOutcome.UNKNOWN:
        pair.answer(intent, outcome)
        record = pair.records[intent.side]
        pair.answer(intent, WriteOutcome.EXISTS, kind=LOOK, record=record)
    else:
        pair.answer(intent, outcome, reason=ErrorCode.APP_REFUSED)


def told(pair: Pair) -> list[tuple[Side, dict]]:
    return [(loss.side, dict(loss.values)) for loss in pair.losses]


@pytest.mark.parametrize(
    "outcome",
    [
        WriteOutcome.SOURCE_CHANGED,
        WriteOutcome.STALE,
        WriteOutcome.UNKNOWN,
        WriteOutcome.REFUSED,
    ],
)
def test_an_old_value_that_was_entered_again_gives_way_with_a_word(outcome):
    """Its edit was seen, and came to nothing; then only the other side looks edited.

    Without a word the last edit of a user was gone (seed 554).
    """
    pair = world.linked({"job": "Owner"}, {"title": "Owner"})
    pair.edit(LEFT, job="Engineer")
    given_up(pair, outcome)
    pair.edit(LEFT, job="Owner")
    pair.edit(RIGHT, title="Boss")
    assert pair.settle() == 1
    assert pair.left["job"] == "Boss"
    assert told(pair) == [(LEFT, {"job": "Owner"})]


def test_so_does_one_that_was_to_be_overwritten():
    pair = world.linked({"job": "Owner"}, {"title": "Owner"})
    pair.edit(LEFT, job="Engineer")
    pair.edit(RIGHT, title="Boss")
    given_up(pair, WriteOutcome.STALE)
    pair.losses.clear()
    pair.edit(RIGHT, title="Owner")
    assert pair.settle() == 1
    assert pair.right["title"] == "Engineer"
    assert told(pair) == [(RIGHT, {"title": "Owner"})]


def test_a_part_of_a_name_that_was_entered_again_is_told_too():
    pair = world.linked({"first": "Ana", "last": "Diaz"}, {"fn": "Ana Diaz"})
    pair.edit(LEFT, first="Eva")
    given_up(pair, WriteOutcome.STALE)
    pair.edit(LEFT, first="Ana")
    pair.edit(RIGHT, fn="Zoe Diaz")
    assert pair.settle() == 1
    assert told(pair) == [(LEFT, {"first": "Ana", "last": "Diaz"})]


def test_what_nobody_edited_is_overwritten_without_a_word():
    pair = world.linked({"job": "Owner"}, {"title": "Owner"})
    pair.edit(LEFT, job="Engineer")
    given_up(pair, WriteOutcome.STALE)
    assert pair.settle() == 1
    assert pair.right["title"] == "Engineer"
    assert told(pair) == []


def test_the_part_of_a_name_that_was_not_edited_is_overwritten_without_a_word():
    pair = world.linked(
        {"first": "Ana", "last": "Diaz"}, {"fn": "Ana Diaz"}, winner=RIGHT
    )
    pair.edit(LEFT, first="Eva")
    given_up(pair, WriteOutcome.STALE)
    pair.edit(RIGHT, fn="Ana Soto")
    pair.settle()
    assert (pair.left["first"], pair.left["last"]) == ("Eva", "Soto")
    assert pair.right["fn"] == "Eva Soto"
    assert told(pair) == []


def test_what_was_emptied_again_gives_way_without_a_word():
    """Nothing can be put back."""
    pair = world.linked({}, {})
    pair.edit(LEFT, job="Engineer")
    given_up(pair, WriteOutcome.STALE)
    pair.edit(LEFT, job=None)
    pair.edit(RIGHT, title="Boss")
    pair.settle()
    assert pair.left["job"] == "Boss"
    assert told(pair) == []


def test_what_was_carried_after_all_is_overwritten_without_a_word():
    pair = world.linked({"job": "Owner"}, {"title": "Owner"})
    pair.edit(LEFT, job="Engineer")
    given_up(pair, WriteOutcome.STALE)
    assert pair.turn() is not None
    pair.edit(RIGHT, title="Boss")
    pair.settle()
    assert pair.left["job"] == "Boss"
    assert told(pair) == []


def test_what_was_taken_back_is_overwritten_without_a_word_later():
    """Both sides said the same in between, so that whoever edits has seen it."""
    pair = world.linked({"job": "Owner"}, {"title": "Owner"})
    pair.edit(LEFT, job="Engineer")
    given_up(pair, WriteOutcome.STALE)
    pair.edit(LEFT, job="Owner")
    assert pair.settle() == 0
    pair.edit(RIGHT, title="Boss")
    pair.settle()
    assert pair.left["job"] == "Boss"
    assert told(pair) == []


def test_what_took_effect_is_no_edit_that_came_to_nothing():
    """Of two mappings in one write only what reads as before is still to be carried."""
    pair = world.linked(
        {"job": "Owner", "company": "Old"}, {"title": "Owner", "org": "Old"}
    )
    pair.edit(LEFT, job="Engineer", company="New")
    intent = pair.plan().intent
    pair.answer(intent, WriteOutcome.UNKNOWN)
    pair.edit(RIGHT, title="Engineer")
    pair.look(intent)
    [mark] = pair.link.uncarried
    assert (mark.side, mark.field_id) == (LEFT, "company")


@pytest.mark.parametrize("is_linked", [True, False])
def test_what_was_never_in_step_was_not_edited(is_linked):
    """A first match that came to nothing, or a create."""
    right = {"emails": items("a@x.com"), "title": "Boss"} if is_linked else None
    left = {"email": "a@x.com", "job": "Owner"}
    pair = Pair(world.config(), left, right)
    given_up(pair, WriteOutcome.STALE)
    assert pair.link.uncarried == ()


def versioned(pair: Pair, side: Side, **fields: object) -> None:
    """Edit a record of an app that tells which version of it there is."""
    version = pair.records[side].version
    pair.edit(side, **fields)
    pair.put(side, version=str(int(version or 0) + 1))


@pytest.mark.parametrize("outcome", [WriteOutcome.STALE, WriteOutcome.WRITTEN])
@pytest.mark.parametrize("is_again", [True, False])
def test_what_was_edited_there_and_back_while_a_write_was_open_is_told(
    outcome, is_again
):
    """Nobody decided anything while it was another value (seed 63774).

    Its app tells another version. Without one nobody has touched it.
    """
    pair = world.linked({"job": "Owner"}, {"title": "Owner", "org": "Sol"})
    versioned(pair, RIGHT, title="Owner")
    versioned(pair, LEFT, company="Luna")
    assert pair.settle() == 1
    if outcome is WriteOutcome.WRITTEN:
        versioned(pair, RIGHT, org="Terra")
    else:
        versioned(pair, LEFT, job="Engineer")
    intent = pair.plan().intent
    record = pair.apply(intent) if outcome is WriteOutcome.WRITTEN else None
    versioned(pair, LEFT, job="Engineer")
    if is_again:
        versioned(pair, RIGHT, title="Boss")
        versioned(pair, RIGHT, title="Owner")
    pair.answer(intent, outcome, record=record)
    assert pair.settle() == 1
    assert pair.right["title"] == "Engineer"
    assert told(pair) == [(RIGHT, {"title": "Owner"})] * is_again


@pytest.mark.parametrize("first", ["unsubscribe", "other side"])
def test_it_is_told_whatever_is_written_before(first):
    """An unsubscribe, and what goes to the other side, are no word about it."""
    able = {"capabilities": world.ABLE}
    pair = world.linked(
        {"job": "Owner"},
        {"title": "Owner"},
        winner=RIGHT,
        left_more=able,
        right_more=able,
        unsubscribes=Unsubscribes.STATUS,
    )
    versioned(pair, RIGHT, title="Owner")
    versioned(pair, LEFT, job="Engineer")
    given_up(pair, WriteOutcome.STALE)
    versioned(pair, RIGHT, title="Boss")
    versioned(pair, RIGHT, title="Owner")
    if first == "unsubscribe":
        pair.put(LEFT, consent=Consent.UNSUBSCRIBED)
    else:
        versioned(pair, RIGHT, org="Sol")
    assert pair.settle() == 2
    assert "title" not in pair.writes[0].fields
    assert told(pair) == [(RIGHT, {"title": "Owner"})]
