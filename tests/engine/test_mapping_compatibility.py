"""Which fields go together, in which direction, and why not."""

import itertools

import pytest

from proto.fields import Field, FieldKind, Option
from proto.reconciler import Direction
from services.reconciler.engine import compatibility
from services.reconciler.engine.compatibility import SENTENCES, Bar, FieldEnd
from services.reconciler.engine.model import Lens
from tests.engine.world import field

BOTH, TO_LEFT, TO_RIGHT = Direction.BOTH, Direction.TO_LEFT, Direction.TO_RIGHT
K = FieldKind


def ends(left: Field, right: Field, label: str = "", right_label: str = "", **more):
    return compatibility.compatibility(
        FieldEnd(left, label), FieldEnd(right, right_label), **more
    )


@pytest.mark.behaviour(
    16,
    broken_by="reconciler/engine/compatibility.py: text is read back as a value of"
    " another kind",
)
@pytest.mark.parametrize(
    ("left", "right", "lens", "direction"),
    [
        (K.TEXT, K.TEXT, Lens.COPY, BOTH),
        (K.TEXT, K.URL, Lens.COPY, BOTH),
        (K.PHONE, K.TEXT, Lens.COPY, BOTH),
        (K.NUMBER, K.NUMBER, Lens.COPY, BOTH),
        (K.BOOLEAN, K.BOOLEAN, Lens.COPY, BOTH),
        (K.DATE, K.DATE, Lens.COPY, BOTH),
        (K.DATETIME, K.DATETIME, Lens.COPY, BOTH),
        (K.DATE, K.DATETIME, Lens.DAY, BOTH),
        (K.DATETIME, K.DATE, Lens.DAY, BOTH),
        (K.MONTH_DAY, K.DATE, Lens.DATE, BOTH),
        (K.MONTH_DAY, K.DATETIME, Lens.DATE, BOTH),
        (K.NUMBER, K.TEXT, Lens.TEXT, TO_RIGHT),
        (K.TEXT, K.NUMBER, Lens.TEXT, TO_LEFT),
        (K.BOOLEAN, K.TEXT, Lens.TEXT, TO_RIGHT),
        (K.DATE, K.TEXT, Lens.TEXT, TO_RIGHT),
        (K.DATETIME, K.TEXT, Lens.TEXT, TO_RIGHT),
        (K.CHOICE, K.TEXT, Lens.TEXT, TO_RIGHT),
        (K.TEXT, K.CHOICE, Lens.TEXT, TO_LEFT),
        (K.NUMBER, K.DATE, None, None),
        (K.BOOLEAN, K.CHOICE, None, None),
        (K.NUMBER, K.URL, None, None),
        (K.ADDRESS, K.TEXT, None, None),
        (K.UNKNOWN, K.UNKNOWN, None, None),
    ],
)
def test_b16_kinds_decide_the_direction(left, right, lens, direction):
    found = ends(field("a", left), field("b", right))
    assert (found.lens, found.direction) == (lens, direction)
    for side, bar in ((TO_LEFT, found.to_left), (TO_RIGHT, found.to_right)):
        is_possible = direction in (BOTH, side)
        assert bar is (None if is_possible else Bar.KINDS_DIFFER)


@pytest.mark.behaviour(
    16,
    broken_by="reconciler/engine/compatibility.py: a field that is only read is a"
    " target",
)
def test_b16_a_field_that_is_only_read_is_no_target():
    sealed, free = field("a", is_writable=False), field("b")
    assert ends(sealed, free).direction is TO_RIGHT
    assert ends(sealed, free).to_left is Bar.READ_ONLY
    assert ends(sealed, sealed).direction is None
    assert ends(field("n", K.NUMBER), sealed).bar(TO_RIGHT) is Bar.READ_ONLY


@pytest.mark.behaviour(
    16,
    broken_by="reconciler/engine/compatibility.py: a choice is written without pairs"
    " of options",
)
def test_b16_a_choice_is_written_only_through_pairs_of_options():
    choice = field("a", K.CHOICE, options=(Option(option_id="1", label="One"),))
    assert ends(choice, choice).to_right is Bar.NEEDS_OPTIONS
    assert ends(choice, choice, has_options=True).lens is Lens.CHOICE
    assert ends(choice, field("b"), has_options=True).to_right is Bar.OPTIONS_UNUSED
    many = field("c", K.CHOICE, is_multiple=True)
    assert ends(many, many, has_options=True).to_right is Bar.SEVERAL_DIFFER


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/compatibility.py: several values do not go to several",
)
def test_b18_several_values_go_to_one_and_to_several_of_their_kind():
    many = field("a", K.PHONE, is_multiple=True, labels=("home", "work"))
    assert ends(many, many).lens is Lens.ITEMS
    assert ends(many, field("b", K.PHONE)).lens is Lens.FIRST
    assert ends(many, field("b")).lens is Lens.FIRST
    assert ends(many, field("b", K.NUMBER)).to_right is Bar.SEVERAL_DIFFER
    assert ends(field("n", K.NUMBER, is_multiple=True), field("b")).lens is None
    homes = field("h", K.ADDRESS, is_multiple=True)
    assert ends(homes, homes).lens is Lens.ITEMS
    assert ends(homes, field("b", K.ADDRESS)).lens is None


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/compatibility.py: a label can be mapped that the"
    " field cannot have",
)
def test_b18_a_label_has_to_be_one_that_the_field_can_have():
    many = field("a", K.PHONE, is_multiple=True, labels=("home", "work"))
    assert ends(many, field("b"), "home").lens is Lens.FIRST
    assert ends(many, field("b"), "pager").to_right is Bar.LABEL_NOT_OFFERED
    free = field("a", K.PHONE, is_multiple=True)
    assert ends(free, many, "pager", "work").lens is Lens.ITEMS
    assert ends(field("b"), field("c"), "home").to_left is Bar.LABEL_ON_SINGLE


@pytest.mark.behaviour(
    16,
    broken_by="reconciler/engine/compatibility.py: a refusal has no sentence",
)
def test_b16_every_refusal_has_a_name_and_a_sentence():
    """For any two kinds a direction is possible, or it is said why not."""
    assert SENTENCES.keys() == set(Bar)
    fields = [
        field("f", kind, is_multiple=is_multiple, is_writable=is_writable)
        for kind in FieldKind
        for is_multiple in (False, True)
        for is_writable in (False, True)
    ]
    for left, right in itertools.product(fields, fields):
        found = ends(left, right)
        assert (found.lens is None) <= (found.direction is None)
        for way in (BOTH, TO_LEFT, TO_RIGHT):
            bar = found.bar(way)
            is_possible = found.direction in (BOTH, way)
            assert (bar is None) is is_possible
        mirrored = ends(right, left)
        assert (mirrored.to_left, mirrored.to_right) == (found.to_right, found.to_left)
        for target, bar in ((left, found.to_left), (right, found.to_right)):
            assert bar is not None or target.is_writable


def test_a_direction_is_never_wider_than_another():
    narrowed = compatibility.narrowed
    assert narrowed(BOTH, BOTH) is BOTH
    assert narrowed(BOTH, TO_LEFT, BOTH) is TO_LEFT
    assert narrowed(TO_LEFT, TO_RIGHT) is None
    assert narrowed(TO_LEFT, BOTH, TO_LEFT) is TO_LEFT
    assert narrowed(None, BOTH) is None
    assert narrowed(BOTH, Direction.UNKNOWN) is None
