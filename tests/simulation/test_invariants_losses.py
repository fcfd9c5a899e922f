"""I3 sees histories in which an edit is lost, or is not."""

from typing import Any

import msgspec
import pytest

from proto.fields import Role
from proto.reconciler import Side
from services.reconciler.engine.model import Cause
from tests.simulation.hand_made import ROLES, History, intent, job
from tests.simulation.invariants import denials, losses
from tests.simulation.invariants.truth import Wrong
from tests.simulation.ledger import Cause as Why
from tests.simulation.ledger import Who
from tests.simulation.vendors.api import Sight
from tests.simulation.vendors.forms import Forms

LEFT, RIGHT = Side.LEFT, Side.RIGHT


def lost(history: History, **more: Any) -> list[Wrong]:
    """Return what I3 says of a history."""
    return list(losses.check(history.after(**more), history.truth))


def conflict(history: History, *, read_s_ago: float = 0.1) -> tuple[str, str]:
    """Have both sides edited, and the right edit overwritten by the left one."""
    person, left, right = history.pair()
    mine, theirs = job(history, person), job(history, person)
    history.wait(5.0)
    history.edit(LEFT, left, job=mine)
    history.edit(RIGHT, right, job=theirs)
    history.wait(1.0)
    history.write(RIGHT, right, job=mine, read_s_ago=read_s_ago)
    return mine, theirs


def test_i3_an_edit_that_gave_way_without_a_word():
    history = History()
    conflict(history)
    assert len(lost(history)) == 1


def test_i3_an_edit_that_gave_way_and_is_kept():
    history = History()
    mine, theirs = conflict(history)
    history.lose(RIGHT, job=mine)
    assert len(lost(history)) == 1
    history.lose(RIGHT, job=theirs)
    assert lost(history) == []


def test_i3_an_edit_between_our_read_and_our_write_is_counted():
    history = History()
    conflict(history, read_s_ago=3.0)
    assert lost(history) == []
    assert history.truth.exempt == {losses.RACE: 1}


def test_i3_an_edit_that_went_across_and_was_overwritten_there():
    history = History()
    person, left, right = history.pair()
    history.edit(LEFT, left, job=(first := job(history, person)))
    history.write(RIGHT, right, job=first)
    history.wait(300.0)
    history.edit(RIGHT, right, job=(second := job(history, person)))
    history.write(LEFT, left, job=second)
    assert lost(history) == []


def test_i3_a_long_value_that_came_back_cut():
    history = History(right={"forms": Forms(shortens_to=12)})
    person, left, right = history.pair()
    history.edit(LEFT, left, job=(long := job(history, person) + " and more"))
    history.write(RIGHT, right, job=long)
    cut = history.books[RIGHT].holders[right].now.fields["JOB_TITLE"]
    history.wait(5.0)
    history.write(LEFT, left, job=cut)
    assert len(lost(history)) == 1


def test_i3_a_value_that_was_rewritten_went_across_cut_and_was_overwritten_there():
    """Cut as it was entered, other letters of it are left (hazard 55).

    The vendor tidied the spaces up by itself, some time after the edit, and only then
    it went across.
    """
    tidies = Forms(trims=True, after_s=5.0)
    history = History(left={"forms": tidies}, right={"forms": Forms(shortens_to=14)})
    person, left, right = history.pair()
    entered, new = job(history, person), job(history, person)
    entered = f"  {entered}  and  more"
    history.edit(LEFT, left, job=entered)
    history.wait(10.0)
    history.write(RIGHT, right, job=tidies.of(Role.JOB_TITLE, entered))
    history.wait(300.0)
    history.edit(RIGHT, right, job=new)
    cut = history.books[RIGHT].holders[right].now.fields["JOB_TITLE"]
    history.write(LEFT, left, job=cut)
    assert lost(history) == []


@pytest.mark.parametrize("is_the_same", [True, False])
def test_i3_a_cut_value_that_a_merge_took_over_says_nothing_new(is_the_same):
    """Its whole was on the other side, and was edited there (seed 43269)."""
    history = History(right={"forms": Forms(shortens_to=14)})
    person, left, right = history.pair()
    long = f"{job(history, person)} and more"
    history.edit(LEFT, left, job=long)
    history.write(RIGHT, right, job=long)
    if not is_the_same:
        history.edit(RIGHT, right, job=job(history, person))
    heir = history.enter(RIGHT, person)
    history.books[RIGHT].merge(right, heir)
    history.link(left, heir)
    history.wait(300.0)
    new = job(history, person)
    history.edit(LEFT, left, job=new)
    history.write(RIGHT, heir, job=new)
    assert (lost(history) == []) == is_the_same


@pytest.mark.parametrize("is_read", [True, False])
@pytest.mark.parametrize("is_cleared", [True, False])
def test_i3_only_what_is_cleared_right_after_a_write_may_come_back(is_cleared, is_read):
    """Before the read after it: it may as well be what the app has dropped."""
    history = History(right={"tells_writes": False})
    person, left, right = history.pair()
    first = job(history, person)
    history.edit(LEFT, left, job=first)
    history.wait(300.0)
    history.write(RIGHT, right, job=first)
    if is_read:
        history.wait(0.1)
        history.read(RIGHT, right)
    history.wait(0.1)
    history.edit(RIGHT, right, job=None if is_cleared else job(history, person))
    history.wait(0.1)
    history.read(RIGHT, right)
    history.wait(300.0)
    history.write(RIGHT, right, job=first)
    assert len(lost(history)) == (is_read or not is_cleared)
    is_counted = is_cleared and not is_read
    assert history.truth.exempt == ({losses.DROPPED: 1} if is_counted else {})


@pytest.mark.parametrize("entered_again", ["before", "after", "never"])
def test_i3_a_cleared_value_that_came_back(entered_again):
    """What was entered after our write is no reason for it."""
    history = History()
    person, left, right = history.pair()
    history.edit(LEFT, left, job=(value := job(history, person)))
    history.write(RIGHT, right, job=value)
    history.wait(5_000.0)
    history.edit(RIGHT, right, job=None)
    for moment in ("before", "after"):
        if entered_again == moment:
            history.edit(LEFT, left, job=None)
            history.edit(LEFT, left, job=value)
        history.wait(5.0)
        if moment == "before":
            history.write(RIGHT, right, job=value)
            history.wait(5.0)
    assert (lost(history) == []) == (entered_again == "before")


@pytest.mark.parametrize("told", [(), (LEFT,), (RIGHT,), (LEFT, RIGHT)])
def test_i3_a_cleared_value_that_had_been_entered_on_both_sides(told):
    """An account may be lost for minutes, on either side (seeds 2092 and 100034).

    Where we have not heard of both meanwhile, the clearing meets an edit that is still
    to be carried (behaviour 33).
    """
    history = History()
    person, left, right = history.pair()
    history.tell(LEFT, left)
    history.tell(RIGHT, right)
    history.wait(1.0)
    history.edit(LEFT, left, job=(value := job(history, person)))
    history.edit(RIGHT, right, job=value)
    history.wait(100.0)
    for side in told:
        history.tell(side, left if side is LEFT else right)
    history.wait(100.0)
    history.edit(RIGHT, right, job=None)
    history.wait(100.0)
    history.tell(LEFT, left)
    history.tell(RIGHT, right)
    history.write(RIGHT, right, job=value)
    assert len(lost(history)) == (told == (LEFT, RIGHT))


@pytest.mark.parametrize(
    ("state", "closed_after_s", "is_fine"),
    [("dead", 20.0, True), ("dead", 5.0, False), ("done", 20.0, False)],
)
def test_i3_a_value_cleared_while_the_same_one_was_on_its_way(
    state, closed_after_s, is_fine
):
    """What we had not heard of for minutes gave way to it (behaviour 33, seed 5216)."""
    history = History()
    person, left, right = history.pair()
    history.edit(LEFT, left, job=(value := job(history, person)))
    history.wait(5_000.0)
    history.edit(RIGHT, right, job=value)
    planned = intent(history, state=state, JOB_TITLE=value)
    closed_at = history.time + closed_after_s
    planned = msgspec.structs.replace(planned, closed_at=closed_at)
    history.wait(10.0)
    history.edit(RIGHT, right, job=None)
    history.wait(200.0)
    history.write(RIGHT, right, job=value)
    assert (lost(history, intents=(planned,)) == []) == is_fine


@pytest.mark.parametrize(
    ("waited_s", "is_entered_again", "is_fine"),
    [(5_000.0, False, False), (5_000.0, True, True), (5.0, False, True)],
)
def test_i3_an_edit_that_met_no_other_and_was_undone(
    waited_s, is_entered_again, is_fine
):
    """Who alone edits is right, although the other side wins conflicts.

    Where the two have just been linked, nobody is alone.
    """
    history = History(left={"forms": Forms(shortens_to=16)})
    person, left, right = history.pair(job=(old := job(history, 1) + " and more"))
    old_here = history.books[LEFT].holders[left].now.fields["job_title"]
    history.wait(waited_s)
    history.edit(LEFT, left, job=(mine := job(history, person)))
    if is_entered_again:
        history.wait(5.0)
        history.edit(RIGHT, right, job=None)
        history.edit(RIGHT, right, job=old)
    history.wait(5.0)
    history.write(LEFT, left, job=old)
    assert history.books[LEFT].holders[left].now.fields["job_title"] == old_here
    history.lose(LEFT, job=mine)
    assert (lost(history) == []) == is_fine


@pytest.mark.parametrize("first_s_ago", [70.0, 40.0])
def test_i3_an_edit_that_met_who_had_to_be_believed_gone(first_s_ago):
    """Who is back is merged as at first (hazard 74), whoever made us believe it.

    Two answers a minute apart that an app does not know a record are a deletion
    (hazard 70). Nobody had deleted anything, so that nobody restored it (seed 61181).
    """
    history = History()
    person, left, right = history.pair(job=(old := job(history, 1)))
    history.wait(5_000.0)
    history.edit(RIGHT, right, job=(mine := job(history, person)))
    history.wait(100.0)
    calls = history.truth.calls(history.books[LEFT].place)
    calls.denied[left] += [history.time - first_s_ago, history.time - 5.0]
    calls.reads[left] += calls.denied[left]
    calls.appeared["a9"].append(history.time - 40.0)
    history.write(RIGHT, right, job=old)
    assert len(lost(history)) == 1
    history.lose(RIGHT, job=mine)
    assert (lost(history) == []) == (first_s_ago > denials.DENIALS_APART_S)


@pytest.mark.parametrize(
    ("is_known_gone", "is_cleared_later", "is_lost"),
    [(True, False, True), (False, False, False), (True, True, False)],
)
def test_i3_a_value_emptied_for_what_a_trash_left_out(
    is_known_gone, is_cleared_later, is_lost
):
    """Who is back is met anew (hazard 74), once we had stored that they were gone.

    Whoever clears a field after that means it.
    """
    history = History()
    _, left, right = history.pair(job=(old := job(history, 1)))
    history.wait(5_000.0)
    history.books[LEFT].delete(left)
    if is_known_gone:
        history.gone.add(history.key(LEFT, left))
    history.wait(30.0)
    history.books[LEFT].restore(left, without=["job_title"])
    if is_cleared_later:
        history.write(LEFT, left, job=old)
        history.wait(300.0)
        history.edit(LEFT, left, job=None)
    history.wait(20.0)
    history.write(RIGHT, right, job=None)
    [name] = history.fields(RIGHT, job=None)
    planned = intent(history, change={"before": old}, **{name: None})
    assert bool(lost(history, intents=(planned,))) == is_lost


def test_i3_who_was_gone_before_we_heard_of_making_it_was_not_known():
    """Seed 10343: its create was answered when it was there again."""
    history = History()
    person = history.person()
    left = history.enter(LEFT, person, job=(old := job(history, person)))
    right = history.make(RIGHT, job=old)
    history.books[RIGHT].delete(right)
    history.gone.add(history.key(RIGHT, right))
    history.books[RIGHT].restore(right, without=["JOB_TITLE"])
    history.link(left, right)
    history.write(LEFT, left, job=None)
    planned = intent(history, change={"before": old}, job_title=None)
    told = msgspec.structs.replace(planned.intent, record_id=left, side=LEFT)
    told = msgspec.structs.replace(told, source_id=right)
    planned = msgspec.structs.replace(planned, intent=told)
    assert lost(history, intents=(planned,)) == []


@pytest.mark.parametrize(("closed_s_ago", "is_fine"), [(10.0, True), (400.0, False)])
def test_i3_a_value_cleared_while_a_write_was_open_meets_what_came_before(
    closed_s_ago, is_fine
):
    """Nobody looked at the link in between (seed 660470)."""
    history = History()
    person, left, right = history.pair()
    history.wait(5_000.0)
    value = job(history, person)
    history.edit(RIGHT, right, job=value)
    history.wait(5.0)
    history.edit(LEFT, left, job=value)
    for side, record_id in ((LEFT, left), (RIGHT, right)):
        history.tell(side, record_id)
    busy = intent(history, given="x")
    history.wait(300.0)
    history.edit(LEFT, left, job=None)
    history.wait(20.0)
    history.write(LEFT, left, job=value)
    busy = msgspec.structs.replace(busy, closed_at=history.time - closed_s_ago)
    assert (lost(history, intents=(busy,)) == []) == is_fine


@pytest.mark.parametrize(
    ("left_s_ago", "right_s_ago", "is_fine"),
    [(400.0, 400.0, True), (200.0, 400.0, True), (200.0, 200.0, False)],
)
def test_i3_a_value_cleared_in_a_restored_record_comes_back_at_first(
    left_s_ago, right_s_ago, is_fine
):
    """Not once we have been shown both of them again: then it is an edit like any."""
    history = History()
    _, left, right = history.pair(job=(old := job(history, 1)))
    history.wait(5_000.0)
    history.books[LEFT].delete(left)
    history.wait(100.0)
    history.books[LEFT].restore(left)
    history.wait(300.0)
    history.edit(LEFT, left, job=None)
    told = (LEFT, left, left_s_ago), (RIGHT, right, right_s_ago)
    for side, record_id, told_s_ago in told:
        sight = Sight(history.time - 1.0, history.time - told_s_ago)
        place = history.owned.place(side)
        history.truth.calls(place).sights[record_id].append(sight)
    history.wait(5.0)
    history.write(LEFT, left, job=old)
    [name] = history.fields(LEFT, job=None)
    planned = intent(history, change={"cause": Cause.FIRST_MATCH}, **{name: old})
    written = msgspec.structs.replace(planned.intent, record_id=left, side=LEFT)
    planned = msgspec.structs.replace(planned, intent=written)
    assert (lost(history, intents=(planned,)) == []) == is_fine


@pytest.mark.parametrize("suspended", [Role.JOB_TITLE, Role.NAME_GIVEN, None])
def test_i3_a_cleared_value_comes_back_with_its_mapping_alone(suspended):
    """A mapping that comes back begins with a first match (hazard 76), no other."""
    history = History()
    person, left, right = history.pair()
    history.edit(LEFT, left, job=(value := job(history, person)))
    history.write(RIGHT, right, job=value)
    history.wait(5_000.0)
    if suspended is not None:
        history.suspend(suspended)
    history.edit(RIGHT, right, job=None)
    history.wait(5.0)
    if suspended is not None:
        history.resume()
    history.write(RIGHT, right, job=value)
    [name] = history.fields(RIGHT, job=None)
    change = {"cause": Cause.FIRST_MATCH}
    planned = intent(history, change=change, **{name: value})
    is_back = suspended is Role.JOB_TITLE
    assert (lost(history, intents=(planned,)) == []) == is_back


@pytest.mark.parametrize(
    ("off", "is_shown", "is_lost"),
    [
        (Role.JOB_TITLE, True, True),
        (Role.JOB_TITLE, False, False),
        (Role.NAME_GIVEN, True, False),
    ],
)
def test_i3_a_value_emptied_for_what_was_cleared_while_its_mapping_was_off(
    off, is_shown, is_lost
):
    """Unless we were shown that only when it was on again (seed 793)."""
    history = History()
    person, left, right = history.pair()
    history.edit(LEFT, left, job=(value := job(history, person)))
    history.write(RIGHT, right, job=value)
    wrongs = emptied(history, "job", value=value, off=off, is_shown=is_shown)
    assert wrongs == (["I3"] if is_lost else [])


@pytest.mark.parametrize("has_full", [False, True])
def test_i3_a_name_emptied_for_what_was_cleared_while_its_mapping_was_off(has_full):
    """Where a side has full names, one may leave a part of it empty elsewhere."""
    more = (Role.NAME_FULL,) if has_full else ()
    history = History(left={"roles": (*ROLES, *more)})
    history.pair(given=(value := history.value(Role.NAME_GIVEN, history.person())))
    wrongs = emptied(history, "given", value=value, off=Role.NAME_GIVEN)
    assert wrongs == ([] if has_full else ["I3"])


def emptied(history, name, *, value, off, is_shown=True):
    """Clear a field on the left of the first link; Tandem empties it on the right."""
    [link] = history.links
    history.suspend(off)
    history.wait(5.0)
    history.edit(LEFT, link.left_id, **{name: None})
    history.wait(10.0)
    if is_shown:
        place = history.books[LEFT].place
        history.truth.calls(place).appeared[link.left_id].append(history.time)
    history.wait(15.0)
    history.resume()
    history.write(RIGHT, link.right_id, **{name: None})
    [field_id] = history.fields(RIGHT, **{name: None})
    planned = intent(history, change={"before": value}, **{field_id: None})
    return [each.invariant for each in lost(history, intents=(planned,))]


@pytest.mark.parametrize("is_rewritten", [True, False])
def test_i3_a_cleared_value_that_the_vendor_on_the_other_side_rewrote(is_rewritten):
    """Both changed, and an empty value gives way (behaviour 33): so it came back."""
    history = History(right={"roles": (Role.EMAIL, Role.NAME_FULL, Role.JOB_TITLE)})
    person = history.person()
    value, family = (
        history.value(role, person) for role in (Role.NAME_GIVEN, Role.NAME_FAMILY)
    )
    left = history.enter(LEFT, person, given=value, family=family)
    right = history.make(RIGHT, FULL=f"{value} {family}")
    history.link(left, right)
    history.wait(5_000.0)
    history.edit(LEFT, left, given=None)
    if is_rewritten:
        fields = history.fields(RIGHT, FULL=f"{value.upper()} {family}")
        history.books[RIGHT].edit(right, fields, cause=Why(who=Who.VENDOR))
    history.wait(5.0)
    history.write(LEFT, left, given=value)
    assert (lost(history) == []) == is_rewritten


def test_i3_a_part_of_a_name_is_kept_with_a_part_that_came_across_since():
    history = History(right={"roles": (Role.EMAIL, Role.NAME_FULL, Role.JOB_TITLE)})
    person = history.person()
    given, mine = (history.value(Role.NAME_GIVEN, person) for _ in range(2))
    families = [history.value(Role.NAME_FAMILY, person) for _ in range(3)]
    left = history.enter(LEFT, person, given=given, family=families[0])
    right = history.make(RIGHT, FULL=f"{given} {families[0]}")
    history.link(left, right)
    history.edit(RIGHT, right, FULL=f"{given} {families[1]}")
    history.edit(LEFT, left, given=mine)
    history.wait(1.0)
    history.write(RIGHT, right, FULL=f"{mine} {families[1]}")
    history.edit(LEFT, left, family=families[2])
    history.wait(1.0)
    history.write(RIGHT, right, FULL=f"{mine} {families[2]}")
    assert len(lost(history)) == 1
    history.lose(RIGHT, FULL=f"{mine} {families[1]}")
    assert lost(history) == []


def test_i3_a_name_whose_other_part_was_edited_is_kept():
    history = History()
    person, left, right = history.pair()
    history.edit(LEFT, left, given=history.value(Role.NAME_GIVEN, person))
    family = history.value(Role.NAME_FAMILY, person)
    history.write(LEFT, left, family=family)
    history.write(RIGHT, right, family=family)
    assert lost(history) == []


def test_i3_a_field_mapped_by_hand_came_across_and_was_overwritten_there():
    history = History()
    person, left, right = history.pair()
    mine, theirs = (history.value(Role.UNKNOWN, person) for _ in range(2))
    history.edit(RIGHT, right, REF=mine)
    history.write(LEFT, left, ref=mine)
    history.edit(LEFT, left, ref=theirs)
    history.wait(30.0)
    history.write(RIGHT, right, REF=theirs)
    assert lost(history) == []


@pytest.mark.parametrize(("cause", "count"), [(Cause.RULE, 0), (Cause.CHANGED, 1)])
def test_i3_what_a_rule_was_told_to_overwrite_is_in_history(cause, count):
    """Setting a field is an order (behaviour 9); what was there can be put back."""
    history = History()
    person, _, right = history.pair()
    mine = history.value(Role.UNKNOWN, person)
    history.edit(RIGHT, right, REF=mine)
    history.wait(30.0)
    history.write(RIGHT, right, REF="set by a rule")
    planned = intent(history, REF="set by a rule")
    [change] = planned.intent.changes
    change = msgspec.structs.replace(change, before=mine, cause=cause)
    told = msgspec.structs.replace(planned.intent, changes=(change,))
    planned = msgspec.structs.replace(planned, intent=told)
    assert len(lost(history, intents=(planned,))) == count
