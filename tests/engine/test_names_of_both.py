"""Names that both sides edit at once: one name afterwards, whatever the words."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.reconciler import Side
from services.reconciler.engine import merge
from services.reconciler.engine.diff import Sides
from services.reconciler.engine.lenses import fullnames
from services.reconciler.engine.model import Lens
from tests.engine import world
from tests.engine.examples import tries

LEFT, RIGHT = Side.LEFT, Side.RIGHT
NAME = next(p for p in world.config().pairs if p.mapping.lens is Lens.NAME)


@pytest.mark.parametrize("winner", [LEFT, RIGHT])
@pytest.mark.parametrize(
    ("parts", "full"),
    [
        ({"last": "Soto"}, "Soto Ana"),
        ({"first": "Lea", "last": "Soto"}, "Soto Lea"),
        ({"first": "Ana Lea"}, "Lea Ana"),
        ({"last": "SOTO"}, "Soto Ana"),
    ],
)
def test_words_that_both_sides_put_in_another_order_are_a_conflict(winner, parts, full):
    """Each side kept its order for ever, and was shown as in sync."""
    pair = world.linked({"first": "Ana", "last": None}, {"fn": "Ana"}, winner=winner)
    pair.edit(LEFT, **parts)
    pair.edit(RIGHT, fn=full)
    before = [pair.left["first"], pair.left["last"]]
    assert pair.settle() == 1
    told = " ".join(filter(None, (pair.left["first"], pair.left["last"])))
    assert told == pair.right["fn"]
    assert told == (" ".join(filter(None, before)) if winner is LEFT else full)
    lost = {"first": before[0], "last": before[1]} if winner is RIGHT else {"fn": full}
    assert [loss.values for loss in pair.losses] == [lost]


@pytest.mark.parametrize("winner", [LEFT, RIGHT])
@pytest.mark.parametrize(
    ("was", "parts", "full"),
    [
        (("Garcia", None), {"last": "Maria"}, "Maria Garcia Ana"),
        (("Bea", "Ana"), {"first": "Cid Bea"}, "Bea Ana Cid"),
        (("Bea Cid", "Cid Bea"), {"first": None, "last": "Ana"}, "Bea Ana Cid"),
    ],
)
def test_a_word_that_both_entered_elsewhere_is_a_conflict(was, parts, full, winner):
    """One side had it twice, or another not at all, and both counted as in sync."""
    first, last = was
    joined = " ".join(filter(None, was))
    pair = world.linked({"first": first, "last": last}, {"fn": joined}, winner=winner)
    pair.edit(LEFT, **parts)
    pair.edit(RIGHT, fn=full)
    before = [pair.left["first"], pair.left["last"]]
    assert pair.settle() == 1
    told = " ".join(filter(None, (pair.left["first"], pair.left["last"])))
    assert told == pair.right["fn"]
    assert told == (" ".join(filter(None, before)) if winner is LEFT else full)
    assert len(pair.losses) == 1


def test_a_title_that_one_side_tells_is_no_conflict():
    """It came of an app that could not hold it, and stays where it is."""
    sides = Sides(
        old_left={"first": "Ana", "last": "Soto"},
        old_right={"fn": "Dr. Ana Soto"},
        left={"first": "Ana", "last": "Diaz"},
        right={"fn": "Dr. Lea Soto"},
        forms={LEFT: {}, RIGHT: {}},
    )
    merged = merge.merge(NAME, sides)
    assert merged.lost == ()
    assert merge.put(NAME, LEFT, atoms=merged.to_left, sides=sides) == {
        "first": "Lea",
        "last": "Diaz",
    }
    assert merge.put(NAME, RIGHT, atoms=merged.to_right, sides=sides) == {
        "fn": "Dr. Lea Diaz"
    }


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
    pair = world.linked(
        {"first": was[0] or None, "last": was[1] or None},
        {"fn": _joined(*was) or None},
        winner=winner,
    )
    if title:
        pair.edit(RIGHT, fn=_joined(title, *was))
        pair.settle()
        pair.losses.clear()
    started = Counter(_told(pair))
    pair.edit(LEFT, first=parts[0] or None, last=parts[1] or None)
    pair.edit(RIGHT, fn=_joined(title if keeps_title else "", full) or None)
    entered = [_told(pair), (pair.right["fn"] or "").split()]
    pair.settle()
    ours, theirs = _told(pair), (pair.right["fn"] or "").split()
    assert ours == [word for word in theirs if word in ours]
    assert len(theirs) - len(ours) <= len(title.split())
    if not pair.losses:
        for words in entered:
            came = Counter(words) - started - Counter(theirs)
            assert not came, "nobody's word is gone"


def _joined(*parts: str) -> str:
    return " ".join(filter(None, parts))


def _told(pair: world.Pair) -> list[str]:
    return _joined(pair.left["first"] or "", pair.left["last"] or "").split()
