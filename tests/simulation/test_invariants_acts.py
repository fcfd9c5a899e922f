"""Deletions, unsubscribes and rules: what was not told, and who is set apart."""

from typing import Any

import msgspec
import pytest

from proto.fields import Role
from proto.ids import FieldId
from proto.reconciler import Direction, Side
from proto.record import Consent
from proto.rules import Condition, Leaving, Operator, Rule, Unsubscribes
from tests.simulation.hand_made import History, intent
from tests.simulation.invariants import acts, convergence, oscillation
from tests.simulation.invariants.safety import TRASH
from tests.simulation.invariants.truth import Wrong
from tests.simulation.ledger import Cause, Who

LEFT, RIGHT = Side.LEFT, Side.RIGHT
TAG = "PieSync Unsubscribes"
OURS = Cause(who=Who.TANDEM)
ABLE = {"can_tag": True, "has_consent": True, "has_lists": True}
ONLY_VIP = Rule(
    rule_id="vip", conditions=(Condition(operator=Operator.HAS_TAG, value="vip"),)
)
ONLY_KNOWN = Rule(
    rule_id="known", conditions=(Condition(operator=Operator.EXISTS_ON_OTHER_SIDE),)
)


def told(history: History, **more: Any) -> list[Wrong]:
    """Return what was not told on the other side."""
    after = history.after(**more)
    return [
        wrong
        for pair in convergence.pairs_of(history.owned, after)
        for wrong in acts.check(pair, after, history.truth)
    ]


def converge(history: History) -> list[Wrong]:
    """Return what I1 says of a history."""
    return list(convergence.check(history.after(), history.truth))


def restate(history: History, state: str, reason: str = "") -> None:
    """Have Tandem say something else of its only link."""
    history.links[0] = history.links[0]._replace(state=state, reason=reason)


def deleted(history: History) -> tuple[str, str]:
    """Have a linked record deleted, and the link say so."""
    history.choose(tags_deletions=True)
    _, left, right = history.pair()
    history.books[LEFT].delete(left)
    restate(history, "deleted", "deleted_left")
    return left, right


@pytest.mark.parametrize("is_tagged", [True, False])
def test_i6_a_deletion_that_nobody_was_told_of(is_tagged):
    history = History(left=ABLE, right=ABLE)
    _, right = deleted(history)
    if is_tagged:
        history.books[RIGHT].edit(right, tags=[TRASH], cause=OURS)
    assert (told(history) == []) == is_tagged


def test_i6_a_tag_that_a_user_took_off_again_is_the_users_word():
    history = History(left=ABLE, right=ABLE)
    _, right = deleted(history)
    history.books[RIGHT].edit(right, tags=[TRASH], cause=OURS)
    history.books[RIGHT].edit(right, tags=[])
    assert told(history) == []


@pytest.mark.parametrize("lacking", ["left", "right", "direction"])
def test_i6_a_deletion_is_told_only_where_that_is_possible(lacking):
    unable = {"can_tag": False, "has_tombstones": False}
    history = History(
        left=unable if lacking == "left" else ABLE,
        right=unable if lacking == "right" else ABLE,
    )
    deleted(history)
    if lacking == "direction":
        history.choose(direction=Direction.TO_LEFT)
    assert told(history) == []


def unsubscribed(history: History, how: Unsubscribes) -> tuple[str, str]:
    """Have somebody unsubscribe on the left."""
    history.choose(unsubscribes=how)
    _, left, right = history.pair()
    history.books[LEFT].edit(left, consent=Consent.UNSUBSCRIBED)
    history.wait(5.0)
    return left, right


@pytest.mark.parametrize("is_told", [True, False])
def test_i7_an_unsubscribe_that_did_not_reach_the_other_side(is_told):
    history = History(left=ABLE, right=ABLE)
    _, right = unsubscribed(history, Unsubscribes.STATUS)
    if is_told:
        history.books[RIGHT].edit(right, consent=Consent.UNSUBSCRIBED, cause=OURS)
    assert (told(history) == []) == is_told


@pytest.mark.parametrize("is_told", [True, False])
def test_i7_an_unsubscribe_without_its_tag(is_told):
    history = History(left=ABLE, right=ABLE)
    _, right = unsubscribed(history, Unsubscribes.TAG)
    if is_told:
        history.books[RIGHT].edit(right, tags=[TAG], cause=OURS)
    assert (told(history) == []) == is_told


@pytest.mark.parametrize("is_told", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {"unsubscribes": Unsubscribes.STATUS},
        {"unsubscribes": Unsubscribes.TAG, "unsubscribe_tag": "no mail"},
    ],
)
def test_i7_an_unsubscribe_that_was_told_in_another_way_only(options, is_told):
    """Who was tagged before goes on to get mail, or is found by no tag of today."""
    history = History(left=ABLE, right=ABLE)
    _, right = unsubscribed(history, Unsubscribes.TAG)
    history.books[RIGHT].edit(right, tags=[TAG], cause=OURS)
    history.choose_now(**options)
    if is_told:
        both, no = [TAG, "no mail"], Consent.UNSUBSCRIBED
        history.books[RIGHT].edit(right, tags=both, consent=no, cause=OURS)
    assert (told(history) == []) == is_told


def test_i7_an_unsubscribe_reaches_whoever_is_excluded_too():
    history = History(left=ABLE, right=ABLE)
    unsubscribed(history, Unsubscribes.STATUS)
    restate(history, "excluded", "out_of_rules")
    assert [wrong.invariant for wrong in told(history)] == ["I7"]


def test_i7_who_opts_in_again_on_the_other_side_has_the_last_word():
    history = History(left=ABLE, right=ABLE)
    _, right = unsubscribed(history, Unsubscribes.STATUS)
    history.books[RIGHT].edit(right, consent=Consent.UNSUBSCRIBED, cause=OURS)
    history.books[RIGHT].edit(right, consent=Consent.SUBSCRIBED)
    assert told(history) == []


def test_i7_what_we_set_ourselves_is_nobodys_word():
    history = History(left=ABLE, right=ABLE)
    history.choose(unsubscribes=Unsubscribes.STATUS)
    _, left, _ = history.pair()
    history.books[LEFT].edit(left, consent=Consent.UNSUBSCRIBED, cause=OURS)
    assert told(history) == []


@pytest.mark.parametrize("cause", [OURS, Cause()])
@pytest.mark.parametrize("seen_s_ago", [None, 5.0, 15.0])
def test_i7_a_no_that_looks_like_ours_is_known_where_the_yes_before_it_was_seen(
    cause, seen_s_ago
):
    """They opt in and out again while nobody reads, or while somebody does."""
    history = History(left=ABLE, right=ABLE)
    history.choose(unsubscribes=Unsubscribes.STATUS)
    _, left, _ = history.pair()
    history.books[LEFT].edit(left, consent=Consent.UNSUBSCRIBED, cause=cause)
    history.tell(LEFT, left)
    history.wait(10.0)
    history.books[LEFT].edit(left, consent=Consent.SUBSCRIBED)
    history.wait(10.0)
    history.books[LEFT].edit(left, consent=Consent.UNSUBSCRIBED)
    if seen_s_ago is not None:
        history.tell(LEFT, left, s_old=seen_s_ago)
    is_unheard = cause is OURS and seen_s_ago != 5.0
    assert (told(history) == []) is is_unheard


@pytest.mark.parametrize(("open_s", "is_fine"), [(30.0, True), (8.0, False)])
def test_i7_a_no_between_which_and_the_yes_before_it_a_write_was_open(open_s, is_fine):
    """Nobody looked at the link meanwhile, and it looks like ours (seed 40234)."""
    history = History(left=ABLE, right=ABLE)
    history.choose(unsubscribes=Unsubscribes.STATUS)
    _, left, _ = history.pair()
    history.books[LEFT].edit(left, consent=Consent.UNSUBSCRIBED, cause=OURS)
    open_intent = intent(history)
    history.wait(10.0)
    history.books[LEFT].edit(left, consent=Consent.SUBSCRIBED)
    history.wait(5.0)
    history.tell(LEFT, left)
    history.wait(5.0)
    history.books[LEFT].edit(left, consent=Consent.UNSUBSCRIBED)
    closed_at = open_intent.decided_at + open_s
    closed = msgspec.structs.replace(open_intent, closed_at=closed_at)
    assert (told(history, intents=(closed,)) == []) is is_fine


@pytest.mark.parametrize("hop_count", [1, 2])
@pytest.mark.parametrize(
    ("cause", "said", "is_bound", "is_fine"),
    [
        (OURS, "before", True, True),
        (Cause(), "before", True, False),
        (OURS, "after", True, False),
        (OURS, "never", True, False),
        (OURS, "before", False, False),
    ],
)
def test_i7_a_merge_passes_on_what_we_set_and_it_stays_nobodys_word(
    hop_count, cause, said, is_bound, is_fine
):
    """Seed 1731: they opt in again where they had said no, before it is merged.

    It is somebody's word if a user set it, or if it came from somebody else.
    """
    history = History(left=ABLE, right=ABLE)
    history.choose(unsubscribes=Unsubscribes.STATUS)
    person, left, right = history.pair()
    given = history.value(Role.NAME_GIVEN, person)
    if not is_bound:
        right = history.enter(RIGHT, person, given=given)
    noes = [(LEFT, left, cause), (RIGHT, right, OURS if said == "never" else Cause())]
    for side, record_id, whose in noes if said == "after" else reversed(noes):
        history.books[side].edit(record_id, consent=Consent.UNSUBSCRIBED, cause=whose)
        history.wait(5.0)
    history.books[RIGHT].edit(right, consent=Consent.SUBSCRIBED)
    for _ in range(hop_count):
        history.wait(5.0)
        heir = history.enter(LEFT, person, given=given)
        history.books[LEFT].merge(left, heir)
        left = heir
    history.links[0] = history.links[0]._replace(left_id=left, right_id=right)
    assert (told(history) == []) is is_fine


@pytest.mark.parametrize("had", [Consent.SUBSCRIBED, Consent.UNSUBSCRIBED])
def test_i7_who_had_said_no_before_somebody_was_merged_into_them_is_heard(had):
    """What we had set only makes it tighter."""
    history = History(left=ABLE, right=ABLE)
    history.choose(unsubscribes=Unsubscribes.STATUS)
    person, left, right = history.pair()
    no = Consent.SUPPRESSED
    history.books[RIGHT].edit(right, consent=no)
    history.books[LEFT].edit(left, consent=no, cause=OURS)
    history.books[RIGHT].edit(right, consent=Consent.SUBSCRIBED)
    history.wait(5.0)
    given = history.value(Role.NAME_GIVEN, person)
    heir = history.enter(LEFT, person, given=given)
    history.books[LEFT].edit(heir, consent=had)
    history.books[LEFT].merge(left, heir)
    history.links[0] = history.links[0]._replace(left_id=heir)
    assert (told(history) == []) is (had is Consent.SUBSCRIBED)


def test_i7_nothing_is_told_where_nobody_wants_it():
    history = History(left=ABLE, right=ABLE)
    unsubscribed(history, Unsubscribes.IGNORE)
    assert told(history) == []


# Rules


def chosen(history: History, **more: object) -> tuple[str, str]:
    """Have only those synced whom a rule of either side matches."""
    history.choose(left_rules=(ONLY_VIP,), right_rules=(ONLY_VIP,), **more)
    _, left, right = history.pair()
    return left, right


@pytest.mark.parametrize(
    ("state", "reason", "is_vip", "is_fine"),
    [
        ("in_sync", "", True, True),
        ("in_sync", "", False, False),
        ("excluded", "out_of_rules", False, True),
        ("excluded", "out_of_rules", True, False),
        ("excluded", "out_of_container", False, False),
    ],
)
def test_i1_a_pair_is_synced_while_a_rule_matches(state, reason, is_vip, is_fine):
    history = History(left=ABLE, right=ABLE)
    left, _ = chosen(history)
    if is_vip:
        history.books[LEFT].edit(left, tags=["vip"])
    restate(history, state, reason)
    assert (converge(history) == []) == is_fine


def test_i1_whoever_leaves_the_rules_may_be_kept_in_sync():
    history = History(left=ABLE, right=ABLE)
    chosen(history, leaving=Leaving.KEEP_UPDATING)
    assert converge(history) == []


def test_i1_rules_of_the_side_that_is_written_to_do_nothing():
    history = History(left=ABLE, right=ABLE)
    history.choose(right_rules=(ONLY_VIP,), direction=Direction.TO_RIGHT)
    history.pair()
    assert converge(history) == []


@pytest.mark.parametrize(
    ("rule", "reason", "is_fine"),
    [
        (ONLY_VIP, "out_of_rules", True),
        (ONLY_VIP, "not_on_other_side", False),
        (ONLY_KNOWN, "not_on_other_side", True),
        (ONLY_KNOWN, "out_of_rules", False),
    ],
)
def test_i1_a_record_alone_and_the_rule_that_keeps_it_so(rule, reason, is_fine):
    history = History(left=ABLE, right=ABLE)
    history.choose(left_rules=(rule,))
    record_id = history.enter(LEFT, history.person())
    history.link(record_id, None, state="excluded", reason=reason)
    assert (converge(history) == []) == is_fine


@pytest.mark.parametrize("is_guarded", [True, False])
def test_i1_a_mass_change_waits_only_while_the_guard_is_up(is_guarded):
    history = History()
    history.pair()
    restate(history, "held", "mass_change")
    if is_guarded:
        history.owned.guarded = {RIGHT: history.time}
    assert (converge(history) == []) == is_guarded


@pytest.mark.parametrize("is_reused", [True, False])
def test_i1_an_id_counts_as_reused_where_it_was(is_reused):
    history = History()
    person, left, _ = history.pair()
    if is_reused:
        history.books[LEFT].delete(left)
        email = history.fields(LEFT, email=history.value(Role.EMAIL, person))
        history.books[LEFT].recycle(left, email, person=history.person())
    restate(history, "held", "id_reused")
    assert (converge(history) == []) == is_reused


def carry(history, left, right, jobs, *, apart_s=60.0):
    """Have a user enter values on the left one by one, and each go across."""
    for job in jobs:
        history.edit(LEFT, left, job=job)
        history.write(RIGHT, right, job=job)
        history.wait(apart_s)


@pytest.mark.parametrize(
    ("turns", "apart_s", "is_fine"),
    [
        ("a", 60.0, False),
        ("abab", 60.0, False),
        ("ababa", 60.0, True),
        ("abcde", 60.0, False),
        ("ababa", 0.3 * oscillation.WITHIN_S, False),
    ],
)
def test_i1_a_field_goes_to_and_fro_where_one_value_is_written_often_in_a_day(
    turns, apart_s, is_fine
):
    """Three values one after the other are three edits, and all go across."""
    history = History()
    person, left, right = history.pair()
    jobs = {turn: history.value(Role.JOB_TITLE, person) for turn in sorted({*turns})}
    carry(history, left, right, [jobs[turn] for turn in turns], apart_s=apart_s)
    history.edit(LEFT, left, job=history.value(Role.JOB_TITLE, person))
    restate(history, "held", "oscillates")
    after = history.after({"job_title": "oscillates"})
    wrongs = list(convergence.check(after, history.truth))
    assert (wrongs == []) == is_fine


@pytest.mark.parametrize("is_respelled", [True, False])
@pytest.mark.parametrize("count", [1, 3])
def test_i1_a_spelling_may_go_to_and_fro_as_well(is_respelled, count):
    """To a person it was in step (seed 1979): one side has it with other spaces."""
    history = History()
    person, left, right = history.pair()
    job, other = (history.value(Role.JOB_TITLE, person) for _ in range(2))
    carry(history, left, right, [*[job, other] * (count - 1), job])
    if is_respelled:
        history.edit(LEFT, left, job=f" {job} ")
    restate(history, "held", "oscillates")
    after = history.after({"job_title": "oscillates"})
    wrongs = list(convergence.check(after, history.truth))
    is_fine = is_respelled and count >= oscillation.RETURNS_MIN
    assert (wrongs == []) == is_fine


@pytest.mark.parametrize("place", ["tags", "lists", "field"])
@pytest.mark.parametrize("count", [2, 3])
def test_i1_rules_may_be_held_that_went_to_and_fro(place, count):
    """In step by what is mapped, and said not to be (seed 400421)."""
    history = History(left=ABLE, right=ABLE)
    person, _, right = history.pair()
    note = history.value(Role.JOB_TITLE, person)
    history.edit(RIGHT, right, own="")
    for _ in range(count):
        for is_there in (True, False):
            history.wait(1.0)
            if place == "field":
                history.write(RIGHT, right, own=note if is_there else None)
            else:
                names = ("vip",) if is_there else ()
                history.write(RIGHT, right, more={place: names})
    name = {"tags": "tag:vip", "lists": "container:vip", "field": "own"}[place]
    restate(history, "held", "oscillates")
    wrongs = list(convergence.check(history.after({name: "oscillates"}), history.truth))
    assert (wrongs == []) == (count >= oscillation.RETURNS_MIN)


def test_a_condition_that_the_judge_cannot_read_is_no_silent_yes():
    history = History()
    odd = Condition(operator=Operator.MORE, field_id=FieldId("given"), value="1")
    history.choose(left_rules=(Rule(rule_id="odd", conditions=(odd,)),))
    record_id = history.enter(LEFT, history.person())
    history.link(record_id, None, state="excluded", reason="out_of_rules")
    with pytest.raises(AssertionError, match="cannot read"):
        converge(history)


@pytest.mark.parametrize("who", list(Who))
def test_i12_what_we_set_ourselves_does_not_come_back_over_a_new_opt_in(who):
    """They opted in again where they had said no; the other side has it from us."""
    silent = {**ABLE, "default_consent": "unknown"}
    history = History(left=silent, right=silent)
    left, right = unsubscribed(history, Unsubscribes.STATUS)
    cause = Cause(who=who)
    history.books[RIGHT].edit(right, consent=Consent.UNSUBSCRIBED, cause=cause)
    history.books[LEFT].edit(left, consent=Consent.SUBSCRIBED)
    history.wait(5.0)
    history.books[LEFT].edit(left, consent=Consent.UNSUBSCRIBED, cause=OURS)
    assert history.broken() == ({"I12"} if who is Who.TANDEM else set())
