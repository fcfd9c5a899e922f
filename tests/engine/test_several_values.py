"""Fields of several values, and what becomes of them where the other side has one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.fields import Item
from proto.reconciler import Direction, Side
from services.reconciler.engine import drift
from tests.engine.examples import PLANNER_DEEP, tries
from tests.engine.world import CARDS, NEWSLETTER, SLOTTED, Pair, config, items, linked

LEFT, RIGHT = Side.LEFT, Side.RIGHT


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/items.py: the other values of a field are dropped",
)
def test_b18_a_single_email_replaces_only_its_counterpart():
    pair = linked(right={"emails": items("work:z@x.com", "home:Ana@Example.com")})
    assert pair.left["email"] == "ana@example.com"
    pair.edit(LEFT, email="new@x.com")
    assert pair.settle() == 1
    assert pair.right["emails"] == items("work:z@x.com", "home:new@x.com")


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/lenses/firsts.py: who comes first once another is"
    " removed counts as edited",
)
@pytest.mark.parametrize(
    ("several", "expected"),
    [
        (("b@x.com", "c@x.com"), ("m@x.com", "b@x.com", "c@x.com")),
        (("c@x.com", "b@x.com"), ("m@x.com", "c@x.com", "b@x.com")),
        (
            ("b@x.com", "c@x.com", "n@x.com", "o@x.com"),
            ("m@x.com", "b@x.com", "c@x.com"),
        ),
        (("n@x.com", "b@x.com", "c@x.com"), ("m@x.com", "b@x.com", "c@x.com")),
        (("n@x.com", "o@x.com", "b@x.com"), ("m@x.com", "o@x.com", "b@x.com")),
    ],
    ids=["removed", "reordered too", "others came last", "replaced", "another came"],
)
def test_b18_a_single_email_takes_no_place_but_its_counterparts(several, expected):
    """Its counterpart was removed meanwhile, and the next one was taken off, too."""
    several_before = items("a@x.com", "b@x.com", "c@x.com")
    pair = linked({"email": "a@x.com"}, {"emails": several_before})
    pair.edit(LEFT, email="m@x.com")
    pair.edit(RIGHT, emails=items(*several))
    pair.settle()
    assert pair.left["email"] == "m@x.com"
    assert pair.right["emails"][:3] == items(*expected)
    assert pair.losses
    assert pair.settle() == 0


addresses = st.sampled_from([f"{name}@x.com" for name in "abcdefg"])
edits_of_emails = st.one_of(
    addresses.map(lambda one: (LEFT, {"email": one})),
    st.lists(addresses, min_size=1, max_size=4, unique=True).map(
        lambda found: (RIGHT, {"emails": items(*found)})
    ),
)


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/merge.py: an edit that wins takes the place of what"
    " nobody edited",
)
@tries(300, deep=PLANNER_DEEP)
@given(
    winner=st.sampled_from((LEFT, RIGHT)),
    batches=st.lists(
        st.lists(edits_of_emails, min_size=1, max_size=3), min_size=1, max_size=4
    ),
)
def test_b18_whatever_is_edited_no_other_email_is_taken_off(winner, batches):
    """It comes to rest with every address but for the counterpart and the losers."""
    emails = items("a@x.com", "b@x.com", "c@x.com")
    pair = linked({"email": "a@x.com"}, {"emails": emails}, winner=winner)
    for batch in batches:
        single, several = pair.left["email"], {i.value for i in pair.right["emails"]}
        for side, fields in batch:
            pair.edit(side, **fields)
        edited, now = pair.left["email"], {i.value for i in pair.right["emails"]}
        pair.losses.clear()
        pair.settle()
        assert drift.of(pair.case()) == ()
        after = {i.value for i in pair.right["emails"]}
        lost = {loss.values.get("email") for loss in pair.losses}
        lost |= {i.value for loss in pair.losses for i in loss.values.get("emails", ())}
        assert pair.left["email"] in after
        assert edited in {single, pair.left["email"], *lost}
        assert (several & now) - {single} <= after
        assert now - {single} - lost <= after


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/lenses/firsts.py: the last of several values goes to"
    " a single field",
)
def test_b18_the_first_email_goes_to_a_single_field():
    pair = Pair(config(), None, {"emails": items("one@x.com", "two@x.com")})
    assert pair.settle() == 1
    assert pair.left["email"] == "one@x.com"


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/lenses/firsts.py: what was edited there stays",
)
@pytest.mark.parametrize(
    ("several", "expected"),
    [
        (("c@x.com", "z@x.com"), "c@x.com"),
        (("z@x.com",), "z@x.com"),
        (("a@x.com", "z@x.com", "more@x.com"), "own@x.com"),
        (("z@x.com", "a@x.com"), "own@x.com"),
    ],
)
def test_b18_one_way_the_first_email_goes_over_one_that_was_edited_there(
    several, expected
):
    """As any source's edit does; it was not carried, and counted as drift."""
    one_way = config(direction=Direction.TO_LEFT)
    pair = Pair(one_way, {"email": "a@x.com"}, {"emails": items("a@x.com", "z@x.com")})
    pair.settle()
    pair.edit(LEFT, email="own@x.com")
    assert pair.settle() == 0
    pair.edit(RIGHT, emails=items(*several))
    assert pair.settle() == (expected != "own@x.com")
    assert pair.left["email"] == expected


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/compatibility.py: several values do not go to several",
)
def test_b18_all_values_go_to_a_field_of_several():
    pair = Pair(config(CARDS, CARDS), {"emails": items("a@x.com", "work:b@x.com")})
    assert pair.settle() == 1
    assert pair.right["emails"] == items("a@x.com", "work:b@x.com")
    pair.edit(RIGHT, emails=items("a@x.com", "work:b@x.com", "home:c@x.com"))
    assert pair.settle() == 1
    assert pair.left["emails"] == items("a@x.com", "work:b@x.com", "home:c@x.com")


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/items.py: a replaced value does not keep its place",
)
def test_b18_an_email_edited_in_its_place_goes_to_the_single_field():
    pair = linked(right={"emails": items("z@x.com", "ana@example.com")})
    pair.edit(RIGHT, emails=items("z@x.com", "new@x.com"))
    assert pair.settle() == 1
    assert pair.left["email"] == "new@x.com"


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/items.py: an app's own label is overwritten",
)
def test_b18_labels_and_extra_phones_of_the_other_side_survive():
    pair = linked(
        {"phones": items("mobile:+1 202 555 0101")},
        {"tel": items("iphone:+12025550101", "pager:+12025550199")},
    )
    pair.edit(LEFT, phones=(Item(value="+1 202 555 0102", label="mobile"),))
    pair.settle()
    assert items("iphone:+1 202 555 0102")[0] in pair.right["tel"]
    pair.edit(LEFT, phones=items("home:+12025550102"))
    pair.settle()
    assert (
        items("home:+1 202 555 0102")[0] in pair.right["tel"]
        or items("home:+12025550102")[0] in pair.right["tel"]
    )


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/merge.py: a value that had no room is forgotten",
)
@pytest.mark.parametrize("winner", [LEFT, RIGHT])
def test_b18_a_phone_that_had_no_room_goes_across_once_there_is_some(winner):
    """Full with three, one more came on the right; then one went on the left.

    What had not fitted was forgotten, and both sides told different numbers for ever.
    """
    three = items("a:+12025550101", "b:+12025550102", "c:+12025550103")
    pair = linked({"phones": three}, {"tel": three}, winner=winner)
    pair.edit(RIGHT, tel=(*three, *items("d:+12025550104")))
    assert pair.settle() == 0, "there is no room"
    pair.edit(LEFT, phones=pair.left["phones"][1:])
    assert pair.settle() == 2
    numbers = ["+12025550102", "+12025550103", "+12025550104"]
    assert [i.value for i in pair.left["phones"]] == numbers
    assert [i.value for i in pair.right["tel"]] == numbers
    assert pair.settle() == 0


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/merge.py: what was taken away there waits for room",
)
def test_b18_one_way_a_number_that_was_taken_away_there_does_not_come_back():
    """The next edit of another number brought it back."""
    phones = items("home:+12025550101", "work:+12025550102")
    settings = config(NEWSLETTER, NEWSLETTER, direction=Direction.TO_RIGHT)
    left = {"email": "a@x.com", "phones": phones}
    pair = Pair(settings, left, {"email": "a@x.com"})
    pair.settle()
    pair.edit(RIGHT, phones=phones[1:])
    assert pair.settle() == 0
    pair.edit(LEFT, phones=(*phones, *items("mobile:+12025550103")))
    assert pair.settle() == 1
    assert pair.right["phones"] == items("work:+12025550102", "mobile:+12025550103")


@pytest.mark.behaviour(
    34,
    broken_by="reconciler/engine/merge.py: a number replaced and one labelled anew are"
    " two",
)
@pytest.mark.parametrize("winner", [LEFT, RIGHT])
def test_b34_a_number_replaced_here_and_labelled_anew_there_is_one_number(winner):
    """Each side kept a label of its own for it, for ever, and nobody was told."""
    pair = linked(
        {"phones": items("home:+12025550101")},
        {"tel": items("home:+12025550101")},
        winner=winner,
    )
    pair.edit(LEFT, phones=items("home:+12025550102"))
    pair.edit(RIGHT, tel=items("work:+12025550101"))
    pair.settle()
    assert pair.left["phones"] == items("home:+12025550102")
    assert pair.right["tel"] == items("home:+12025550102")
    assert pair.losses


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/items.py: phones go to single fields whatever their"
    " label",
)
def test_b18_phones_go_to_single_fields_by_label():
    settings = config(NEWSLETTER, SLOTTED)
    phones = items("home:+12025550101", "mobile:+12025550102", "other:+12025550103")
    pair = Pair(settings, {"email": "a@x.com", "phones": phones})
    assert pair.settle() == 1
    assert pair.right["home"] == "+12025550101"
    assert pair.right["mobile"] == "+12025550102"
    assert pair.right["work"] is None
    pair.edit(RIGHT, mobile="+12025550104", work="+12025550105")
    assert pair.settle() == 1
    assert pair.left["phones"] == items(
        "home:+12025550101", "mobile:+12025550104", "other:+12025550103"
    ), "there is room for three only, and what is there stays"
