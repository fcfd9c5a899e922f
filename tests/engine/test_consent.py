"""Consent: it reaches the other side ahead of everything, and only ever tightens."""

import datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.connector import Capabilities, WriteOutcome
from proto.ids import RecordId
from proto.reconciler import Direction, RecordState, Side
from proto.record import Consent, Presence, Record
from proto.rules import Condition, Operator, Rule, Unsubscribes
from services.reconciler.engine import consent, match, plan
from services.reconciler.engine.model import (
    Candidate,
    Carried,
    Match,
    MatchKind,
    Reason,
    other,
)
from tests.engine.test_rules import BOTH_ABLE
from tests.engine.world import ABLE, Pair, config, items

LEFT, RIGHT = Side.LEFT, Side.RIGHT
SIDES = st.sampled_from((LEFT, RIGHT))
LEVELS = st.sampled_from(list(Consent))
DEAF = Capabilities(has_consent=True, can_unsubscribe=True)
"""An app that can unsubscribe people and does not tell who was."""


def pair_with(mode: Unsubscribes = Unsubscribes.STATUS, **options: object) -> Pair:
    settings = config(unsubscribes=mode, **{**BOTH_ABLE, **options})
    pair = Pair(
        settings, {"email": "a@x.com", "job": "Owner"}, {"emails": items("a@x.com")}
    )
    for side in (LEFT, RIGHT):
        pair.put(side, consent=Consent.SUBSCRIBED)
    pair.settle()
    pair.writes.clear()
    return pair


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/plan.py: an unsubscribe is not carried",
)
@pytest.mark.parametrize("side", [LEFT, RIGHT])
def test_b39_an_unsubscribe_reaches_the_other_side(side: Side):
    pair = pair_with()
    pair.put(side, consent=Consent.UNSUBSCRIBED)
    assert pair.settle() == 1
    (intent,) = pair.writes
    assert intent.is_urgent
    assert intent.fields == {}
    assert pair.records[other(side)].consent is Consent.UNSUBSCRIBED


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: the status is set besides the tag",
)
def test_b39_or_as_a_tag_and_then_the_status_is_left_alone():
    pair = pair_with(Unsubscribes.TAG)
    pair.put(LEFT, consent=Consent.UNSUBSCRIBED)
    assert pair.settle() == 1
    assert pair.records[RIGHT].tags == ("PieSync Unsubscribes",)
    assert pair.records[RIGHT].consent is Consent.SUBSCRIBED


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: unsubscribes are carried although the"
    " option is off",
)
def test_b39_or_not_at_all():
    pair = pair_with(Unsubscribes.IGNORE)
    pair.put(LEFT, consent=Consent.UNSUBSCRIBED)
    assert pair.settle() == 0


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: unsubscribes are carried against the"
    " direction",
)
@pytest.mark.parametrize(
    "options",
    [
        {"direction": Direction.TO_LEFT},
        {"left_more": {"capabilities": Capabilities()}},
        {"right_more": {"capabilities": Capabilities()}},
    ],
)
def test_b39_nothing_is_carried_where_direction_or_apps_do_not_allow_it(options):
    pair = pair_with(**options)
    pair.put(LEFT, consent=Consent.UNSUBSCRIBED)
    pair.settle()
    assert pair.records[RIGHT].consent is Consent.SUBSCRIBED


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/plan.py: an unsubscribe does not pass rules and holds",
)
def test_b39_it_goes_ahead_of_other_edits_and_past_rules_and_holds():
    """Hazard 84: an unsubscribe is stuck behind nothing."""
    nobody = Condition(operator=Operator.HAS_TAG, value="nobody")
    closed = (Rule(rule_id="r", conditions=(nobody,)),)
    pair = pair_with(left_rules=closed, right_rules=closed)
    assert pair.link.state is RecordState.EXCLUDED
    pair.edit(LEFT, job="Clerk")
    pair.put(LEFT, consent=Consent.UNSUBSCRIBED)
    assert pair.turn().is_urgent
    assert pair.settle() == 0
    assert pair.right["title"] != "Clerk"
    assert pair.records[RIGHT].consent is Consent.UNSUBSCRIBED


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/plan.py: an unsubscribe does not pass rules and holds",
)
def test_b39_an_unsubscribe_passes_a_held_contact():
    pair = pair_with()
    pair.edit(RIGHT, emails=None)
    pair.settle()
    assert pair.link.reason == Reason.EMAIL_REMOVED
    pair.put(LEFT, consent=Consent.UNSUBSCRIBED)
    assert pair.settle() == 1
    assert pair.link.reason == Reason.EMAIL_REMOVED


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/plan.py: an unsubscribe waits for a held mapping",
)
@pytest.mark.parametrize("side", [LEFT, RIGHT])
def test_b39_an_unsubscribe_passes_a_value_that_is_held(side: Side):
    """Hazard 84: what is too long for one app waits alone, whoever says no."""
    pair = pair_with()
    pair.edit(RIGHT, title="x" * 51)
    assert pair.settle() == 0
    assert [hold.reason for hold in pair.link.held] == [Reason.TOO_LONG]
    pair.put(side, consent=Consent.UNSUBSCRIBED)
    assert pair.turn().is_urgent
    assert pair.records[other(side)].consent is Consent.UNSUBSCRIBED
    assert pair.settle() == 0
    assert [hold.reason for hold in pair.link.held] == [Reason.TOO_LONG]


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: what we set ourselves counts as a"
    " person's word",
)
@pytest.mark.parametrize("is_at_rest", [True, False])
def test_b39_our_own_unsubscribe_is_nobody_s_word(is_at_rest: bool):
    """A person subscribes anew where they had unsubscribed: that stands.

    The other side was unsubscribed by us. Carrying that back would undo what the
    person just did, also when they do it right after our write.
    """
    pair = pair_with()
    pair.put(LEFT, consent=Consent.UNSUBSCRIBED)
    assert pair.turn() is not None
    if is_at_rest:
        pair.settle()
    pair.put(LEFT, consent=Consent.SUBSCRIBED)
    assert pair.settle() == 0
    assert pair.records[LEFT].consent is Consent.SUBSCRIBED
    assert pair.records[RIGHT].consent is Consent.UNSUBSCRIBED, (
        "and nobody is subscribed"
    )


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/fold.py: a no that was there before is taken for ours",
)
@pytest.mark.parametrize("is_sent", [True, False])
def test_b39_a_no_that_came_before_our_own_is_carried(is_sent: bool):
    """A person said no on one side, and yes again there while that was under way.

    When it was to be written the other side had said no as well, so that nothing was
    sent. That was taken for what we had set, and never reached the first side, which
    had been subscribed before it (I7, seed 401598).
    """
    pair = pair_with()
    pair.put(LEFT, consent=Consent.UNSUBSCRIBED)
    intent = pair.plan().intent
    pair.put(LEFT, consent=Consent.SUBSCRIBED)
    pair.put(RIGHT, consent=Consent.UNSUBSCRIBED)
    more = {"sent_at": pair.now if is_sent else None, "record": pair.records[RIGHT]}
    pair.answer(intent, WriteOutcome.WRITTEN, **more)
    assert pair.settle() == (0 if is_sent else 1)
    expected = Consent.SUBSCRIBED if is_sent else Consent.UNSUBSCRIBED
    assert pair.records[LEFT].consent is expected


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/plan.py: what was read before counts as it is",
)
@pytest.mark.parametrize(
    ("has_met", "read_s_ago", "is_written"),
    [(True, 60, True), (True, 0, False), (False, 60, False)],
)
def test_b39_a_no_reaches_whoever_was_read_before_it(has_met, read_s_ago, is_written):
    """They had said no there as well, as far as we knew, and yes again since.

    The later no counted as there already, and the yes, when it was shown, as the last
    word (I7, seed 606749).
    """
    pair = pair_with()
    for side in (LEFT, RIGHT):
        pair.put(side, consent=Consent.UNSUBSCRIBED)
    if not has_met:
        pair.link = msgspec.structs.replace(pair.link, left=None, right=None)
    case = pair.case()
    assert case.left is not None
    at = pair.now - datetime.timedelta(seconds=read_s_ago)
    left = msgspec.structs.replace(case.left, read_at=at)
    found = plan.plan(msgspec.structs.replace(case, left=left))
    intents = [] if found.intent is None else [found.intent]
    wanted = [each.consent for each in intents if each.is_urgent]
    assert wanted == ([Consent.UNSUBSCRIBED] if is_written else [])


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/remember.py: what we set is forgotten to be ours",
)
def test_b39_what_we_had_set_stays_ours_when_it_is_there_already():
    """It was said again, and nothing had to be sent (I12, seed 1930)."""
    pair = pair_with()
    for said in (Consent.SUPPRESSED, Consent.SUBSCRIBED):
        pair.put(LEFT, consent=said)
        pair.settle()
    pair.put(LEFT, consent=Consent.UNSUBSCRIBED)
    case = pair.case()
    assert case.right is not None
    at = pair.now - datetime.timedelta(seconds=60)
    right = msgspec.structs.replace(case.right, read_at=at)
    found = plan.plan(msgspec.structs.replace(case, right=right))
    assert found.intent is not None
    pair.link = found.link
    more = {"sent_at": None, "record": pair.records[RIGHT]}
    pair.answer(found.intent, WriteOutcome.WRITTEN, **more)
    assert pair.settle() == 0
    assert pair.records[LEFT].consent is Consent.UNSUBSCRIBED


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: a looser no counts as the tighter one that"
    " was carried, or as what we had set before that",
)
@pytest.mark.parametrize("was_ours", [True, False])
def test_b39_a_looser_no_than_before_is_another_word(was_ours: bool):
    """They took a tighter one back and said no again before anybody looked.

    It never reached who had said yes on the other side meanwhile (I7, seed 50881).
    """
    pair = pair_with()
    if was_ours:
        pair.put(LEFT, consent=Consent.UNSUBSCRIBED)
        pair.settle()
    pair.put(RIGHT, consent=Consent.SUPPRESSED)
    pair.settle()
    pair.put(LEFT, consent=Consent.SUBSCRIBED)
    assert pair.settle() == 0
    pair.put(RIGHT, consent=Consent.UNSUBSCRIBED)
    assert pair.settle() == 1
    assert pair.records[LEFT].consent is Consent.UNSUBSCRIBED


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: one word is carried again and again",
)
def test_b39_one_word_is_carried_once():
    """Subscribed anew on the other side, a person is not unsubscribed there again."""
    pair = pair_with()
    pair.put(LEFT, consent=Consent.UNSUBSCRIBED)
    pair.settle()
    pair.put(RIGHT, consent=Consent.SUBSCRIBED)
    assert pair.settle() == 0
    pair.put(LEFT, consent=Consent.SUPPRESSED)
    assert pair.settle() == 1, "a complaint is a tighter word"
    assert pair.records[RIGHT].consent is Consent.SUPPRESSED


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: a second unsubscribe is not carried",
)
def test_b39_a_second_unsubscribe_is_a_new_word():
    pair = pair_with()
    for _ in range(2):
        pair.put(LEFT, consent=Consent.UNSUBSCRIBED)
        pair.settle()
        pair.put(LEFT, consent=Consent.SUBSCRIBED)
        pair.put(RIGHT, consent=Consent.SUBSCRIBED)
        pair.settle()
    pair.put(LEFT, consent=Consent.UNSUBSCRIBED)
    assert pair.settle() == 1
    assert pair.records[RIGHT].consent is Consent.UNSUBSCRIBED


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: a create carries a yes along",
)
def test_b39_a_create_takes_a_no_along_and_never_a_yes():
    for level, expected in (
        (Consent.UNSUBSCRIBED, Consent.UNSUBSCRIBED),
        (Consent.SUPPRESSED, Consent.SUPPRESSED),
        (Consent.SUBSCRIBED, Consent.UNKNOWN),
    ):
        pair = Pair(config(), {"email": "a@x.com", "job": "Owner"})
        pair.put(LEFT, consent=level)
        assert pair.plan().intent.consent is expected


@pytest.mark.parametrize("level", list(Consent))
def test_an_app_that_keeps_a_yes_apart_is_told_of_it_and_takes_whoever_says_nothing(
    level,
):
    able = msgspec.structs.replace(ABLE, most_consent=Consent.SUBSCRIBED)
    settings = config(right_more={"capabilities": able})
    pair = Pair(settings, {"email": "a@x.com", "job": "Owner"})
    pair.put(LEFT, consent=level)
    assert pair.plan().intent.consent is level


@pytest.mark.parametrize("level", list(Consent))
def test_an_app_that_mails_whoever_is_there_is_told_of_a_yes_and_of_no_other(level):
    """Or it could make nobody: it refuses whoever is not known to have agreed."""
    able = msgspec.structs.replace(ABLE, least_consent=Consent.SUBSCRIBED)
    settings = config(right_more={"capabilities": able})
    pair = Pair(settings, {"email": "a@x.com", "job": "Owner"})
    pair.put(LEFT, consent=level)
    assert pair.plan().intent.consent is level


@pytest.mark.parametrize("level", list(Consent))
def test_who_is_not_known_to_have_agreed_is_left_out_where_everybody_is_mailed(level):
    """The app would refuse the create, which would be tried again for ever."""
    able = msgspec.structs.replace(ABLE, least_consent=Consent.SUBSCRIBED)
    settings = config(right_more={"capabilities": able})
    record = Record(
        record_id=RecordId("l1"), fields={"email": "a@x.com"}, consent=level
    )
    there = Record(record_id=RecordId("r1"), fields={"emails": items("a@x.com")})
    alone = match.candidate_of(record, LEFT, config=settings)
    partner = match.candidate_of(there, RIGHT, config=settings)

    def decided(*opposite: Candidate) -> Match:
        return match.decide(
            alone,
            side=LEFT,
            same_side={},
            other_side=match.by_email(opposite),
            config=settings,
        )

    assert decided(partner).kind is MatchKind.LINK, "who is there already is linked"
    created = decided()
    if level is Consent.SUBSCRIBED:
        assert created.kind is MatchKind.CREATE
    else:
        assert created.kind is MatchKind.EXCLUDED
        assert created.reason == Reason.NOT_AGREED


@pytest.mark.behaviour(39, broken_by="mutant consent_is_loosened")
@pytest.mark.parametrize("mode", list(Unsubscribes))
def test_b39_an_edit_subscribes_nobody(mode: Unsubscribes):
    pair = pair_with(mode)
    pair.put(RIGHT, consent=Consent.UNSUBSCRIBED)
    pair.settle()
    pair.put(LEFT, consent=Consent.SUBSCRIBED)
    pair.edit(LEFT, job="Clerk")
    pair.settle()
    assert pair.right["title"] == "Clerk"
    assert pair.records[RIGHT].consent is Consent.UNSUBSCRIBED


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/plan.py: an unsubscribe is not carried",
)
def test_b39_a_new_contact_of_an_unsubscribed_one_gets_the_tag_too():
    """The simulation's seed 81: its status went along, and the tag never came."""
    settings = config(unsubscribes=Unsubscribes.TAG, **BOTH_ABLE)
    pair = Pair(settings, {"email": "a@x.com", "job": "Owner"})
    pair.put(LEFT, consent=Consent.UNSUBSCRIBED)
    pair.settle()
    assert pair.records[RIGHT].tags == ("PieSync Unsubscribes",)


def test_a_lost_answer_to_an_unsubscribe_is_looked_up():
    pair = pair_with()
    pair.put(LEFT, consent=Consent.UNSUBSCRIBED)
    intent = pair.plan().intent
    pair.answer(intent, WriteOutcome.UNKNOWN)
    as_it_was = pair.records[RIGHT]
    pair.answer(intent, WriteOutcome.EXISTS, kind="look", record=as_it_was)
    again = pair.turn()
    assert again.consent is Consent.UNSUBSCRIBED, "it had not taken effect"
    assert pair.settle() == 0


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: a word is carried also where it is looser",
)
@given(
    acts=st.lists(st.tuples(SIDES, LEVELS), max_size=8),
    mode=st.sampled_from((Unsubscribes.STATUS, Unsubscribes.TAG)),
    able=st.sampled_from((ABLE, DEAF, Capabilities())),
)
def test_b39_whatever_people_do_we_never_loosen_and_come_to_rest(acts, mode, able):
    """I7: no write of ours sets a looser level than the record has.

    A side's own word that is tighter than what the other side has got reaches it.
    One that is looser is not news, whatever people have made of the other side since.
    """
    pair = pair_with(mode, right_more={"capabilities": able})
    nothing = {side: Carried(side=side) for side in (LEFT, RIGHT)}
    for side, level in acts:
        got = nothing | {each.side: each for each in pair.link.carried}
        pair.put(side, consent=level)
        before = {s: pair.records[s].consent for s in (LEFT, RIGHT)}
        pair.settle()
        for s in (LEFT, RIGHT):
            after = pair.records[s].consent
            assert not consent.is_tighter(before[s], than=after)
        is_own = consent.is_tighter(level, than=got[side].ours)
        is_news = consent.is_tighter(level, than=got[other(side)].level)
        if mode is Unsubscribes.STATUS and able is ABLE and is_own and is_news:
            theirs = pair.records[other(side)].consent
            assert not consent.is_tighter(level, than=theirs)


def test_the_lattice_is_a_join():
    for one in Consent:
        assert consent.tightest(one, one) in (one, Consent.UNKNOWN)
        for two in Consent:
            assert consent.RANKS[consent.tightest(one, two)] == max(
                consent.RANKS[one], consent.RANKS[two]
            )


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/rules.py: deletions are tagged although the option is"
    " off",
)
def test_b39_a_deleted_contact_s_counterpart_is_not_unsubscribed_by_that():
    pair = pair_with()
    pair.put(LEFT, presence=Presence.DELETED, consent=Consent.UNSUBSCRIBED)
    assert pair.settle() == 0
    assert ABLE.can_unsubscribe


def test_an_unsubscribe_that_is_refused_lets_the_address_go_first():
    """A vendor may unsubscribe nobody without an email, and that came second."""
    settings = config(unsubscribes=Unsubscribes.STATUS, **BOTH_ABLE)
    pair = Pair(settings, {"email": "a@x.com"}, {"fn": "Ana"})
    pair.put(LEFT, consent=Consent.UNSUBSCRIBED)
    pair.put(RIGHT, consent=Consent.SUBSCRIBED)
    intent = pair.plan().intent
    assert intent.is_urgent
    pair.answer(intent, WriteOutcome.REFUSED)

    intent = pair.plan().intent
    assert intent.side is RIGHT
    assert "emails" in intent.fields
    pair.answer(intent, WriteOutcome.WRITTEN, record=pair.apply(intent))
    intent = pair.plan().intent
    assert intent.is_urgent, "its target has changed"
    pair.answer(intent, WriteOutcome.WRITTEN, record=pair.apply(intent))
    pair.settle()
    assert pair.records[RIGHT].consent is Consent.UNSUBSCRIBED
    assert pair.link.state is RecordState.IN_SYNC


def test_an_unsubscribe_that_stays_refused_is_all_that_waits():
    pair = pair_with()
    pair.put(LEFT, consent=Consent.UNSUBSCRIBED)
    pair.answer(pair.plan().intent, WriteOutcome.REFUSED)
    assert pair.plan().intent is None
    assert pair.link.state is RecordState.FAILED
    pair.edit(RIGHT, title="Boss")
    intent = pair.plan().intent
    assert intent.is_urgent, "its target has changed"
    pair.answer(intent, WriteOutcome.REFUSED)
    assert pair.plan().intent.side is LEFT


@pytest.mark.parametrize("outcome", [WriteOutcome.STALE, WriteOutcome.SOURCE_CHANGED])
def test_an_unsubscribe_that_is_tried_again_in_vain_is_tried_once_more(outcome):
    """The link counted as at rest while its write was on its way, and then for good.

    Until somebody edited the contact nobody carried the word (I7, I14).
    """
    pair = pair_with()
    pair.put(LEFT, consent=Consent.UNSUBSCRIBED)
    pair.answer(pair.plan().intent, WriteOutcome.REFUSED)
    assert pair.plan().intent is None, "what was refused has its own time"
    pair.now = pair.link.retry_at
    pair.answer(pair.plan().intent, outcome)
    assert pair.plan().intent.is_urgent


def test_an_unsubscribe_that_was_looked_for_in_vain_is_tried_once_more():
    """The same where a look finds that the second try was not applied."""
    pair = pair_with()
    pair.put(LEFT, consent=Consent.UNSUBSCRIBED)
    pair.answer(pair.plan().intent, WriteOutcome.REFUSED)
    assert pair.plan().intent is None
    pair.now = pair.link.retry_at
    intent = pair.plan().intent
    pair.answer(intent, WriteOutcome.UNKNOWN)
    pair.look(intent)
    assert pair.plan().intent.is_urgent


@pytest.mark.parametrize("mode", [Unsubscribes.STATUS, Unsubscribes.TAG])
def test_who_is_made_of_a_merged_record_is_heard_anew(mode: Unsubscribes):
    """Seed 696: the heir's no was taken for the one that had been carried before.

    It had been said of another record, and people had subscribed the other side since.
    """
    pair = pair_with(mode)
    pair.put(LEFT, consent=Consent.UNSUBSCRIBED)
    pair.settle()
    pair.put(RIGHT, consent=Consent.SUBSCRIBED, tags=())
    assert pair.settle() == 0, "one word is carried once"
    pair.put(LEFT, record_id=RecordId("l2"))
    pair.link = match.rebind(pair.link, LEFT, record_id=RecordId("l2"))
    assert pair.turn().is_urgent
    is_tagged = pair.records[RIGHT].tags == ("PieSync Unsubscribes",)
    assert is_tagged is (mode is Unsubscribes.TAG)
    is_unsubscribed = pair.records[RIGHT].consent is Consent.UNSUBSCRIBED
    assert is_unsubscribed is (mode is Unsubscribes.STATUS)
    assert pair.settle() == 0


@pytest.mark.parametrize("side", [LEFT, RIGHT])
def test_who_is_made_of_a_merged_record_gets_the_other_side_s_no(side: Side):
    """Not every app takes the tighter of two levels over when it merges records."""
    pair = pair_with()
    pair.put(other(side), consent=Consent.UNSUBSCRIBED)
    assert pair.settle() == 1
    pair.put(side, record_id=RecordId("x2"), consent=Consent.SUBSCRIBED)
    pair.link = match.rebind(pair.link, side, record_id=RecordId("x2"))
    assert pair.settle() == 1
    assert pair.records[side].consent is Consent.UNSUBSCRIBED
