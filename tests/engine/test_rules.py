"""Rules: whose contacts are synced, and what is done to them besides."""

import pytest

from proto.fields import FieldKind, Fields, Role
from proto.ids import ContainerId, FieldId, RecordId
from proto.reconciler import Direction, RecordState, Side
from proto.record import Consent, Presence, Record
from proto.rules import (
    Action,
    ActionKind,
    Condition,
    Leaving,
    Operator,
    Rule,
    Unsubscribes,
)
from services.reconciler.engine import conditions, match, rules
from services.reconciler.engine.conditions import Subject
from services.reconciler.engine.model import (
    Candidate,
    Config,
    Match,
    MatchKind,
    Reason,
    Scope,
)
from tests.engine import world
from tests.engine.world import ABLE, Pair, config, end, field, items

LEFT, RIGHT = Side.LEFT, Side.RIGHT
BOTH_ABLE = {"left_more": {"capabilities": ABLE}, "right_more": {"capabilities": ABLE}}


OWNER = {"email": "a@x.com", "job": "Owner"}


def when(operator: Operator, value: str = "", field_id: str = "") -> Condition:
    return Condition(operator=operator, value=value, field_id=FieldId(field_id))


def rule(*parts: Condition, do: tuple[Action, ...] = (), **more: object) -> Rule:
    return Rule(rule_id="r", conditions=parts, actions=do, **more)


def tag(name: str) -> Action:
    return Action(kind=ActionKind.ADD_TAG, value=name)


FIELDS = (
    field("city"),
    field("age", FieldKind.NUMBER),
    field("since", FieldKind.DATE),
    field("vip", FieldKind.BOOLEAN),
    field("mails", FieldKind.EMAIL, Role.EMAIL, is_multiple=True),
)
PERSON = Record(
    record_id=RecordId("l1"),
    fields={
        "city": " Köln ",
        "age": "41.50",
        "since": "2020-02-29",
        "vip": True,
        "mails": items("a@x.com", "b@y.org"),
    },
    containers=(ContainerId("news"),),
    tags=("gold",),
    consent=Consent.SUBSCRIBED,
)


@pytest.mark.behaviour(
    8,
    broken_by="reconciler/engine/conditions.py: lists are looked for among tags",
)
@pytest.mark.parametrize(
    ("condition", "is_so"),
    [
        (when(Operator.IS, "köln", "city"), True),
        (when(Operator.IS, "Bonn", "city"), False),
        (when(Operator.IS_NOT, "Bonn", "city"), True),
        (when(Operator.CONTAINS, "ÖL", "city"), True),
        (when(Operator.STARTS_WITH, "Kö", "city"), True),
        (when(Operator.STARTS_WITH, "ln", "city"), False),
        (when(Operator.IS_EMPTY, "", "city"), False),
        (when(Operator.IS_NOT_EMPTY, "", "city"), True),
        (when(Operator.IS, "41.5", "age"), True),
        (when(Operator.MORE, "9", "age"), True),
        (when(Operator.LESS, "9", "age"), False),
        (when(Operator.MORE, "many", "age"), False),
        (when(Operator.BEFORE, "2020-03-01", "since"), True),
        (when(Operator.AFTER, "2020-02-29", "since"), False),
        (when(Operator.BEFORE, "--03-01", "since"), False),
        (when(Operator.IS, "true", "vip"), True),
        (when(Operator.IS, "B@Y.org", "mails"), True),
        (when(Operator.IS_NOT, "b@y.org", "mails"), False),
        (when(Operator.IN_CONTAINER, "news"), True),
        (when(Operator.NOT_IN_CONTAINER, "news"), False),
        (when(Operator.HAS_TAG, "gold"), True),
        (when(Operator.LACKS_TAG, "gold"), False),
        (when(Operator.CONSENT_IS, "subscribed"), True),
        (when(Operator.CONSENT_IS, "unsubscribed"), False),
        (when(Operator.EXISTS_ON_OTHER_SIDE), False),
        (when(Operator.IS_DELETED), False),
        (when(Operator.IS, "x", "no_such_field"), False),
        (when(Operator.IS_NOT, "x", "no_such_field"), False),
        (when(Operator.UNKNOWN), False),
    ],
)
def test_b8_a_condition_is_so_or_not(condition: Condition, is_so: bool):
    subject = Subject(PERSON, end(FIELDS), has_counterpart=False)
    assert conditions.holds(condition, subject) is is_so


@pytest.mark.behaviour(
    8,
    broken_by="reconciler/engine/conditions.py: what is not known of a record fulfils"
    " a condition",
)
def test_b8_what_is_not_known_of_a_record_fulfils_no_condition():
    """An app that leaves a field out must not push contacts into or out of a rule."""
    untold = Record(record_id=RecordId("l1"))
    subject = Subject(untold, end(FIELDS), has_counterpart=True)
    for operator in conditions.ON_FIELDS:
        assert not conditions.holds(when(operator, "x", "city"), subject)


@pytest.mark.behaviour(
    7,
    broken_by="reconciler/engine/conditions.py: the conditions of a rule are or-ed",
)
def test_b7_conditions_of_a_rule_are_and_ed_and_rules_are_or_ed():
    koln, bonn = when(Operator.IS, "Köln", "city"), when(Operator.IS, "Bonn", "city")
    subject = Subject(PERSON, end(FIELDS), has_counterpart=False)
    assert not conditions.fulfils(rule(koln, bonn), subject)
    assert not conditions.fulfils(rule(bonn), subject)
    assert conditions.fulfils(rule(koln), subject)


def scope(*given: Rule, direction: Direction = Direction.BOTH) -> Scope:
    settings = config(left=FIELDS, left_rules=given, direction=direction)
    return rules.scope_of(PERSON, LEFT, config=settings, has_counterpart=False)


@pytest.mark.behaviour(
    6,
    8,
    broken_by="reconciler/engine/rules.py: the other side's rule counts in one-way,"
    " too",
)
def test_b6_b8_scope_follows_the_rules_of_the_record_s_own_side():
    bonn = when(Operator.IS, "Bonn", "city")
    exists = when(Operator.EXISTS_ON_OTHER_SIDE)
    assert scope() is Scope.FULL
    assert scope(rule(bonn)) is Scope.OUT
    assert scope(rule(exists)) is Scope.UPDATES
    assert scope(rule(exists, bonn)) is Scope.OUT
    assert scope(rule(when(Operator.IS_DELETED))) is Scope.OUT
    one_way = Direction.TO_LEFT
    assert scope(rule(bonn), direction=one_way) is Scope.FULL, "it does nothing there"


@pytest.mark.behaviour(
    7,
    20,
    broken_by="reconciler/engine/match.py: rules do not keep a contact out",
)
def test_b7_b20_a_contact_that_no_rule_matches_is_not_created():
    settings = config(left_rules=(rule(when(Operator.IS, "Owner", "job")),))
    owner = matched({"email": "a@x.com", "job": "Owner"}, settings)
    assert owner.kind is MatchKind.CREATE
    clerk = matched({"email": "a@x.com", "job": "Clerk"}, settings)
    assert (clerk.kind, clerk.reason) == (MatchKind.EXCLUDED, Reason.OUT_OF_RULES)


@pytest.mark.behaviour(
    8,
    broken_by="reconciler/engine/match.py: what is only to be updated is created",
)
def test_b8_what_has_to_exist_on_the_other_side_is_updated_and_never_created():
    settings = config(left_rules=(rule(when(Operator.EXISTS_ON_OTHER_SIDE)),))
    ana = {"email": "a@x.com"}
    alone = matched(ana, settings)
    assert (alone.kind, alone.reason) == (
        MatchKind.EXCLUDED,
        Reason.NOT_ON_OTHER_SIDE,
    )
    partner = Candidate(record_id=RecordId("r1"), emails=("a@x.com",))
    assert matched(ana, settings, partner).kind is MatchKind.LINK
    pair = Pair(settings, ana, {"emails": items("a@x.com")})
    pair.settle()
    pair.edit(LEFT, job="Owner")
    assert pair.settle() == 1
    assert pair.right["title"] == "Owner"


def matched(fields: Fields, settings: Config, *opposite: Candidate) -> Match:
    """Decide about a left record without a counterpart."""
    record = Record(record_id=RecordId("l1"), fields=fields)
    candidate = match.candidate_of(record, LEFT, config=settings)
    (found,) = match.decide_all(
        (candidate,), side=LEFT, same_side=(), other_side=opposite, config=settings
    )
    return found


def pair_of(*given: Rule, **options: object) -> Pair:
    settings = config(left_rules=given, **BOTH_ABLE, **options)
    left = {"email": "a@x.com", "job": "Owner", "company": "Sol"}
    pair = Pair(settings, left, {"emails": items("a@x.com"), "title": "Owner"})
    pair.settle()
    pair.writes.clear()
    return pair


@pytest.mark.behaviour(
    7,
    broken_by="reconciler/engine/rules.py: only the first rule that matches acts",
)
def test_b7_each_rule_that_matches_does_its_actions():
    owner, sol = when(Operator.IS, "Owner", "job"), when(Operator.IS, "Sol", "company")
    pair = pair_of(
        rule(owner, do=(tag("owners"), tag("people"))),
        Rule(rule_id="sol", conditions=(sol, owner), actions=(tag("sol"),)),
        Rule(rule_id="luna", conditions=(owner, when(Operator.IS, "Luna", "company"))),
        Rule(
            rule_id="clerks",
            conditions=(when(Operator.IS, "Clerk", "job"),),
            actions=(tag("clerks"),),
        ),
    )
    assert pair.records[RIGHT].tags == ("owners", "people", "sol")
    assert pair.records[LEFT].tags == (), "they are done on the other side"


@pytest.mark.behaviour(
    6,
    broken_by="reconciler/engine/rules.py: rules act on the source of a one-way"
    " connection",
)
def test_b06_in_one_way_nothing_at_all_is_written_to_the_source():
    """Rules, deletions and unsubscribes of the other side stay there."""
    never = Rule(rule_id="never", conditions=(when(Operator.HAS_TAG, "nobody"),))
    everybody = Rule(rule_id="all", actions=(tag("VIP"),))
    for right_rules in ((never,), (everybody,)):
        pair = pair_of(
            Rule(rule_id="all"),
            right_rules=right_rules,
            direction=Direction.TO_RIGHT,
            tags_deletions=True,
            unsubscribes=Unsubscribes.TAG,
        )
        pair.edit(LEFT, job="Clerk")
        assert pair.settle() == 1, "the other side's rule does nothing"
        pair.edit(RIGHT, org="Luna")
        pair.put(RIGHT, consent=Consent.UNSUBSCRIBED)
        pair.settle()
        pair.mark(RIGHT, Presence.DELETED)
        pair.settle()
        assert {write.side for write in pair.writes} == {RIGHT}
        assert pair.records[LEFT].tags == ()
        assert pair.left["company"] == "Sol"


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/places.py: what is so already is written again",
)
def test_b9_adding_twice_writes_once():
    """What two rules add, or what is there already, is written once or not at all."""
    both = (
        rule(do=(tag("VIP"),)),
        Rule(rule_id="again", actions=(tag("VIP"), tag("VIP"))),
    )
    pair = Pair(
        config(left_rules=both, **BOTH_ABLE),
        {"email": "a@x.com"},
        {"emails": items("a@x.com")},
    )
    assert pair.settle() == 1
    assert pair.writes[0].memberships.tags_add == ("VIP",)
    there = Pair(
        config(left_rules=both, **BOTH_ABLE),
        {"email": "a@x.com"},
        {"emails": items("a@x.com")},
    )
    there.put(RIGHT, tags=("VIP",))
    assert there.settle() == 0


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/places.py: a tag that is to be taken away is added",
)
def test_b9_a_tag_is_taken_away_and_given_back():
    remove = Action(kind=ActionKind.REMOVE_TAG, value="lead")
    is_owner = when(Operator.IS, "Owner", "job")
    settings = config(
        left_rules=(rule(is_owner, do=(remove,), undoes=True), Rule(rule_id="all")),
        **BOTH_ABLE,
    )
    pair = Pair(
        settings, {"email": "a@x.com", "job": "Owner"}, {"emails": items("a@x.com")}
    )
    pair.put(RIGHT, tags=("lead", "other"))
    pair.settle()
    assert pair.records[RIGHT].tags == ("other",)
    pair.edit(LEFT, job="Clerk")
    pair.settle()
    assert pair.records[RIGHT].tags == ("lead", "other")


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/rules.py: an action is done again after people undid"
    " it",
)
def test_b9_an_action_is_done_once_and_left_to_people_afterwards():
    pair = pair_of(rule(when(Operator.IS, "Owner", "job"), do=(tag("VIP"),)))
    assert pair.records[RIGHT].tags == ("VIP",)
    pair.put(RIGHT, tags=())
    assert pair.settle() == 0, "whoever takes a tag away has reasons"
    pair.put(RIGHT, tags=("VIP", "other"))
    assert pair.settle() == 0


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/rules.py: what a rule did is always taken back",
)
@pytest.mark.parametrize("undoes", [True, False])
def test_b9_an_action_is_taken_back_only_if_the_rule_says_so(undoes: bool):
    is_owner = when(Operator.IS, "Owner", "job")
    pair = pair_of(
        rule(is_owner, do=(tag("VIP"),), undoes=undoes),
        Rule(rule_id="all"),
    )
    pair.edit(LEFT, job="Clerk")
    pair.settle()
    assert pair.records[RIGHT].tags == (() if undoes else ("VIP",))
    assert pair.right["title"] == "Clerk"


@pytest.mark.behaviour(
    9,
    10,
    broken_by="reconciler/engine/plan.py: what rules did is not taken back when they"
    " are left",
)
@pytest.mark.parametrize("undoes", [True, False])
def test_b9_b10_who_leaves_all_rules_loses_what_they_did_if_they_say_so(undoes: bool):
    is_owner = when(Operator.IS, "Owner", "job")
    pair = pair_of(
        rule(is_owner, do=(tag("VIP"),), undoes=undoes),
        right_rules=(rule(when(Operator.HAS_TAG, "nobody")),),
    )
    pair.edit(LEFT, job="Clerk")
    pair.settle()
    assert pair.records[RIGHT].tags == (() if undoes else ("VIP",))
    assert pair.right["title"] == "Owner", "nothing else is written"
    assert pair.link.state is RecordState.EXCLUDED


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/places.py: what was so before a rule is taken back"
    " with it",
)
def test_b9_what_was_so_before_a_rule_is_not_taken_back_with_it():
    """The tag was the person's own before the rule wanted it too."""
    settings = config(
        left_rules=(
            rule(when(Operator.IS, "Owner", "job"), do=(tag("VIP"),), undoes=True),
            Rule(rule_id="all"),
        ),
        **BOTH_ABLE,
    )
    pair = Pair(
        settings,
        {"email": "a@x.com", "job": "Owner"},
        {"emails": items("a@x.com")},
    )
    pair.put(RIGHT, tags=("VIP",))
    pair.settle()
    pair.edit(LEFT, job="Clerk")
    pair.settle()
    assert pair.records[RIGHT].tags == ("VIP",)


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/places.py: a list that is to be left is joined",
)
def test_b9_lists_and_fields_are_acted_on_as_tags_are():
    actions = (
        Action(kind=ActionKind.ADD_TO_CONTAINER, value="vips"),
        Action(kind=ActionKind.REMOVE_FROM_CONTAINER, value="leads"),
        Action(kind=ActionKind.SET_FIELD, field_id=FieldId("org"), value="Ours"),
    )
    settings = config(
        left_rules=(
            rule(when(Operator.IS, "Owner", "job"), do=actions, undoes=True),
            Rule(rule_id="all"),
        ),
        off=("company",),
        **BOTH_ABLE,
    )
    pair = Pair(
        settings, {"email": "a@x.com", "job": "Owner"}, {"emails": items("a@x.com")}
    )
    pair.put(RIGHT, containers=(ContainerId("leads"),))
    assert pair.settle() == 1, "one write does it all"
    assert pair.records[RIGHT].containers == ("vips",)
    assert pair.right["org"] == "Ours"
    pair.edit(LEFT, job="Clerk")
    assert pair.settle() == 1
    assert pair.records[RIGHT].containers == ("leads",)
    assert pair.right["org"] is None


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/places.py: a field that people have set since is set"
    " back",
)
def test_b9_a_field_that_people_have_set_since_is_not_set_back():
    set_org = Action(kind=ActionKind.SET_FIELD, field_id=FieldId("org"), value="Ours")
    settings = config(
        left_rules=(
            rule(when(Operator.IS, "Owner", "job"), do=(set_org,), undoes=True),
            Rule(rule_id="all"),
        ),
        off=("company",),
        **BOTH_ABLE,
    )
    pair = Pair(
        settings, {"email": "a@x.com", "job": "Owner"}, {"emails": items("a@x.com")}
    )
    pair.settle()
    pair.edit(RIGHT, org="Theirs")
    pair.edit(LEFT, job="Clerk")
    pair.settle()
    assert pair.right["org"] == "Theirs"


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/intents.py: a new contact gets none of what rules"
    " want",
)
def test_b9_a_new_contact_is_created_with_what_the_rules_want():
    settings = config(left_rules=(rule(do=(tag("VIP"),)),), **BOTH_ABLE)
    pair = Pair(settings, {"email": "a@x.com", "job": "Owner"})
    assert pair.settle() == 1
    assert pair.records[RIGHT].tags == ("VIP",)


@pytest.mark.behaviour(
    10,
    broken_by="reconciler/engine/config.py: who leaves the rules is always kept"
    " updated",
)
def test_b10_a_contact_that_no_rule_matches_any_more_is_excluded_and_stays_linked():
    pair = pair_of(
        rule(when(Operator.IS, "Owner", "job")),
        right_rules=(rule(when(Operator.IS, "nobody", "title")),),
    )
    pair.edit(LEFT, job="Clerk", company="Luna")
    assert pair.settle() == 0
    assert (pair.link.state, pair.link.reason) == (
        RecordState.EXCLUDED,
        Reason.OUT_OF_RULES,
    )
    assert (pair.link.left_id, pair.link.right_id) == ("l1", "r1")
    assert pair.right["org"] == "Sol"
    pair.edit(LEFT, job="Owner")
    pair.settle()
    assert pair.right["org"] == "Luna", "what was edited meanwhile goes across then"


@pytest.mark.behaviour(
    6,
    10,
    broken_by="reconciler/engine/rules.py: the other side's rule keeps a link in sync"
    " in one-way",
)
def test_b06_b10_in_one_way_the_rules_of_the_source_alone_decide():
    """That the other side has no rule, or one that matches, keeps nobody in sync."""
    owners = rule(when(Operator.IS, "Owner", "job"))
    for right_rules in ((), (Rule(rule_id="all"),)):
        pair = pair_of(owners, right_rules=right_rules, direction=Direction.TO_RIGHT)
        pair.edit(LEFT, job="Clerk")
        assert pair.settle() == 0
        assert pair.link.state is RecordState.EXCLUDED


@pytest.mark.behaviour(
    10,
    broken_by="reconciler/engine/config.py: who leaves the rules is never kept updated",
)
def test_b10_or_goes_on_being_updated_if_the_connection_says_so():
    pair = pair_of(
        rule(when(Operator.IS, "Owner", "job")),
        right_rules=(rule(when(Operator.IS, "nobody", "title")),),
        leaving=Leaving.KEEP_UPDATING,
    )
    pair.edit(LEFT, job="Clerk", company="Luna")
    pair.settle()
    assert (pair.right["title"], pair.right["org"]) == ("Clerk", "Luna")


@pytest.mark.behaviour(
    7,
    10,
    broken_by="reconciler/engine/rules.py: a rule of each side has to match",
)
def test_b10_one_rule_of_either_side_keeps_a_contact_in_sync():
    pair = pair_of(
        rule(when(Operator.IS, "Owner", "job")),
        right_rules=(rule(when(Operator.HAS_TAG, "keep")),),
    )
    pair.put(RIGHT, tags=("keep",))
    pair.edit(LEFT, job="Clerk")
    pair.settle()
    assert pair.right["title"] == "Clerk"


@pytest.mark.behaviour(
    8,
    broken_by="reconciler/engine/conditions.py: no rule matches a deleted contact",
)
def test_b8_a_rule_for_deleted_contacts_acts_on_their_counterparts():
    pair = pair_of(
        Rule(rule_id="all"),
        Rule(
            rule_id="gone",
            conditions=(when(Operator.IS_DELETED),),
            actions=(tag("left us"),),
        ),
    )
    pair.mark(LEFT, Presence.DELETED)
    assert pair.settle() == 1
    assert pair.records[RIGHT].tags == ("left us",)
    assert pair.link.state is RecordState.DELETED


def test_history_tells_which_rule_did_what():
    pair = pair_of(
        rule(when(Operator.IS, "Boss", "job"), do=(tag("VIP"),)), Rule(rule_id="all")
    )
    pair.edit(LEFT, job="Boss")
    pair.settle()
    (intent,) = pair.writes
    told = {change.field_id: change for change in intent.changes}
    assert told["tag:VIP"].mapping_id == "left:r:0"
    assert (told["tag:VIP"].before, told["tag:VIP"].after) == (False, True)
    assert told["title"].after == "Boss"
    assert intent.decided_at > world.NOW
