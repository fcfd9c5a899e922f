"""Rules of both sides that take back what the other has made of them (hazard 54)."""

import datetime

from proto.ids import ContainerId, FieldId
from proto.reconciler import RecordState, Side
from proto.record import Presence
from proto.rules import Action, ActionKind, Operator, Rule
from services.reconciler.engine import guards
from services.reconciler.engine.model import Reason
from tests.engine.test_deletions import pair_with
from tests.engine.test_rules import BOTH_ABLE, rule, tag, when
from tests.engine.world import Pair, config, items

LEFT, RIGHT = Side.LEFT, Side.RIGHT
TURNS_MAX = 4 * guards.RETURNS_MAX
"""Each of two things done and taken back as often as it may be."""

ENLIST = Action(kind=ActionKind.ADD_TO_CONTAINER, value="news")
BOSS = Action(kind=ActionKind.SET_FIELD, field_id=FieldId("title"), value="Boss")
ALL = Rule(rule_id="all")


def pair_of(left: tuple[Rule, ...], right: tuple[Rule, ...]) -> Pair:
    settings = config(
        left_rules=left, right_rules=right, off=("job_title",), **BOTH_ABLE
    )
    return Pair(settings, {"email": "a@x.com"}, {"emails": items("a@x.com")})


def in_a_ring(*others: Rule) -> Pair:
    """Return a pair whose left list asks for a tag that asks to leave the list."""
    return pair_of(
        (
            rule(when(Operator.IN_CONTAINER, "news"), do=(tag("old"),), undoes=True),
            *others,
        ),
        (rule(when(Operator.LACKS_TAG, "old"), do=(ENLIST,), undoes=True), *others),
    )


def test_rules_that_take_each_other_back_are_held_for_a_day():
    """Tandem wrote without an end: no mapping was written, and none held (I2).

    Seed 400421: whoever is in no list loses a tag; whoever lacks it is in the list.
    """
    pair = in_a_ring(ALL)
    assert pair.settle(turns_max=TURNS_MAX + 1) == TURNS_MAX
    assert (pair.link.state, pair.link.reason) == (RecordState.HELD, Reason.OSCILLATES)
    assert [hold.mapping_id for hold in pair.link.held] == ["container:news"]
    pair.edit(LEFT, company="Luna")
    assert pair.settle() == 1
    assert pair.right["org"] == "Luna", "all else goes on"
    pair.now += datetime.timedelta(seconds=guards.OSCILLATION_S + 60)
    assert pair.settle(turns_max=TURNS_MAX + 1) == TURNS_MAX


def test_what_is_held_is_done_once_nothing_takes_it_back_any_more():
    pair = in_a_ring(ALL)
    pair.settle(turns_max=TURNS_MAX + 1)
    pair.config = config(
        left_rules=(ALL,),
        right_rules=(rule(when(Operator.LACKS_TAG, "old"), do=(ENLIST,)),),
        off=("job_title",),
        version=2,
        **BOTH_ABLE,
    )
    pair.settle()
    pair.now += datetime.timedelta(seconds=guards.OSCILLATION_S + 60)
    pair.settle()
    assert pair.records[LEFT].containers == (ContainerId("news"),)
    assert pair.link.state is RecordState.IN_SYNC


def test_rules_that_let_a_contact_leave_and_come_back_are_held_as_well():
    """What they did is taken back when it leaves, and that brings it back."""
    pair = in_a_ring()
    assert pair.settle(turns_max=TURNS_MAX + 1) <= TURNS_MAX
    assert {hold.reason for hold in pair.link.held} == {Reason.OSCILLATES}
    assert pair.link.retry_at is not None


def test_a_field_that_rules_set_and_take_back_is_held():
    in_news = when(Operator.IN_CONTAINER, "news")
    is_other = when(Operator.IS_NOT, "Boss", "title")
    pair = pair_of(
        (rule(in_news, do=(BOSS,), undoes=True), ALL),
        (rule(is_other, do=(ENLIST,), undoes=True), ALL),
    )
    pair.edit(RIGHT, title="Clerk")
    assert pair.settle(turns_max=TURNS_MAX + 1) <= TURNS_MAX
    assert pair.link.reason == Reason.OSCILLATES


def test_what_people_bring_about_less_often_is_done_each_time():
    is_owner = when(Operator.IS, "Owner", "job")
    pair = pair_of((rule(is_owner, do=(tag("VIP"),), undoes=True), ALL), (ALL,))
    for _ in range(guards.RETURNS_MAX):
        pair.edit(LEFT, job="Owner")
        pair.settle()
        assert pair.records[RIGHT].tags == ("VIP",)
        pair.edit(LEFT, job="Clerk")
        pair.settle()
        assert pair.records[RIGHT].tags == ()
    pair.edit(LEFT, job="Owner")
    assert pair.settle() == 0
    assert pair.link.reason == Reason.OSCILLATES
    pair.now += datetime.timedelta(seconds=guards.OSCILLATION_S + 60)
    pair.settle()
    assert pair.records[RIGHT].tags == ("VIP",)


def test_a_deletion_is_told_however_often():
    """Nothing that we write deletes anybody: it cannot go round (I6)."""
    pair = pair_with()
    for _ in range(guards.RETURNS_MAX + 2):
        pair.mark(LEFT, Presence.DELETED)
        pair.settle()
        assert pair.records[RIGHT].tags == ("PieSync Trash",)
        pair.mark(LEFT, Presence.LIVE)
        pair.settle()
        assert pair.records[RIGHT].tags == ()
        assert pair.link.state is RecordState.IN_SYNC


def test_history_tells_a_tag_from_a_list_of_the_same_name():
    is_owner = when(Operator.IS, "Owner", "job")
    pair = pair_of((rule(is_owner, do=(tag("news"), ENLIST)), ALL), (ALL,))
    pair.edit(LEFT, job="Owner")
    pair.settle()
    told = {each.field_id: each.mapping_id for each in pair.writes[-1].changes}
    assert (told["tag:news"], told["container:news"]) == ("left:r:0", "left:r:1")
