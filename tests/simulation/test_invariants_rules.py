"""What rules do besides: what has to be there at rest, and what must not be left."""

import msgspec
import pytest

from proto.fields import Role
from proto.ids import FieldId
from proto.reconciler import Direction, Side
from proto.rules import Action, ActionKind, Condition, Operator, Rule
from tests.simulation.hand_made import History
from tests.simulation.invariants import convergence, rules
from tests.simulation.ledger import Cause, Who
from tests.simulation.vendors.ways import LISTS

LEFT, RIGHT = Side.LEFT, Side.RIGHT
ABLE = {"can_tag": True, "has_lists": True}
OURS = Cause(who=Who.TANDEM)
GAIN = Action(kind=ActionKind.ADD_TAG, value="t")
LOSE = Action(kind=ActionKind.REMOVE_TAG, value="t")
JOIN = Action(kind=ActionKind.ADD_TO_CONTAINER, value=LISTS[1])


def put(value: str) -> Action:
    return Action(kind=ActionKind.SET_FIELD, field_id=FieldId("REF"), value=value)


def rule(mark: str, *actions: Action, undoes: bool = True) -> Rule:
    """Return a rule for those on the left who have a tag."""
    has_mark = Condition(operator=Operator.HAS_TAG, value=mark)
    return Rule(rule_id=mark, conditions=(has_mark,), actions=actions, undoes=undoes)


class Told:
    """A linked pair, and what is said of it."""

    def __init__(self, *left_rules: Rule) -> None:
        self.history = History(left=ABLE, right=ABLE)
        self.history.choose(left_rules=left_rules)
        self.person, self.left, self.right = self.history.pair()

    def mark(self, *marks: str) -> None:
        """Have a user give the left one tags."""
        self.history.books[LEFT].edit(self.left, tags=list(marks))

    def ours(self, **changes: object) -> None:
        """Have Tandem change the right one."""
        self.history.books[RIGHT].edit(self.right, cause=OURS, **changes)

    def theirs(self, **changes: object) -> None:
        """Have a user change the right one."""
        self.history.books[RIGHT].edit(self.right, **changes)

    def restate(self, state: str, reason: str) -> None:
        """Have Tandem say something else of the pair."""
        links = self.history.links
        links[0] = links[0]._replace(state=state, reason=reason)

    def wrong(self, **held: str) -> list[str]:
        """Return the invariants that do not hold."""
        history = self.history
        return [
            wrong.invariant
            for pair in convergence.pairs_of(history.owned, history.after(held))
            for wrong in rules.check(pair, history.truth)
        ]


@pytest.mark.parametrize(
    ("action", "done"),
    [(GAIN, {"tags": ["t"]}), (JOIN, {"lists": [LISTS[1]]})],
)
def test_i1_what_a_matching_rule_wants_is_there(action, done):
    told = Told(rule("a", action))
    assert told.wrong() == [], "it does not match"
    told.mark("a")
    assert told.wrong() == ["I1"]
    told.ours(**done)
    assert told.wrong() == []


def test_i1_a_field_is_as_one_of_the_matching_rules_wants():
    told = Told(rule("a", put("A")), rule("b", put("B")))
    told.mark("a", "b")
    for value, wrong in (("A", []), ("B", []), ("C", ["I1"])):
        told.ours(fields={"REF": value})
        assert told.wrong() == wrong
    told.mark("b")
    told.ours(fields={"REF": "A"})
    assert told.wrong() == ["I1"]


def test_i1_what_people_took_away_after_us_stays_away():
    told = Told(rule("a", GAIN), rule("b", GAIN))
    told.mark("a", "b")
    told.ours(tags=["t"])
    told.theirs(tags=[])
    assert told.wrong() == []
    told.theirs(tags=["t"])
    told.ours(tags=[])
    assert told.wrong() == ["I1"], "it was us who took it away"


def test_i12_nothing_is_left_of_a_rule_that_is_over():
    told = Told(rule("a", GAIN, put("A")))
    told.theirs(fields={"REF": "own"})
    told.mark("a")
    told.ours(tags=["t"], fields={"REF": "A"})
    assert told.wrong() == []
    told.mark()
    assert told.wrong() == ["I12", "I12"]
    told.ours(tags=[], fields={"REF": None})
    assert told.wrong() == ["I12"], "the field was somebody's own"
    told.ours(fields={"REF": "own"})
    assert told.wrong() == []


@pytest.mark.parametrize("is_edited", [True, False])
@pytest.mark.parametrize("is_answered", [True, False])
def test_i12_what_a_create_did_that_nobody_told_us_of(is_answered, is_edited):
    """Edited before we saw it, it may be somebody else's with that tag (seed 2467)."""
    history = History(left=ABLE, right=ABLE)
    history.choose(left_rules=(rule("a", GAIN),))
    person = history.person()
    email = history.value(Role.EMAIL, person)
    left = history.enter(LEFT, person, email=email)
    right = history.make(RIGHT, email=email)
    history.books[RIGHT].edit(right, tags=["t"], cause=OURS)
    if is_edited:
        history.books[RIGHT].edit(right, {"REF": "own"})
    if is_answered:
        history.answered.add(history.key(RIGHT, right))
    history.wait(1)
    history.link(left, right)
    pairs = convergence.pairs_of(history.owned, history.after())
    found = [str(w) for pair in pairs for w in rules.check(pair, history.truth)]
    assert len(found) == (0 if is_edited and not is_answered else 1)


def test_i12_what_people_had_is_theirs_also_where_a_rule_took_it_away():
    told = Told(rule("a", LOSE))
    told.theirs(tags=["t"])
    told.ours(tags=[])
    assert told.wrong() == ["I12"]
    told.theirs(tags=["t"])
    assert told.wrong() == []


def test_i12_a_rule_that_says_so_leaves_what_it_did():
    told = Told(rule("a", LOSE), rule("b", GAIN, undoes=False))
    told.ours(tags=["t"])
    assert told.wrong() == []
    told.mark("a")
    assert told.wrong() == [], "b may have matched after a"


def test_i12_rules_that_were_taken_away_are_over_too():
    told = Told(rule("a", GAIN))
    told.mark("a")
    told.ours(tags=["t"])
    owned = told.history.owned
    none = msgspec.structs.replace(owned.now.settings, left_rules=())
    owned.versions.append(msgspec.structs.replace(owned.now, settings=none))
    assert told.wrong() == ["I12"]


def test_i12_what_rules_did_is_taken_back_when_a_record_goes():
    told = Told(rule("a", GAIN))
    told.mark("a")
    told.ours(tags=["t"])
    told.history.books[LEFT].delete(told.left)
    told.restate("deleted", "deleted_left")
    assert told.wrong() == ["I12"]
    told.ours(tags=[])
    assert told.wrong() == []


@pytest.mark.parametrize("is_there", [True, False])
def test_who_cannot_be_known_to_be_gone_still_fulfils_rules(is_there):
    """Of an account that knows nobody any more nobody counts as gone (seed 640078)."""
    told = Told(rule("a", GAIN))
    told.mark("a")
    told.ours(tags=["t"])
    if is_there:
        told.history.pair()
    told.history.books[LEFT].delete(told.left)
    assert (told.wrong() == []) is not is_there


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("failed", "value_refused"),
        ("held", "mass_change"),
        ("held", "email_removed"),
        ("excluded", "out_of_container"),
        ("merged", "merged_away"),
    ],
)
def test_where_nothing_may_be_done_rules_do_nothing(state, reason):
    told = Told(rule("a", GAIN))
    told.mark("a")
    told.restate(state, reason)
    assert told.wrong() == []


def test_what_came_and_went_too_often_is_left_for_a_day():
    told = Told(rule("a", GAIN))
    told.mark("a")
    assert told.wrong(**{"tag:t": "oscillates"}) == []
    assert told.wrong(**{"tag:other": "oscillates"}) == ["I1"]


def test_a_side_that_is_not_written_gets_nothing():
    told = Told(rule("a", GAIN))
    told.mark("a")
    told.history.choose(direction=Direction.TO_LEFT)
    assert told.wrong() == []


def test_a_record_that_had_another_counterpart_is_not_looked_at():
    """What was done then was done to that one."""
    told = Told(rule("a", GAIN))
    told.mark("a")
    history = told.history
    history.links.clear()
    history.link(told.left, history.make(RIGHT, mark="2"))
    assert told.wrong() == []


def test_who_became_one_with_another_is_not_looked_at():
    """The other one may have been its counterpart's, before anybody saw that."""
    told = Told(rule("a", GAIN))
    told.mark("a")
    history = told.history
    history.books[RIGHT].merge(history.enter(RIGHT, told.person), told.right)
    assert told.wrong() == []
