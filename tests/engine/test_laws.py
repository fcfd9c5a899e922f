"""Laws of normal forms, lenses and the merge, for any values."""

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from proto.connector import WriteOutcome
from proto.fields import Address, FieldKind, Item, Role
from proto.reconciler import Direction, RecordState, Side
from services.reconciler.engine import canon, lenses, model, names, weigh
from services.reconciler.engine.diff import Sides
from services.reconciler.engine.lenses import NO_FORMS
from services.reconciler.engine.model import Intent, Lens, Link, Plan, other
from services.reconciler.engine.plan import plan
from tests.engine import mapped, world
from tests.engine.examples import PLANNER_DEEP, STRINGS_DEEP, tries
from tests.engine.strategies import (
    LEFT_FIELDS,
    contacts,
    full_names,
    given_names,
    lefts,
    mails,
    numbers,
    rights,
)
from tests.engine.world import Pair, config, field, items

LEFT, RIGHT = Side.LEFT, Side.RIGHT
anything = st.text(st.characters(codec=None), max_size=40)
addresses = st.builds(Address, street=anything, city=anything, country=anything)
junk = st.one_of(
    st.none(),
    st.booleans(),
    anything,
    st.lists(
        st.builds(Item, value=st.one_of(anything, addresses), label=anything),
        max_size=4,
    ).map(tuple),
)


@tries(400, deep=STRINGS_DEEP)
@given(anything)
def test_normal_forms_are_their_own_normal_forms(value):
    for form in (canon.text, canon.name, canon.phone, canon.url, canon.date):
        assert form(form(value)) == form(value)
    normal = canon.email(value)
    assert normal is None or canon.email(normal) == normal


@tries(400, deep=STRINGS_DEEP)
@given(st.from_regex(r"\+?[0-9 ().\-]{0,16}(;[0-9])?", fullmatch=True))
def test_normal_forms_of_numbers_are_their_own(value):
    assert canon.phone(canon.phone(value)) == canon.phone(value)
    assert canon.number(canon.number(value)) == canon.number(value)


@tries(300, deep=STRINGS_DEEP)
@given(st.emails())
def test_normal_forms_of_emails_are_their_own(value):
    normal = canon.email(value)
    assert normal is None or canon.email(normal) == normal


def test_emails_are_the_same_in_other_letters_and_other_spellings_of_the_domain():
    same = canon.email("José@Bücher.example")
    assert same == canon.email(" JOSE\u0301@xn--bcher-kva.EXAMPLE. ")
    assert canon.email("a@x.com") != canon.email("a+b@x.com")
    assert canon.email("a.b@x.com") != canon.email("ab@x.com")
    for nonsense in ("", "@", "a@", "@x", "no at", "two words@x.com", "a@.."):
        assert canon.email(nonsense) is None
    assert canon.email("a@under_score.com") == "a@under_score.com"


def test_phones_are_the_same_in_other_spellings():
    for value in ("+44 (0)20 7946 0958", "0044 20 7946 0958", "tel:+442079460958"):
        assert canon.phone(value) == "+442079460958"
    assert canon.phone("+49 030 901820") == "+4930901820"
    assert canon.phone("(555) 0103") == "5550103"


@tries(300)
@given(given=given_names, family=given_names, full=full_names)
def test_a_name_that_is_split_joins_to_itself(given, family, full):
    base = {Role.NAME_GIVEN: given or "", Role.NAME_FAMILY: family or ""}
    base = {role: canon.name(text) for role, text in base.items()}
    parts = names.split(full or "", base=base)
    assert names.join(parts) == canon.name(full or "")
    assert names.split(names.join(base), base=base) == base


@tries(300)
@given(given=given_names, family=given_names, full=full_names)
def test_an_edit_of_a_joined_name_arrives_whole(given, family, full):
    """Getting what was put: the parts join to the edited name again."""
    base = {Role.NAME_GIVEN: given or "", Role.NAME_FAMILY: family or ""}
    base = {role: canon.name(text) for role, text in base.items()}
    new = canon.name(full or "")
    edited = names.edit(old=names.join(base), new=new, base=base, now=base)
    assert names.join({**base, **edited}) == new


CONFIG = config()


@tries(300)
@given(left=lefts, right=rights, side=st.sampled_from((LEFT, RIGHT)))
def test_putting_what_was_got_changes_nothing(left, right, side):
    """Without an edit there is nothing to put; put twice is put once."""
    values = {LEFT: left, RIGHT: right}
    for pair in CONFIG.pairs:
        mine, theirs = values[side], values[other(side)]
        none = lenses.changes(pair, side, old=mine, new=mine, other_old=theirs)
        assert none == {}
        atoms = lenses.changes(pair, side, old=None, new=mine, other_old=theirs)
        if not atoms:
            continue
        end = pair.end(other(side))
        target = lenses.target(pair, end.side, atoms=atoms, onto=theirs, source=mine)
        once = lenses.put(target)
        settled = {**theirs, **once}
        if pair.mapping.lens is model.Lens.NAME:
            continue  # A replaced part is not there to be replaced again.
        twice = lenses.put(msgspec.structs.replace(target, onto=settled))
        assert {**settled, **twice} == settled


@tries(200, deep=PLANNER_DEEP)
@given(left=lefts, right=rights, winner=st.sampled_from((LEFT, RIGHT)))
def test_mirrored_sides_and_winner_give_the_mirrored_result(left, right, winner):
    right = {**right, "emails": items(left["email"])}
    one = Pair(config(winner=winner), left, right)
    one.settle()
    mirrored = config(world.CARDS, world.NEWSLETTER, winner=other(winner))
    two = Pair(mirrored, right, left)
    two.settle()
    assert (one.left, one.right) == (two.right, two.left)
    assert len(one.writes) == len(two.writes)
    assert len(one.losses) == len(two.losses)


@tries(200, deep=PLANNER_DEEP)
@given(
    before=contacts(LEFT_FIELDS),
    left=contacts(LEFT_FIELDS),
    right=contacts(LEFT_FIELDS),
    direction=st.sampled_from((Direction.TO_LEFT, Direction.TO_RIGHT)),
)
def test_one_way_makes_one_write_at_most_and_only_there(before, left, right, direction):
    pair = Pair(
        config(world.NEWSLETTER, world.NEWSLETTER, direction=direction), before, before
    )
    assert pair.settle() == 0
    pair.edit(LEFT, **left)
    pair.edit(RIGHT, **right)
    assert pair.settle() <= 1
    target = RIGHT if direction is Direction.TO_RIGHT else LEFT
    assert all(intent.side is target for intent in pair.writes)


@tries(400, deep=PLANNER_DEEP)
@given(
    left=st.fixed_dictionaries(dict.fromkeys(LEFT_FIELDS, junk)),
    right=st.fixed_dictionaries({f.field_id: junk for f in world.CARDS}),
    now_left=st.fixed_dictionaries(dict.fromkeys(LEFT_FIELDS, junk)),
    now_right=st.fixed_dictionaries({f.field_id: junk for f in world.CARDS}),
    is_linked=st.booleans(),
)
def test_no_value_whatever_makes_the_engine_raise(
    left, right, now_left, now_right, is_linked
):
    pair = Pair(config(), left, right if is_linked else None)
    for _ in range(4):
        if pair.turn() is None:
            break
    pair.edit(LEFT, **now_left)
    if pair.records[RIGHT] is not None:
        pair.edit(RIGHT, **now_right)
    for _ in range(6):
        intent = pair.plan().intent
        if intent is None:
            return
        pair.answer(intent, WriteOutcome.WRITTEN, record=pair.apply(intent))
    raise AssertionError("junk does not come to rest")


@tries(50, deep=PLANNER_DEEP)
@given(left=lefts, right=rights)
def test_everything_survives_storage_and_equal_inputs_give_equal_plans(left, right):
    pair = Pair(config(), left, {**right, "emails": items(left["email"])})
    again = Pair(config(), left, {**right, "emails": items(left["email"])})
    decided = pair.plan()
    assert decided == again.plan()
    assert msgspec.json.decode(msgspec.json.encode(decided), type=Plan) == decided
    if decided.intent is not None:
        raw = msgspec.json.encode(decided.intent)
        assert msgspec.json.decode(raw, type=Intent) == decided.intent
    pair.settle()
    raw = msgspec.json.encode(pair.link)
    assert msgspec.json.decode(raw, type=Link) == pair.link


def test_an_unchanged_link_gives_the_one_shared_plan():
    pair = Pair(config(), {"email": "a@x.com"})
    pair.settle()
    assert pair.link.state is RecordState.IN_SYNC
    assert plan(pair.case()) is model.NOTHING


def test_an_address_is_told_from_its_parts_only():
    one = Address(street="1 Main  St", city="boston")
    assert canon.address(one) == canon.address(
        Address(street="1 main st", city="Boston")
    )
    assert canon.address(Address()) == ""
    assert canon.of(FieldKind.ADDRESS, None) == ""


def _copied(kind: FieldKind, kind_there: FieldKind, **more: object) -> model.Pair:
    pair = mapped.only_pair(field("a", kind), field("b", kind_there), **more)
    assert pair.mapping.lens is Lens.COPY
    return pair


_words = st.one_of(
    st.none(),
    anything,
    st.sampled_from(("", " ", "Jose\u0301", "José", " x ", "A@X.com", "x.com/")),
)
_spoken = (FieldKind.TEXT, FieldKind.URL, FieldKind.EMAIL, FieldKind.PHONE)
copies = st.one_of(
    st.tuples(
        st.builds(
            _copied,
            st.sampled_from(_spoken),
            st.sampled_from(_spoken),
            direction=st.sampled_from((Direction.BOTH, Direction.TO_RIGHT)),
        ),
        st.just(_words),
    ),
    st.tuples(
        st.just(_copied(FieldKind.NUMBER, FieldKind.NUMBER)),
        st.just(st.sampled_from((None, "", "1", "1.0", "01", "2", "many"))),
    ),
    st.tuples(
        st.just(_copied(FieldKind.DATE, FieldKind.DATE)),
        st.just(st.sampled_from((None, "", "1990-05-03", "1990-5-3", "soon"))),
    ),
    st.tuples(
        st.just(_copied(FieldKind.BOOLEAN, FieldKind.BOOLEAN)),
        st.just(st.sampled_from((None, True, False))),
    ),
)


_several = st.builds(
    lambda here, there, **more: mapped.only_pair(
        field("a", here, is_multiple=True),
        field("b", there, is_multiple=True, labels=("home", "other")),
        **more,
    ),
    st.sampled_from((FieldKind.PHONE, FieldKind.EMAIL)),
    st.sampled_from((FieldKind.PHONE, FieldKind.EMAIL, FieldKind.TEXT)),
    direction=st.sampled_from((Direction.BOTH, Direction.TO_RIGHT)),
)
lists = st.tuples(_several, st.just(st.one_of(st.just(()), numbers, mails)))


@tries(300, deep=PLANNER_DEEP)
@given(
    data=st.data(),
    mapped_so=st.one_of(copies, lists),
    edited=st.sampled_from((LEFT, RIGHT)),
)
def test_the_short_way_to_merge_one_edit_says_the_same_as_the_long_one(
    data, mapped_so, edited
):
    pair, values = mapped_so
    was, now, held = (data.draw(values) for _ in range(3))
    assume(was != now)
    names = {LEFT: "a", RIGHT: "b"}
    before = {edited: {names[edited]: was}, other(edited): {names[other(edited)]: held}}
    after = {**before, edited: {names[edited]: now}}
    sides = Sides(before[LEFT], before[RIGHT], after[LEFT], after[RIGHT], NO_FORMS)
    short = weigh._settled_at_once(pair, sides)
    assert short is not None
    assert short == weigh._settled(pair, sides)
