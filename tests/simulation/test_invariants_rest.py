"""Each invariant of the end sees a history that breaks it."""

import datetime

import msgspec
import pytest

from proto.fields import Role
from proto.reconciler import Direction, Side
from tests.simulation.hand_made import History, intent, job
from tests.simulation.invariants import convergence, rest
from tests.simulation.invariants.truth import Wrong
from tests.simulation.vendors.forms import Forms
from tests.simulation.vendors.ways import LAG_S_MAX

LEFT, RIGHT = Side.LEFT, Side.RIGHT
ATONCE = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def converge(history: History, **held: str) -> list[Wrong]:
    """Return what I1 says of a history."""
    return list(convergence.check(history.after(held), history.truth))


def restate(history: History, state: str, reason: str = "") -> None:
    """Have Tandem say something else of its only link."""
    history.links[0] = history.links[0]._replace(state=state, reason=reason)


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


def test_i1_nobody_waits_for_a_counterpart_to_which_no_links_lead():
    """The other account has somebody, whom links make another person."""
    history = History()
    history.pair()
    left = history.enter(LEFT, history.person())
    history.link(left, None, state="duplicate", reason="linked_around")
    assert len(converge(history)) == 1


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


@pytest.mark.parametrize("is_alone", [True, False])
@pytest.mark.parametrize(
    ("is_shown", "is_heard"), [(True, True), (True, False), (False, True)]
)
def test_i1_a_deleted_record_that_nobody_speaks_of(is_shown, is_heard, is_alone):
    """Its tombstone may have been left out, and nobody else be there (seed 41195).

    Or its page was lost on the way (seed 3287). To read it by its id tells nothing.
    """
    history = History()
    _, left, _ = history.pair()
    if not is_alone:
        other = history.enter(LEFT, history.person())
        history.link(other, None, state="excluded", reason="no_email")
    appeared = history.truth.calls(history.books[LEFT].place).appeared[left]
    appeared.append(history.time - 1.0)
    history.books[LEFT].delete(left)
    if is_shown:
        appeared.append(history.time + LAG_S_MAX)
    if is_heard:
        history.wait(LAG_S_MAX)
        history.tell(LEFT, left)
    is_told = not is_alone or (is_shown and is_heard)
    assert len(converge(history)) == is_told
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


@pytest.mark.parametrize("is_answered", [True, False])
def test_i1_a_value_cleared_after_a_create_that_nobody_told_us_of(is_answered):
    """Whom we did not know as ours was met like anybody (seed 2229)."""
    history = History()
    history.direct(Direction.TO_RIGHT)
    person = history.person()
    _, left, _ = history.pair(job=job(history, person))
    if not is_answered:
        history.answered.clear()
    history.wait(60)
    history.edit(LEFT, left, job=None)
    assert len(converge(history)) == is_answered


@pytest.mark.parametrize("is_bound", [True, False])
def test_i1_a_value_cleared_before_its_record_was_bound_is_nobodys(is_bound):
    """The other side has it from somebody who was there before (seed 606585)."""
    history = History()
    history.direct(Direction.TO_RIGHT)
    person, other = history.person(), history.person()
    _, left, right = history.pair(job=job(history, person))
    history.books[LEFT].delete(left)
    history.wait(60)
    heir = history.enter(LEFT, other, job=job(history, other))
    history.links.pop()
    if is_bound:
        history.link(heir, right)
        history.wait(60)
    history.edit(LEFT, heir, job=None)
    if not is_bound:
        history.link(heir, right)
    wrongs = [str(each) for each in converge(history)]
    assert any("job_title" in each for each in wrongs) == is_bound


@pytest.mark.parametrize(
    ("is_restored", "later", "is_fine"),
    [
        (True, {"given": None}, True),
        (False, {"given": None}, False),
        (True, {"given": None, "family": "Soto"}, False),
        (True, {"family": None}, True),
        (True, {"family": "Garcia"}, False),
        (True, {"given": "Bea"}, False),
    ],
)
def test_i1_a_part_of_a_name_cleared_on_the_source_of_one_way_has_to_go(
    is_restored, later, is_fine
):
    """Hazards 57, 58 and 74: what goes for a field goes for a part (seed 621)."""
    history = History(right={"roles": (Role.EMAIL, Role.NAME_FULL)})
    [version] = history.owned.versions
    view = msgspec.structs.replace(
        version.mappings[0],
        mapping_id="name",
        left=("given", "family"),
        right=("FULL",),
        direction=Direction.TO_RIGHT,
    )
    history.owned.versions[:] = [msgspec.structs.replace(version, mappings=(view,))]
    person = history.person()
    email = history.value(Role.EMAIL, person)
    left = history.enter(LEFT, person, email=email, given="Ana", family="Garcia Lopez")
    right = history.make(RIGHT, email=email, full="Ana Garcia Lopez")
    history.answered.add(history.key(RIGHT, right))
    history.link(left, right)
    assert converge(history) == []
    history.wait(60)
    if is_restored:
        history.books[RIGHT].delete(right)
        history.books[RIGHT].restore(right)
    history.edit(LEFT, left, **later)
    assert (converge(history) == []) == is_fine


def test_i5_a_link_whose_records_are_both_ours():
    history = History()
    left, right = history.make(LEFT, mark="8"), history.make(RIGHT, mark="9")
    history.link(left, right)
    assert {wrong.invariant for wrong in converge(history)} == {"I5"}


@pytest.mark.parametrize("was_bound", [True, False])
@pytest.mark.parametrize("has_another", [True, False])
def test_i5_a_record_of_ours_that_was_restored_when_it_had_lost_its_own(
    has_another, was_bound
):
    """Or never had it, where nobody knew that it was made (seed 606481)."""
    history = History()
    if was_bound:
        _, left, right = history.pair()
    else:
        person = history.person()
        given = history.value(Role.NAME_GIVEN, person)
        left = history.enter(LEFT, person, given=given)
        history.link(left, None)
        right = history.make(RIGHT, given=given)
    history.books[RIGHT].delete(right)
    if has_another:
        history.link(left, history.enter(RIGHT, history.person()))
    history.books[RIGHT].restore(right)
    history.links.pop(0)
    history.link(history.make(LEFT, mark="9"), right)
    wrongs = [each for each in converge(history) if each.invariant == "I5"]
    assert (wrongs == []) == has_another
    assert sum(history.truth.exempt.values()) == has_another


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
