"""What an app makes of a value is the same value on both sides, for as long as it is.

The app on the left completes numbers of its town; people enter either form anywhere.
"""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.fields import FieldKind, Fields, Role
from proto.reconciler import Side
from services.reconciler.engine import forms, learn
from services.reconciler.engine import items as engine_items
from services.reconciler.engine.model import Learned
from tests.engine import mapped, world
from tests.engine.examples import tries
from tests.engine.world import field, items

LEFT, RIGHT = Side.LEFT, Side.RIGHT
PHONE = FieldKind.PHONE
LEFTS = (
    field("email", FieldKind.EMAIL, Role.EMAIL),
    field("phones", PHONE, Role.PHONE, is_multiple=True, labels=("home", "work")),
)
LISTED = (
    field("mail", FieldKind.EMAIL, Role.EMAIL),
    field("tel", PHONE, Role.PHONE, is_multiple=True),
)
SINGLE = (LISTED[0], field("tel", PHONE, Role.PHONE))
SHORT, LONG, OTHER = "111111", "+1111111", "+4930901820"


def completed(value: str) -> str:
    return f"+1{value}" if len(value) == len(SHORT) else value


def complete(fields: Fields) -> Fields:
    """Complete the numbers on the left."""
    found = tuple(
        msgspec.structs.replace(item, value=completed(item.value))
        for item in fields["phones"] or ()
    )
    return {**fields, "phones": found or None}


def met(
    *phones: str,
    rights=LISTED,
    winner: Side = LEFT,
    is_completing: bool = True,
    **right: object,
) -> world.Pair:
    """A pair in step whose left app completes numbers."""
    left = {"email": "a@x.com", "phones": items(*phones) if phones else None}
    config = mapped.config(LEFTS, rights, winner=winner)
    pair = world.Pair(config, left, {"mail": "a@x.com", **right})
    if is_completing:
        pair.normalise[LEFT] = complete
    pair.settle()
    return pair


def values(found: object) -> list[str]:
    """Numbers of either side, in order."""
    return [found] if isinstance(found, str) else [i.value for i in found or ()]


def said(pair: world.Pair) -> tuple[list[str], list[str]]:
    return values(pair.left["phones"]), values(pair.right["tel"])


@pytest.mark.parametrize("rights", [LISTED, SINGLE])
def test_a_number_corrected_to_what_the_app_made_of_it_is_changed_afterwards(rights):
    is_listed = rights is LISTED

    def tel(number: str) -> object:
        return items(f"home:{number}") if is_listed else number

    pair = met(rights=rights, tel=tel(SHORT))
    assert said(pair) == ([LONG], [SHORT])
    pair.edit(RIGHT, tel=tel(LONG))
    assert pair.settle() == 0
    pair.edit(RIGHT, tel=tel(OTHER))
    assert pair.settle() == 1
    assert said(pair) == ([OTHER], [OTHER])


@pytest.mark.parametrize("side", [LEFT, RIGHT])
def test_a_number_corrected_to_what_the_app_made_of_it_is_removed_afterwards(side):
    pair = met(tel=items(f"home:{SHORT}"))
    pair.edit(RIGHT, tel=items(f"home:{LONG}"))
    assert pair.settle() == 0
    pair.edit(side, **{"phones" if side is LEFT else "tel": None})
    assert pair.settle() == 1
    assert said(pair) == ([], [])


@pytest.mark.parametrize("side", [LEFT, RIGHT])
def test_a_number_entered_again_the_way_the_app_made_it_is_removed_again(side):
    pair = met(tel=items(f"home:{SHORT}"))
    pair.edit(LEFT, phones=None)
    assert pair.settle() == 1
    pair.edit(LEFT, phones=items(f"home:{LONG}"))
    assert pair.settle() == 1
    pair.edit(side, **{"phones" if side is LEFT else "tel": None})
    assert pair.settle() == 1
    assert said(pair) == ([], [])


def test_both_forms_entered_on_one_side_are_one_number():
    pair = met(tel=items(f"home:{SHORT}"))
    pair.edit(RIGHT, tel=items(f"home:{SHORT}", f"work:{LONG}"))
    assert pair.settle() == 0
    pair.edit(RIGHT, tel=items(f"work:{LONG}"))
    pair.settle()
    assert said(pair) == ([LONG], [LONG])
    pair.edit(RIGHT, tel=None)
    assert pair.settle() == 1
    assert said(pair) == ([], [])


def test_two_that_an_app_makes_one_are_removed_as_one():
    pair = met(tel=items(f"home:{SHORT}", f"work:{LONG}"))
    assert said(pair) == ([LONG, LONG], [SHORT, LONG])
    pair.edit(LEFT, phones=None)
    assert pair.settle() == 1
    assert said(pair) == ([], [])


def test_nothing_is_learned_of_two_that_are_the_same_at_a_silent_app():
    """Somebody may have made them so since: then they are no two forms of one."""
    pair = met()
    pair.silent = {LEFT}
    pair.edit(RIGHT, tel=items(f"home:{OTHER}", f"work:{LONG}"))
    pair.meanwhile = lambda side: pair.edit(side, phones=items(*[f"home:{LONG}"] * 2))
    pair.settle()
    assert pair.link.learned == ()
    assert said(pair) == ([LONG, LONG], [OTHER, LONG])


def test_what_became_of_each_is_told_by_their_order():
    """The first was there before, and the last became the same as the first."""
    pair = met(f"home:{LONG}")
    pair.edit(RIGHT, tel=items(f"home:{LONG}", "home:222222", f"work:{SHORT}"))
    assert pair.settle() == 1
    assert said(pair) == ([LONG, "+1222222", LONG], [LONG, "222222", SHORT])
    assert {(each.wrote, each.got) for each in pair.link.learned} == {
        ("222222", "+1222222"),
        (SHORT, LONG),
    }


def test_a_label_taken_back_before_the_second_write_leaves_both_sides_alike():
    """Removed on the left and labelled on the right: two writes, and one goes first."""
    pair = met(tel=items(f"home:{SHORT}", f"work:{OTHER}"))
    pair.edit(LEFT, phones=None)
    pair.edit(RIGHT, tel=items(f"home:{SHORT}", f"home:{OTHER}"))
    assert pair.turn().side is RIGHT
    pair.edit(RIGHT, tel=items(f"work:{OTHER}"))
    pair.settle()
    assert said(pair) == ([OTHER], [OTHER])


def test_what_each_app_makes_of_the_others_form_is_one_number():
    """Each prefers another form, so that forms lead in a circle."""
    pair = met(tel=items(f"home:{SHORT}"))

    def shorten(fields: Fields) -> Fields:
        found = tuple(
            msgspec.structs.replace(item, value=item.value.removeprefix("+1"))
            for item in fields["tel"] or ()
        )
        return {**fields, "tel": found or None}

    pair.normalise[RIGHT] = shorten
    pair.edit(LEFT, phones=items(f"home:{LONG}", f"work:{OTHER}", "work:+1222222"))
    pair.settle()
    assert said(pair)[1] == [SHORT, OTHER, "222222"]
    for left in ((OTHER,), (OTHER, LONG), ()):
        pair.edit(LEFT, phones=items(*(f"home:{one}" for one in left)) or None)
        pair.settle()
        assert said(pair)[1] == [one.removeprefix("+1") for one in left]


def test_a_lesson_in_use_outlives_those_that_are_not():
    """The number at home stays; the one at work is changed more often than is kept."""
    pair = met(tel=items(f"home:{SHORT}"))
    for number in range(learn.LEARNED_PER_FIELD_MAX + 1):
        pair.edit(RIGHT, tel=items(f"home:{SHORT}", f"work:{222222 + number}"))
        assert pair.settle() == 1
    assert len(pair.link.learned) == learn.LEARNED_PER_FIELD_MAX
    pair.edit(RIGHT, tel=None)
    assert pair.settle() == 1
    assert said(pair) == ([], [])


def test_forms_of_another_kind_are_their_fields_own():
    """The text on the right is told by another normal form than the numbers."""
    mobile, made = (
        mapped.custom("phones/work", "cell"),
        mapped.custom("phones/home", "tel"),
    )
    rights = (*LISTED, field("cell"))
    config = mapped.config(LEFTS, rights, mobile, made)
    (pair,) = (pair for pair in config.pairs if pair.parts)
    assert pair.left.kind is PHONE
    lessons = tuple(
        Learned(side=side, field_id=name, wrote=SHORT, got=f"{SHORT} of {name}")
        for side, name in ((LEFT, "phones"), (RIGHT, "cell"))
    )
    found = forms.forms_of(lessons, config)
    number, text = ({each.got: each.wrote} for each in lessons)
    assert found == {LEFT: {"phones": number}, RIGHT: {"tel": number, "cell": text}}


def test_what_was_meant_in_either_form_is_not_missing():
    meant, now = items(f"home:{LONG}", f"work:{OTHER}"), items(f"home:{LONG}")
    left = engine_items.left_of(PHONE, meant, now=now, known={LONG: SHORT})
    assert left == now


def test_a_text_written_the_way_the_app_makes_it_is_known_when_looked_for():
    """It was learned from a write of another form, and is ours as it is by now."""
    pair = world.Pair(
        world.config(), {"email": "a@x.com"}, {"emails": items("home:a@x.com")}
    )
    pair.normalise[RIGHT] = lambda f: {
        **f,
        "org": f["org"] and f["org"].removesuffix(" Inc"),
    }
    pair.settle()
    for company in ("Acme Inc", None):
        pair.edit(LEFT, company=company)
        assert pair.settle() == 1
    pair.edit(LEFT, company="Acme")
    intent = pair.write_unheard()
    folded = pair.look(intent)
    assert folded.is_written


# Laws.

SIDES = (LEFT, RIGHT)
silent = st.sets(st.sampled_from(SIDES))
numbers = st.lists(
    st.sampled_from((SHORT, LONG, "222222", "+1222222", OTHER)),
    max_size=3,
    unique_by=completed,
)


@tries(150)
@given(data=st.data(), rights=st.sampled_from((LISTED, SINGLE)))
def test_one_side_at_a_time_says_all_in_whatever_form(data, rights):
    pair = met(rights=rights)
    pair.silent = data.draw(silent)
    for _ in range(data.draw(st.integers(1, 5))):
        entered = data.draw(
            numbers.map(lambda found: found[: 3 if rights is LISTED else 1])
        )
        if data.draw(st.booleans()):
            pair.edit(LEFT, phones=items(*(f"home:{n}" for n in entered)) or None)
        elif rights is LISTED:
            pair.edit(RIGHT, tel=items(*(f"home:{n}" for n in entered)) or None)
        else:
            pair.edit(RIGHT, tel=next(iter(entered), None))
        pair.settle()
        left, right = said(pair)
        assert (
            {*left} == {completed(n) for n in right} == {completed(n) for n in entered}
        )


labelled = numbers.flatmap(
    lambda found: st.tuples(
        *(st.sampled_from((f"home:{number}", f"work:{number}")) for number in found)
    )
)


@tries(150)
@given(data=st.data(), winner=st.sampled_from(SIDES), is_completing=st.booleans())
def test_both_sides_say_the_same_in_the_end(data, winner, is_completing):
    pair = met(winner=winner, is_completing=is_completing)
    pair.silent = data.draw(silent)
    for _ in range(data.draw(st.integers(1, 4))):
        for side in data.draw(st.sampled_from(((LEFT,), (RIGHT,), SIDES))):
            entered = items(*data.draw(labelled)) or None
            pair.edit(side, **{"phones" if side is LEFT else "tel": entered})
        data.draw(st.sampled_from((pair.settle, pair.turn, pair.write_in_vain)))()
    pair.come_to_rest(turns_max=8)
    same = completed if is_completing else str
    left, right = ({same(number) for number in side} for side in said(pair))
    assert left == right
