"""I1, I3 and I3b of telephone numbers: each sees a history that breaks it."""

from typing import Any

import msgspec
import pytest

from proto.fields import Item, Role
from proto.ids import FieldId
from proto.reconciler import CustomMapping, Direction, MappedField, Side
from tests.simulation.hand_made import ROLES, History, intent
from tests.simulation.invariants import convergence, number_losses
from tests.simulation.invariants.losses import SEEN_S
from tests.simulation.ledger import Cause
from tests.simulation.vendors.forms import SHORTENED
from tests.simulation.vendors.numbers import Numbers

LEFT, RIGHT = Side.LEFT, Side.RIGHT
LIST = Numbers(is_list=True)
FULL = Numbers(is_list=True, count_max=1)
ONE = Numbers()
SLOTS = {"roles": (*ROLES, Role.PHONE_MOBILE, Role.PHONE_WORK, Role.PHONE)}


def history_of(left: Numbers = LIST, right: Numbers = LIST, **more: Any) -> History:
    """Return a connection of two that keep numbers so."""
    ends = {"left": {"numbers": left}, "right": {"numbers": right}, **more}
    return History(roles=(*ROLES, Role.PHONE), **ends)


def number(history: History, person: int, label: str = "") -> Item:
    """Return what a user enters."""
    item = history.people.item(person)
    return msgspec.structs.replace(item, label=label)


def converge(history: History, **held: str) -> list[str]:
    """Return what I1 says of a history."""
    after = history.after(held)
    return [str(each) for each in convergence.check(after, history.truth)]


def lost(history: History, **more: Any) -> list[str]:
    """Return what I3 says of a history."""
    after = history.after(**more)
    return [
        str(each)
        for pair in convergence.pairs_of(history.owned, after)
        for each in number_losses.check(pair, after, history.truth)
    ]


def linked(history: History, count: int = 1) -> tuple[Any, Any, list[Item]]:
    """Return two records that have the same numbers, and these."""
    person = history.person()
    found = [number(history, person, "work") for _ in range(count)]
    email = history.value(Role.EMAIL, person)
    sides = {}
    for side in (LEFT, RIGHT):
        numbers = history.books[side].ways.numbers
        entered = numbers.fitted(tuple(found))
        given = {"email": email, "phone": entered}
        sides[side] = (
            history.enter(side, person, **given)
            if side is LEFT
            else history.make(side, **given)
        )
    history.answered.add(history.key(RIGHT, sides[RIGHT]))
    history.link(sides[LEFT], sides[RIGHT])
    for side, record_id in sides.items():
        history.tell(side, record_id)
    history.wait(2 * SEEN_S)
    return sides[LEFT], sides[RIGHT], found


# I1


def test_i1_the_same_numbers_in_another_order_and_form_are_fine():
    history = history_of()
    left, _, [one, two] = linked(history, 2)
    again = msgspec.structs.replace(one, value=history.people.number_again(one.value))
    history.edit(LEFT, left, phone=(two, again))
    assert converge(history) == []


@pytest.mark.parametrize("side", [LEFT, RIGHT])
def test_i1_a_number_that_one_side_lacks(side):
    history = history_of()
    left, right, _ = linked(history, 2)
    record_id = left if side is LEFT else right
    history.edit(side, record_id, phone=None)
    assert len(converge(history)) == 1


@pytest.mark.parametrize(("room", "count"), [(FULL, 0), (LIST, 1)])
def test_i1_a_number_for_which_there_is_no_room(room, count):
    history = history_of(right=room)
    left, _, [one] = linked(history)
    more = number(history, history.people.person_of[history.key(LEFT, left)])
    history.edit(LEFT, left, phone=(one, more))
    assert len(converge(history)) == count


def test_i1_one_number_stands_for_the_first_of_several():
    history = history_of(right=ONE)
    left, right, [one, two] = linked(history, 2)
    assert converge(history) == []
    history.edit(LEFT, left, phone=(two,))
    assert len(converge(history)) == 1
    history.write(RIGHT, right, phone=None)
    assert len(converge(history)) == 1, "there is one, and a place for it"
    history.edit(RIGHT, right, phone=one.value)
    history.edit(RIGHT, right, phone=None)
    assert converge(history) == [], "somebody wants none there"


def test_i1_no_room_is_a_reason_where_a_list_is_full():
    history = history_of(left=FULL, right=ONE)
    _, right, _ = linked(history)
    person = history.people.person_of[history.key(RIGHT, right)]
    history.edit(RIGHT, right, phone=number(history, person).value)
    assert len(converge(history)) == 1
    assert converge(history, phone="no_room") == []


@pytest.mark.parametrize(
    ("label", "is_there"),
    [("mobile", True), ("work", False), ("home", True), ("other", False), ("", False)],
)
def test_i1_a_number_goes_to_the_field_of_its_label(label, is_there):
    """Where there is none, or another is in it, it stays where it is."""
    history = History(roles=(*ROLES, Role.PHONE), left={"numbers": LIST}, right=SLOTS)
    [version] = history.owned.versions
    views = [
        msgspec.structs.replace(view, right=("MOBILE", "WORK", "PHONE"))
        if view.mapping_id == "phone"
        else view
        for view in version.mappings
    ]
    history.owned.versions[:] = [
        msgspec.structs.replace(version, mappings=tuple(views))
    ]
    left, right, [one] = linked(history)
    history.write(RIGHT, right, MOBILE=one.value, phone=None)
    more = number(history, history.people.person_of[history.key(LEFT, left)], label)
    history.edit(LEFT, left, phone=(one, more))
    assert (converge(history) == []) is is_there


@pytest.mark.parametrize(("label", "count"), [("mobile", 1), ("home", 0)])
def test_i1_a_label_that_people_mapped_to_a_single_field(label, count):
    history = History(roles=(*ROLES, Role.PHONE), left={"numbers": LIST}, right=SLOTS)
    [version] = history.owned.versions
    custom = CustomMapping(
        left=MappedField(field_id=FieldId("phone"), label="mobile"),
        right=MappedField(field_id=FieldId("MOBILE")),
    )
    view = msgspec.structs.replace(
        version.mappings[-1], mapping_id="custom", right=(FieldId("MOBILE"),)
    )
    settings = msgspec.structs.replace(version.settings, custom_mappings=(custom,))
    history.owned.versions[:] = [
        msgspec.structs.replace(
            version, settings=settings, mappings=(*version.mappings[:-1], view)
        )
    ]
    left, right, [one] = linked(history)
    history.write(RIGHT, right, phone=None)
    assert converge(history) == []
    more = number(history, history.people.person_of[history.key(LEFT, left)], label)
    history.edit(LEFT, left, phone=(one, more))
    assert len(converge(history)) == count
    history.wait(1.0)
    assert lost(history) == []
    history.write(LEFT, left, phone=(one,))
    assert len(lost(history)) == count


@pytest.mark.parametrize(("room", "is_fine"), [(2, True), (3, False)])
def test_i1_mappings_that_share_a_list_wait_together(room, is_fine):
    """There is room for one of them, and nobody says which (seed 403598)."""
    few = Numbers(is_list=True, count_max=room)
    history = History(roles=(*ROLES, Role.PHONE), left={"numbers": few}, right=SLOTS)
    [version] = history.owned.versions
    customs, views = [], []
    for label, name in (("mobile", "MOBILE"), ("work", "WORK")):
        field_id = FieldId(name)
        customs.append(
            CustomMapping(
                left=MappedField(field_id=FieldId("phone"), label=label),
                right=MappedField(field_id=field_id),
            )
        )
        views.append(
            msgspec.structs.replace(
                version.mappings[-1], mapping_id=f"custom:{label}", right=(field_id,)
            )
        )
    settings = msgspec.structs.replace(version.settings, custom_mappings=tuple(customs))
    mappings = (*version.mappings[:-1], *views)
    history.owned.versions[:] = [
        msgspec.structs.replace(version, settings=settings, mappings=mappings)
    ]
    left, right, [one] = linked(history)
    home = msgspec.structs.replace(one, label="home")
    history.edit(LEFT, left, phone=(home,))
    person = history.people.person_of[history.key(RIGHT, right)]
    for name in ("MOBILE", "WORK"):
        history.edit(RIGHT, right, **{name: number(history, person).value})
    together = {"custom:mobile custom:work": "no_room", "email": "already_exists"}
    restated = history.links[0]._replace(state="held", reason="already_exists")
    history.links[0] = restated
    assert (converge(history, **together) == []) is is_fine


@pytest.mark.parametrize(("count", "is_fine"), [(5, True), (4, False)])
def test_i1_so_many_cleared_at_once_wait_for_a_person(count, is_fine):
    """As a trash may have left them out, seen as clearing (seed 401931)."""
    roles = (Role.EMAIL, Role.NAME_GIVEN, Role.NAME_FAMILY, *SHORTENED)
    history = History(roles=roles)
    person = history.person()
    names = [history.books[LEFT].ways.name_of(role) for role in roles[1:]]
    values = {
        name: history.value(role, person)
        for name, role in zip(names, roles[1:], strict=True)
    }
    left = history.enter(LEFT, person, **values)
    right = history.make(RIGHT, **{n.upper(): v for n, v in values.items()})
    history.link(left, right, state="held", reason="clears_too_much")
    history.edit(LEFT, left, **dict.fromkeys(names[:count]))
    assert (converge(history) == []) is is_fine


@pytest.mark.parametrize("direction", [Direction.TO_LEFT, Direction.TO_RIGHT])
def test_i1_one_way_what_people_have_at_the_target_is_theirs(direction):
    history = history_of()
    left, _, [one] = linked(history)
    history.direct(direction)
    more = number(history, history.people.person_of[history.key(LEFT, left)])
    history.edit(LEFT, left, phone=(one, more))
    assert len(converge(history)) == (direction is Direction.TO_RIGHT)


# I3b


def test_i3b_a_number_that_the_other_side_never_had():
    history = history_of()
    left, right, [one] = linked(history)
    person = history.people.person_of[history.key(LEFT, left)]
    here, nowhere = number(history, person), number(history, person)
    history.edit(LEFT, left, phone=(one, here))
    history.write(RIGHT, right, phone=(one, here))
    assert history.broken() == set()
    history.write(RIGHT, right, phone=(one, here, nowhere))
    assert history.broken() == {"I3b"}


@pytest.mark.parametrize("is_own", [True, False])
def test_i3b_a_number_of_somebody_else(is_own):
    history = history_of()
    left, right, [one] = linked(history)
    own = history.people.person_of[history.key(LEFT, left)]
    item = number(history, own if is_own else history.person())
    history.books[LEFT].edit(left, {"phone": (one, item)})
    history.write(RIGHT, right, phone=(one, item))
    assert history.broken() == (set() if is_own else {"I3b"})


@pytest.mark.parametrize(
    ("role", "is_fine"), [(Role.PHONE_MOBILE, True), (Role.JOB_TITLE, False)]
)
def test_i3b_a_number_that_was_entered_in_another_field(role, is_fine):
    """A number goes to the list whichever single field it was in; a text does not."""
    history = History(roles=(*ROLES, Role.PHONE), left={"numbers": LIST}, right=SLOTS)
    left, right, [one] = linked(history)
    person = history.people.person_of[history.key(LEFT, left)]
    text = history.value(role, person)
    history.edit(RIGHT, right, MOBILE=text)
    history.write(LEFT, left, phone=(one, Item(value=text, label="mobile")))
    assert history.broken() == (set() if is_fine else {"I3b"})


def test_i3b_a_number_that_nobody_entered():
    history = history_of()
    _, right, [one] = linked(history)
    history.write(RIGHT, right, phone=(one, Item(value="12345")))
    assert history.broken() == {"I3b"}


@pytest.mark.parametrize(("read_s_ago", "is_fine"), [(10.0, True), (1.0, False)])
def test_i3b_a_number_that_was_there_when_we_read_the_list(read_s_ago, is_fine):
    """The whole list is written, and takes back what was taken away meanwhile."""
    history = history_of()
    left, right, [one] = linked(history)
    person = history.people.person_of[history.key(LEFT, left)]
    own, more = number(history, person), number(history, person)
    history.edit(RIGHT, right, phone=(one, own))
    history.wait(10.0)
    history.edit(LEFT, left, phone=(one, more))
    history.edit(RIGHT, right, phone=(one,))
    history.wait(5.0)
    history.write(RIGHT, right, read_s_ago=read_s_ago, phone=(one, own, more))
    assert history.broken() == (set() if is_fine else {"I3b"})


# I3


@pytest.mark.parametrize("is_removed", [True, False])
def test_i3_a_number_that_was_entered_last_is_there(is_removed):
    history = history_of()
    left, _, [one] = linked(history)
    more = number(history, history.people.person_of[history.key(LEFT, left)])
    history.edit(LEFT, left, phone=(one, more))
    history.wait(1.0)
    assert lost(history) == []
    if is_removed:
        history.write(LEFT, left, phone=(one,))
    assert len(lost(history)) == is_removed


@pytest.mark.parametrize(
    ("read_s_ago", "decided_s_ago", "count"),
    [(0.1, 0.1, 1), (5.0, 0.1, 0), (0.1, 5.0, 0)],
)
def test_i3_a_number_entered_where_we_were_about_to_write(
    read_s_ago, decided_s_ago, count
):
    history = history_of()
    left, right, [one] = linked(history)
    more = number(history, history.people.person_of[history.key(LEFT, left)])
    history.edit(RIGHT, right, phone=(one, more))
    history.wait(1.0)
    history.write(RIGHT, right, read_s_ago=read_s_ago, phone=(one,))
    planned = intent(history, PHONE=(one, more))
    planned = msgspec.structs.replace(
        planned, decided_at=history.time - decided_s_ago, closed_at=history.time
    )
    planned = msgspec.structs.replace(
        planned, intent=msgspec.structs.replace(planned.intent, record_id=right)
    )
    assert len(lost(history, intents=(planned,))) == count


def test_i3_a_number_that_gave_way_with_a_word():
    history = history_of(right=ONE)
    _, right, [one] = linked(history)
    person = history.people.person_of[history.key(RIGHT, right)]
    more = number(history, person)
    history.edit(RIGHT, right, phone=more.value)
    history.wait(1.0)
    history.write(RIGHT, right, phone=one.value)
    assert len(lost(history)) == 2
    history.lose(RIGHT, phone=more.value)
    assert len(lost(history)) == 1, "the other one is back"


@pytest.mark.parametrize("is_back", [True, False])
def test_i3_a_number_that_was_removed_last_is_gone(is_back):
    history = history_of()
    left, _, [one] = linked(history)
    history.edit(LEFT, left, phone=None)
    history.wait(1.0)
    if is_back:
        history.write(LEFT, left, phone=(one,))
    assert len(lost(history)) == is_back


@pytest.mark.parametrize("is_soon", [True, False])
def test_i3_who_labels_a_number_keeps_it(is_soon):
    """Whoever removes it on the other side at the same time does not prevail."""
    history = history_of()
    left, right, [one] = linked(history)
    labelled = msgspec.structs.replace(one, label="home")
    history.edit(RIGHT, right, phone=(labelled,))
    history.tell(RIGHT, right)
    history.wait(1.0 if is_soon else 2 * SEEN_S)
    history.edit(LEFT, left, phone=None)
    history.tell(LEFT, left)
    history.wait(1.0)
    history.write(LEFT, left, phone=(labelled,))
    assert len(lost(history)) == (not is_soon)


@pytest.mark.parametrize(
    ("label", "labels", "count"),
    [
        ("work", (), 1),
        ("home", (), 0),
        ("other", ("work", "other"), 0),
        ("work", ("work", "other"), 1),
    ],
)
def test_i3_a_label_that_was_given_last_is_there(label, labels, count):
    """As far as the other side's app knows it."""
    history = history_of(right=Numbers(is_list=True, labels=labels))
    left, right, [one] = linked(history)
    history.edit(LEFT, left, phone=(msgspec.structs.replace(one, label="home"),))
    history.wait(1.0)
    history.write(RIGHT, right, phone=(msgspec.structs.replace(one, label=label),))
    assert len(lost(history)) == count


@pytest.mark.parametrize("is_heard", [True, False])
def test_i3_what_was_taken_back_unseen_was_never_done(is_heard):
    """A number removed and entered again is no news to anybody."""
    history = history_of()
    left, right, [one] = linked(history)
    history.edit(LEFT, left, phone=None)
    history.wait(1.0)
    if is_heard:
        history.tell(LEFT, left)
    history.wait(1.0)
    history.edit(LEFT, left, phone=(one,))
    history.wait(2 * SEEN_S)
    history.edit(RIGHT, right, phone=None)
    history.wait(1.0)
    history.write(LEFT, left, phone=None)
    assert lost(history) == []


@pytest.mark.parametrize("state", ["dead", "done"])
def test_i3_a_number_whose_write_took_effect_unheard_of(state):
    history = history_of()
    _, right, [one] = linked(history)
    history.edit(RIGHT, right, phone=None)
    history.wait(1.0)
    history.write(RIGHT, right, phone=(one,))
    planned = intent(history, state=state, PHONE=(one,))
    assert len(lost(history, intents=(planned,))) == (state == "done")


def test_i3_a_record_that_was_gone_is_not_looked_at():
    history = history_of()
    left, _, [one] = linked(history)
    history.edit(LEFT, left, phone=None)
    history.wait(1.0)
    history.write(LEFT, left, phone=(one,))
    assert len(lost(history)) == 1
    history.books[LEFT].delete(left, cause=Cause())
    history.books[LEFT].restore(left)
    assert lost(history) == []
