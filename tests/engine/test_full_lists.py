"""Labels of one list that is soon full: what fits arrives, and what does not waits."""

from hypothesis import given
from hypothesis import strategies as st

from proto.fields import FieldKind, Item, Role
from proto.reconciler import Side
from services.reconciler.engine.model import Reason
from tests.engine import mapped, world
from tests.engine.examples import tries
from tests.engine.world import field, items

LEFT, RIGHT = Side.LEFT, Side.RIGHT
PHONE = FieldKind.PHONE
LABELS = ("home", "work", "mobile", "other")
MAIL = field("mail", FieldKind.EMAIL, Role.EMAIL)
RIGHTS = (
    MAIL,
    field("office", PHONE),
    field("cell", PHONE),
    field("tel", PHONE, is_multiple=True),
)
MADE = (
    mapped.custom("phones/work", "office"),
    mapped.custom("phones/mobile", "cell"),
    mapped.custom("phones/home", "tel/private"),
)
NUMBERS = tuple(digit * 6 for digit in "123456789")

Numbers = frozenset[tuple[str, str]]
"""Labels as the left has them, each with a number."""


def full(
    count_max: int, *phones: str, winner: Side = LEFT, made=MADE, **right: object
) -> world.Pair:
    """A pair in step; the list on the left has room for so many."""
    lefts = (
        field("email", FieldKind.EMAIL, Role.EMAIL),
        field("phones", PHONE, is_multiple=True, labels=LABELS, count_max=count_max),
    )
    config = mapped.config(lefts, RIGHTS, *made, winner=winner)
    one = {"email": "a@x.com", "phones": items(*phones) if phones else None}
    pair = world.Pair(config, one, {"mail": "a@x.com", **right})
    pair.settle()
    return pair


def said(pair: world.Pair) -> dict[Side, Numbers]:
    """What each side says, by the left's labels."""
    right = pair.right
    singles = {("work", right["office"]), ("mobile", right["cell"])}
    return {
        LEFT: frozenset((i.label, i.value) for i in pair.left["phones"] or ()),
        RIGHT: frozenset(one for one in singles if one[1])
        | {("home", item.value) for item in right["tel"] or ()},
    }


def test_a_label_that_empties_has_room_for_another_at_once():
    pair = full(2, "work:111111", "home:222222")
    pair.edit(RIGHT, office=None, cell="333333")
    assert pair.settle() == 1
    assert said(pair)[LEFT] == {("home", "222222"), ("mobile", "333333")}
    assert not pair.link.held
    pair.edit(RIGHT, office="444444")
    assert pair.settle() == 0
    assert pair.link.held[0].reason == Reason.NO_ROOM


def test_what_has_room_once_another_leaves_is_not_forgotten_by_a_write_before_it():
    """The other side's edit goes first, and its answer shows the one that waits."""
    pair = full(2, "home:111111")
    pair.edit(LEFT, phones=items("home:111111", "work:222222"))
    pair.edit(RIGHT, cell="333333", tel=None)
    pair.settle()
    assert said(pair)[LEFT] == {("work", "222222"), ("mobile", "333333")}
    assert said(pair)[RIGHT] == said(pair)[LEFT]


# Laws.


@st.composite
def fitting(draw, count_max: int) -> tuple[tuple[str, str], ...]:
    """Draw what fits into the list: one of each single field, and any at home."""
    labels = draw(st.lists(st.sampled_from(LABELS[:3]), max_size=count_max))
    values = draw(st.permutations(NUMBERS))
    found = dict(zip(values, labels, strict=False))
    return tuple(
        (label, value)
        for value, label in found.items()
        if label == "home" or [*found.values()].count(label) == 1
    )


def edit(pair: world.Pair, side: Side, numbers: tuple[tuple[str, str], ...]) -> None:
    """Have a side say these and nothing else."""
    if side is LEFT:
        phones = tuple(Item(value=value, label=label) for label, value in numbers)
        pair.edit(LEFT, phones=phones or None)
        return
    by_label = dict(numbers)
    homes = [value for label, value in numbers if label == "home"]
    pair.edit(
        RIGHT,
        office=by_label.get("work"),
        cell=by_label.get("mobile"),
        tel=tuple(Item(value=value, label="private") for value in homes) or None,
    )


sides = st.sampled_from((LEFT, RIGHT))
silent = st.sets(sides)
counts = st.integers(1, 3)


@tries(150)
@given(data=st.data(), count_max=counts, made=st.permutations(MADE))
def test_whatever_fits_arrives(data, count_max, made):
    pair = full(count_max, made=made)
    pair.silent = data.draw(silent)
    for _ in range(data.draw(st.integers(1, 4))):
        numbers = data.draw(fitting(count_max))
        edit(pair, data.draw(sides), numbers)
        pair.settle()
        assert said(pair) == dict.fromkeys((LEFT, RIGHT), frozenset(numbers))
        assert not pair.link.held


@tries(150)
@given(data=st.data(), count_max=counts, winner=sides, made=st.permutations(MADE))
def test_both_sides_agree_unless_there_is_no_room(data, count_max, winner, made):
    pair = full(count_max, winner=winner, made=made)
    pair.silent = data.draw(silent)
    for _ in range(data.draw(st.integers(1, 3))):
        for side in data.draw(st.sampled_from(((LEFT,), (RIGHT,), (LEFT, RIGHT)))):
            edit(pair, side, data.draw(fitting(count_max)))
        data.draw(st.sampled_from((pair.settle, pair.turn, pair.write_in_vain)))()
    pair.come_to_rest(turns_max=6)
    left, right = said(pair).values()
    assert left == right or len(left | right) > count_max
    assert (
        left == right
        or pair.link.held
        or {label for label, _ in left ^ right} == {"home"}
    )
