"""Each invariant of the end sees a history that breaks it."""

import datetime
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from proto.connector import WriteKind
from proto.fields import Role
from proto.ids import FieldId, IntentId, LinkId
from proto.reconciler import Direction, Side
from services.reconciler.engine.model import Cause, FieldChange, Intent
from tests.simulation.hand_made import CONNECTION, History
from tests.simulation.invariants import convergence, losses, rest
from tests.simulation.invariants.aftermath import Planned
from tests.simulation.invariants.truth import Wrong
from tests.simulation.ledger import Cause as Why
from tests.simulation.ledger import Who
from tests.simulation.vendors.forms import Forms

LEFT, RIGHT = Side.LEFT, Side.RIGHT
ATONCE = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def converge(history: History, **held: str) -> list[Wrong]:
    """Return what I1 says of a history."""
    return list(convergence.check(history.after(held), history.truth))


def lost(history: History, **more: Any) -> list[Wrong]:
    """Return what I3 says of a history."""
    return list(losses.check(history.after(**more), history.truth))


def restate(history: History, state: str, reason: str = "") -> None:
    """Have Tandem say something else of its only link."""
    history.links[0] = history.links[0]._replace(state=state, reason=reason)


def job(history: History, person: int) -> str:
    return history.value(Role.JOB_TITLE, person)


def intent(
    history: History,
    *,
    state: str = "done",
    change: Mapping[str, Any] = MappingProxyType({}),
    **changes: Any,
) -> Planned:
    """Return an intent about the right record of the first link."""
    values = {FieldId(name): value for name, value in changes.items()}
    return Planned(
        connection_id=CONNECTION,
        intent=Intent(
            intent_id=IntentId("int_1"),
            link_id=LinkId("link_1"),
            side=RIGHT,
            kind=WriteKind.UPDATE,
            record_id=history.links[0].right_id,
            fields=values,
            source_id=history.links[0].left_id,
            source={},
            source_read_at=ATONCE,
            mapping_ids=(),
            changes=tuple(
                FieldChange(
                    field_id=name,
                    mapping_id="m",
                    after=value,
                    **({"cause": Cause.CHANGED} | dict(change)),
                )
                for name, value in values.items()
            ),
            decided_at=ATONCE,
        ),
        state=state,
        decided_at=history.time,
    )


# I1


def test_i1_a_pair_in_step_is_fine():
    history = History()
    history.pair()
    assert converge(history) == []


def test_i1_a_pair_that_differs():
    history = History()
    person, left, _ = history.pair()
    history.edit(LEFT, left, job=job(history, person))
    assert len(converge(history)) == 1


def test_i1_a_pair_that_differs_as_far_as_a_vendor_rewrites_is_fine():
    history = History(right={"forms": Forms(trims=True, shortens_to=16)})
    person, left, right = history.pair()
    long = job(history, person) + "  of the long and winding list"
    history.edit(LEFT, left, job=long)
    history.write(RIGHT, right, job=long)
    assert converge(history) == []
    history.edit(LEFT, left, job=job(history, person))
    assert len(converge(history)) == 1


@pytest.mark.parametrize(("limit", "count"), [(10, 0), (0, 1)])
def test_i1_a_hold_counts_where_the_values_show_why(limit, count):
    history = History(right={"length_max": limit})
    person, left, _ = history.pair(given=None)
    history.edit(LEFT, left, given=history.value(Role.NAME_GIVEN, person) + "x" * 20)
    restate(history, "held", "too_long")
    wrongs = converge(history, **{"name.given": "too_long"})
    assert (len(wrongs) > 0) == bool(count)


@pytest.mark.parametrize(
    ("limit", "more", "is_fine"),
    [(18, {}, True), (40, {}, False), (18, {"job": "Chef"}, False)],
)
def test_i1_nobody_is_made_of_what_is_all_too_long(limit, more, is_fine):
    """Hazard 64: what would have to be cut is held, and nothing else is there."""
    history = History(right={"length_max": limit})
    person = history.person()
    given = history.value(Role.NAME_GIVEN, person) + "x" * 20
    left = history.enter(LEFT, person, given=given, **more)
    history.link(left, None, state="held", reason="too_long")
    assert (converge(history) == []) == is_fine
    restate(history, "failed", "too_long")
    assert len(converge(history)) == 1


@pytest.mark.parametrize(("limit", "is_fine"), [(18, True), (40, False)])
def test_i1_a_full_name_is_as_long_as_each_of_its_parts(limit, is_fine):
    """A record held for its name was said to be half a link (seed 3305)."""
    roles = (Role.EMAIL, Role.NAME_FULL)
    history = History(left={"roles": roles}, right={"length_max": limit})
    [version] = history.owned.versions
    view = msgspec.structs.replace(
        version.mappings[0], left=("full",), right=("GIVEN", "FAMILY")
    )
    history.owned.versions[:] = [msgspec.structs.replace(version, mappings=(view,))]
    left = history.enter(LEFT, history.person(), full="Ann " + "x" * 38)
    history.link(left, None, state="held", reason="too_long")
    assert (converge(history) == []) == is_fine


@pytest.mark.parametrize("is_taken", [True, False])
def test_i1_an_address_is_held_where_somebody_has_it(is_taken):
    history = History()
    person, left, _ = history.pair()
    email = history.value(Role.EMAIL, person)
    history.edit(LEFT, left, email=email)
    if is_taken:
        other = history.enter(RIGHT, history.person(), email=email)
        history.link(None, other, state="duplicate", reason="match_is_linked")
    restate(history, "failed", "already_exists")
    assert (converge(history, email="already_exists") == []) == is_taken


def test_i1_a_pair_in_step_that_is_said_not_to_be():
    history = History()
    history.pair()
    restate(history, "held", "too_long")
    assert len(converge(history)) == 1


def test_i1_a_record_that_is_neither_linked_nor_named():
    history = History()
    history.enter(LEFT, history.person())
    assert len(converge(history)) == 1


@pytest.mark.parametrize(
    ("state", "reason", "is_fine"),
    [
        ("excluded", "no_email", True),
        ("excluded", "one_way", False),
        ("excluded", "out_of_container", False),
        ("duplicate", "duplicate_email", False),
        ("held", "outcome_unknown", False),
        ("pending", "", False),
        ("in_sync", "", False),
    ],
)
def test_i1_a_record_alone_needs_a_reason_that_is_so(state, reason, is_fine):
    history = History()
    record_id = history.enter(LEFT, history.person())
    history.link(record_id, None, state=state, reason=reason)
    assert (converge(history) == []) == is_fine


@pytest.mark.parametrize("is_empty", [True, False])
def test_i1_a_rival_in_an_account_that_is_empty_now_is_taken_for_live(is_empty):
    """Hazards, section 4.6: nobody is left who shows that the app is well."""
    history = History(right={"has_tombstones": False})
    person = history.person()
    email = history.value(Role.EMAIL, person)
    left = history.enter(LEFT, person, email=email)
    rival = history.enter(RIGHT, person, email=email)
    if not is_empty:
        other = history.enter(RIGHT, history.person())
        history.link(None, other, state="excluded", reason="no_email")
    history.books[RIGHT].delete(rival)
    history.link(left, None, state="duplicate", reason="match_is_linked")
    assert (converge(history) == []) == is_empty


def test_i1_a_deleted_record_that_nobody_speaks_of():
    history = History()
    _, left, _ = history.pair()
    history.books[LEFT].delete(left)
    assert len(converge(history)) == 1
    restate(history, "deleted", "deleted_left")
    assert converge(history) == []


@pytest.mark.parametrize("state", ["deleted", "pending", "duplicate", "excluded"])
def test_i1_two_live_records_that_are_not_synced(state):
    history = History()
    history.pair()
    restate(history, state)
    assert len(converge(history)) == 1


def test_i1_a_target_of_one_way_may_differ_by_its_users():
    history = History()
    person, _, right = history.pair()
    history.direct(Direction.TO_RIGHT)
    history.edit(RIGHT, right, job=job(history, person))
    assert converge(history) == []
    history.direct(Direction.TO_LEFT)
    assert len(converge(history)) == 1


@pytest.mark.parametrize("is_restored", [True, False])
def test_i1_a_value_cleared_on_the_source_of_one_way_has_to_go(is_restored):
    """Behaviour 33; but at a first match, as after a restore, empty clears nothing."""
    history = History()
    history.direct(Direction.TO_RIGHT)
    person = history.person()
    _, left, _ = history.pair(job=job(history, person))
    history.wait(60)
    if is_restored:
        history.books[LEFT].delete(left)
        history.books[LEFT].restore(left)
    history.edit(LEFT, left, job=None)
    assert (converge(history) == []) == is_restored


def test_i5_a_link_whose_records_are_both_ours():
    history = History()
    left, right = history.make(LEFT, mark="8"), history.make(RIGHT, mark="9")
    history.link(left, right)
    assert {wrong.invariant for wrong in converge(history)} == {"I5"}


@pytest.mark.parametrize("has_another", [True, False])
def test_i5_a_record_of_ours_that_was_restored_when_it_had_lost_its_own(has_another):
    history = History()
    _, left, right = history.pair()
    history.books[RIGHT].delete(right)
    if has_another:
        history.link(left, history.enter(RIGHT, history.person()))
    history.books[RIGHT].restore(right)
    history.links.pop(0)
    history.link(history.make(LEFT, mark="9"), right)
    wrongs = [each for each in converge(history) if each.invariant == "I5"]
    assert (wrongs == []) == has_another
    assert sum(history.truth.exempt.values()) == has_another


# I3


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


@pytest.mark.parametrize("is_off", [True, False])
def test_i3_a_value_emptied_for_what_was_cleared_while_its_mapping_was_off(is_off):
    history = History()
    person, left, right = history.pair()
    history.edit(LEFT, left, job=(value := job(history, person)))
    history.write(RIGHT, right, job=value)
    history.suspend(Role.JOB_TITLE if is_off else Role.NAME_GIVEN)
    history.wait(5.0)
    history.edit(LEFT, left, job=None)
    history.wait(5.0)
    history.resume()
    history.write(RIGHT, right, job=None)
    [name] = history.fields(RIGHT, job=None)
    planned = intent(history, change={"before": value}, **{name: None})
    assert [each.invariant for each in lost(history, intents=(planned,))] == (
        ["I3"] if is_off else []
    )


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


# I2, I14 and I16


@pytest.mark.parametrize("more", [{"outbox": 1}, {"dirty": 1}])
def test_i2_work_that_is_left(more):
    history = History()
    assert len(list(rest.is_at_rest(history.after(**more)))) == 1


@pytest.mark.parametrize(("state", "count"), [("in_sync", 1), ("held", 0)])
def test_i14_an_outcome_that_stays_unknown_is_shown(state, count):
    history = History()
    history.pair()
    restate(history, state)
    planned = intent(history, state="unknown")
    history.wait(rest.UNKNOWN_S_MAX + 1)
    assert len(list(rest.is_at_rest(history.after(intents=(planned,))))) == count


@pytest.mark.parametrize(("most", "count"), [(0, 2), (1, 1), (2, 0)])
def test_i2_a_write_while_nothing_happened(most, count):
    history = History()
    _, _, right = history.pair()
    before = len(history.ledger.ours())
    history.write(RIGHT, right)
    history.write(RIGHT, right)
    writes = history.ledger.ours()[before:]
    assert len(list(rest.stays_at_rest(writes, most=most))) == count


@pytest.mark.parametrize(("there", "back", "count"), [(1, 0, 0), (2, 0, 1), (1, 1, 1)])
def test_i2_an_edit_costs_one_write_and_does_not_come_back(there, back, count):
    history = History()
    _, left, right = history.pair()
    before = len(history.ledger.ours())
    for side, record_id, times in ((RIGHT, right, there), (LEFT, left, back)):
        for _ in range(times):
            history.write(side, record_id)
    writes = history.ledger.ours()[before:]
    edited = history.key(LEFT, left)
    assert len(list(rest.one_edit_one_write(edited, writes, most=1))) == count


def test_i16_a_write_that_nobody_can_explain():
    history = History()
    person, left, right = history.pair()
    history.ledger.entries.clear()
    value = job(history, person)
    history.edit(LEFT, left, job=value)
    history.write(RIGHT, right, job=value)
    for explained, count in (("another", 1), (value, 0)):
        planned = intent(history, JOB_TITLE=explained)
        found = rest.can_be_explained(history.after(intents=(planned,)), history.truth)
        assert len(list(found)) == count


@pytest.mark.parametrize(
    ("is_whole", "read_s_ago", "count"),
    [(True, 8.0, 0), (False, 8.0, 1), (True, 1.0, 1)],
)
def test_i16_a_whole_write_that_comes_late_undoes_one_of_ours(
    is_whole, read_s_ago, count
):
    """What it takes along was there when we read the record (seeds 6624 and 6657)."""
    history = History(right={"replaces_whole": is_whole})
    person, left, right = history.pair()
    older, newer = job(history, person), job(history, person)
    history.edit(RIGHT, right, job=older)
    history.wait(5.0)
    history.edit(LEFT, left, job=newer)
    history.ledger.entries.clear()
    history.write(RIGHT, right, job=newer)
    history.wait(5.0)
    history.write(RIGHT, right, read_s_ago=read_s_ago, job=older)
    planned = intent(history, JOB_TITLE=newer)
    found = rest.can_be_explained(history.after(intents=(planned,)), history.truth)
    assert len(list(found)) == count


@pytest.mark.parametrize(("is_whole", "count"), [(True, 0), (False, 1)])
def test_i16_a_whole_write_puts_back_what_nobody_decided(is_whole, count):
    history = History(right={"replaces_whole": is_whole})
    person, _, right = history.pair()
    mine, newer = job(history, person), job(history, person)
    history.edit(RIGHT, right, job=mine)
    history.wait(5.0)
    history.edit(RIGHT, right, job=newer)
    history.ledger.entries.clear()
    history.write(RIGHT, right, read_s_ago=3.0, job=mine)
    found = rest.can_be_explained(history.after(), history.truth)
    assert len(list(found)) == count
