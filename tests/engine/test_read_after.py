"""Apps that tell nothing of a write: the record read after it may show edits (I3).

What somebody entered in between was taken for what the app had made of the write, and
never reached the other side (hazard 37).
"""

import pytest

from proto.connector import WriteKind
from proto.fields import FieldKind, Fields, Item, Role
from proto.reconciler import RecordState, Side
from services.reconciler.engine import canon
from services.reconciler.engine.model import Reason
from tests.engine import world
from tests.engine.world import Pair, config, field, items

LEFT, RIGHT = Side.LEFT, Side.RIGHT
NAMES = ("first", "last")
TEL = field("tel", FieldKind.PHONE, Role.PHONE, is_multiple=True)
ONE_NUMBER = (
    field("email", FieldKind.EMAIL, Role.EMAIL),
    field("phone", FieldKind.PHONE, Role.PHONE),
)


def silent(
    left: Fields | None = None, right: Fields | None = None, **meanwhile: object
) -> Pair:
    """Return a linked pair whose right side somebody edits right after our write."""
    pair = world.linked(left, right)
    pair.silent = {RIGHT}

    def edit(side: Side) -> None:
        if side is RIGHT and meanwhile:
            pair.edit(RIGHT, **meanwhile)
            meanwhile.clear()

    pair.meanwhile = edit
    return pair


@pytest.mark.parametrize(
    ("meanwhile", "there"),
    [
        ({"title": "Boss"}, {"job": "Boss"}),
        ({"org": "Acme"}, {"job": "Engineer", "company": "Acme"}),
        ({"fn": "Eva Diaz"}, {"first": "Eva", "last": "Diaz"}),
        ({"bday": "1990-05-03"}, {"birthday": "--05-03"}),
        ({"title": "Owner"}, {"job": "Owner"}),
    ],
)
def test_an_edit_right_after_a_write_is_carried(meanwhile, there):
    """The last one puts back what was there before."""
    pair = silent(
        {"job": "Owner", "first": "Ana", "last": "Diaz"},
        {"title": "Owner", "fn": "Ana Diaz"},
        **meanwhile,
    )
    pair.edit(LEFT, job="Engineer")
    assert pair.settle() == 2
    assert pair.left.items() >= there.items()
    assert pair.right.items() >= meanwhile.items()
    assert pair.losses == []


@pytest.mark.parametrize(
    ("shown", "is_learned"),
    [("ENGINEER", True), ("Engi", True), ("  Engineer ", False)],
)
def test_what_an_app_may_make_of_a_value_is_no_edit(shown, is_learned):
    """Capitals, the beginning, spaces."""
    pair = world.linked()
    pair.silent = {RIGHT}
    pair.normalise[RIGHT] = lambda fields: {
        **fields,
        "title": fields["title"] and shown,
    }
    pair.edit(LEFT, job="Engineer")
    assert pair.settle() == 1
    assert pair.left["job"] == "Engineer"
    assert bool(pair.link.learned) is is_learned


@pytest.mark.parametrize("was", [None, "Owner"])
def test_what_an_app_drops_is_written_once_more_and_no_deletion(was):
    pair = world.linked({"job": was}, {"title": was})
    pair.silent = {RIGHT}
    pair.normalise[RIGHT] = lambda fields: {**fields, "title": None}
    pair.edit(LEFT, job="Engineer")
    assert pair.settle() == 2
    assert (pair.left["job"], pair.right["title"]) == ("Engineer", None)
    pair.edit(LEFT, job="Boss", company="Acme")
    assert pair.settle() == 2
    assert pair.left["job"] == "Boss"


def test_so_is_what_it_drops_of_a_new_record():
    pair = Pair(config(), {"email": "a@x.com", "job": "Owner"})
    pair.silent = {RIGHT}
    pair.normalise[RIGHT] = lambda fields: {**fields, "title": None}
    assert pair.settle() == 3
    assert (pair.left["job"], pair.right["title"]) == ("Owner", None)


def test_what_is_cleared_right_after_a_write_comes_back():
    """It may as well be what the app has dropped; both say the same then (I1)."""
    pair = silent({"job": "Owner"}, {"title": "Owner"}, title=None)
    pair.edit(LEFT, job="Engineer")
    assert pair.settle() == 2
    assert pair.left["job"] == pair.right["title"] == "Engineer"
    assert pair.losses == []
    pair.edit(RIGHT, title=None)
    assert pair.settle() == 1
    assert pair.left["job"] is None


@pytest.mark.parametrize(
    ("side", "cleared"),
    [(RIGHT, {"fn": None}), (LEFT, {"first": None}), (LEFT, dict.fromkeys(NAMES))],
)
def test_so_does_a_name_or_a_part_of_it(side, cleared):
    pair = world.linked({"first": "Ana", "last": "Diaz"}, {"fn": "Ana Diaz"})
    pair.silent = {side}
    pair.meanwhile = lambda side: pair.edit(side, **cleared)
    if side is RIGHT:
        pair.edit(LEFT, first="Eva", last="Soto")
    else:
        pair.edit(RIGHT, fn="Eva Soto")
    pair.turn()
    pair.meanwhile = lambda _side: None
    assert pair.settle() == 1
    assert " ".join(filter(None, map(pair.left.get, NAMES))) == "Eva Soto"
    assert pair.right["fn"] == "Eva Soto"


def test_a_text_made_longer_that_an_app_cuts_to_what_it_was_is_no_edit():
    """As one that was put back, it cut the other side's, too (seed 300262)."""
    pair = world.linked({"job": "Head of"}, {"title": "Head of"})
    pair.silent = {RIGHT}
    pair.normalise[RIGHT] = lambda fields: {**fields, "title": fields["title"][:7]}
    pair.edit(LEFT, job="Head of research")
    assert pair.settle() == 1
    assert pair.left["job"] == "Head of research"


def test_nothing_is_learned_from_what_may_be_an_edit():
    pair = silent(title="Boss")
    pair.edit(LEFT, job="Engineer")
    pair.settle()
    assert pair.link.learned == ()
    pair.edit(LEFT, job="Engineer")
    pair.settle()
    pair.edit(RIGHT, title="Boss")
    pair.settle()
    assert pair.left["job"] == "Boss"


@pytest.mark.parametrize(
    ("shown", "there"),
    [
        (("+12025550101", "+12025550102", "+12025550103"), "same"),
        (("+12025550101", "+12025550103"), "same"),
        (("+12025550103",), ("+12025550101", "+12025550102", "+12025550103")),
        (("+12025550101",), ("+12025550101", "+12025550102")),
        ((), ("+12025550101", "+12025550102")),
        (("+1 202 555 0101", "+1 202 555 0102"), ("+12025550101", "+12025550102")),
    ],
)
def test_items_that_came_are_carried_and_none_that_is_missing_is_removed(shown, there):
    """One that took the place of another takes it on the other side, too.

    What is missing otherwise is written once more, as a text is (seed 30509).
    """
    pair = silent(tel=items(*shown))
    pair.edit(LEFT, phones=items("+12025550101", "+12025550102"))
    pair.settle()
    expected = shown if there == "same" else there
    assert {each.value for each in pair.left["phones"]} == set(expected)
    told = (canon.item(FieldKind.PHONE, each) for each in pair.right["tel"])
    assert set(told) == {each.replace(" ", "") for each in expected}


def test_an_app_that_keeps_one_item_only_comes_to_rest():
    pair = world.linked()
    pair.silent = {RIGHT}
    pair.normalise[RIGHT] = lambda fields: {**fields, "tel": (fields["tel"] or ())[:1]}
    numbers = items("+12025550101", "+12025550102")
    pair.edit(LEFT, phones=numbers)
    assert pair.settle() == 2
    assert (pair.left["phones"], pair.right["tel"]) == (numbers, numbers[:1])
    pair.edit(LEFT, phones=None)
    assert pair.settle() == 1
    assert not pair.right["tel"]


def test_a_label_that_the_app_chooses_is_no_reason_to_write_again():
    """Not beside an item that it drops, either."""
    pair = world.linked()
    pair.silent = {RIGHT}
    pair.normalise[RIGHT] = lambda fields: {
        **fields,
        "tel": tuple(
            Item(value=each.value, label="own") for each in (fields["tel"] or ())[:1]
        ),
    }
    pair.edit(LEFT, phones=items("home:+12025550101", "work:+12025550102"))
    assert pair.settle() == 3, "each list that is to be there is written once more"
    assert pair.right["tel"] == items("own:+12025550101")
    assert pair.left["phones"] == items("home:+12025550101", "work:+12025550102")


def test_what_is_left_of_several_is_no_counterpart_of_a_single_one():
    """The app drops the number that came, and keeps another one: that is its own."""
    rights = (field("mail", FieldKind.EMAIL, Role.EMAIL), TEL)
    settings = config(ONE_NUMBER, rights)
    old, own, new = "+12025550101", "+12025550102", "+12025550103"
    pair = Pair(
        settings,
        {"email": "a@x.com", "phone": old},
        {"mail": "a@x.com", "tel": items(old, own)},
    )
    pair.settle()
    pair.silent = {RIGHT}
    pair.normalise[RIGHT] = lambda fields: {
        **fields,
        "tel": tuple(each for each in fields["tel"] or () if each.value != new),
    }
    pair.edit(LEFT, phone=new)
    assert pair.settle() == 1
    assert (pair.left["phone"], pair.right["tel"]) == (new, items(own))


def test_what_came_with_a_new_record_is_carried():
    pair = Pair(config(), {"email": "a@x.com", "first": "Ana", "job": "Owner"})
    pair.silent = {RIGHT}
    pair.meanwhile = lambda side: pair.edit(side, org="Acme", title="Boss")
    intent = pair.turn()
    assert intent.kind is WriteKind.CREATE
    pair.meanwhile = lambda _side: None
    assert pair.settle() == 1
    assert (pair.left["company"], pair.left["job"]) == ("Acme", "Boss")


def test_an_app_that_rewrites_whatever_it_is_given_comes_to_rest():
    """It costs a write on the other side, and then both say the same."""
    pair = world.linked()
    pair.silent = {RIGHT}
    pair.normalise[RIGHT] = _replacing("title", lambda text: f"{text} of ours")
    pair.edit(LEFT, job="Owner")
    assert pair.settle() == 2
    assert pair.left["job"] == pair.right["title"] == "Owner of ours"
    pair.edit(LEFT, job="Boss")
    assert pair.settle() == 2


def test_two_that_rewrite_what_they_are_given_come_to_rest():
    pair = world.linked()
    pair.silent = {LEFT, RIGHT}
    pair.normalise[RIGHT] = _replacing("title", lambda text: text.replace("&", "and"))
    pair.normalise[LEFT] = _replacing("job", lambda text: text.replace(" and ", ", "))
    pair.edit(LEFT, job="Owner & Boss")
    pair.settle()
    assert pair.left["job"] == pair.right["title"] == "Owner, Boss"


def test_two_that_never_agree_are_left_alone():
    """The last resort: what comes and goes is held for a day (hazard 54)."""
    pair = world.linked()
    pair.silent = {LEFT, RIGHT}
    pair.normalise[RIGHT] = _replacing("title", lambda text: text.replace("&", "and"))
    pair.normalise[LEFT] = _replacing("job", lambda text: text.replace("and", "&"))
    pair.edit(RIGHT, title="Owner and Boss")
    pair.settle(turns_max=12)
    assert pair.link.state is RecordState.HELD
    assert pair.link.reason == Reason.OSCILLATES


def test_two_that_add_to_each_other_end_where_there_is_no_room():
    pair = world.linked()
    pair.silent = {LEFT, RIGHT}
    pair.normalise[RIGHT] = _replacing("title", lambda text: f"1 {text}")
    pair.normalise[LEFT] = _replacing("job", lambda text: f"2 {text}")
    pair.edit(LEFT, job="Owner")
    pair.settle(turns_max=30)
    assert pair.link.reason == Reason.TOO_LONG


def test_such_an_edit_gives_way_to_the_winner_s_with_a_word():
    """Its version is known by then, and still it is not taken for seen."""
    pair = silent({"job": "Owner"}, {"title": "Owner"}, title="Boss")
    pair.put(RIGHT, version="1")
    pair.edit(LEFT, job="Engineer")
    intent = pair.plan().intent
    pair.edit(LEFT, job="Chief")
    pair.put(RIGHT, version="3")
    pair.carry_out(intent)
    assert pair.settle() == 1
    assert pair.left["job"] == pair.right["title"] == "Chief"
    assert [loss.values for loss in pair.losses] == [{"title": "Boss"}]


@pytest.mark.parametrize("is_silent", [True, False])
def test_what_was_read_after_a_write_is_no_news_to_the_next_one(is_silent):
    """Or each write would seem to take the place of what had been entered again."""
    pair = world.linked({"job": "Owner"}, {"title": "Owner"})
    pair.silent = {RIGHT} if is_silent else set()
    for number, job in enumerate(("Engineer", "Boss", "Chief")):
        pair.edit(LEFT, job=job)
        intent = pair.plan().intent
        pair.put(RIGHT, version=str(number))
        pair.carry_out(intent)
    assert pair.right["title"] == "Chief"
    assert pair.losses == []


def _replacing(name: str, change):
    """Return what an app does to one field, once to each value."""
    made: set[str] = set()

    def normalise(fields: Fields) -> Fields:
        text = fields[name]
        if not isinstance(text, str) or text in made:
            return fields
        made.add(change(text))
        return {**fields, name: change(text)}

    return normalise


def numbers(*ends: str, label: str = "home") -> tuple[Item, ...]:
    return tuple(Item(value=f"+1 202 555 {end}", label=label) for end in ends)


@pytest.mark.parametrize(
    ("shown", "came", "there"),
    [(("0101",), (), ()), (("0101", "0102", "0103"), ("0109",), ("0109", "0103"))],
)
def test_a_number_that_is_there_twice_does_not_come_back(shown, came, there):
    """Under two labels: one of them counted as an edit, so that it was made again."""
    twice = (*numbers("0101"), *numbers("0101", label="cell"))
    pair = world.linked({}, {"tel": (*twice, *numbers("0102"))})
    pair.silent = {RIGHT}
    pair.edit(LEFT, phones=numbers(*shown))

    def edit(_side: Side) -> None:
        pair.meanwhile = lambda _side: None
        pair.edit(LEFT, phones=numbers(*shown[1:]) or None)
        if came:
            kept = [i for i in pair.right["tel"] if not i.value.endswith("0102")]
            pair.edit(RIGHT, tel=(*kept, *numbers(*came)))

    pair.meanwhile = edit
    pair.settle()
    for found in (pair.left["phones"], pair.right["tel"]):
        assert {i.value[-4:] for i in found or ()} == set(there)
