"""Names that both sides edit at once: one name afterwards, whatever the words."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.fields import Fields
from proto.reconciler import Side
from services.reconciler.engine import lenses, merge
from services.reconciler.engine.diff import Sides
from services.reconciler.engine.lenses import fullnames
from services.reconciler.engine.model import Lens
from tests.engine import world
from tests.engine.examples import tries
from tests.engine.world import Pair

LEFT, RIGHT = Side.LEFT, Side.RIGHT
NAME = next(p for p in world.config().pairs if p.mapping.lens is Lens.NAME)


def joined(*parts: str) -> str:
    return " ".join(filter(None, parts))


def in_parts(parts: tuple[str, str]) -> Fields:
    return {"first": parts[0] or None, "last": parts[1] or None}


def linked(parts: tuple[str, str], *, winner: Side) -> Pair:
    """Return a pair in step, with this name."""
    return world.linked(in_parts(parts), {"fn": joined(*parts) or None}, winner=winner)


def told(pair: Pair) -> list[str]:
    """Return the words of the left's name."""
    return joined(pair.left["first"] or "", pair.left["last"] or "").split()


@pytest.mark.parametrize("winner", [LEFT, RIGHT])
@pytest.mark.parametrize(
    ("was", "parts", "full"),
    [
        # In another order.
        (("Ana", ""), ("Ana", "Soto"), "Soto Ana"),
        (("Ana", ""), ("Lea", "Soto"), "Soto Lea"),
        (("Ana", ""), ("Ana Lea", ""), "Lea Ana"),
        (("Ana", ""), ("Ana", "SOTO"), "Soto Ana"),
        # Told twice by one side, or not at all.
        (("Garcia", ""), ("Garcia", "Maria"), "Maria Garcia Ana"),
        (("Bea", "Ana"), ("Cid Bea", "Ana"), "Bea Ana Cid"),
        (("Bea Cid", "Cid Bea"), ("", "Ana"), "Bea Ana Cid"),
        (("Bea", "Ana Cid"), ("Bea Cid", "Ana"), "Bea Cid Bea"),
    ],
)
def test_a_word_that_both_put_in_other_places_is_a_conflict(was, parts, full, winner):
    """Each side kept its own name for ever, and was shown as in sync."""
    pair = linked(was, winner=winner)
    pair.edit(LEFT, **in_parts(parts))
    pair.edit(RIGHT, fn=full)
    assert pair.settle() == 1
    assert told(pair) == pair.right["fn"].split()
    assert told(pair) == (joined(*parts) if winner is LEFT else full).split()
    lost = in_parts(parts) if winner is RIGHT else {"fn": full}
    assert [loss.values for loss in pair.losses] == [lost]


def merged(sides: Sides) -> tuple[Fields, Fields]:
    """Return what both sides would hold."""
    found = merge.merge(NAME, sides)
    left, right = (
        lenses.put(merge.target(NAME, side, atoms=found.to(side), sides=sides))
        for side in (LEFT, RIGHT)
    )
    return left, right


def test_a_title_that_one_side_tells_is_no_conflict():
    """It came of an app that could not hold it, and stays where it is."""
    sides = Sides(
        old_left={"first": "Ana", "last": "Soto"},
        old_right={"fn": "Dr. Ana Soto"},
        left={"first": "Ana", "last": "Diaz"},
        right={"fn": "Dr. Lea Soto"},
        forms={LEFT: {}, RIGHT: {}},
    )
    assert merge.merge(NAME, sides).lost == ()
    assert merged(sides) == ({"first": "Lea", "last": "Diaz"}, {"fn": "Dr. Lea Diaz"})


def test_what_an_app_cut_off_before_a_first_match_is_no_conflict():
    """The other side would have been cut, too."""
    sides = Sides(
        old_left={},
        old_right={},
        left={"first": "Ana", "last": "Soto Garcia"},
        right={"fn": "Lea Soto Gar"},
        forms={LEFT: {}, RIGHT: {"fn": {"Lea Soto Gar": "Lea Soto Garcia"}}},
    )
    assert merged(sides) == (
        {"first": "Ana", "last": "Soto Garcia"},
        {"fn": "Ana Soto Gar"},
    )


@pytest.mark.parametrize(
    ("first", "last", "full", "is_so"),
    [
        ("Ana", "Soto", "Ana Soto", True),
        ("Ana", "Soto", "Soto Ana", False),
        ("ANA", "Soto", "soto ana", False),
        ("Ana", "Soto", "Dr. Ana Soto", True),
        ("Ana", "Soto", "Dr. Soto Ana", False),
        ("Ana", "Soto", "Prof. Dr. Ana Soto", False),
        ("Ana", "Garcia", "Ana Gar", True),
        ("Ana Lea", "Garcia", "Ana Gar", False),
        ("Ana", "Ana Soto", "Ana Soto", False),
        ("Ana", None, None, True),
    ],
)
def test_a_name_is_alike_but_for_as_many_words_as_one_side_tells_alone(
    first, last, full, is_so
):
    """Such as a title, and what an app has cut off."""
    left, right = {"first": first, "last": last}, {"fn": full}
    assert fullnames.is_alike(NAME, left=left, right=right, alone=(1, 1)) is is_so


WORDS = ("Ana", "Bea", "Cid")


def texts(words_max: int) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(WORDS), max_size=words_max).map(" ".join)


parts_of_names = st.tuples(texts(2), texts(2))


@tries(120)
@given(
    was=parts_of_names,
    title=st.sampled_from(("", "Dr.")),
    parts=parts_of_names,
    full=texts(3),
    keeps_title=st.booleans(),
    winner=st.sampled_from((LEFT, RIGHT)),
)
def test_whatever_both_enter_is_one_name_afterwards(
    was, title, parts, full, keeps_title, winner
):
    """Of few words, so that many are told twice, or by both in other places."""
    pair = linked(was, winner=winner)
    if title:
        pair.edit(RIGHT, fn=joined(title, *was))
        pair.settle()
        pair.losses.clear()
    started = Counter(told(pair))
    pair.edit(LEFT, **in_parts(parts))
    pair.edit(RIGHT, fn=joined(title if keeps_title else "", full) or None)
    entered = [told(pair), (pair.right["fn"] or "").split()]
    pair.settle()
    ours, theirs = told(pair), (pair.right["fn"] or "").split()
    assert ours == [word for word in theirs if word in ours]
    assert len(theirs) - len(ours) <= len(title.split())
    if not pair.losses:
        for words in entered:
            came = Counter(words) - started - Counter(theirs)
            assert not came, "nobody's word is gone"
