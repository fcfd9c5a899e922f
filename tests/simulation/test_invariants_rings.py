"""I3 in a ring sees what users entered vanish, or give way to somebody's word."""

from typing import Any

import msgspec
import pytest

from proto.fields import Role
from proto.ids import ConnectionId
from proto.reconciler import Side
from services.reconciler.engine.model import Cause
from tests.simulation.hand_made import History, intent, job
from tests.simulation.invariants import losses, ring_losses
from tests.simulation.vendors.forms import Forms

LEFT, RIGHT = Side.LEFT, Side.RIGHT


def ring(**sides: Any) -> History:
    """Return a history with two connections more between the same two."""
    history = History(**sides)
    history.more = [
        msgspec.structs.replace(history.owned, connection_id=ConnectionId(f"conn_{n}"))
        for n in (2, 3)
    ]
    return history


def lost(history: History, **more: Any) -> list[str]:
    return [
        str(each) for each in ring_losses.check(history.after(**more), history.truth)
    ]


def cleared(history: History, *, read_s_ago: float = 0.1) -> tuple[int, Any, str]:
    """Have a value of the left cleared by Tandem, that the right never had."""
    person, left, right = history.pair()
    history.wait(300.0)
    value = job(history, person)
    history.edit(LEFT, left, job=value)
    history.wait(60.0)
    history.write(LEFT, left, job=None, read_s_ago=read_s_ago)
    return person, right, value


def test_i3_a_value_that_is_nowhere_any_more():
    history = ring()
    *_, value = cleared(history)
    [wrong] = lost(history)
    assert wrong.startswith("I3: sim_a/acme/")
    assert repr(value) in wrong


def test_i3_a_value_that_some_connection_keeps_as_what_gave_way():
    history = ring()
    person, _, value = cleared(history)
    history.lose(RIGHT, job=job(history, person))
    assert len(lost(history)) == 1
    history.lose(RIGHT, job=value)
    assert lost(history) == []


def test_i3_a_value_that_another_record_of_theirs_still_has():
    history = ring(right={"forms": Forms(shortens_to=14)})
    _, right, value = cleared(history)
    history.write(RIGHT, right, job=f"{value} and more")
    assert lost(history) == []


@pytest.mark.parametrize(("wait_s", "count"), [(0.0, 0), (-400.0, 1)])
def test_i3_a_value_that_somebody_replaced_elsewhere(wait_s, count):
    """What was entered long before had been carried by then."""
    history = ring()
    person, right, _ = cleared(history)
    history.wait(wait_s)
    history.edit(RIGHT, right, job=job(history, person))
    assert len(lost(history)) == count


def test_i3_what_was_entered_for_somebody_else_replaces_nothing():
    history = ring()
    person, *_ = cleared(history)
    _, _, other = history.pair()
    history.edit(RIGHT, other, job=job(history, person))
    assert len(lost(history)) == 1


def test_i3_what_was_entered_in_another_field_replaces_nothing():
    history = ring()
    person, right, _ = cleared(history)
    history.edit(RIGHT, right, given=history.value(Role.NAME_GIVEN, person))
    assert len(lost(history)) == 1


def test_i3_an_edit_between_our_read_and_our_write():
    history = ring()
    cleared(history, read_s_ago=90.0)
    assert lost(history) == []
    assert history.truth.exempt == {losses.RACE: 1}


@pytest.mark.parametrize(("cause", "count"), [(Cause.RULE, 0), (Cause.CHANGED, 1)])
def test_i3_a_rule_may_order_it(cause, count):
    history = ring()
    *_, value = cleared(history)
    (_, record_id) = history.ledger.entries[-1].key
    change = {"cause": cause, "before": value}
    planned = intent(history, change=change, job_title=None)
    ours = msgspec.structs.replace(planned.intent, record_id=record_id, side=LEFT)
    planned = msgspec.structs.replace(planned, intent=ours)
    assert len(lost(history, intents=(planned,))) == count


def test_i3_of_what_was_cleared_nothing_is_kept():
    history = ring()
    person = history.person()
    _, left, _ = history.pair(job=(value := job(history, person)))
    history.wait(300.0)
    history.edit(LEFT, left, job=None)
    history.wait(60.0)
    history.write(LEFT, left, job=value)
    assert lost(history) == []
