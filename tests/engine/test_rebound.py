"""A link whose record was merged: the heir is another record, with what is its own."""

import pytest

from proto.fields import FieldKind, Role
from proto.ids import FieldId, RecordId
from proto.reconciler import Side
from proto.record import Record
from proto.rules import Action, ActionKind, Condition, Operator, Rule
from services.reconciler.engine import match
from tests.engine.test_rules import BOTH_ABLE
from tests.engine.world import Pair, config, field, linked

LEFT, RIGHT = Side.LEFT, Side.RIGHT
LEFT_FIELDS = (
    field("email", FieldKind.EMAIL, Role.EMAIL),
    field("company", role=Role.COMPANY),
)
RIGHT_FIELDS = (
    field("mail", FieldKind.EMAIL, Role.EMAIL),
    field("org", role=Role.COMPANY),
    field("segment"),
)
TAG = Action(kind=ActionKind.ADD_TAG, value="vip")
SET = Action(
    kind=ActionKind.SET_FIELD, field_id=FieldId("segment"), value="Large accounts"
)


def rule(action: Action) -> Rule:
    has_company = Condition(operator=Operator.IS_NOT_EMPTY, field_id=FieldId("company"))
    return Rule(rule_id="a", conditions=(has_company,), actions=(action,), undoes=True)


def tagged() -> Pair:
    """Return a pair whose right record got the tag of a rule."""
    options = {**BOTH_ABLE, "left_rules": (rule(TAG),)}
    pair = linked({"company": "Sol"}, {"org": "Sol"}, **options)
    pair.settle()
    assert pair.records[RIGHT].tags == ("vip",)
    return pair


def inherit(pair: Pair, **changes: object) -> None:
    """Merge the right record into another one, which reads alike but for changes."""
    heir = {"fields": pair.right, **changes}
    pair.records[RIGHT] = Record(record_id=RecordId("r2"), **heir)
    pair.link = match.rebind(pair.link, RIGHT, record_id=RecordId("r2"))
    pair.settle()


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/match.py: what rules did to a record counts for the"
    " one that it was merged into",
)
def test_b9_the_heir_of_a_tagged_contact_gets_the_tag_of_the_rule_too():
    """What was done to the one that is gone counted as done to it."""
    pair = tagged()
    inherit(pair)
    assert pair.records[RIGHT].tags == ("vip",)
    pair.edit(LEFT, company=None)
    pair.settle()
    assert pair.records[RIGHT].tags == ()


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/match.py: what rules did to a record counts for the"
    " one that it was merged into",
)
def test_b9_a_tag_that_the_heir_had_itself_stays_when_the_rule_ends():
    pair = tagged()
    inherit(pair, tags=("vip",))
    pair.edit(LEFT, company=None)
    pair.settle()
    assert pair.records[RIGHT].tags == ("vip",)


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/match.py: what rules did to a record counts for the"
    " one that it was merged into",
)
def test_b9_the_heir_does_not_get_a_field_of_the_one_that_is_gone():
    """Hazard 14: undoing a rule put one person's value into another's contact."""
    pair = Pair(
        config(LEFT_FIELDS, RIGHT_FIELDS, left_rules=(rule(SET),), **BOTH_ABLE),
        {"email": "a@x.com", "company": "Sol"},
        {"mail": "a@x.com", "segment": "of the one that is gone"},
    )
    pair.settle()
    assert pair.right["segment"] == "Large accounts"
    inherit(pair, fields={**pair.right, "segment": "of the heir"})
    assert pair.right["segment"] == "Large accounts"
    pair.edit(LEFT, company=None)
    pair.settle()
    assert pair.right["segment"] == "of the heir"


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/match.py: a merge on one side forgets what rules did"
    " on the other",
)
def test_b9_what_rules_did_on_the_other_side_is_still_theirs_to_take_back():
    """Nothing has happened to the record there."""
    pair = tagged()
    pair.link = match.rebind(pair.link, LEFT, record_id=RecordId("l2"))
    pair.put(LEFT, record_id=RecordId("l2"))
    pair.settle()
    pair.edit(LEFT, company=None)
    pair.settle()
    assert pair.records[RIGHT].tags == ()
