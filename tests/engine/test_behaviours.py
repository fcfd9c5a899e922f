"""What users rely on, by number, as the engine alone decides it."""

import msgspec
import pytest

from proto.connector import ContactWritten, WriteKind, WriteOutcome
from proto.fields import Address, Item
from proto.reconciler import Direction, RecordState, Side
from proto.record import Consent, Presence
from services.reconciler.engine.fold import fold
from services.reconciler.engine.model import Reason
from tests.engine.world import NEWSLETTER, SLOTTED, Pair, config, items

LEFT, RIGHT = Side.LEFT, Side.RIGHT


def linked(left=None, right=None, **settings) -> Pair:
    """A pair in step, after its first match."""
    left = {"email": "ana@example.com", **(left or {})}
    right = {"emails": items("ana@example.com"), **(right or {})}
    pair = Pair(config(**settings), left, right)
    pair.settle()
    pair.writes.clear()
    pair.losses.clear()
    return pair


def maria(**settings) -> Pair:
    return linked(
        {"first": "Maria", "last": "Garcia Lopez"},
        {"fn": "Maria Garcia Lopez"},
        **settings,
    )


@pytest.mark.behaviour(6)
def test_b06_one_way_never_writes_to_its_source():
    pair = maria(direction=Direction.TO_RIGHT)
    pair.edit(RIGHT, title="Boss", fn="Somebody Else")
    assert pair.settle() == 0
    pair.edit(LEFT, job="Engineer")
    assert pair.settle() == 1
    assert pair.right["title"] == "Engineer"
    assert {write.side for write in pair.writes} == {RIGHT}


@pytest.mark.behaviour(6)
def test_b06_one_way_does_not_create_on_its_source():
    pair = Pair(config(direction=Direction.TO_RIGHT), None, {"fn": "Ana"})
    assert pair.plan().intent is None


@pytest.mark.behaviour(13)
def test_b13_a_mapping_that_is_off_is_left_alone():
    pair = maria(off=("job_title",))
    pair.edit(LEFT, job="Engineer")
    assert pair.settle() == 0
    assert pair.right["title"] is None


@pytest.mark.behaviour(14)
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


@pytest.mark.behaviour(14)
def test_b14_an_edit_of_a_part_changes_its_words_only():
    pair = maria()
    pair.edit(RIGHT, fn="Maria Luisa Garcia Lopez")
    pair.settle()
    pair.edit(LEFT, first="Ana Luisa")
    assert pair.settle() == 1
    assert pair.right["fn"] == "Ana Luisa Garcia Lopez"


@pytest.mark.behaviour(14)
def test_b14_a_full_name_is_split_and_parts_are_joined_in_a_create():
    made = Pair(
        config(), None, {"fn": "Maria Garcia Lopez", "emails": items("a@x.com")}
    )
    assert made.settle() == 1
    assert (made.left["first"], made.left["last"]) == ("Maria", "Garcia Lopez")
    made = Pair(config(), {"first": "Maria", "last": "Soto", "email": "a@x.com"})
    assert made.settle() == 1
    assert made.right["fn"] == "Maria Soto"


@pytest.mark.behaviour(18)
def test_b18_a_single_email_replaces_only_its_counterpart():
    pair = linked(right={"emails": items("work:z@x.com", "home:Ana@Example.com")})
    assert pair.left["email"] == "ana@example.com"
    pair.edit(LEFT, email="new@x.com")
    assert pair.settle() == 1
    assert pair.right["emails"] == items("work:z@x.com", "home:new@x.com")


@pytest.mark.behaviour(18)
def test_b18_the_first_email_goes_to_a_single_field():
    pair = Pair(config(), None, {"emails": items("one@x.com", "two@x.com")})
    assert pair.settle() == 1
    assert pair.left["email"] == "one@x.com"


@pytest.mark.behaviour(18)
def test_b18_an_email_edited_in_its_place_goes_to_the_single_field():
    pair = linked(right={"emails": items("z@x.com", "ana@example.com")})
    pair.edit(RIGHT, emails=items("z@x.com", "new@x.com"))
    assert pair.settle() == 1
    assert pair.left["email"] == "new@x.com"


@pytest.mark.behaviour(18)
def test_b18_labels_and_extra_phones_of_the_other_side_survive():
    pair = linked(
        {"phones": items("mobile:+1 202 555 0101")},
        {"tel": items("iphone:+12025550101", "pager:+12025550199")},
    )
    pair.edit(LEFT, phones=(Item(value="+1 202 555 0102", label="mobile"),))
    pair.settle()
    assert items("iphone:+1 202 555 0102")[0] in pair.right["tel"]
    pair.edit(LEFT, phones=items("home:+12025550102"))
    pair.settle()
    assert (
        items("home:+1 202 555 0102")[0] in pair.right["tel"]
        or items("home:+12025550102")[0] in pair.right["tel"]
    )


@pytest.mark.behaviour(18)
@pytest.mark.parametrize("winner", [LEFT, RIGHT])
def test_b18_a_phone_that_had_no_room_goes_across_once_there_is_some(winner):
    """Full with three, one more came on the right; then one went on the left.

    What had not fitted was forgotten, and both sides told different numbers for ever.
    """
    three = items("a:+12025550101", "b:+12025550102", "c:+12025550103")
    pair = linked({"phones": three}, {"tel": three}, winner=winner)
    pair.edit(RIGHT, tel=(*three, *items("d:+12025550104")))
    assert pair.settle() == 0, "there is no room"
    pair.edit(LEFT, phones=pair.left["phones"][1:])
    assert pair.settle() == 2
    numbers = ["+12025550102", "+12025550103", "+12025550104"]
    assert [i.value for i in pair.left["phones"]] == numbers
    assert [i.value for i in pair.right["tel"]] == numbers
    assert pair.settle() == 0


@pytest.mark.parametrize("winner", [LEFT, RIGHT])
def test_b34_a_number_replaced_here_and_labelled_anew_there_is_one_number(winner):
    """Each side kept a label of its own for it, for ever, and nobody was told."""
    pair = linked(
        {"phones": items("home:+12025550101")},
        {"tel": items("home:+12025550101")},
        winner=winner,
    )
    pair.edit(LEFT, phones=items("home:+12025550102"))
    pair.edit(RIGHT, tel=items("work:+12025550101"))
    pair.settle()
    assert pair.left["phones"] == items("home:+12025550102")
    assert pair.right["tel"] == items("home:+12025550102")
    assert pair.losses


def test_b18_phones_go_to_single_fields_by_label():
    settings = config(NEWSLETTER, SLOTTED)
    phones = items("home:+12025550101", "mobile:+12025550102", "other:+12025550103")
    pair = Pair(settings, {"email": "a@x.com", "phones": phones})
    assert pair.settle() == 1
    assert pair.right["home"] == "+12025550101"
    assert pair.right["mobile"] == "+12025550102"
    assert pair.right["work"] is None
    pair.edit(RIGHT, mobile="+12025550104", work="+12025550105")
    assert pair.settle() == 1
    assert pair.left["phones"] == items(
        "home:+12025550101", "mobile:+12025550104", "other:+12025550103"
    ), "there is room for three only, and what is there stays"


@pytest.mark.behaviour(20)
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


@pytest.mark.behaviour(20)
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


@pytest.mark.behaviour(21)
def test_b21_a_link_survives_a_changed_email():
    pair = linked()
    pair.edit(LEFT, email="new@x.com")
    assert pair.settle() == 1
    assert pair.right["emails"] == items("new@x.com")
    assert pair.link.state is RecordState.IN_SYNC


@pytest.mark.behaviour(21)
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


@pytest.mark.behaviour(22)
def test_b22_without_avoiding_duplicates_a_contact_without_email_is_created():
    pair = Pair(config(avoids_duplicates=False), {"first": "Ana"})
    assert pair.settle() == 1
    assert pair.right["fn"] == "Ana"
    pair = Pair(config(avoids_duplicates=True), {"first": "Ana"})
    assert pair.settle() == 0
    assert pair.link.reason == Reason.NO_EMAIL


@pytest.mark.behaviour(28)
def test_b28_no_difference_no_write():
    pair = maria()
    assert pair.settle() == 0
    pair.edit(RIGHT, fn="Maria  Garcia Lopez ", emails=items("x:ANA@example.com"))
    assert pair.settle() == 0, "the same in other letters is no difference"


@pytest.mark.behaviour(28)
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


@pytest.mark.behaviour(28)
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


@pytest.mark.behaviour(29)
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


@pytest.mark.behaviour(32)
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


@pytest.mark.behaviour(32)
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


@pytest.mark.behaviour(33)
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


@pytest.mark.behaviour(33)
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


@pytest.mark.behaviour(34)
def test_b34_different_fields_changed_on_two_sides_are_both_kept():
    pair = maria()
    pair.edit(LEFT, job="Engineer", first="Ana")
    pair.edit(RIGHT, org="Acme", fn="Maria Garcia Soto")
    assert pair.settle() == 2
    assert (pair.left["company"], pair.right["title"]) == ("Acme", "Engineer")
    assert pair.right["fn"] == "Ana Garcia Soto"
    assert (pair.left["first"], pair.left["last"]) == ("Ana", "Garcia Soto")
    assert pair.losses == []


@pytest.mark.behaviour(34)
def test_b34_the_same_change_on_both_sides_is_no_conflict():
    pair = maria()
    pair.edit(LEFT, job="Engineer", phones=items("home:+1 202 555 0101"))
    pair.edit(RIGHT, title=" Engineer ", tel=items("cell:+12025550101"))
    assert pair.settle() == 0
    assert pair.losses == []


@pytest.mark.behaviour(34)
def test_b34_phones_added_on_both_sides_are_on_both():
    """The first write must not take the other side's addition for agreed."""
    pair = linked()
    pair.edit(LEFT, phones=items("home:+12025550101"))
    pair.edit(RIGHT, tel=items("cell:+12025550102"))
    assert pair.settle() == 2
    assert {i.value for i in pair.left["phones"]} == {"+12025550101", "+12025550102"}
    assert {i.value for i in pair.right["tel"]} == {"+12025550101", "+12025550102"}


@pytest.mark.behaviour(36)
@pytest.mark.behaviour(38)
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


@pytest.mark.behaviour(38)
def test_b38_a_contact_that_comes_back_is_merged_as_at_first():
    pair = maria()
    pair.mark(RIGHT, Presence.DELETED)
    pair.settle()
    pair.edit(LEFT, job="Engineer", last=None)
    pair.mark(RIGHT, Presence.LIVE)
    pair.settle()
    assert pair.right["title"] == "Engineer"
    assert pair.left["last"] == "Garcia Lopez", "what was empty is filled, not cleared"


@pytest.mark.behaviour(39)
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
