"""What users rely on, by number, as the engine alone decides it."""

import msgspec
import pytest

from proto.connector import ContactWritten, WriteKind, WriteOutcome
from proto.fields import Address, Item
from proto.ids import AccountId
from proto.reconciler import SIDES, Direction, End, RecordState, Settings, Side
from proto.record import Consent, Presence
from proto.rules import Rule
from services.reconciler.engine import match
from services.reconciler.engine.fold import fold
from services.reconciler.engine.model import MatchKind, Reason
from tests.engine.world import NEWSLETTER, Pair, config, items, linked

LEFT, RIGHT = Side.LEFT, Side.RIGHT


def maria(**settings) -> Pair:
    return linked(
        {"first": "Maria", "last": "Garcia Lopez"},
        {"fn": "Maria Garcia Lopez"},
        **settings,
    )


@pytest.mark.behaviour(
    6,
    broken_by="reconciler/engine/weigh.py: a copied value is written where nothing may"
    " be",
)
def test_b06_one_way_never_writes_to_its_source():
    pair = maria(direction=Direction.TO_RIGHT)
    pair.edit(RIGHT, title="Boss", fn="Somebody Else")
    assert pair.settle() == 0
    pair.edit(LEFT, job="Engineer")
    assert pair.settle() == 1
    assert pair.right["title"] == "Engineer"
    assert {write.side for write in pair.writes} == {RIGHT}


@pytest.mark.behaviour(
    6,
    broken_by="reconciler/engine/match.py: the source of a one-way connection gets new"
    " contacts",
)
def test_b06_one_way_does_not_create_on_its_source():
    ana = {"fn": "Ana", "emails": items("a@x.com")}
    pair = Pair(config(direction=Direction.TO_RIGHT), None, ana)
    alone = match.candidate_of(pair.records[RIGHT], RIGHT, config=pair.config)
    found = match.decide(
        alone, side=RIGHT, same_side={}, other_side={}, config=pair.config
    )
    assert (found.kind, found.reason) == (MatchKind.EXCLUDED, Reason.ONE_WAY)
    assert pair.plan().intent is None, "nor if it came to that"


@pytest.mark.behaviour(
    6,
    broken_by="reconciler/engine/mapping.py: a connection goes one way only",
)
def test_b06_a_new_connection_is_two_way_with_all_contacts():
    """No rule on a side is the same as one empty rule."""
    ends = {side: End(account_id=AccountId(f"acct_{side}")) for side in SIDES}
    new = Settings(name="New", left=ends[LEFT], right=ends[RIGHT])
    assert new.direction is Direction.BOTH
    assert new.left_rules == new.right_rules == ()
    assert (new.left.container_id, new.right.container_id) == (None, None)
    empty = (Rule(rule_id="all"),)
    for rules in ((), empty):
        settings = config(left_rules=rules, right_rules=rules)
        made = Pair(settings, {"email": "a@x.com", "job": "Engineer"})
        assert made.settle() == 1
        assert made.right["title"] == "Engineer"
        made = Pair(settings, None, {"emails": items("a@x.com"), "org": "Acme"})
        assert made.settle() == 1
        assert made.left["company"] == "Acme"


@pytest.mark.behaviour(
    13,
    broken_by="reconciler/engine/mapping.py: a mapping that is switched off works all"
    " the same",
)
def test_b13_a_mapping_that_is_off_is_left_alone():
    pair = maria(off=("job_title",))
    pair.edit(LEFT, job="Engineer")
    assert pair.settle() == 0
    assert pair.right["title"] is None


@pytest.mark.behaviour(
    14,
    broken_by="reconciler/engine/names.py: an edit of a full name changes no part",
)
@pytest.mark.parametrize(
    ("edited", "first", "last"),
    [
        ("Maria Garcia Soto", "Maria", "Garcia Soto"),
        ("Ana Garcia Lopez", "Ana", "Garcia Lopez"),
        ("Maria Lopez", "Maria", "Lopez"),
        ("Maria Garcia Lopez Soto", "Maria", "Garcia Lopez Soto"),
        ("Ana Garcia Soto", "Ana", "Garcia Soto"),
    ],
)
def test_b14_an_edit_of_the_full_name_changes_the_part_that_changed(
    edited, first, last
):
    pair = maria()
    pair.edit(RIGHT, fn=edited)
    assert pair.settle() == 1
    assert (pair.left["first"], pair.left["last"]) == (first, last)


@pytest.mark.behaviour(
    14,
    broken_by="reconciler/engine/names.py: an edited full name is split afresh",
)
def test_b14_an_edit_of_a_part_changes_its_words_only():
    pair = maria()
    pair.edit(RIGHT, fn="Maria Luisa Garcia Lopez")
    pair.settle()
    pair.edit(LEFT, first="Ana Luisa")
    assert pair.settle() == 1
    assert pair.right["fn"] == "Ana Luisa Garcia Lopez"


@pytest.mark.behaviour(
    14,
    broken_by="reconciler/engine/names.py: an edited full name is split afresh",
)
def test_b14_a_part_of_two_words_stays_whole():
    pair = linked(
        {"first": "Maria Luisa", "last": "Garcia"}, {"fn": "Maria Luisa Garcia"}
    )
    pair.edit(RIGHT, fn="Maria Luisa Soto")
    assert pair.settle() == 1
    assert (pair.left["first"], pair.left["last"]) == ("Maria Luisa", "Soto")


@pytest.mark.behaviour(
    14,
    broken_by="reconciler/engine/names.py: an edited part takes the place of the whole"
    " name",
)
def test_b14_an_edit_of_one_part_leaves_the_other_part_of_the_full_name():
    pair = maria()
    pair.edit(LEFT, first="Ana")
    assert pair.settle() == 1
    assert pair.right["fn"] == "Ana Garcia Lopez"
    pair.edit(LEFT, last="Garcia Soto")
    assert pair.settle() == 1
    assert pair.right["fn"] == "Ana Garcia Soto"
    assert (pair.left["first"], pair.left["last"]) == ("Ana", "Garcia Soto")


@pytest.mark.behaviour(
    14,
    broken_by="reconciler/engine/names.py: a full name is not split",
)
def test_b14_a_full_name_is_split_and_parts_are_joined_in_a_create():
    made = Pair(
        config(), None, {"fn": "Maria Garcia Lopez", "emails": items("a@x.com")}
    )
    assert made.settle() == 1
    assert (made.left["first"], made.left["last"]) == ("Maria", "Garcia Lopez")
    made = Pair(config(), {"first": "Maria", "last": "Soto", "email": "a@x.com"})
    assert made.settle() == 1
    assert made.right["fn"] == "Maria Soto"


@pytest.mark.behaviour(
    20,
    broken_by="reconciler/engine/fold.py: a record that a create meets is not linked",
)
def test_b20_a_create_that_meets_an_existing_record_adopts_and_merges_it():
    pair = Pair(config(), {"email": "a@x.com", "first": "Ana", "job": "Engineer"})
    intent = pair.plan().intent
    assert intent.kind is WriteKind.CREATE
    assert intent.emails == ("a@x.com",)
    pair.records[RIGHT] = Pair._record(
        "r1", pair.config.right, {"emails": items("A@x.com"), "org": "Acme"}
    )
    pair.answer(intent, WriteOutcome.EXISTS, record=pair.records[RIGHT])
    assert pair.link.right_id == "r1"
    pair.settle()
    assert pair.right["title"] == "Engineer"
    assert pair.left["company"] == "Acme"


@pytest.mark.behaviour(
    20,
    broken_by="reconciler/engine/fold.py: a record of another link is adopted",
)
def test_b20_a_record_that_is_linked_elsewhere_is_not_adopted():
    pair = Pair(config(), {"email": "a@x.com"})
    intent = pair.plan().intent
    result = ContactWritten(
        intent_id=intent.intent_id,
        kind=intent.kind,
        outcome=WriteOutcome.EXISTS,
        record=Pair._record("r9", pair.config.right, {}),
        read_at=pair.now,
    )
    folded = fold(
        pair.link,
        intent,
        result=result,
        config=pair.config,
        now=pair.now,
        is_taken=True,
    )
    assert folded.link.state is RecordState.DUPLICATE
    assert folded.link.right_id is None


@pytest.mark.behaviour(
    21,
    broken_by="reconciler/engine/merge.py: every value counts as edited, on either"
    " side",
)
@pytest.mark.parametrize("side", [LEFT, RIGHT])
def test_b21_a_link_survives_a_changed_email(side):
    pair = linked()
    new = {"email": "new@x.com"} if side is LEFT else {"emails": items("new@x.com")}
    pair.edit(side, **new)
    assert pair.settle() == 1
    assert (pair.left["email"], pair.right["emails"]) == (
        "new@x.com",
        items("new@x.com"),
    )
    assert (pair.link.left_id, pair.link.right_id) == ("l1", "r1")
    assert pair.link.state is RecordState.IN_SYNC


@pytest.mark.behaviour(
    21,
    broken_by="reconciler/engine/plan.py: a removed email does not hold a contact",
)
@pytest.mark.parametrize("side", [LEFT, RIGHT])
def test_b21_a_removed_email_holds_the_contact_and_says_so(side):
    pair = linked()
    pair.edit(side, **{"email" if side is LEFT else "emails": None})
    pair.edit(LEFT, job="Engineer")
    assert pair.settle() == 0
    assert pair.link.state is RecordState.HELD
    assert pair.link.reason == Reason.EMAIL_REMOVED
    pair.edit(LEFT, email="ana@example.com")
    pair.edit(RIGHT, emails=items("ana@example.com"))
    assert pair.settle() == 1
    assert pair.right["title"] == "Engineer"


@pytest.mark.parametrize(("side", "value"), [(LEFT, None), (RIGHT, "Chef")])
def test_what_both_say_of_a_held_contact_is_agreed_so_that_no_edit_meets_it(
    side, value
):
    """Both had entered the same; what one of them cleared then came back (seed 42469).

    Behaviours 33 and 34: the other one's is no edit that it would be a conflict with.
    """
    pair = linked()
    pair.edit(RIGHT, emails=None)
    pair.edit(LEFT, job="Engineer")
    pair.edit(RIGHT, title="Engineer")
    assert pair.settle() == 0
    assert pair.link.reason == Reason.EMAIL_REMOVED
    pair.edit(side, **{"job" if side is LEFT else "title": value})
    pair.edit(RIGHT, emails=items("ana@example.com"))
    assert pair.settle() == 1
    assert (pair.left["job"], pair.right["title"]) == (value, value)


@pytest.mark.behaviour(
    22,
    broken_by="reconciler/engine/creation.py: nobody without an address is created",
)
def test_b22_without_avoiding_duplicates_a_contact_without_email_is_created():
    pair = Pair(config(avoids_duplicates=False), {"first": "Ana"})
    assert pair.settle() == 1
    assert pair.right["fn"] == "Ana"
    pair = Pair(config(avoids_duplicates=True), {"first": "Ana"})
    assert pair.settle() == 0
    assert pair.link.reason == Reason.NO_EMAIL


@pytest.mark.behaviour(
    28,
    broken_by="reconciler/engine/canon.py: capitals in an email are a difference",
)
def test_b28_no_difference_no_write():
    pair = maria()
    assert pair.settle() == 0
    pair.edit(RIGHT, fn="Maria  Garcia Lopez ", emails=items("x:ANA@example.com"))
    assert pair.settle() == 0, "the same in other letters is no difference"


@pytest.mark.behaviour(28, broken_by="mutant shadow_is_what_was_sent")
def test_b28_one_edit_is_one_write_and_does_not_come_back():
    pair = maria()
    pair.normalise[RIGHT] = lambda fields: {
        **fields,
        "title": (fields["title"] or "").title() or None,
        "org": (fields["org"] or "")[:5] or None,
    }
    pair.edit(LEFT, job="chief engineer", company="Muster AG")
    assert pair.settle() == 1
    assert pair.right["title"] == "Chief Engineer"
    assert pair.right["org"] == "Muste"
    assert pair.link.right.values["org"] == "Muste", "the app's own answer is known"
    assert pair.left["company"] == "Muster AG", "a cut value never comes back"
    assert pair.settle() == 0
    pair.edit(RIGHT, title="Boss")
    assert pair.settle() == 1
    assert pair.left["company"] == "Muster AG"


@pytest.mark.behaviour(28, broken_by="mutant learned_forms_forgotten")
def test_b28_an_app_that_rewrites_phones_gets_each_one_removed_again():
    """A rewritten number is another key, so removing ours must find the app's."""
    pair = linked()
    pair.normalise[RIGHT] = lambda fields: {
        **fields,
        "tel": tuple(
            Item(value="(0)" + i.value.lstrip("(0)"), label=i.label)
            for i in fields["tel"] or ()
        )
        or None,
    }
    pair.edit(LEFT, phones=items("home:5550101", "work:5550102"))
    assert pair.settle() == 1
    pair.edit(LEFT, phones=items("work:5550102"))
    assert pair.settle() == 1
    assert pair.right["tel"] == items("work:(0)5550102")


@pytest.mark.behaviour(
    29,
    broken_by="reconciler/engine/fold.py: a refused write is not tried again",
)
def test_b29_a_refused_write_waits_and_heals_when_the_record_is_fixed():
    pair = maria()
    pair.edit(LEFT, job="Engineer")
    intent = pair.plan().intent
    pair.answer(intent, WriteOutcome.REFUSED, field="title")
    assert pair.link.state is RecordState.FAILED
    assert [hold.mapping_id for hold in pair.link.held] == ["job_title"]
    first_delay = pair.link.retry_at - pair.now
    assert pair.plan().intent is None, "not before its time"
    pair.now = pair.link.retry_at
    intent = pair.plan().intent
    assert intent is not None
    pair.answer(intent, WriteOutcome.REFUSED)
    assert pair.link.retry_at - pair.now > first_delay
    pair.edit(LEFT, job="Boss")
    assert pair.settle() == 1
    assert pair.link.state is RecordState.IN_SYNC
    assert pair.link.failure_count == 0


@pytest.mark.behaviour(
    32,
    broken_by="reconciler/engine/merge.py: the left wins every conflict",
)
@pytest.mark.parametrize("winner", [LEFT, RIGHT])
def test_b32_the_winner_decides_at_the_first_match(winner):
    pair = Pair(
        config(winner=winner),
        {"email": "a@x.com", "job": "Left", "first": "Ana", "last": "Soto"},
        {"emails": items("a@x.com"), "title": "Right", "fn": "Maria Soto"},
    )
    assert pair.settle() == 1
    expected = "Left" if winner is LEFT else "Right"
    assert pair.left["job"] == pair.right["title"] == expected
    assert pair.left["first"] == ("Ana" if winner is LEFT else "Maria")
    lost = {loss.mapping_id: loss.values for loss in pair.losses}
    assert set(lost) == {"job_title", "name"}


@pytest.mark.behaviour(
    29,
    broken_by="reconciler/engine/fold.py: a value that is refused stops the others",
)
def test_b29_a_value_that_an_app_refuses_stops_no_other_value():
    pair = maria()
    pair.edit(LEFT, job="Engineer", company="Acme")
    pair.answer(pair.plan().intent, WriteOutcome.REFUSED, field="title")
    intent = pair.turn()
    assert intent.fields == {"org": "Acme"}
    assert pair.right["org"] == "Acme"
    assert [hold.mapping_id for hold in pair.link.held] == ["job_title"]


@pytest.mark.behaviour(
    32,
    35,
    broken_by="reconciler/engine/intents.py: the winning value is kept as the one that"
    " lost",
)
@pytest.mark.parametrize("winner", [LEFT, RIGHT])
def test_b32_b35_the_winner_decides_a_conflict_and_the_loser_is_kept(winner):
    pair = linked({"job": "Old"}, {"title": "Old"}, winner=winner)
    pair.edit(LEFT, job="Left")
    pair.edit(RIGHT, title="Right")
    assert pair.settle() == 1
    assert pair.left["job"] == pair.right["title"]
    assert pair.left["job"] == ("Left" if winner is LEFT else "Right")
    (loss,) = pair.losses
    assert list(loss.values.values()) == ["Right" if winner is LEFT else "Left"]


@pytest.mark.behaviour(
    33,
    broken_by="reconciler/engine/merge.py: an empty value wins a conflict",
)
@pytest.mark.parametrize("winner", [LEFT, RIGHT])
def test_b33_empty_never_clears_at_the_first_match_or_in_a_conflict(winner):
    pair = Pair(
        config(winner=winner),
        {"email": "a@x.com", "job": "Engineer"},
        {"emails": items("a@x.com"), "org": "Acme"},
    )
    pair.settle()
    assert (pair.left["job"], pair.right["title"]) == ("Engineer", "Engineer")
    assert (pair.left["company"], pair.right["org"]) == ("Acme", "Acme")
    pair.edit(LEFT, job=None)
    pair.edit(RIGHT, title="Boss")
    pair.settle()
    assert (pair.left["job"], pair.right["title"]) == ("Boss", "Boss")


@pytest.mark.behaviour(
    33,
    broken_by="reconciler/engine/plan.py: a write may empty any number of fields",
)
def test_b33_clearing_afterwards_goes_across_but_not_everything_at_once():
    full = {"job": "Engineer", "company": "Acme", "anniversary": "2001-02-03"}
    full |= {"first": "Ana", "birthday": "--05-03", "phones": items("home:1234567")}
    full |= {"addresses": (Item(value=Address(city="Boston"), label="home"),)}
    pair = Pair(config(NEWSLETTER, NEWSLETTER), None, {"email": "a@x.com", **full})
    pair.settle()
    pair.edit(RIGHT, job=None)
    assert pair.settle() == 1
    assert pair.left["job"] is None
    before = dict(pair.left)
    pair.edit(RIGHT, **dict.fromkeys(full))
    assert pair.settle() == 0
    assert pair.link.reason == Reason.CLEARS_TOO_MUCH
    assert pair.left == before


@pytest.mark.behaviour(
    34,
    broken_by="reconciler/engine/merge.py: the first write takes the other side's edit"
    " for agreed",
)
def test_b34_different_fields_changed_on_two_sides_are_both_kept():
    pair = maria()
    pair.edit(LEFT, job="Engineer", first="Ana")
    pair.edit(RIGHT, org="Acme", fn="Maria Garcia Soto")
    assert pair.settle() == 2
    assert (pair.left["company"], pair.right["title"]) == ("Acme", "Engineer")
    assert pair.right["fn"] == "Ana Garcia Soto"
    assert (pair.left["first"], pair.left["last"]) == ("Ana", "Garcia Soto")
    assert pair.losses == []


@pytest.mark.behaviour(
    34,
    broken_by="reconciler/engine/canon.py: outer space is a difference",
)
def test_b34_the_same_change_on_both_sides_is_no_conflict():
    pair = maria()
    pair.edit(LEFT, job="Engineer", phones=items("home:+1 202 555 0101"))
    pair.edit(RIGHT, title=" Engineer ", tel=items("cell:+12025550101"))
    assert pair.settle() == 0
    assert pair.losses == []


@pytest.mark.behaviour(
    34,
    broken_by="reconciler/engine/merge.py: the first write takes the other side's edit"
    " for agreed",
)
def test_b34_phones_added_on_both_sides_are_on_both():
    """The first write must not take the other side's addition for agreed."""
    pair = linked()
    pair.edit(LEFT, phones=items("home:+12025550101"))
    pair.edit(RIGHT, tel=items("cell:+12025550102"))
    assert pair.settle() == 2
    assert {i.value for i in pair.left["phones"]} == {"+12025550101", "+12025550102"}
    assert {i.value for i in pair.right["tel"]} == {"+12025550101", "+12025550102"}


@pytest.mark.behaviour(36, 38, broken_by="mutant no_tombstones")
@pytest.mark.parametrize("presence", [Presence.DELETED, Presence.MERGED])
@pytest.mark.parametrize("side", [LEFT, RIGHT])
def test_b36_b38_a_deleted_contact_is_neither_deleted_nor_created_again(side, presence):
    pair = maria()
    pair.mark(side, presence)
    assert pair.settle() == 0
    is_merged = presence is Presence.MERGED
    expected = RecordState.MERGED if is_merged else RecordState.DELETED
    assert pair.link.state is expected
    pair.edit(LEFT, job="Engineer")
    pair.edit(RIGHT, org="Acme")
    assert pair.settle() == 0


@pytest.mark.behaviour(
    38,
    broken_by="reconciler/engine/plan.py: a contact that comes back is compared with"
    " what it was before",
)
def test_b38_a_contact_that_comes_back_is_merged_as_at_first():
    pair = maria()
    pair.mark(RIGHT, Presence.DELETED)
    pair.settle()
    pair.edit(LEFT, job="Engineer", last=None)
    pair.mark(RIGHT, Presence.LIVE)
    pair.settle()
    assert pair.right["title"] == "Engineer"
    assert pair.left["last"] == "Garcia Lopez", "what was empty is filled, not cleared"


@pytest.mark.behaviour(
    39,
    broken_by="reconciler/engine/consent.py: a create carries a yes along",
)
@pytest.mark.parametrize(
    ("held", "written"),
    [
        (Consent.SUPPRESSED, Consent.SUPPRESSED),
        (Consent.UNSUBSCRIBED, Consent.UNSUBSCRIBED),
        (Consent.SUBSCRIBED, Consent.UNKNOWN),
        (Consent.UNKNOWN, Consent.UNKNOWN),
    ],
)
def test_b39_a_create_carries_a_no_and_never_subscribes(held, written):
    pair = Pair(config(), {"email": "a@x.com"})
    pair.records[LEFT] = msgspec.structs.replace(pair.records[LEFT], consent=held)
    assert pair.plan().intent.consent is written
