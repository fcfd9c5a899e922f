"""A number with its country's code, or without, is the same one after a write.

Apps complete what they are given, and where no answer shows that, or only a later read
does, it was taken for a number that somebody had entered: it was there twice in the end
(simulation, seed 2344).
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.connector import WriteOutcome
from proto.reconciler import Side
from services.reconciler.engine import canon
from tests.engine.examples import tries
from tests.engine.test_forms import (
    LISTED,
    LONG,
    OTHER,
    SHORT,
    SINGLE,
    completed,
    met,
    said,
)
from tests.engine.world import Pair, items, linked

LEFT, RIGHT = Side.LEFT, Side.RIGHT


@pytest.mark.parametrize(
    ("one", "other", "is_one"),
    [
        ("+4930901820", "030901820", True),
        ("+4930901820", "30901820", True),
        ("+12025550103", "5550103", True),
        ("+4930901820", "+4930901820", False),
        ("030901820", "30901820", False),
        ("+4930901820", "40901820", False),
        ("+4930901820", "01820", False),
        ("+4930901820", "0", False),
        ("+4930901820", "", False),
    ],
)
def test_a_number_is_completed_by_what_stands_before_it(one, other, is_one):
    assert canon.is_completed(one, other) is is_one
    assert canon.is_completed(other, one) is is_one


def entered(pair: Pair, rights, number: str) -> None:
    pair.edit(RIGHT, tel=items(f"home:{number}") if rights is LISTED else number)


@pytest.mark.parametrize("rights", [LISTED, SINGLE])
@pytest.mark.parametrize("number", [SHORT, LONG])
def test_a_write_without_an_answer_is_known_by_the_completed_number(rights, number):
    pair = met(rights=rights, is_completing=True)
    entered(pair, rights, number)
    intent = pair.write_unheard()
    assert pair.look(intent).is_written
    assert pair.settle() == 0
    assert said(pair) == ([LONG], [number])
    entered(pair, rights, OTHER)
    assert pair.settle() == 1
    assert said(pair) == ([OTHER], [OTHER])


def test_so_it_is_beside_what_somebody_entered_meanwhile():
    """Nobody can tell then whether the write took effect; the number is the same."""
    pair = met()
    pair.edit(RIGHT, tel=items(f"home:{SHORT}"))
    intent = pair.write_unheard()
    pair.edit(LEFT, phones=items(f"home:{LONG}", f"home:{OTHER}"))
    pair.look(intent)
    assert pair.settle() == 1
    assert said(pair) == ([LONG, OTHER], [SHORT, OTHER])


@pytest.mark.parametrize("rights", [LISTED, SINGLE])
def test_a_number_that_a_silent_app_completes_is_no_edit(rights):
    pair = met(rights=rights)
    pair.silent = {LEFT}
    entered(pair, rights, SHORT)
    assert pair.settle() == 1
    assert said(pair) == ([LONG], [SHORT])
    for _ in range(4):
        # As often as somebody enters it so again, which is no going to and fro.
        entered(pair, rights, LONG)
        assert pair.settle() == 0
        entered(pair, rights, SHORT)
        assert pair.settle() == 0
    pair.edit(LEFT, phones=None)
    assert pair.settle() == 1
    assert said(pair) == ([], [])


def test_a_text_is_no_number_however_it_is_written():
    pair = linked({"job": "Owner"}, {"title": "Owner"})
    pair.silent = {RIGHT}
    pair.edit(LEFT, job="030 901820")
    pair.meanwhile = lambda side: pair.edit(side, title="+49 30 901820")
    intent = pair.turn()
    pair.meanwhile = lambda _side: None
    assert intent is not None
    assert pair.link.learned == ()
    pair.settle()
    assert pair.left["job"] == "+49 30 901820"


def test_what_is_entered_beside_the_number_is_another_one():
    """Both are there, and so the app has made neither of the other."""
    pair = met(is_completing=False)
    pair.silent = {LEFT}
    pair.meanwhile = lambda side: pair.edit(
        side, phones=items(f"home:{SHORT}", f"work:{LONG}")
    )
    entered(pair, LISTED, SHORT)
    pair.settle()
    assert pair.link.learned == ()
    assert said(pair) == ([SHORT, LONG], [SHORT, LONG])


def test_two_that_a_silent_app_makes_one_are_removed_as_one():
    """Both sides entered it at once, each in a form of its own."""
    pair = met()
    pair.silent = {LEFT}
    pair.edit(LEFT, phones=items(f"home:{SHORT}"))
    pair.edit(RIGHT, tel=items(f"work:{SHORT}"))
    pair.settle()
    assert said(pair) == ([LONG, LONG], [SHORT, LONG])
    pair.edit(LEFT, phones=None)
    assert pair.settle() == 1
    assert said(pair) == ([], [])


def test_what_was_there_before_is_no_form_of_what_was_written():
    """Both were entered, each for itself, and nothing says that they are one."""
    pair = met(f"home:{LONG}", is_completing=False)
    pair.edit(RIGHT, tel=items(f"home:{LONG}", f"work:{SHORT}"))
    assert pair.settle() == 1
    assert said(pair) == ([LONG, SHORT], [LONG, SHORT])
    pair.edit(RIGHT, tel=items(f"work:{SHORT}"))
    assert pair.settle() == 1
    assert said(pair) == ([SHORT], [SHORT])


numbers = {
    RIGHT: st.sampled_from((SHORT, LONG, "222222", "+1222222", OTHER)),
    # What both enter in two forms before any write are two numbers.
    LEFT: st.sampled_from(("+1333333", "+1444444", OTHER)),
}


@tries(150)
@given(data=st.data(), is_silent=st.booleans())
def test_no_number_is_there_twice_whatever_answers_are_lost(data, is_silent):
    """Each side enters whole lists, and some writes are known by a later look only."""
    pair = met()
    pair.silent = {LEFT} if is_silent else set()

    def edit() -> None:
        side = data.draw(st.sampled_from((LEFT, RIGHT)))
        found = data.draw(st.lists(numbers[side], max_size=2, unique_by=completed))
        entered_now = items(*(f"home:{each}" for each in found)) or None
        pair.edit(side, **{"phones" if side is LEFT else "tel": entered_now})

    for _ in range(data.draw(st.integers(1, 4))):
        edit()
        if data.draw(st.booleans()):
            pair.settle()
        elif (intent := pair.plan().intent) is not None:
            pair.answer(intent, WriteOutcome.UNKNOWN)
            pair.apply(intent)
            if data.draw(st.booleans()):
                edit()
            pair.look(intent)
    pair.come_to_rest(turns_max=8)
    left, right = ([completed(each) for each in side] for side in said(pair))
    assert sorted(left) == sorted(right)
    assert len(set(left)) == len(left)


@pytest.mark.parametrize(
    ("outcome", "number"), [(WriteOutcome.CHANGED, LONG), (WriteOutcome.UNKNOWN, SHORT)]
)
def test_a_country_s_code_goes_across_after_a_write_that_was_not_done(outcome, number):
    """But not where nobody knows: to be there once matters more than how."""
    pair = met(f"home:{SHORT}", is_completing=False)
    pair.edit(LEFT, phones=items(f"home:{LONG}"))
    intent = pair.plan().intent
    pair.answer(intent, outcome, record=pair.records[RIGHT])
    if outcome is WriteOutcome.UNKNOWN:
        pair.look(intent)
    pair.come_to_rest(turns_max=2)
    assert said(pair) == ([LONG], [number])


@pytest.mark.parametrize("winner", [LEFT, RIGHT])
def test_nobodys_edit_gives_way_to_a_country_s_code(winner):
    """An app may complete a number by itself, however much later (seed 660178)."""
    pair = met(f"home:{SHORT}", rights=SINGLE, winner=winner, is_completing=False)
    assert said(pair) == ([SHORT], [SHORT])
    pair.edit(LEFT, phones=items(f"home:{OTHER}"))
    pair.edit(RIGHT, tel=LONG)
    pair.settle()
    assert said(pair) == ([OTHER], [OTHER])
    pair.edit(LEFT, phones=items(f"home:{SHORT}"))
    pair.settle()
    pair.edit(RIGHT, tel=LONG)
    assert pair.settle() == 1, "by itself it goes across"
    assert said(pair) == ([LONG], [LONG])
