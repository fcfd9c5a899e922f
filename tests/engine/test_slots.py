"""Single fields by label beside a field of several: what found no room waits."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.fields import FieldKind, Fields, Item, Role
from proto.reconciler import Direction, RecordState, Side
from services.reconciler.engine import canon, drift
from tests.engine.examples import PLANNER_DEEP, tries
from tests.engine.world import (
    CARDS,
    NEWSLETTER,
    SLOTTED,
    Pair,
    config,
    field,
    items,
)

LEFT, RIGHT = Side.LEFT, Side.RIGHT

TWO_SLOTS = (
    field("mail", FieldKind.EMAIL, Role.EMAIL),
    field("phone", FieldKind.PHONE, Role.PHONE),
    field("mobile", FieldKind.PHONE, Role.PHONE_MOBILE),
)
"""One field for any phone, and one for a mobile one."""
LONE_SLOT = (SLOTTED[0], SLOTTED[1])

ONE, TWO, THREE, FOUR = (f"+1202555010{n}" for n in range(1, 5))
MANY = {"phones": NEWSLETTER, "tel": CARDS}


def linked(*phones: str, right=SLOTTED, **settings) -> Pair:
    """Return a card and a record with single fields in step; what is left waits."""
    left = {"emails": items("a@x.com"), "tel": items(*phones)}
    pair = Pair(config(CARDS, right, **settings), left, {"mail": "a@x.com"})
    pair.settle()
    pair.writes.clear()
    pair.losses.clear()
    return pair


def filled(pair: Pair) -> dict[str, str]:
    """Return the single fields that have a number."""
    return {name: v for name, v in pair.right.items() if v and name != "mail"}


def is_at_rest(pair: Pair) -> bool:
    """Say whether nothing is left to do, and nothing has been missed."""
    return pair.turn() is None and not drift.of(pair.case())


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/config.py: a single field that is taken has room",
)
@pytest.mark.parametrize("right", [SLOTTED, TWO_SLOTS, LONE_SLOT])
@pytest.mark.parametrize("winner", [LEFT, RIGHT])
def test_b18_a_number_goes_to_a_single_field_once_the_one_there_is_removed(
    right, winner
):
    """It never went: both sides told different numbers for ever, as if in sync."""
    pair = linked(f"mobile:{ONE}", f"mobile:{TWO}", right=right, winner=winner)
    assert filled(pair) == {"mobile": ONE}
    pair.edit(LEFT, tel=items(f"mobile:{TWO}"))
    assert pair.settle() == 1
    assert filled(pair) == {"mobile": TWO}
    assert is_at_rest(pair)


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/pending.py: of a single field only one number is"
    " remembered",
)
@pytest.mark.parametrize("right", [SLOTTED, TWO_SLOTS, LONE_SLOT])
@pytest.mark.parametrize("winner", [LEFT, RIGHT])
def test_b18_what_is_cleared_where_another_number_waits_is_removed(right, winner):
    """The one that waits takes its place, and its removal goes across all the same."""
    pair = linked(f"mobile:{ONE}", f"mobile:{TWO}", right=right, winner=winner)
    pair.edit(RIGHT, mobile=None)
    assert pair.settle() == 2
    assert filled(pair) == {"mobile": TWO}
    assert pair.left["tel"] == items(f"mobile:{TWO}")
    assert is_at_rest(pair)


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/pending.py: of a single field only one number is"
    " remembered",
)
@pytest.mark.parametrize("winner", [LEFT, RIGHT])
def test_b18_a_number_moved_to_another_single_field_leaves_room(winner):
    pair = linked(f"mobile:{ONE}", f"mobile:{TWO}", winner=winner)
    pair.edit(RIGHT, home=ONE, mobile=None)
    assert pair.settle() == 2
    assert filled(pair) == {"home": ONE, "mobile": TWO}
    assert pair.left["tel"] == items(f"home:{ONE}", f"mobile:{TWO}")
    assert is_at_rest(pair)


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/items.py: a number comes before another has left",
)
@pytest.mark.parametrize(
    ("phones", "expected"),
    [
        (
            (f"home:{ONE}", f"mobile:{TWO}", f"work:{THREE}"),
            {"home": ONE, "mobile": TWO, "work": THREE},
        ),
        (
            (f"work:{ONE}", f"mobile:{THREE}", f"home:{TWO}"),
            {"work": ONE, "mobile": THREE, "home": TWO},
        ),
        (
            (f"mobile:{FOUR}", f"home:{ONE}", f"work:{TWO}"),
            {"mobile": FOUR, "home": ONE, "work": TWO},
        ),
    ],
    ids=["two change places", "all change places", "one comes too"],
)
def test_b18_numbers_change_places_in_single_fields(phones, expected):
    """Whichever of them is told first."""
    pair = linked(f"mobile:{ONE}", f"home:{TWO}", f"work:{THREE}")
    pair.edit(LEFT, tel=items(*phones))
    assert pair.settle() == 1
    assert filled(pair) == expected
    assert pair.left["tel"] == items(*phones)
    assert is_at_rest(pair)


@pytest.mark.behaviour(
    34,
    broken_by="reconciler/engine/merge.py: numbers that make room for each other are"
    " taken for in step",
)
@pytest.mark.parametrize("winner", [LEFT, RIGHT])
def test_b34_numbers_change_places_while_another_comes_on_the_other_side(winner):
    pair = linked(f"mobile:{ONE}", f"home:{TWO}", winner=winner)
    pair.edit(LEFT, tel=items(f"home:{ONE}", f"mobile:{TWO}"))
    pair.edit(RIGHT, work=THREE)
    assert pair.settle() == 2
    assert filled(pair) == {"home": ONE, "mobile": TWO, "work": THREE}
    assert pair.left["tel"] == items(f"home:{ONE}", f"mobile:{TWO}", f"work:{THREE}")
    assert is_at_rest(pair)


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/items.py: a number that cannot move is dropped",
)
def test_b18_a_number_whose_new_single_field_is_taken_stays_in_its_own():
    """And whoever wants that one waits."""
    pair = linked(f"mobile:{ONE}", f"home:{TWO}", f"work:{THREE}")
    phones = items(f"mobile:{FOUR}", f"home:{ONE}", f"work:{TWO}", f"home:{THREE}")
    pair.edit(LEFT, tel=phones)
    assert pair.settle() == 0
    assert filled(pair) == {"mobile": ONE, "home": TWO, "work": THREE}
    assert pair.left["tel"] == phones
    assert is_at_rest(pair)


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/merge.py: what was taken away there waits for room",
)
@pytest.mark.parametrize("new", [None, FOUR])
def test_b18_one_way_what_was_taken_away_there_does_not_come_back(new):
    pair = linked(f"mobile:{ONE}", direction=Direction.TO_RIGHT)
    pair.edit(RIGHT, mobile=new)
    assert pair.settle() == 0
    pair.edit(LEFT, tel=items(f"mobile:{ONE}", f"home:{TWO}"))
    assert pair.settle() == 1
    assert filled(pair) == {"home": TWO} | ({"mobile": new} if new else {})
    pair.edit(RIGHT, mobile=None)
    assert pair.settle() == 0
    assert is_at_rest(pair)


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/config.py: a single field that is taken has room",
)
def test_b18_one_way_a_number_that_had_no_room_goes_across_once_there_is_some():
    pair = linked(f"mobile:{ONE}", f"mobile:{TWO}", direction=Direction.TO_RIGHT)
    pair.edit(LEFT, tel=items(f"mobile:{TWO}"))
    assert pair.settle() == 1
    assert filled(pair) == {"mobile": TWO}
    assert is_at_rest(pair)


NUMBERS = tuple(f"+1202555010{n}" for n in range(1, 8))
LABELS = ("mobile", "work", "home", "other", "")


def edits_of(name: str) -> st.SearchStrategy[tuple[Side, Fields]]:
    """Return edits of either side: of the list, or of some of the single fields."""
    labels = LABELS if name == "tel" else LABELS[:-1]
    item = st.builds(
        Item, value=st.sampled_from(NUMBERS), label=st.sampled_from(labels)
    )
    listed = st.lists(
        item, max_size=4 if name == "tel" else 3, unique_by=lambda each: each.value
    ).map(lambda found: (LEFT, {name: tuple(found) or None}))
    number = st.none() | st.sampled_from(NUMBERS)
    single = st.dictionaries(
        st.sampled_from(("mobile", "home", "work", "phone")), number, min_size=1
    ).map(lambda found: (RIGHT, found))
    return st.one_of(listed, single)


def numbers_of(pair: Pair) -> dict[Side, dict[str, str]]:
    """Return the numbers of both sides, and where each stands there."""
    [left] = [pair.left[name] for name in MANY if name in pair.left]
    return {
        LEFT: {canon.phone(each.value): each.label for each in left or ()},
        RIGHT: {canon.phone(value): name for name, value in filled(pair).items()},
    }


def enter(pair: Pair, side: Side, fields: Fields) -> None:
    """Edit what a record has of some fields; a number is in one of them only."""
    record = pair.records[side]
    fields = {name: v for name, v in fields.items() if name in record.fields}
    if side is RIGHT:
        new = {v for v in fields.values() if v}
        if len(new) < sum(1 for v in fields.values() if v):
            return
        moved = {n: None for n, v in record.fields.items() if v in new}
        fields = {**moved, **fields}
    pair.edit(side, **fields)


@tries(400, deep=PLANNER_DEEP)
@given(
    data=st.data(),
    name=st.sampled_from(tuple(MANY)),
    right=st.sampled_from((SLOTTED, TWO_SLOTS, LONE_SLOT)),
    winner=st.sampled_from((LEFT, RIGHT)),
    silent=st.sets(st.sampled_from((LEFT, RIGHT))),
)
def test_whatever_is_edited_numbers_come_to_rest_and_none_is_lost(
    data, name, right, winner, silent
):
    """What found no room waits for it; what nobody took away stays where it was.

    What somebody took away is gone on both sides, unless the other side has moved it
    meanwhile: a new label outlives a removal.
    """
    email = {"emails": items("a@x.com")} if name == "tel" else {"email": "a@x.com"}
    pair = Pair(config(MANY[name], right, winner=winner), email, {"mail": "a@x.com"})
    pair.silent = silent
    pair.settle()
    edits = st.lists(edits_of(name), min_size=1, max_size=3)
    for batch in data.draw(st.lists(edits, min_size=1, max_size=4)):
        before = numbers_of(pair)
        for side, fields in batch:
            enter(pair, side, fields)
        now = numbers_of(pair)
        pair.settle(turns_max=8)
        assert pair.link.state is RecordState.IN_SYNC
        assert drift.of(pair.case()) == ()
        pair.config = msgspec.structs.replace(
            pair.config, version=pair.config.version + 1
        )
        assert pair.plan().intent is None, "a second look finds the same"
        after = numbers_of(pair)
        removed = {n for s in (LEFT, RIGHT) for n in before[s].keys() - now[s].keys()}
        entered = {
            n
            for s in (LEFT, RIGHT)
            for n in now[s]
            if now[s][n] != before[s].get(n, "none")
        }
        for side in (LEFT, RIGHT):
            assert now[side].keys() - removed <= after[side].keys()
            assert after[side].keys().isdisjoint(removed - entered)
