"""Several rules about one tag, list or field: which counts, and what is left."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.fields import FieldKind, Role, Value
from proto.ids import ContainerId, FieldId
from proto.reconciler import Side
from proto.record import Consent, Presence
from proto.rules import Action, ActionKind, Condition, Operator, Rule, Unsubscribes
from services.reconciler.engine.model import Act
from tests.engine.test_rules import BOTH_ABLE, tag
from tests.engine.world import Pair, config, field

LEFT, RIGHT = Side.LEFT, Side.RIGHT
FIELDS = (
    field("email", FieldKind.EMAIL, Role.EMAIL),
    field("job", role=Role.JOB_TITLE),
)
MORE = (*FIELDS, field("segment"))
LOSE = Action(kind=ActionKind.REMOVE_TAG, value="t")
JOIN = Action(kind=ActionKind.ADD_TO_CONTAINER, value="t")
LEAVE = Action(kind=ActionKind.REMOVE_FROM_CONTAINER, value="t")
GAIN = tag("t")


def put(value: str) -> Action:
    """Return the action that sets the field."""
    return Action(kind=ActionKind.SET_FIELD, field_id=FieldId("segment"), value=value)


def rule(letter: str, *actions: Action, undoes: bool = True) -> Rule:
    """Return a rule for those whose job has a letter in it."""
    has_letter = Condition(
        operator=Operator.CONTAINS, field_id=FieldId("job"), value=letter
    )
    return Rule(
        rule_id=letter, conditions=(has_letter,), actions=actions, undoes=undoes
    )


def pair_of(*rules: Rule, segment: str | None = "old", **more: object) -> Pair:
    """Return a linked pair that no rule but that for all matches."""
    settings = config(
        FIELDS, MORE, left_rules=(*rules, Rule(rule_id="all")), **BOTH_ABLE, **more
    )
    pair = Pair(
        settings, {"email": "a@x.com"}, {"email": "a@x.com", "segment": segment}
    )
    pair.settle()
    return pair


def match(pair: Pair, letters: str) -> None:
    """Have other rules match from now on."""
    pair.edit(LEFT, job=letters or None)
    pair.settle()


def there(pair: Pair, action: Action) -> Value:
    """Return what is in the place that an action is about."""
    record = pair.records[RIGHT]
    assert record is not None
    if action.kind is ActionKind.SET_FIELD:
        return record.fields[action.field_id]
    is_tag = action.kind in (ActionKind.ADD_TAG, ActionKind.REMOVE_TAG)
    return action.value in (record.tags if is_tag else record.containers)


def wanted(action: Action) -> Value:
    """Return what an action makes of its place."""
    if action.kind is ActionKind.SET_FIELD:
        return action.value
    return action.kind in (ActionKind.ADD_TAG, ActionKind.ADD_TO_CONTAINER)


@pytest.mark.behaviour(
    7,
    9,
    broken_by="reconciler/engine/places.py: what a rule did is taken back although"
    " another one that matches wants it",
)
@pytest.mark.parametrize("action", [GAIN, LOSE, JOIN, LEAVE, put("x")])
@pytest.mark.parametrize("order", [("a", "ab", "b"), ("ab", "b"), ("ab", "a")])
def test_b7_b9_what_another_rule_wants_too_stays(action: Action, order: tuple):
    """And it goes, once none of them matches any more: nobody had it before."""
    pair = pair_of(rule("a", action), rule("b", action))
    if not wanted(action):
        pair.put(RIGHT, tags=("t",), containers=(ContainerId("t"),))
    before = there(pair, action)
    for letters in order:
        match(pair, letters)
        assert there(pair, action) == wanted(action), letters
    match(pair, "")
    assert there(pair, action) == before


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/places.py: a field goes back to what another rule had"
    " made of it",
)
@pytest.mark.parametrize("segment", ["old", None])
@pytest.mark.parametrize("ends", [*itertools.permutations("abc")])
def test_b9_a_field_that_several_rules_have_set_gets_its_own_value_back(
    ends: tuple, segment: str | None
):
    """Whichever ends first: no value is left that only a rule wanted that is over."""
    pair = pair_of(*(rule(each, put(each.upper())) for each in "abc"), segment=segment)
    for letters in ("a", "ab", "abc"):
        match(pair, letters)
    left = set("abc")
    for each in ends:
        left.remove(each)
        match(pair, "".join(sorted(left)))
        values = {letter.upper() for letter in left} or {segment}
        assert pair.right["segment"] in values


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/places.py: who adds a tag gets nothing back from who"
    " took it away",
)
def test_b9_of_two_rules_that_want_the_opposite_the_one_that_is_left_counts():
    pair = pair_of(rule("a", GAIN), rule("b", LOSE))
    for letters, is_there in (("ab", False), ("a", True), ("", False), ("b", False)):
        match(pair, letters)
        assert there(pair, GAIN) is is_there, letters
    pair = pair_of(rule("a", GAIN), rule("b", LOSE))
    pair.put(RIGHT, tags=("t",))
    for letters, is_there in (("b", False), ("ab", True), ("b", False), ("", True)):
        match(pair, letters)
        assert there(pair, GAIN) is is_there, letters


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/places.py: what is there and wanted gives way to what"
    " a later rule wants",
)
def test_b9_nothing_changes_while_what_is_there_is_wanted():
    pair = pair_of(rule("a", put("X")), rule("b", put("Y")), rule("c", put("X")))
    for letters in ("a", "ab", "abc", "ab"):
        match(pair, letters)
    assert pair.right["segment"] == "X"
    pair = pair_of(rule("a", LOSE), rule("b", GAIN), rule("c", GAIN, undoes=False))
    for letters in ("a", "ab", "abc", "a"):
        match(pair, letters)
    assert there(pair, GAIN), "c did it for good"


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/places.py: what a rule leaves for good goes with"
    " another one",
)
@pytest.mark.parametrize("action", [GAIN, JOIN, put("x")])
@pytest.mark.parametrize("order", [("ab", "a", ""), ("ab", "b", ""), ("b", "ab", "")])
def test_b9_what_a_rule_leaves_for_good_is_not_taken_back_with_another(
    action: Action, order: tuple
):
    pair = pair_of(rule("a", action), rule("b", action, undoes=False))
    for letters in order:
        match(pair, letters)
        assert there(pair, action) == wanted(action), letters


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/places.py: what people made of a place between two"
    " rules is not given back",
)
def test_b9_what_people_had_made_of_it_meanwhile_comes_back():
    """Each rule gives back what was there, unless another rule had put it there."""
    pair = pair_of(rule("a", put("A")), rule("b", put("B")))
    match(pair, "a")
    pair.edit(RIGHT, segment="theirs")
    for letters, value in (("ab", "B"), ("b", "B"), ("", "theirs")):
        match(pair, letters)
        assert pair.right["segment"] == value, letters
    pair = pair_of(rule("a", GAIN), rule("b", LOSE))
    match(pair, "a")
    pair.put(RIGHT, tags=())
    for letters in ("ab", "a", ""):
        match(pair, letters)
        assert there(pair, GAIN) is False, "people took it off before b wanted so"


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/places.py: what another action of an edited rule set"
    " is taken for people's",
)
def test_b9_a_rule_that_sets_something_else_now_gives_the_first_value_back():
    pair = pair_of(rule("a", put("A")))
    match(pair, "a")
    pair.config = config(
        FIELDS,
        MORE,
        left_rules=(rule("a", put("B")), Rule(rule_id="all")),
        version=2,
        **BOTH_ABLE,
    )
    pair.settle()
    assert pair.right["segment"] == "B"
    match(pair, "")
    assert pair.right["segment"] == "old"


@pytest.mark.behaviour(
    9,
    37,
    broken_by="reconciler/engine/places.py: the tag of a deletion goes with a rule that"
    " had put it there first",
)
def test_b9_b37_the_tag_of_a_deletion_stays_when_a_rule_that_adds_it_ends():
    pair = pair_of(rule("a", tag("PieSync Trash")), tags_deletions=True)
    match(pair, "a")
    pair.mark(LEFT, Presence.DELETED)
    assert pair.settle() == 0, "it is there"
    assert pair.records[RIGHT].tags == ("PieSync Trash",)
    pair.mark(LEFT, Presence.LIVE)
    pair.settle()
    match(pair, "")
    assert pair.records[RIGHT].tags == (), "neither wants it now"


@pytest.mark.behaviour(
    9,
    39,
    broken_by="reconciler/engine/rules.py: the tag of an unsubscribe goes with a rule"
    " that had put it there first",
)
@pytest.mark.parametrize("is_still_so", [True, False])
def test_b9_b39_the_tag_of_an_unsubscribe_stays_when_a_rule_that_adds_it_ends(
    is_still_so,
):
    """Also once unsubscribes are told in another way."""
    pair = pair_of(
        rule("a", tag("PieSync Unsubscribes")), unsubscribes=Unsubscribes.TAG
    )
    match(pair, "a")
    pair.put(LEFT, consent=Consent.UNSUBSCRIBED)
    pair.settle()
    if not is_still_so:
        pair.config = msgspec.structs.replace(
            pair.config, unsubscribes=Unsubscribes.STATUS
        )
        pair.settle()
    match(pair, "")
    assert pair.records[RIGHT].tags == ("PieSync Unsubscribes",)


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/consent.py: a tag that told the other side of a no"
    " keeps what a rule has added here",
)
def test_b9_the_tag_that_told_the_other_side_goes_here_with_its_rule():
    pair = pair_of(
        rule("a", tag("PieSync Unsubscribes")), unsubscribes=Unsubscribes.TAG
    )
    match(pair, "a")
    pair.put(RIGHT, consent=Consent.UNSUBSCRIBED)
    pair.settle()
    match(pair, "")
    assert pair.records[LEFT].tags == ("PieSync Unsubscribes",)
    assert pair.records[RIGHT].tags == ()


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/places.py: acts that remember what another one had"
    " made of a place are not followed",
)
@pytest.mark.parametrize("ends", [*itertools.permutations("abc"), ("ab", "c")])
def test_b9_acts_of_an_earlier_version_are_taken_back_as_those_of_today(ends: tuple):
    """They remember what was there, were it by another act."""
    values = {"a": "A", "b": "B", "c": "C"}
    pair = pair_of(*(rule(each, put(values[each]), GAIN) for each in "abc"))
    match(pair, "abc")
    pair.link = msgspec.structs.replace(
        pair.link, acts=tuple(_as_before(act, values) for act in pair.link.acts)
    )
    left = set("abc")
    for some in ends:
        left -= set(some)
        match(pair, "".join(sorted(left)))
        assert pair.right["segment"] in ({values[each] for each in left} or {"old"})
        assert there(pair, GAIN) is bool(left)


def _as_before(act: Act, values: dict[str, str]) -> Act:
    """Return an act as it was stored when a, b and c began one after the other."""
    letter = act.key.split(":")[1]
    if act.action.kind is ActionKind.SET_FIELD:
        before: Value = {"a": "old", "b": values["a"], "c": values["b"]}[letter]
    else:
        before = letter != "a" or None
    return msgspec.structs.replace(act, before=before)


KINDS = [(GAIN, LOSE), (JOIN, LEAVE), (put("X"), put("Y"))]


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/places.py: of several rules the one that ends is taken"
    " back by itself",
)
@given(
    actions=st.sampled_from(KINDS).flatmap(
        lambda kind: st.lists(st.sampled_from(kind), min_size=1, max_size=4)
    ),
    history=st.lists(st.sets(st.sampled_from("abcd")), max_size=6),
    is_there=st.booleans(),
)
def test_b9_whatever_matches_counts_and_nothing_is_left_when_nothing_matches(
    actions: list[Action], history: list[set[str]], is_there: bool
):
    """However many rules, in whatever order they begin and end."""
    rules = dict(zip("abcd", actions, strict=False))
    pair = pair_of(*(rule(letter, action) for letter, action in rules.items()))
    if is_there:
        pair.put(RIGHT, tags=("t",), containers=(ContainerId("t"),))
    before = there(pair, actions[0])
    for letters in history:
        match(pair, "".join(sorted(letters)))
        values = {wanted(rules[each]) for each in letters if each in rules}
        assert there(pair, actions[0]) in (values or {before})
    match(pair, "")
    assert there(pair, actions[0]) == before
