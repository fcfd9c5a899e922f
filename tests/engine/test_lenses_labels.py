"""One label of a field of several values, mapped to a field or to another label."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.connector import WriteOutcome
from proto.fields import Address, FieldKind, Item, Role
from proto.reconciler import Direction, Side
from services.reconciler.engine import canon
from services.reconciler.engine.model import Lens, Pair, Reason
from tests.engine import mapped, strategies, world
from tests.engine.examples import tries
from tests.engine.mapped import agree, carry, hold
from tests.engine.world import field, items

LEFT, RIGHT = Side.LEFT, Side.RIGHT
LABELS = ("home", "work", "mobile", "other")
PHONE = FieldKind.PHONE
LEFTS = (
    field("email", FieldKind.EMAIL, Role.EMAIL),
    field("phones", PHONE, is_multiple=True, labels=LABELS),
)
RIGHTS = (
    field("mail", FieldKind.EMAIL, Role.EMAIL),
    field("office", PHONE),
    field("cell"),
    field("tel", PHONE, is_multiple=True),
)
WORK = mapped.custom("phones/work", "office")
HOME = mapped.custom("phones/home", "tel/private")
CELL = mapped.custom("phones/mobile", "cell", direction=Direction.TO_RIGHT)
EMAIL = "a@x.com"


def linked(*made, phones=None, winner=LEFT, **right) -> world.Pair:
    """A pair in step, after its first match."""
    config = mapped.config(LEFTS, RIGHTS, *made, winner=winner)
    pair = world.Pair(
        config, {"email": EMAIL, "phones": phones}, {"mail": EMAIL, **right}
    )
    pair.settle()
    pair.writes.clear()
    return pair


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/items.py: a value comes back under another label",
)
def test_b18_a_label_goes_to_a_field_and_comes_back_in_its_place():
    held = items("home:111111", "work:222222", "work:333333")
    pair = linked(WORK, phones=held)
    assert pair.right["office"] == "222222"
    pair.edit(RIGHT, office="444444")
    assert pair.settle() == 1
    assert pair.left["phones"] == items("home:111111", "work:444444", "work:333333")
    pair.edit(RIGHT, office=None)
    assert pair.settle() == 1
    assert pair.left["phones"] == items("home:111111", "work:333333")
    pair.edit(RIGHT, office="555555")
    assert pair.settle() == 1
    assert pair.left["phones"] == items("home:111111", "work:555555", "work:333333")
    assert pair.settle() == 0


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/items.py: a value comes back under another label",
)
def test_b18_a_label_that_nobody_has_yet_is_made():
    pair = linked(WORK, phones=items("home:111111"))
    pair.edit(RIGHT, office="222222")
    assert pair.settle() == 1
    assert pair.left["phones"] == items("home:111111", "work:222222")


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/items.py: a value comes back under another label",
)
def test_b18_a_label_goes_to_another_label():
    pair = linked(HOME, phones=items("home:111111", "work:222222"))
    assert pair.right["tel"] == items("private:111111")
    pair.edit(RIGHT, tel=items("fax:999999", "private:111112", "private:333333"))
    assert pair.settle() == 1
    assert pair.left["phones"] == items("home:111112", "work:222222", "home:333333")
    pair.edit(LEFT, phones=items("work:222222", "home:333333"))
    assert pair.settle() == 1
    assert pair.right["tel"] == items("fax:999999", "private:333333")


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/mapping.py: labels of one field are mappings apart",
)
def test_b18_labels_that_share_a_field_are_written_at_once():
    pair = linked(WORK, HOME, CELL)
    pair.edit(
        LEFT, phones=items("home:111111", "work:222222", "mobile:333333", "other:4")
    )
    assert pair.settle() == 1
    assert pair.right["office"] == "222222"
    assert pair.right["cell"] == "333333"
    assert pair.right["tel"] == items("private:111111")
    pair.edit(RIGHT, office="555555", cell="a note", tel=items("private:666666"))
    assert pair.settle() == 1
    assert pair.left["phones"] == items(
        "home:666666", "work:555555", "mobile:333333", "other:4"
    )
    assert pair.right["cell"] == "a note", "what is one way does not come back"


@pytest.mark.behaviour(
    34,
    broken_by="reconciler/engine/mapping.py: labels of one field are mappings apart",
)
@pytest.mark.parametrize("winner", [LEFT, RIGHT])
def test_b34_labels_edited_on_two_sides_are_both_kept(winner):
    """The write of the one may not take the edit of the other for agreed."""
    phones = items("home:111111", "work:222222")
    pair = linked(WORK, HOME, phones=phones, winner=winner)
    pair.edit(LEFT, phones=items("home:111111", "work:333333"))
    pair.edit(RIGHT, tel=items("private:444444"))
    assert pair.settle() == 2
    assert pair.left["phones"] == items("home:444444", "work:333333")
    assert pair.right["office"] == "333333"
    assert pair.right["tel"] == items("private:444444")
    assert pair.losses == []


@pytest.mark.behaviour(
    32,
    35,
    broken_by="reconciler/engine/intents.py: a value that loses on the side written"
    " second is not kept",
)
def test_b32_b35_labels_of_one_field_have_winners_of_their_own():
    """Each side wins once: the loser that was written second stayed beside the winner.

    Nor was it kept: the write to the other side had settled the conflict already.
    """
    mobile = mapped.custom("phones/mobile", "cell")
    winners = {"custom:phones[mobile]:cell": RIGHT}
    config = mapped.config(LEFTS, RIGHTS, WORK, mobile, winners=winners)
    phones = items("work:111111", "mobile:222222")
    pair = world.Pair(config, {"email": EMAIL, "phones": phones}, {"mail": EMAIL})
    pair.settle()
    pair.edit(LEFT, phones=items("work:333333", "mobile:444444"))
    pair.edit(RIGHT, office="555555", cell="666666")
    pair.settle()
    assert pair.left["phones"] == items("work:333333", "mobile:666666")
    assert (pair.right["office"], pair.right["cell"]) == ("333333", "666666")
    kept = {loss.side: loss.values for loss in pair.losses}
    assert kept[RIGHT]["office"] == "555555"
    assert items("mobile:444444")[0] in kept[LEFT]["phones"]


@pytest.mark.behaviour(
    18,
    broken_by="reconciler/engine/weigh.py: one value that cannot be carried stops the"
    " others",
)
def test_b18_a_value_without_room_is_held_and_arrives_once_there_is_some():
    full = field("phones", PHONE, is_multiple=True, labels=LABELS, count_max=2)
    config = mapped.config((LEFTS[0], full), RIGHTS, WORK, mapped.custom("x", "y"))
    pair = world.Pair(config, {"email": EMAIL}, {"mail": EMAIL})
    pair.settle()
    pair.edit(LEFT, phones=items("home:111111", "home:222222"))
    pair.settle()
    pair.edit(RIGHT, office="333333")
    assert pair.settle() == 0
    assert pair.link.held[0].reason == Reason.NO_ROOM
    pair.edit(LEFT, phones=items("home:111111"))
    assert pair.settle() == 1
    assert pair.left["phones"] == items("home:111111", "work:333333")


def test_a_write_that_failed_loses_no_label():
    pair = linked(WORK, HOME, phones=items("home:111111", "work:222222"))
    pair.edit(LEFT, phones=items("home:111112", "work:222222"))
    pair.edit(RIGHT, office="222223")
    intent = pair.plan().intent
    pair.answer(intent, WriteOutcome.CHANGED, record=pair.records[intent.side])
    assert pair.settle() == 2
    assert pair.left["phones"] == items("home:111112", "work:222223")
    assert pair.right["office"] == "222223"
    assert pair.right["tel"] == items("private:111112")


# Laws.

ONE = mapped.only_pair(LEFTS[1], RIGHTS[1], left_label="work")
TWO = mapped.only_pair(LEFTS[1], RIGHTS[3], left_label="home", right_label="private")
PLACES = mapped.only_pair(
    field("a", FieldKind.ADDRESS, is_multiple=True),
    field("b", FieldKind.ADDRESS, is_multiple=True),
    left_label="home",
    right_label="private",
)
numbers = st.sampled_from(strategies.PHONES)


def lists(values, labels, *, size: int = 4):
    one = st.builds(Item, value=values, label=st.sampled_from(labels))
    return st.lists(one, max_size=size).map(lambda found: tuple(found) or None)


def others(found, label: str) -> list[Item]:
    return [item for item in found or () if item.label != label]


def keys(kind: FieldKind, found, label: str) -> set[str]:
    return {canon.item(kind, i) for i in found or () if i.label == label} - {""}


@tries(150)
@given(
    was=st.one_of(st.none(), numbers),
    now=st.one_of(st.none(), numbers),
    held=lists(numbers, LABELS),
)
def test_an_edit_of_the_single_field_concerns_its_label_only(was, now, held):
    there = carry(ONE, RIGHT, old=None, new={"office": was}, other={"phones": held})
    found = carry(ONE, RIGHT, old={"office": was}, new={"office": now}, other=there)
    assert others(found["phones"], "work") == others(held, "work"), "to the letter"
    assert [i for i in found["phones"] or () if i.label != "work"] == others(
        held, "work"
    )
    before, after = (keys(PHONE, x["phones"], "work") for x in (there, found))
    key_was, key_now = canon.of(PHONE, was), canon.of(PHONE, now)
    if key_was != key_now:
        assert after - {key_now} <= before
        assert not key_now or key_now in after
        assert before - {key_was} <= after
        assert agree(ONE, found, {"office": now}) or not now
    again = carry(ONE, RIGHT, old={"office": was}, new={"office": now}, other=found)
    assert keys(PHONE, again["phones"], "work") == after


@tries(150)
@given(
    was=lists(numbers, LABELS),
    now=lists(numbers, LABELS),
    held=st.one_of(st.none(), numbers),
)
def test_an_edit_of_other_labels_changes_no_single_field(was, now, held):
    there = carry(ONE, LEFT, old=None, new={"phones": was}, other={"office": held})
    if [i for i in was or () if i.label == "work"] == [
        i for i in now or () if i.label == "work"
    ]:
        assert there == carry(
            ONE, LEFT, old={"phones": was}, new={"phones": now}, other=there
        )
    if not held:
        mine = [i.value for i in was or () if i.label == "work"]
        assert there["office"] == next(iter(mine), None), "the first of them"
    found = carry(ONE, LEFT, old={"phones": was}, new={"phones": now}, other=there)
    assert (
        found == there
        or not found["office"]
        or (canon.of(PHONE, found["office"]) in keys(PHONE, now, "work"))
    )


places = st.builds(
    Address,
    street=st.sampled_from(("1 Main St", "2 Side St")),
    country=st.sampled_from(("DE", "Germany")),
)


@tries(150)
@given(data=st.data(), is_address=st.booleans(), side=st.sampled_from((LEFT, RIGHT)))
def test_a_label_and_another_label_are_kept_the_same(data, is_address, side):
    pair, kind = (PLACES, FieldKind.ADDRESS) if is_address else (TWO, PHONE)
    values = places if is_address else numbers
    (here,), (there,) = (
        pair.end(side).ids,
        pair.end(LEFT if side is RIGHT else RIGHT).ids,
    )
    mine, theirs = ("home", "private") if side is LEFT else ("private", "home")
    was, now = (data.draw(lists(values, (mine, "work", theirs))) for _ in range(2))
    held = data.draw(lists(values, (theirs, "work", mine)))
    found = carry(pair, side, old={here: was}, new={here: now}, other={there: held})
    assert others(found[there], theirs) == others(held, theirs), "to the letter"
    before, after = keys(kind, held, theirs), keys(kind, found[there], theirs)
    came = keys(kind, now, mine) - keys(kind, was, mine)
    gone = keys(kind, was, mine) - keys(kind, now, mine)
    assert after == (before | came) - gone
    again = carry(pair, side, old={here: was}, new={here: now}, other=found)
    assert again == found


def check_rest(pair: world.Pair) -> None:
    """At rest both sides say the same, as far as they are mapped."""
    left, right = pair.left, pair.right
    assert keys(PHONE, left["phones"], "home") == keys(PHONE, right["tel"], "private")
    work, office = keys(PHONE, left["phones"], "work"), canon.of(PHONE, right["office"])
    assert not office or office in work
    sealed = mapped.config(LEFTS, RIGHTS, WORK, HOME, CELL, version=99)
    pair.config = sealed
    assert pair.plan().intent is None, "a second look finds the same"


@tries(120)
@given(data=st.data(), winner=st.sampled_from((LEFT, RIGHT)))
def test_labels_that_share_a_field_come_to_rest_with_every_edit(data, winner):
    """People edit both sides at any time; what is not mapped stays as it is."""
    phones = lists(numbers, LABELS, size=3)
    tels = lists(numbers, ("private", "fax"), size=3)
    singles = st.one_of(st.none(), numbers)
    config = mapped.config(LEFTS, RIGHTS, WORK, HOME, CELL, winner=winner)
    pair = world.Pair(
        config,
        {"email": EMAIL, "phones": data.draw(phones)},
        {"mail": EMAIL, "office": data.draw(singles), "tel": data.draw(tels)},
    )
    for _ in range(data.draw(st.integers(1, 4))):
        if data.draw(st.booleans()):
            pair.edit(LEFT, phones=data.draw(phones))
        if data.draw(st.booleans()):
            pair.edit(RIGHT, tel=data.draw(tels))
        if data.draw(st.booleans()):
            pair.edit(RIGHT, office=data.draw(singles))
        loose = (others_of(pair.left["phones"]), others(pair.right["tel"], "private"))
        data.draw(st.sampled_from((pair.turn, pair.write_in_vain)))()
        assert loose == (
            others_of(pair.left["phones"]),
            others(pair.right["tel"], "private"),
        ), "what nobody mapped is as it was"
    pair.come_to_rest(turns_max=6)
    check_rest(pair)


def others_of(found) -> list[Item]:
    return [item for item in found or () if item.label in ("other", "mobile")]


def test_parts_have_the_lens_that_their_fields_ask_for():
    (whole,) = [p for p in mapped.config(LEFTS, RIGHTS, WORK, HOME).pairs if p.parts]
    assert [part.mapping.lens for part in whole.parts] == [Lens.ITEMS, Lens.FIRST]
    assert isinstance(whole, Pair)


def test_a_text_that_is_no_value_is_held():
    """A field of one value with several in it says nothing that can be carried."""
    odd = {"office": items("111111")}
    assert hold(ONE, RIGHT, old=None, new=odd, other={"phones": None}) is (
        Reason.BAD_VALUE
    )
