"""No second holds more calls than allowed, and urgent calls go first."""

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proto.connector import Capabilities, WriteKind
from services.connector import pacing
from services.connector.manifest import Limits
from services.connector.pacing import WINDOW_MARGIN, Budget, Lane

TODAY = datetime.date(2026, 1, 1)
ALONE = Capabilities()


def spend(budget: Budget, lane: Lane, *, until_s: float) -> list[float]:
    """Make calls as fast as the budget lets us; return when each was made."""
    now_s, made = 0.0, []
    while now_s < until_s:
        delay_s = budget.take(lane, now_s=now_s)
        if delay_s <= 0:
            made.append(now_s)
        now_s += delay_s
    return made


@given(rate=st.floats(min_value=0.2, max_value=50))
def test_no_second_ever_holds_more_calls_than_allowed(rate):
    made = spend(
        Budget(calls_per_second=rate, calls_per_day=None), Lane.POLL, until_s=9
    )
    count = max(1, int(rate))
    for start in made:
        inside = [at for at in made if start <= at < start + count / rate]
        assert len(inside) <= count


def test_nearly_all_of_the_allowed_calls_can_be_made():
    made = spend(Budget(calls_per_second=4, calls_per_day=None), Lane.POLL, until_s=100)
    assert 370 <= len(made) <= 404


def test_no_limit_is_no_wait():
    budget = Budget(calls_per_second=pacing.UNLIMITED, calls_per_day=None)
    assert [budget.take(Lane.SCAN, now_s=0.0) for _ in range(10_000)] == [0.0] * 10_000


def test_writes_go_before_scans_and_scans_do_not_starve():
    budget = Budget(calls_per_second=1, calls_per_day=None)
    budget.enter(Lane.WRITE, now_s=0.0)
    budget.enter(Lane.SCAN, now_s=0.0)
    made = {Lane.WRITE: 0, Lane.SCAN: 0}
    for second in range(0, 400, 2):
        for lane in (Lane.SCAN, Lane.WRITE):
            if budget.take(lane, now_s=float(second)) <= 0:
                made[lane] += 1
    assert made == {Lane.WRITE: 150, Lane.SCAN: 50}


def test_a_lane_that_left_holds_nobody_back():
    budget = Budget(calls_per_second=1, calls_per_day=None)
    budget.enter(Lane.WRITE, now_s=0.0)
    assert budget.take(Lane.SCAN, now_s=0.0) > 0
    budget.leave(Lane.WRITE)
    assert budget.take(Lane.SCAN, now_s=0.0) == 0


def test_a_pause_holds_every_lane():
    budget = Budget(calls_per_second=0, calls_per_day=None)
    budget.block(until_s=5)
    budget.block(until_s=3)
    assert budget.take(Lane.WRITE, now_s=4.0) == 1.0
    assert budget.take(Lane.WRITE, now_s=5.0) == 0.0


def test_consent_goes_before_all_other_writes():
    """Hazard 84."""
    budget = Budget(calls_per_second=1, calls_per_day=None)
    budget.enter(Lane.WRITE, now_s=0.0)
    budget.enter(Lane.CONSENT, now_s=0.0)
    order = []
    for second in range(0, 16, 2):
        for lane in (Lane.WRITE, Lane.CONSENT):
            if budget.take(lane, now_s=float(second)) <= 0:
                order.append(lane)
    assert order[:3] == [Lane.CONSENT] * 3
    assert order.count(Lane.CONSENT) == 6


def test_each_lane_leaves_calls_of_the_day_to_those_above_it():
    """Hazard 46: an unsubscribe finds calls when all else has used up its share."""
    budget = Budget(calls_per_second=0, calls_per_day=100)
    made = {}
    for lane in (Lane.SCAN, Lane.POLL, Lane.WRITE, Lane.CONSENT):
        made[lane] = 0
        while budget.has_quota(lane, today=TODAY):
            budget.take(lane, now_s=0.0)
            made[lane] += 1
    assert made == {Lane.SCAN: 70, Lane.POLL: 20, Lane.WRITE: 5, Lane.CONSENT: 5}
    assert budget.has_quota(Lane.SCAN, today=TODAY + datetime.timedelta(days=1))


def test_what_other_processes_used_counts():
    budget = Budget(calls_per_second=0, calls_per_day=100)
    budget.set_stored(day=TODAY, count=93)
    budget.take(Lane.WRITE, now_s=0.0)
    assert budget.has_quota(Lane.WRITE, today=TODAY)
    budget.take(Lane.WRITE, now_s=0.0)
    assert not budget.has_quota(Lane.WRITE, today=TODAY)
    budget.set_stored(day=TODAY - datetime.timedelta(days=1), count=0)
    assert not budget.has_quota(Lane.WRITE, today=TODAY)


def test_calls_are_unsaved_until_they_are_saved():
    """Calls counted as stored before a commit that failed were never counted."""
    budget = Budget(calls_per_second=0, calls_per_day=100)
    budget.set_stored(day=TODAY, count=0)
    budget.take(Lane.WRITE, now_s=0.0)
    assert budget.unsaved == budget.unsaved == (TODAY, 1)
    budget.take(Lane.WRITE, now_s=0.0)
    budget.note_saved(day=TODAY, count=1)
    assert budget.unsaved == (TODAY, 1)


def test_calls_of_yesterday_do_not_count_today():
    """A save that was under way at midnight is about the day that is over."""
    budget = Budget(calls_per_second=0, calls_per_day=100)
    assert budget.has_quota(Lane.POLL, today=TODAY)
    budget.take(Lane.POLL, now_s=0.0)
    tomorrow = TODAY + datetime.timedelta(days=1)
    assert budget.has_quota(Lane.POLL, today=tomorrow)
    budget.take(Lane.POLL, now_s=0.0)
    budget.note_saved(day=TODAY, count=1)
    assert budget.unsaved == (tomorrow, 1)


def test_a_budget_rests_until_its_last_window_is_over():
    """Hazard 45: who takes an account over knows nothing of the calls before."""
    budget = Budget(calls_per_second=2, calls_per_day=None)
    assert budget.rest_s(now_s=10.0) <= 0
    budget.take(Lane.POLL, now_s=10.0)
    assert budget.rest_s(now_s=10.5) == pytest.approx(0.5 + WINDOW_MARGIN - 1)
    assert budget.rest_s(now_s=11.5) <= 0


def size_of(limits: Limits, *, capabilities: Capabilities, **pace: Any) -> int:
    room = pacing.chunk_room(limits, capabilities=capabilities, **pace)
    return pacing.chunk_size(room, capabilities=capabilities)


@pytest.mark.parametrize(
    ("rate", "override", "batch", "expected"),
    [
        (4.0, None, 1, 10),
        (4.0, None, 100, 19),
        (0.1, None, 1, 1),
        (500.0, None, 1, 100),
        (4.0, 0.0, 1, 100),
        (4.0, 8.0, 1, 20),
    ],
)
def test_a_chunk_is_about_five_seconds_of_calls(rate, override, batch, expected):
    size = size_of(
        Limits(calls_per_second=rate),
        calls_per_second_max=override,
        capabilities=Capabilities(get_batch=batch),
    )
    assert size == expected


@pytest.mark.parametrize(
    ("count", "size", "took_s", "expected"),
    [
        (100, 100, 50.0, 10),
        (100, 100, 4.0, 100),
        (3, 100, 60.0, 1),
        (3, 100, 4.0, 10),
        (0, 100, 60.0, 10),
    ],
)
def test_a_chunk_that_took_long_makes_the_next_one_smaller(
    count, size, took_s, expected
):
    """What arrives meanwhile waits for its end. A few quick ones tell nothing."""
    write_s = pacing.write_s_after(
        0.5, cost=count, is_full=count == size, took_s=took_s
    )
    limits = Limits(calls_per_second=0.0)
    size = size_of(
        limits, calls_per_second_max=None, capabilities=ALONE, write_s=write_s
    )
    assert size == expected


CREATE, UPDATE = WriteKind.CREATE, WriteKind.UPDATE


@pytest.mark.parametrize(
    ("batches", "rate", "expected"),
    [
        # 100 read and 100 written with two calls: 500 in ten calls.
        ({"get_batch": 100, "create_batch": 100, "update_batch": 100}, 4.0, 500),
        ({"get_batch": 100, "create_batch": 100, "update_batch": 100}, 1.0, 250),
        # As many as one job holds, however many the app would take.
        ({"get_batch": 100, "create_batch": 40_000}, 100.0, 500),
        ({"get_batch": 10, "create_batch": 10, "update_batch": 10}, 0.0, 500),
    ],
)
def test_a_chunk_of_an_app_that_takes_batches_holds_more(batches, rate, expected):
    size = size_of(
        Limits(calls_per_second=rate),
        calls_per_second_max=None,
        capabilities=Capabilities(**batches),
    )
    assert size == expected


@pytest.mark.parametrize(
    ("kinds", "room", "expected"),
    [
        ([CREATE] * 100, 60, 60),
        ([UPDATE] * 100, 60, 6),
        ([UPDATE, *[CREATE] * 100], 60, 51),
        ([*[CREATE] * 100, UPDATE], 1000, 101),
        ([UPDATE], 1, 1),
    ],
)
def test_what_is_written_one_by_one_takes_the_room_of_a_batch(kinds, room, expected):
    """A create costs 0.11 calls here, and an update 1.1."""
    capabilities = Capabilities(create_batch=100, get_batch=10)
    costs = pacing.costs(kinds, capabilities=capabilities)
    assert pacing.affordable(costs, room=room) == expected


def test_batches_of_creates_are_full_where_the_app_refuses_who_is_there():
    """Nothing is read for them, while updates are read and written one by one."""
    capabilities = Capabilities(create_batch=500, refuses_duplicate_emails=True)
    pace = {"calls_per_second_max": None, "capabilities": capabilities}
    limits = Limits(calls_per_second=10.0)
    assert size_of(limits, **pace) == 500
    room = pacing.chunk_room(limits, **pace)
    for kind, expected in ((CREATE, 500), (UPDATE, 25), (WriteKind.LOOK, 50)):
        kinds = [kind] * 500
        costs = pacing.costs(kinds, capabilities=capabilities)
        assert pacing.affordable(costs, room=room) == expected


def test_the_settings_replace_the_manifests_pace():
    limits = Limits(calls_per_second=1, calls_per_day=1)
    free = pacing.budget_of(limits, calls_per_second_max=0.0)
    for _ in range(5):
        assert free.has_quota(Lane.SCAN, today=TODAY)
        assert free.take(Lane.SCAN, now_s=0.0) == 0.0
    bound = pacing.budget_of(limits, calls_per_second_max=None)
    bound.take(Lane.SCAN, now_s=0.0)
    assert not bound.has_quota(Lane.WRITE, today=TODAY)


def test_the_day_ends_at_midnight_utc():
    evening = datetime.datetime(2026, 1, 1, 23, 59, tzinfo=datetime.UTC)
    assert pacing.seconds_to_midnight(evening) == 60.0


def test_accounts_that_share_a_limit_take_turns():
    """One that asks four times as often gets no more than the other."""
    budget = Budget(calls_per_second=1, calls_per_day=None)
    for who in ("many", "many", "many", "many", "one"):
        budget.enter(Lane.SCAN, now_s=0.0, who=who)
    made = {"many": 0, "one": 0}
    for second in range(0, 200, 2):
        for who in ("many", "many", "many", "many", "one"):
            if budget.take(Lane.SCAN, now_s=float(second), who=who) <= 0:
                made[who] += 1
    assert made == {"many": 50, "one": 50}


def test_the_unsubscribe_of_one_account_goes_before_the_scan_of_another():
    budget = Budget(calls_per_second=1, calls_per_day=None)
    for _ in range(4):
        budget.enter(Lane.SCAN, now_s=0.0, who="scanning")
    assert budget.take(Lane.SCAN, now_s=0.0, who="scanning") == 0
    budget.enter(Lane.CONSENT, now_s=1.0, who="quiet")
    assert budget.take(Lane.SCAN, now_s=2.0, who="scanning") > 0
    assert budget.take(Lane.CONSENT, now_s=2.0, who="quiet") == 0


def test_an_account_that_does_not_come_for_its_turn_holds_nobody_up():
    """It may wait for its token, while nothing is wrong with the others."""
    budget = Budget(calls_per_second=1, calls_per_day=None)
    budget.enter(Lane.CONSENT, now_s=0.0, who="held up")
    budget.enter(Lane.SCAN, now_s=0.0, who="there")
    assert budget.take(Lane.SCAN, now_s=0.5, who="there") > 0
    assert budget.take(Lane.SCAN, now_s=3.0, who="there") == 0
    assert budget.take(Lane.CONSENT, now_s=6.0, who="held up") == 0


def test_who_comes_to_a_shared_limit_is_not_behind_all_that_others_had():
    budget = Budget(calls_per_second=1, calls_per_day=None)
    for who in ("old", "older"):
        budget.enter(Lane.POLL, now_s=0.0, who=who)
    for second in range(0, 40, 2):
        for who in ("old", "older"):
            budget.take(Lane.POLL, now_s=float(second), who=who)
    budget.enter(Lane.POLL, now_s=40.0, who="new")
    got = []
    for second in range(40, 52, 2):
        for who in ("old", "older", "new"):
            if budget.take(Lane.POLL, now_s=float(second), who=who) <= 0:
                got.append(who)
    assert sorted(got[:3]) == sorted(got[3:]) == ["new", "old", "older"]


def test_creates_that_nobody_can_be_made_with_take_the_room_of_a_call_each():
    """Or a chunk of many would be long, and an unsubscribe would wait for its end."""
    capabilities = Capabilities(create_batch=500, refuses_duplicate_emails=True)
    for alone, expected in (((), 500), (range(500), 20), (range(5), 500)):
        costs = pacing.costs([CREATE] * 500, capabilities=capabilities, alone=alone)
        assert pacing.affordable(costs, room=10_000) == expected


@pytest.mark.parametrize("kind", [CREATE, UPDATE, WriteKind.LOOK])
def test_a_chunk_is_followed_by_one_like_it_that_takes_as_long(kind):
    """Whatever else an app may take by hundreds: 20 calls are five seconds here."""
    capabilities = Capabilities(create_batch=500, refuses_duplicate_emails=True)
    pace = {"calls_per_second_max": None, "capabilities": capabilities}
    limits = Limits(calls_per_second=4.0)
    write_s, sizes = 0.0, []
    for _ in range(4):
        size = size_of(limits, **pace, write_s=write_s)
        room = pacing.chunk_room(limits, **pace, write_s=write_s)
        alone = {*range(size)}
        costs = pacing.costs([kind] * size, capabilities=capabilities, alone=alone)
        sizes.append(pacing.affordable(costs, room=room))
        took_s = sizes[-1] * (0.5 if kind is UPDATE else 0.25)
        cost = sum(costs[: sizes[-1]])
        write_s = pacing.write_s_after(write_s, cost=cost, is_full=True, took_s=took_s)
    assert sizes == [10 if kind is UPDATE else 20] * 4
