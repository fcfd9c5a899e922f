"""The table by which pairs of apps are judged: what becomes of whom, by example."""

import msgspec
import pytest

from proto.fields import Address, FieldKind, Item, Role
from tests.contract.conformance import shapes, stages
from tests.contract.conformance.shapes import Form, Shape, Voice
from tests.contract.pairs import comparing, losses, matrix, own, people
from tests.contract.pairs.crossing import Crossing
from tests.contract.pairs.people import LEFT, RIGHT, Person

MANY = Shape(
    fields={
        **shapes.texts(*people.PARTS, Role.NOTE),
        Role.NAME_FULL: Form(is_derived=True),
        Role.EMAIL: shapes.several(FieldKind.EMAIL, "home", "work", "other"),
        Role.PHONE: shapes.several(FieldKind.PHONE, "mobile", "home", "work", "other"),
        Role.ADDRESS: shapes.several(FieldKind.ADDRESS, "home", "work", "other"),
        Role.BIRTHDAY: Form(kind=FieldKind.DATE, is_year_optional=True),
        Role.ANNIVERSARY: Form(kind=FieldKind.DATE, is_year_optional=True),
    },
    has_tags=True,
)
FEW = Shape(
    fields={
        Role.NAME_FULL: shapes.TEXT,
        Role.EMAIL: shapes.EMAIL,
        Role.PHONE: shapes.PHONE,
        Role.PHONE_MOBILE: shapes.PHONE,
        Role.ADDRESS: shapes.ONE_ADDRESS,
        Role.BIRTHDAY: shapes.MONTH_DAY,
        Role.ANNIVERSARY: shapes.DATE,
    },
    voice=Voice.WRITTEN,
)
HOME, WORK = Address(city="Graz"), Address(city="Linz")
KNOWN = {
    Role.NAME_PREFIX: "Dr.",
    Role.NAME_GIVEN: "Ana",
    Role.NAME_FAMILY: "Gil Soto",
    Role.NOTE: "likes rye",
    Role.EMAIL: (
        Item(value="ana1@example.org", label="work"),
        Item(value="ana2@example.org", label="home"),
    ),
    Role.PHONE: (
        Item(value="+43 316 1000", label="work"),
        Item(value="+43 316 2000", label="mobile"),
        Item(value="+43 316 3000", label="other"),
    ),
    Role.ADDRESS: (Item(value=HOME, label="home"), Item(value=WORK, label="work")),
    Role.BIRTHDAY: "1984-02-29",
    Role.ANNIVERSARY: "--06-15",
}
ARRIVED = {
    Role.NAME_FULL: "Dr. Ana Gil Soto",
    Role.EMAIL: "ana1@example.org",
    Role.PHONE: "+43 316 3000",
    Role.PHONE_MOBILE: "+43 316 2000",
    Role.ADDRESS: (Item(value=HOME),),
    Role.BIRTHDAY: "--02-29",
}


def crossing() -> Crossing:
    return Crossing({LEFT: MANY, RIGHT: FEW})


def met(**cards) -> Person:
    person = Person(number=1, name="", cards=cards)
    crossing().meet(person)
    return person


def edited(person: Person, side: str, changes: dict) -> None:
    """Edit as a person does, and put down what the other side gets."""
    table = crossing()
    other = people.OTHER[side]
    was, there = person.cards[side], person.cards[other]
    person.cards = {
        side: {**was, **changes},
        other: table.after(was, {**was, **changes}, there, side=side),
    }


def test_somebody_new_gets_what_the_other_vendor_can_hold():
    assert met(left=KNOWN).cards == {LEFT: KNOWN, RIGHT: ARRIVED}


def test_what_only_one_side_knows_is_added_at_the_other():
    person = met(
        left=KNOWN, right={Role.NAME_FULL: "X", Role.EMAIL: "ana1@example.org"}
    )
    assert person.cards[RIGHT] == ARRIVED, "the left wins where both say something"
    assert person.cards[LEFT] == KNOWN
    person = met(
        left={Role.NAME_GIVEN: "Ana", Role.EMAIL: KNOWN[Role.EMAIL]}, right=ARRIVED
    )
    assert person.cards[LEFT][Role.PHONE] == (
        Item(value="+43 316 2000", label="mobile"),
        Item(value="+43 316 3000", label="other"),
    )
    assert person.cards[LEFT][Role.BIRTHDAY] == "--02-29"
    assert person.cards[RIGHT][Role.NAME_FULL] == "Ana"


def test_a_name_is_edited_word_by_word():
    email = {Role.EMAIL: KNOWN[Role.EMAIL]}
    left = {**email, Role.NAME_GIVEN: "Ana Gil"}
    one = {Role.EMAIL: "ana1@example.org"}
    person = met(left=left, right={**one, Role.NAME_FULL: "Ana Gil"})
    assert person.cards[LEFT] == left
    turned = Crossing({LEFT: FEW, RIGHT: MANY})
    cards = {LEFT: {**one, Role.NAME_FULL: "Ana Gil Uno"}}
    cards[RIGHT] = {**email, Role.NAME_GIVEN: "Ana Gil", Role.NAME_FAMILY: "Due"}
    person = Person(number=1, name="", cards=cards)
    turned.meet(person)
    assert person.cards[RIGHT][Role.NAME_GIVEN] == "Ana Gil"
    assert person.cards[RIGHT][Role.NAME_FAMILY] == "Uno"


def test_one_value_that_comes_back_replaces_its_counterpart_alone():
    person = met(left=KNOWN)
    changes = {
        Role.EMAIL: "new@example.org",
        Role.PHONE_MOBILE: "+43 316 2999",
        Role.BIRTHDAY: "--03-01",
        Role.NAME_FULL: "Dr. Ana Gil Vega",
        Role.ADDRESS: (Item(value=Address(city="Wien")),),
    }
    edited(person, RIGHT, changes)
    first, second, third = KNOWN[Role.PHONE]
    assert person.cards[LEFT] == {
        **KNOWN,
        Role.NAME_FAMILY: "Gil Vega",
        Role.EMAIL: (
            Item(value="new@example.org", label="work"),
            Item(value="ana2@example.org", label="home"),
        ),
        Role.PHONE: (
            first,
            msgspec.structs.replace(second, value="+43 316 2999"),
            third,
        ),
        Role.ADDRESS: (
            Item(value=Address(city="Wien"), label="home"),
            Item(value=WORK, label="work"),
        ),
        # The year that only one side knows stays.
        Role.BIRTHDAY: "1984-03-01",
    }


def test_an_edit_of_what_did_not_get_across_changes_nothing_there():
    person = met(left=KNOWN)
    first, *others = KNOWN[Role.PHONE]
    changed = msgspec.structs.replace(first, value="+43 316 1999")
    edited(person, LEFT, {Role.PHONE: (changed, *others), Role.NOTE: "likes oats"})
    assert person.cards[RIGHT] == ARRIVED


def test_an_edit_makes_another_value_of_every_field_that_both_hold():
    person = met(left=KNOWN)
    table = crossing()
    changes = table.edit(person, LEFT, mark=1)
    assert changes.keys() == KNOWN.keys() - {Role.NOTE}
    assert all(changes[role] != KNOWN[role] for role in changes)
    now = person.cards[RIGHT]
    assert all(now[role] != value for role, value in ARRIVED.items())
    assert person.former == ["ana1@example.org"]


@pytest.mark.parametrize("has_agreed", [True, False])
def test_nobody_who_has_not_agreed_is_made_where_everybody_is_mailed(has_agreed):
    table = Crossing({LEFT: MANY, RIGHT: FEW}, mailing=[RIGHT])
    person = Person(number=1, name="", cards={LEFT: KNOWN}, has_agreed=has_agreed)
    table.meet(person)
    assert (RIGHT in person.cards) is has_agreed
    assert "who is not known to have agreed (all of them)" in [*losses.of(table, LEFT)]


def test_an_address_that_makes_somebody_else_is_not_edited_there():
    known = msgspec.structs.replace(FEW, is_known_by_address=True)
    table = Crossing({LEFT: MANY, RIGHT: known})
    person = met(left=KNOWN)
    assert Role.EMAIL in table.edit(person, LEFT, mark=1)
    assert Role.EMAIL not in table.edit(person, RIGHT, mark=2)


def test_what_gets_lost_is_told():
    assert list(losses.of(crossing(), LEFT)) == [
        "note (all of it)",
        "name.prefix, name.given, name.middle, name.family, name.suffix (as one text)",
        "phone (one of each label)",
        "phone (none of the labels home, work)",
        "email (the first alone)",
        "address (1 at most)",
        "address (without the labels home, work, other)",
        "birthday (without its year)",
        "anniversary (with a year alone)",
    ]
    assert list(losses.of(crossing(), RIGHT)) == []
    silent = msgspec.structs.replace(MANY, has_tags=False)
    table = Crossing({LEFT: silent, RIGHT: FEW})
    assert list(losses.of(table, RIGHT)) == ["unsubscribes (all of them)"]


@pytest.mark.parametrize(
    ("left", "right", "direction", "there", "back"),
    [
        ("text", "text", "both", "rye", "oats & Müsli"),
        ("choice", "choice", "both", "Small", "Großpackung"),
        ("boolean", "text", "to_right", "yes", None),
        ("text", "number", "to_left", None, "-3"),
        ("date", "datetime", "both", "2026-01-31T10:20:30Z", "2026-02-28"),
    ],
)
def test_fields_of_users_are_mapped_as_far_as_their_kinds_go(
    left, right, direction, there, back
):
    kinds = {LEFT: FieldKind(left), RIGHT: FieldKind(right)}
    (one,) = own.between({side: [kind] for side, kind in kinds.items()})
    assert one.direction == direction
    held = own.VALUES[kinds[RIGHT]][0]
    if there is not None:
        value = own.VALUES[kinds[LEFT]][0]
        assert own.carried(value, one, LEFT, held=held) == there
    if back is not None:
        value = own.VALUES[kinds[RIGHT]][1]
        assert own.carried(value, one, RIGHT, held=None) == back


def test_what_gets_lost_of_fields_of_users_is_told():
    kinds = (FieldKind.DATETIME, FieldKind.NUMBER, FieldKind.TEXT)
    others = frozenset({FieldKind.DATE, FieldKind.TEXT})
    assert list(losses.of_own(kinds, others)) == [
        "users' fields of datetime (the day alone)",
        "users' fields of number (as text)",
    ]
    assert list(losses.of_own([FieldKind.DATE], frozenset(kinds))) == []
    assert list(losses.of_own(kinds[1:], frozenset())) == [
        "users' fields of number, text (all of it)"
    ]


def test_fields_of_users_that_do_not_go_together_are_not_mapped():
    kinds = {LEFT: [FieldKind.NUMBER], RIGHT: [FieldKind.BOOLEAN, FieldKind.CHOICE]}
    assert own.between(kinds) == []
    assert own.between({LEFT: [*own.VALUES], RIGHT: []}) == []


@pytest.mark.parametrize(
    ("changes", "is_seen"),
    [
        ({}, False),
        ({Role.BIRTHDAY: "1984-02-28"}, True),
        ({Role.NOTE: None}, True),
        ({Role.EMAIL: KNOWN[Role.EMAIL][:1]}, True),
        ({Role.EMAIL: KNOWN[Role.EMAIL][::-1]}, True),
        ({Role.PHONE: (Item(value="+43-316-1000", label="work"),)}, True),
        (
            {
                Role.PHONE: (
                    Item(value="+433161000", label="work"),
                    *KNOWN[Role.PHONE][1:],
                )
            },
            False,
        ),
        (
            {Role.ADDRESS: (Item(value=HOME, label="work"), KNOWN[Role.ADDRESS][1])},
            True,
        ),
        ({Role.COMPANY: "Acme"}, True),
    ],
)
def test_a_difference_is_seen(changes, is_seen):
    found = comparing.differences(wanted=KNOWN, seen={**KNOWN, **changes}, shape=MANY)
    assert bool(list(found)) is is_seen


def test_a_few_pairs_have_as_many_apps_in_them_as_they_can():
    apps = [*stages.load()]
    few = matrix.few_of(apps)
    assert len({*few}) == len(few) == matrix.FEW
    assert {*few} <= {*matrix.pairs_of(apps)}
    assert len({app for pair in few for app in pair}) == min(len(apps), 2 * matrix.FEW)


def test_all_pairs_are_each_app_with_each_other_one():
    assert matrix.pairs_of("cab") == [("a", "b"), ("a", "c"), ("b", "c")]
    apps = sorted(stages.load())
    every = matrix.chosen_of([])
    assert len(every) == len(apps) * (len(apps) - 1) // 2
    assert matrix.chosen_of([], start=every[2]) == every[2:]
    assert matrix.chosen_of([], start=every[2][::-1]) == every[2:]
    assert matrix.chosen_of(apps[:2]) == [(apps[0], apps[1])]
    assert len(matrix.chosen_of(apps[1:2])) == len(apps) - 1
    with pytest.raises(ValueError, match="no such app: nobody"):
        matrix.chosen_of(["nobody"])
