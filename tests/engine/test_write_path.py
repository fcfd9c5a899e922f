"""What follows from each answer to a write, above all from none."""

import msgspec
import pytest

from proto.connector import Capabilities, WriteKind, WriteOutcome
from proto.errors import ErrorCode
from proto.reconciler import RecordState, Side
from proto.record import Presence
from services.reconciler.engine import match, patience
from services.reconciler.engine.model import Reason
from tests.engine import world
from tests.engine.world import LOOK, Pair, config, items

LEFT, RIGHT = Side.LEFT, Side.RIGHT


def tidied(text: str) -> str:
    """Return a text with single spaces and a capital in the beginning."""
    text = " ".join(text.split())
    return text[:1].upper() + text[1:]


def edited() -> Pair:
    pair = Pair(config(), {"email": "a@x.com", "first": "Ana"})
    pair.settle()
    pair.writes.clear()
    pair.edit(LEFT, job="Engineer")
    return pair


def test_nothing_is_planned_while_an_intent_is_open():
    pair = edited()
    assert pair.plan().intent is not None
    pair.edit(LEFT, job="Boss")
    assert pair.plan().intent is None


@pytest.mark.parametrize(
    "outcome",
    [WriteOutcome.CHANGED, WriteOutcome.SOURCE_CHANGED, WriteOutcome.STALE],
)
def test_a_write_that_was_not_made_is_planned_again_from_what_is(outcome):
    pair = edited()
    intent = pair.plan().intent
    pair.edit(LEFT, job="Boss")
    folded = pair.answer(intent, outcome)
    assert folded.intent is None
    assert not folded.is_written
    assert pair.settle() == 1
    assert pair.right["title"] == "Boss"


def test_writes_that_come_to_nothing_again_and_again_slow_down():
    pair = edited()
    for _ in range(patience.DEAD_IN_A_ROW_MAX):
        pair.answer(pair.plan().intent, WriteOutcome.STALE)
    delays = []
    for _ in range(4):
        delays.append((pair.link.retry_at - pair.now).total_seconds())
        assert pair.plan().intent is None
        pair.now = pair.link.retry_at
        pair.answer(pair.plan().intent, WriteOutcome.STALE)
    assert delays == [15, 30, 60, 120]


def test_an_unknown_outcome_waits_for_the_app_to_settle_and_is_looked_at():
    pair = edited()
    intent = pair.plan().intent
    folded = pair.answer(intent, WriteOutcome.UNKNOWN, sent_at=pair.now)
    assert folded.intent == intent
    assert (folded.look_at - pair.now).total_seconds() == 5
    assert pair.plan().intent is None, "nothing is sent again blindly"


def test_a_look_that_finds_the_write_confirms_it():
    pair = edited()
    intent = pair.plan().intent
    pair.answer(intent, WriteOutcome.UNKNOWN)
    record = pair.apply(intent)
    folded = pair.answer(intent, WriteOutcome.EXISTS, kind=LOOK, record=record)
    assert folded.is_written
    assert pair.settle() == 0


@pytest.mark.parametrize("is_create", [True, False])
@pytest.mark.parametrize(
    ("long", "length"),
    [
        ("Head of research and of much else", 16),
        ("  Head  of research and of much else", 16),
        ("Head  of research", 99),
        ("head of research", 99),
    ],
)
def test_a_look_that_finds_a_text_rewritten_does_not_rewrite_it_on_the_other_side(
    is_create, long, length
):
    """What it shows counted as an edit of what was meant (seeds 577, 824, 910, 146)."""
    pair = edited()
    if is_create:
        pair = Pair(config(), {"email": "a@x.com", "first": "Ana"})
    pair.edit(LEFT, job=long)
    pair.normalise[RIGHT] = lambda fields: {
        **fields,
        "title": fields["title"] and tidied(fields["title"])[:length],
    }
    intent = pair.plan().intent
    pair.answer(intent, WriteOutcome.UNKNOWN)
    record = pair.apply(intent)
    folded = pair.answer(intent, WriteOutcome.EXISTS, kind=LOOK, record=record)
    assert folded.is_written
    assert pair.settle() == 0
    assert pair.left["job"] == long


def test_a_look_that_finds_part_of_a_write_edited_since_knows_the_rest():
    """What was cleared meanwhile came back, as nothing empty wins (seed 969)."""
    pair = edited()
    pair.edit(LEFT, company="Acme")
    intent = pair.write_unheard()
    pair.edit(RIGHT, title="Boss")
    pair.edit(LEFT, company=None)
    folded = pair.look(intent)
    assert not folded.is_written
    pair.settle()
    assert pair.right["org"] is None
    assert pair.left["job"] == pair.right["title"] == "Engineer", "in conflict"


def test_a_look_that_finds_how_the_text_began_before_plans_again():
    """A text was made longer, and the write of it came to nothing."""
    pair = edited()
    pair.settle()
    pair.edit(LEFT, job="Engineer of much else")
    intent = pair.plan().intent
    pair.answer(intent, WriteOutcome.UNKNOWN)
    pair.look(intent)
    assert pair.settle() == 1
    assert pair.right["title"] == "Engineer of much else"


@pytest.mark.parametrize("winner", [LEFT, RIGHT])
def test_a_look_that_finds_a_few_letters_finds_an_edit(winner):
    """No app cuts so much off; the edit went as if it had, without a word (I3)."""
    pair = world.linked({"job": "Owner"}, {"title": "Owner"}, winner=winner)
    pair.edit(LEFT, job="Acme Inc")
    intent = pair.write_unheard()
    pair.edit(RIGHT, title="Acme")
    pair.look(intent)
    assert pair.settle() == 1
    told, kept = ("Acme Inc", "Acme") if winner is LEFT else ("Acme", "Acme Inc")
    assert pair.left["job"] == pair.right["title"] == told
    assert kept in [v for loss in pair.losses for v in loss.values.values()]


@pytest.mark.parametrize("winner", [LEFT, RIGHT])
def test_another_winner_says_nothing_of_writes_that_were_decided_before(winner):
    """The edit that gave way counted as one still to be carried (seed 743).

    What the app made of the value that won went back in its stead, cut short.
    """
    pair = world.linked({"job": "Owner"}, {"title": "Owner"}, winner=winner)
    sides = {LEFT: "job", RIGHT: "title"}
    loser = RIGHT if winner is LEFT else LEFT
    for side, field_id in sides.items():
        pair.edit(side, **{field_id: f"The {side} one of many"})
    pair.normalise[loser] = lambda fields: {
        **fields,
        sides[loser]: fields[sides[loser]][:12],
    }
    intent = pair.plan().intent
    pair.config = config(winner=loser, version=2)
    pair.answer(intent, WriteOutcome.WRITTEN, record=pair.apply(intent))
    assert pair.settle() == 0
    assert pair.records[winner].fields[sides[winner]] == f"The {winner} one of many"


def test_a_look_that_finds_a_later_edit_does_not_take_it_for_the_write():
    pair = edited()
    intent = pair.write_unheard()
    pair.edit(RIGHT, org="Acme", title="Engineer")
    folded = pair.look(intent)
    assert folded.is_written
    assert pair.settle() == 1
    assert pair.left["company"] == "Acme"


def test_a_look_that_finds_the_old_value_plans_again():
    pair = edited()
    intent = pair.plan().intent
    pair.answer(intent, WriteOutcome.UNKNOWN)
    folded = pair.look(intent)
    assert folded.intent is None
    assert not folded.is_written
    assert folded.losses == ()
    assert pair.settle() == 1


def test_a_look_that_finds_the_old_value_in_another_version_keeps_it_in_history():
    """The write landed late, and somebody put the old value back (seed 171).

    What was planned again overwrote that edit without a word: only the version of the
    record tells that there may have been one.
    """
    pair = world.linked({"job": "Owner"}, {"title": "Owner"})
    pair.edit(LEFT, job="Engineer")
    intent = pair.plan().intent
    pair.answer(intent, WriteOutcome.UNKNOWN)
    record = msgspec.structs.replace(pair.records[RIGHT], version="two edits later")
    folded = pair.answer(intent, WriteOutcome.EXISTS, kind=LOOK, record=record)
    [loss] = folded.losses
    assert (loss.side, loss.values) == (RIGHT, {"title": "Owner"})
    assert pair.settle() == 1
    assert pair.right["title"] == "Engineer"


def test_looks_without_an_answer_are_fewer_and_fewer_and_in_the_end_shown():
    pair = edited()
    folded = pair.answer(pair.plan().intent, WriteOutcome.UNKNOWN)
    delays = []
    for _ in range(patience.LOOKS_UNTIL_HELD):
        folded = pair.answer(folded.intent, WriteOutcome.UNKNOWN, kind=LOOK)
        delays.append(folded.look_at - pair.now)
    assert delays == sorted(delays)
    assert delays[0] < delays[-1]
    assert pair.link.reason == Reason.OUTCOME_UNKNOWN
    record = pair.apply(folded.intent)
    pair.answer(folded.intent, WriteOutcome.EXISTS, kind=LOOK, record=record)
    assert pair.settle() == 0
    assert pair.link.state is RecordState.IN_SYNC


def test_a_create_without_an_answer_is_found_or_planned_again_with_its_marker():
    pair = Pair(config(), {"email": "a@x.com", "first": "Ana"})
    intent = pair.plan().intent
    pair.answer(intent, WriteOutcome.UNKNOWN)
    folded = pair.answer(intent, WriteOutcome.MISSING, kind=LOOK)
    assert folded.intent is None
    again = pair.plan().intent
    assert again.kind is WriteKind.CREATE
    assert again.marker == intent.marker == "0001"
    pair.answer(again, WriteOutcome.UNKNOWN)
    record = pair.apply(again)
    folded = pair.answer(again, WriteOutcome.EXISTS, kind=LOOK, record=record)
    assert folded.is_written
    assert pair.link.right_id == "r1"
    assert pair.settle() == 0


@pytest.mark.parametrize("outcome", [WriteOutcome.WRITTEN, WriteOutcome.EXISTS])
def test_who_may_have_been_made_is_nobody_s_concern_once_that_is_known(outcome):
    """A record stayed parked for a create that had been answered long ago."""
    pair = Pair(config(), {"email": "a@x.com", "first": "Ana"})
    intent = pair.plan().intent
    pair.link = msgspec.structs.replace(pair.link, parked_id="r2", met_id="r3")
    pair.answer(intent, outcome, record=pair.apply(intent))
    assert (pair.link.parked_id, pair.link.met_id) == (None, None)
    parked = msgspec.structs.replace(pair.link, parked_id="r2", met_id="r3")
    bound = match.rebind(parked, RIGHT, record_id="r2")
    assert (bound.parked_id, bound.met_id) == (None, None)


@pytest.mark.parametrize("keeps_marks", [False, True])
@pytest.mark.parametrize(
    "outcome", [WriteOutcome.STALE, WriteOutcome.REFUSED, WriteOutcome.UNKNOWN]
)
def test_who_reads_like_a_create_is_nobody_s_concern_once_none_was_made(
    outcome, keeps_marks
):
    """A mark tells whom an earlier create of the link has made, and stays."""
    able = Capabilities(settle_s=5, keeps_marks=keeps_marks)
    settings = config(right_more={"capabilities": able})
    pair = Pair(settings, {"email": "a@x.com", "first": "Ana"})
    intent = pair.plan().intent
    pair.link = msgspec.structs.replace(pair.link, parked_id="r2", met_id="r3")
    pair.answer(intent, outcome)
    is_kept = keeps_marks or outcome is WriteOutcome.UNKNOWN
    assert pair.link.parked_id == ("r2" if is_kept else None)
    assert pair.link.met_id == ("r3" if is_kept else None)


def test_an_edit_made_before_a_lost_create_was_found_is_not_lost():
    pair = Pair(config(), {"email": "a@x.com", "first": "Ana"})
    intent = pair.write_unheard()
    pair.edit(RIGHT, org="Acme")
    pair.look(intent)
    assert pair.settle() == 1
    assert pair.left["company"] == "Acme"


def test_a_create_that_was_deleted_before_it_was_found_stays_deleted():
    pair = Pair(config(), {"email": "a@x.com"})
    intent = pair.write_unheard()
    pair.mark(RIGHT, Presence.DELETED)
    pair.look(intent)
    assert pair.link.state is RecordState.DELETED
    assert pair.settle() == 0


@pytest.mark.parametrize("kind", [WriteKind.UPDATE, WriteKind.LOOK])
def test_a_missing_target_is_bound_until_it_is_known_to_be_gone(kind):
    """An app may not know a record for a while (hazard 70).

    Its survivor was given to somebody else meanwhile, and the record made anew on the
    survivor's side once the app knew it again (hazard 72, seed 3117).
    """
    pair = edited()
    pair.answer(pair.plan().intent, WriteOutcome.MISSING, kind=kind)
    assert all(match.keeps(pair.link, side) for side in (LEFT, RIGHT))
    assert pair.link.state is RecordState.PENDING
    pair.mark(RIGHT, Presence.DELETED)
    assert pair.settle() == 0
    assert pair.link.state is RecordState.DELETED
    assert pair.link.reason == Reason.DELETED_RIGHT


def test_a_missing_target_that_is_back_gets_what_it_missed():
    pair = edited()
    pair.answer(pair.plan().intent, WriteOutcome.MISSING)
    assert pair.settle() == 1
    assert pair.right["title"] == "Engineer"


def test_a_refusal_says_why():
    pair = edited()
    pair.answer(
        pair.plan().intent, WriteOutcome.REFUSED, reason=ErrorCode.VALUE_REFUSED
    )
    assert pair.link.reason == "value_refused"


def test_the_apps_own_answer_is_what_is_there_from_then_on():
    pair = edited()
    pair.normalise[RIGHT] = lambda fields: {**fields, "title": "ENGINEER"}
    intent = pair.plan().intent
    pair.answer(intent, WriteOutcome.WRITTEN, record=pair.apply(intent))
    assert pair.link.right.values["title"] == "ENGINEER"
    assert pair.link.left.values["job"] == "Engineer"


def test_written_without_a_record_is_not_believed():
    pair = edited()
    folded = pair.answer(pair.plan().intent, WriteOutcome.WRITTEN)
    assert folded.look_at is not None


def test_an_intent_says_what_was_and_what_is_to_be():
    pair = edited()
    intent = pair.plan().intent
    assert intent.fields == {"title": "Engineer"}
    assert intent.seen == {"title": None}
    assert intent.source == {"job": "Engineer"}
    (change,) = intent.changes
    assert (change.before, change.after) == (None, "Engineer")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("x" * 51, Reason.TOO_LONG),
        ("a\0b", Reason.BAD_TEXT),
        ("a\ud800b", Reason.BAD_TEXT),
    ],
)
def test_a_value_that_cannot_be_written_is_held_and_the_others_go(value, reason):
    pair = edited()
    pair.settle()
    pair.edit(RIGHT, title=value, org="Acme")
    assert pair.settle() == 1
    assert pair.left["company"] == "Acme"
    assert pair.left["job"] == "Engineer"
    assert pair.link.state is RecordState.HELD
    assert [(h.mapping_id, h.reason) for h in pair.link.held] == [("job_title", reason)]
    pair.edit(RIGHT, title="Boss")
    assert pair.settle() == 1
    assert pair.link.state is RecordState.IN_SYNC


def test_what_the_target_has_no_room_for_is_no_difference():
    tel = items("a:+12025550101", "b:+12025550102", "c:+12025550103", "d:+12025550104")
    pair = Pair(config(), None, {"emails": items("a@x.com"), "tel": tel})
    assert pair.settle() == 1
    assert len(pair.left["phones"]) == 3
    assert pair.link.state is RecordState.IN_SYNC
    assert pair.settle() == 0


@pytest.mark.parametrize("held", ["1990-05-03", "--05-03"])
def test_a_birthday_keeps_the_year_that_only_one_side_knows(held):
    pair = Pair(
        config(),
        {"email": "a@x.com", "birthday": "--05-03"},
        {"emails": items("a@x.com"), "bday": held},
    )
    assert pair.settle() == 0
    pair.edit(LEFT, birthday="--06-04")
    assert pair.settle() == 1
    assert pair.right["bday"] == held.replace("05-03", "06-04")
    if held.startswith("1990"):
        pair.edit(RIGHT, bday="1991-06-04")
        assert pair.settle() == 0, "the other side does not keep years"


def test_a_day_without_year_goes_only_where_it_fits():
    left = {"email": "a@x.com", "birthday": "--05-03"}
    pair = Pair(config(), left)
    pair.settle()
    assert pair.right["bday"] == "--05-03"
    strict = tuple(
        msgspec.structs.replace(f, is_year_optional=False) for f in world.CARDS
    )
    pair = Pair(config(world.NEWSLETTER, strict), left)
    assert pair.settle() == 1
    assert pair.right["bday"] is None
    assert pair.link.state is RecordState.IN_SYNC


def test_a_field_that_is_absent_is_not_an_edit():
    pair = edited()
    pair.settle()
    record = pair.records[LEFT]
    fields = {k: v for k, v in record.fields.items() if k != "job"}
    pair.records[LEFT] = msgspec.structs.replace(record, fields=fields)
    assert pair.settle() == 0
    assert pair.right["title"] == "Engineer"


def test_a_mapping_that_is_switched_on_later_starts_as_a_first_match():
    pair = Pair(config(off=("job_title",)), {"email": "a@x.com", "job": "Engineer"})
    pair.settle()
    pair.config = config(version=2)
    pair.edit(RIGHT, org="Acme")
    assert pair.settle() == 2
    assert pair.right["title"] == "Engineer"


def test_a_value_that_an_app_refuses_stops_no_other_field():
    """A city of 60 letters was refused, and with it every later edit of the contact.

    The refused mapping went along in each new try, so the whole link failed until
    the city was mended; now it is tried by itself, after everything else.
    """
    pair = edited()
    pair.edit(LEFT, company="Acme")
    intent = pair.plan().intent
    assert set(intent.fields) == {"title", "org"}
    refused = {"reason": ErrorCode.VALUE_REFUSED, "field": "title"}
    pair.answer(intent, WriteOutcome.REFUSED, **refused)

    intent = pair.plan().intent
    assert set(intent.fields) == {"org"}
    record = pair.apply(intent)
    pair.answer(intent, WriteOutcome.WRITTEN, record=record)
    assert pair.right["org"] == "Acme"
    assert [hold.reason for hold in pair.link.held] == [ErrorCode.VALUE_REFUSED]

    intent = pair.plan().intent
    assert set(intent.fields) == {"title"}, "the record changed: one more try"
    pair.answer(intent, WriteOutcome.REFUSED, **refused)
    assert pair.link.state is RecordState.FAILED
    assert pair.plan().intent is None, "until a record changes or the wait is over"

    pair.edit(LEFT, job="Boss", company="Other")
    assert pair.settle() == 2
    assert (pair.right["title"], pair.right["org"]) == ("Boss", "Other")
    assert pair.link.state is RecordState.IN_SYNC


def test_a_contact_is_created_without_the_value_that_an_app_refuses():
    """The same for a create: the rest of the person is worth having."""
    pair = Pair(config(), {"email": "a@x.com", "first": "Ana", "job": "Pilot"})
    refused = {"reason": ErrorCode.VALUE_REFUSED, "field": "title"}
    pair.answer(pair.plan().intent, WriteOutcome.REFUSED, **refused)
    intent = pair.plan().intent
    assert intent.kind is WriteKind.CREATE
    assert "title" not in intent.fields
    record = pair.apply(intent)
    pair.answer(intent, WriteOutcome.WRITTEN, record=record)
    intent = pair.plan().intent
    assert set(intent.fields) == {"title"}
    pair.answer(intent, WriteOutcome.REFUSED, **refused)
    assert pair.link.state is RecordState.FAILED
    assert [hold.mapping_id for hold in pair.link.held] == ["job_title"]


def test_a_create_whose_email_is_refused_waits_as_a_whole():
    """Without the address there would be nobody to create."""
    pair = Pair(config(), {"email": "a@x.com", "first": "Ana", "job": "Pilot"})
    refused = {"reason": ErrorCode.VALUE_REFUSED, "field": "emails"}
    pair.answer(pair.plan().intent, WriteOutcome.REFUSED, **refused)
    assert pair.link.state is RecordState.FAILED
    assert pair.plan().intent is None
    pair.now = pair.link.retry_at
    assert pair.plan().intent is not None


def test_a_refusal_does_not_hide_what_is_held_besides():
    """A person was shown the email that was refused, and not the date that was held."""
    pair = edited()
    pair.edit(LEFT, company="Acme")
    pair.edit(RIGHT, anniv="--05-03")
    refused = {"reason": ErrorCode.VALUE_REFUSED, "field": "title"}
    for _ in range(3):
        intent = pair.plan().intent
        if "title" in intent.fields:
            pair.answer(intent, WriteOutcome.REFUSED, **refused)
        else:
            record = pair.apply(intent)
            pair.answer(intent, WriteOutcome.WRITTEN, record=record)
    held = {hold.mapping_id: hold.reason for hold in pair.link.held}
    assert held == {
        "anniversary": Reason.BAD_VALUE,
        "job_title": ErrorCode.VALUE_REFUSED,
    }


def test_a_refused_write_does_not_hold_up_the_other_side():
    """What the left had to get waited for hours with what the right refused."""
    pair = edited()
    pair.edit(RIGHT, org="Acme")
    intent = pair.plan().intent
    assert intent.side is RIGHT
    pair.answer(intent, WriteOutcome.REFUSED)
    assert pair.link.state is RecordState.FAILED
    due = pair.link.retry_at

    intent = pair.plan().intent
    assert (intent.side, set(intent.fields)) == (LEFT, {"company"})
    record = pair.apply(intent)
    pair.answer(intent, WriteOutcome.WRITTEN, record=record)
    assert pair.plan().intent is None, "what was refused has its own time"
    assert (pair.link.state, pair.link.retry_at) == (RecordState.FAILED, due)

    pair.now = due
    intent = pair.plan().intent
    assert set(intent.fields) == {"title"}
    pair.answer(intent, WriteOutcome.REFUSED)
    assert pair.plan().intent is None
    assert pair.link.retry_at - pair.now > due - world.NOW
    pair.edit(LEFT, job="Boss")
    assert pair.settle() == 1
    assert (pair.link.state, pair.link.refusals) == (RecordState.IN_SYNC, ())


def test_writes_that_are_refused_one_after_the_other_come_to_rest():
    """Each is another write: none of them may set the others free again."""
    pair = edited()
    pair.edit(LEFT, company="Acme")
    refused = {"reason": ErrorCode.VALUE_REFUSED, "field": "title"}
    pair.answer(pair.plan().intent, WriteOutcome.REFUSED, **refused)
    pair.answer(pair.plan().intent, WriteOutcome.REFUSED)
    pair.answer(pair.plan().intent, WriteOutcome.REFUSED, **refused)
    assert pair.plan().intent is None
    assert len(pair.link.refusals) == 2
    assert pair.link.retry_at == min(each.retry_at for each in pair.link.refusals)
