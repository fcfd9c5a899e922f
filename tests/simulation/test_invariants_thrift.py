"""I10 sees calls that nothing made necessary, and retries without an end."""

import itertools

import pytest

from proto.reconciler import Side
from tests.simulation.hand_made import History
from tests.simulation.invariants import thrift
from tests.simulation.vendors.messages import Request

RHYTHM = thrift.Rhythm(poll_s=30.0, sweep_s=60.0)
SPAN_S = 300.0
POLLS = 11
SWEEPS = 6
"""In the time above, with one more for what was under way."""


def calls(count, method="GET", path="/api/people", **more):
    return [Request(method=method, path=path, **more) for _ in range(count)]


def spent(firsts, *, records=0, changes=0, doubts=0, **more):
    counts = (records, changes, doubts)
    return thrift.Spent("sim_a/a", firsts, *counts, page_size=5, **more)


def wrongs(*accounts, rhythm=RHYTHM):
    found = thrift.asks_what_it_must(accounts, rhythm, span_s=SPAN_S)
    return [str(each) for each in found]


@pytest.mark.parametrize(
    ("records", "changes", "count"),
    [
        (0, 0, POLLS),
        (1, 0, POLLS + SWEEPS),
        (11, 0, POLLS + SWEEPS * 3),
        (11, 6, POLLS + SWEEPS * 3 + 2),
    ],
)
def test_i10_reading_takes_polls_and_pages(records, changes, count):
    enough = spent(calls(count), records=records, changes=changes)
    assert wrongs(enough) == []
    more = spent(calls(count + 1), records=records, changes=changes)
    [wrong] = wrongs(more)
    assert f"I10: {count + 1} calls in 300 s where {count} do" in wrong


def test_i10_a_comparison_is_begun_by_a_poll():
    often = thrift.Rhythm(poll_s=30.0, sweep_s=1.0)
    for more, count in ((0, 0), (1, 1)):
        account = spent(calls(2 * POLLS + more), records=1)
        found = thrift.asks_what_it_must([account], often, span_s=SPAN_S)
        assert len(list(found)) == count


def test_i10_a_write_may_cost_two_reads_more():
    write = calls(1, "PATCH", "/api/people/a1")
    reads = calls(2, path="/api/people/a1")
    assert wrongs(spent(calls(POLLS) + write + reads)) == []
    assert len(wrongs(spent(calls(POLLS + 1) + write + reads))) == 1


@pytest.mark.parametrize(("more", "count"), [(0, 0), (1, 1)])
def test_i10_clocks_that_are_apart_may_cost_as_much_again(more, count):
    """Seed 100459."""
    rhythm = RHYTHM._replace(are_clocks_apart=True)
    assert len(wrongs(spent(calls(2 * POLLS + more)), rhythm=rhythm)) == count


@pytest.mark.parametrize(("more", "count"), [(0, 0), (1, 1)])
def test_i10_whoever_is_missing_where_nobody_is_left_is_doubted_again(more, count):
    """Seed 51269."""
    asked = calls(POLLS + 2 * thrift.CALLS_A_DOUBT * SWEEPS + more)
    assert len(wrongs(spent(asked, unsure_count=2))) == count


@pytest.mark.parametrize(("is_silent", "count"), [(True, 0), (False, 1)])
def test_i10_a_write_whose_app_shows_nothing_of_it_is_read_after(is_silent, count):
    """Seed 40052."""
    made = calls(POLLS) + calls(1, "PATCH") + calls(3)
    assert len(wrongs(spent(made, is_silent=is_silent))) == count


def test_i10_who_is_missing_may_be_asked_for_twice():
    assert wrongs(spent(calls(POLLS + 4), doubts=2)) == []
    assert len(wrongs(spent(calls(POLLS + 5), doubts=2))) == 1


def test_i10_what_is_written_at_one_end_may_be_read_at_the_other():
    writing, reading = calls(POLLS) + calls(2, "POST"), calls(POLLS + 4)
    assert wrongs(spent(writing), spent(reading)) == []
    assert len(wrongs(spent(writing), spent([*reading, *calls(1)]))) == 1


def test_i10_the_same_call_of_one_errand_is_a_retry():
    alike = calls(3, errand=1)
    others = [
        *calls(1, errand=2),
        *calls(1, "POST", errand=1),
        *calls(1, path="/api/people/a1", errand=1),
        *calls(1, query={"since": ["1"]}, errand=1),
        *calls(1, body=b"{}", errand=1),
    ]
    later = calls(1, errand=1, sent_at=thrift.AGAIN_S + 1.0)
    sent = [*later, *alike, *others]
    assert thrift.first_tries(sent) == [alike[0], *others, *later]


def tried(first_count, retries_each, *, every_s):
    """Return calls in a row, each made so many times again at once."""
    return [
        Request(
            method="GET", path="/api/people", errand=number, sent_at=number * every_s
        )
        for number in range(first_count)
        for _ in range(1 + retries_each)
    ]


@pytest.mark.parametrize(("retries", "count"), [(1, 0), (2, 1)])
def test_i10_retries_of_ten_minutes(retries, count):
    sent = tried(20, retries, every_s=30.0)
    assert len(list(thrift.retries_are_few(sent, until=600.0))) == count


def test_i10_retries_in_some_ten_minutes_of_an_hour():
    quiet = tried(100, 0, every_s=30.0)
    storm = [
        Request(method="GET", path="/api/people", errand=90, sent_at=2700.0 + each)
        for each in range(40)
    ]
    sent = list(itertools.chain(quiet, storm))
    [wrong] = thrift.retries_are_few(sent, until=3600.0)
    assert str(wrong) == "I10: 30 retries of 20 calls from 2130.000"


def test_i10_few_calls_have_no_share():
    sent = tried(2, 6, every_s=30.0)
    assert list(thrift.retries_are_few(sent, until=600.0)) == []
    assert (
        len(list(thrift.retries_are_few(tried(2, 7, every_s=30.0), until=700.0))) == 1
    )


def test_i10_less_than_ten_minutes_say_nothing():
    sent = tried(1, 40, every_s=30.0)
    assert list(thrift.retries_are_few(sent, until=599.0)) == []
    assert len(list(thrift.retries_are_few(sent, until=600.0))) == 1


def test_i10_what_a_person_waits_for_is_not_counted():
    sent = [
        Request(method="GET", path="/api/me", sent_at=float(each)) for each in range(99)
    ]
    assert list(thrift.retries_are_few(sent, until=600.0)) == []


def test_i10_of_a_time_counts_what_was_in_it():
    """What was asked, entered and left out before it makes nothing right after it."""
    history = History()
    _, left, _ = history.pair()
    of_left = history.truth.calls(history.owned.left)
    of_left.sent += calls(2, errand=1, sent_at=history.time)
    of_left.left_out.append(history.time)
    history.books[Side.LEFT].delete(left)
    all_of_it, since = history.time, history.time + 1.0
    history.wait(2.0)
    of_left.sent += [
        *calls(1, errand=1, sent_at=history.time + thrift.AGAIN_S),
        *calls(3, path="/api/me", sent_at=history.time),
    ]

    def told(begun):
        spent = thrift.spent(
            history.vendors.values(), history.ledger.entries, since=begun
        )
        [mine] = [each for each in spent if each.name == "sim_a/acme"]
        return len(mine.firsts), mine.change_count, mine.doubt_count

    assert told(all_of_it) == (2, 2, 2)
    assert told(since) == (1, 0, 0)
