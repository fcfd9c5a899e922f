"""I10: reading and writing cost no more calls than they have to.

Counted is what reached the vendors and no person waited for. A call that one errand of
ours makes once more, to the letter and sooner than an account is polled again, is a
retry; all others are first tries. Those of all accounts are held against one bound, for
what is written at one end is made sure of at the other.
"""

import bisect
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from tests.simulation.invariants.calls import unasked
from tests.simulation.invariants.truth import Wrong
from tests.simulation.ledger import Entry
from tests.simulation.vendors.api import Vendor
from tests.simulation.vendors.messages import Request

CALLS_A_WRITE: Final = 3
"""The source is made sure of, the record is read, and then it is written."""
CALLS_A_SILENT_WRITE: Final = 4
"""And it is read after it, where its app shows nothing of it."""
CALLS_A_DOUBT: Final = 2
"""A record that is missing is read before it is believed to be gone, and again."""
AGAIN_S: Final = 25.0
"""A retry comes no later; an account is polled again after 27 seconds at the least."""
RETRIES_MAX: Final = 1.2
"""Retries to each first try, over any ten minutes."""
RETRIES_WINDOW_S: Final = 600.0
FEW: Final = 10
"""A share says nothing of fewer first tries: an account may be let go meanwhile, and
what is tried again may have been tried first just before."""


class Rhythm(NamedTuple):
    """How often we read."""

    poll_s: float
    sweep_s: float
    are_clocks_apart: bool = False
    """What one replica reads looks old to the other, and is read again until it does
    not: that may take as many calls once more."""


class Spent(NamedTuple):
    """What was asked of one account in a time, and what there was to be told."""

    name: str
    firsts: Sequence[Request]
    record_count: int
    change_count: int
    doubt_count: int
    """How often a record ended, or was left out of what should have shown it."""
    page_size: int
    is_silent: bool = False
    unsure_count: int = 0
    """Records of an account that shows nobody: each comparison doubts them anew."""


def spent(
    vendors: Iterable[Vendor], entries: Iterable[Entry], *, since: float
) -> list[Spent]:
    """Return what was asked of each account since a time."""
    known = [entry for entry in entries if entry.at >= since]
    changes = Counter(entry.place for entry in known)
    ends = Counter(entry.place for entry in known if not entry.after.is_live)
    found = []
    for vendor in vendors:
        for account, book in vendor.books.items():
            calls = vendor.calls[account]
            sent = [each for each in unasked(calls.sent) if each.sent_at >= since]
            left_out = sum(at >= since for at in calls.left_out)
            found.append(
                Spent(
                    name=f"{book.place.app}/{account}",
                    firsts=first_tries(sent),
                    record_count=len(book.holders),
                    change_count=changes[book.place],
                    doubt_count=ends[book.place] + left_out,
                    page_size=vendor.ways.page_size,
                    is_silent=not vendor.ways.tells_writes,
                    unsure_count=0 if book.live() else len(book.holders),
                )
            )
    return found


def asks_what_it_must(
    accounts: Sequence[Spent], rhythm: Rhythm, *, span_s: float
) -> Iterator[Wrong]:
    """I10: first tries poll, page, compare, write, and look for what is missing."""
    most = sum(_for_reading(each, rhythm, span_s=span_s) for each in accounts)
    for each in accounts:
        doubts = each.unsure_count * _sweeps(rhythm, span_s)
        most += CALLS_A_DOUBT * (each.doubt_count + doubts)
        a_write = CALLS_A_SILENT_WRITE if each.is_silent else CALLS_A_WRITE
        most += a_write * sum(call.method != "GET" for call in each.firsts)
    if rhythm.are_clocks_apart:
        most *= 2
    count = sum(len(each.firsts) for each in accounts)
    if count > most:
        told = ", ".join(f"{each.name} {len(each.firsts)}" for each in accounts)
        yield Wrong("I10", f"{count} calls in {span_s:.0f} s where {most} do: {told}")


def retries_are_few(sent: Sequence[Request], *, until: float) -> Iterator[Wrong]:
    """I10: in no ten minutes are there many more retries than first tries.

    Args:
        sent: The calls to one account.
        until: When the last window ends; a shorter one says nothing.
    """
    sent = list(unasked(sent))
    firsts = sorted(each.sent_at for each in first_tries(sent))
    times = sorted(each.sent_at for each in sent)
    for begin in times:
        end = begin + RETRIES_WINDOW_S
        if end > until:
            return
        first_count = _count(firsts, begin, end)
        count = _count(times, begin, end) - first_count
        if count > RETRIES_MAX * max(first_count, FEW):
            told = f"{count} retries of {first_count} calls from {begin:.3f}"
            yield Wrong("I10", told)
            return


def first_tries(sent: Iterable[Request]) -> list[Request]:
    """Return the calls without those that one errand has just made, to the letter."""
    last: dict[tuple[object, ...], float] = {}
    found: list[Request] = []
    for each in sorted(sent, key=lambda each: each.sent_at):
        query = tuple((name, *texts) for name, texts in sorted(each.query.items()))
        what = (each.errand, each.method, each.path, query, each.body)
        if each.sent_at - last.get(what, -math.inf) > AGAIN_S:
            found.append(each)
        last[what] = each.sent_at
    return found


def _for_reading(spent: Spent, rhythm: Rhythm, *, span_s: float) -> int:
    """Return how many calls it takes to be told of everything, again and again."""
    polls = math.ceil(span_s / rhythm.poll_s) + 1
    sweeps = _sweeps(rhythm, span_s)
    pages = math.ceil(spent.record_count / spent.page_size)
    return polls + math.ceil(spent.change_count / spent.page_size) + sweeps * pages


def _sweeps(rhythm: Rhythm, span_s: float) -> int:
    """Return how many comparisons there are; a poll that finds one due begins it."""
    polls = math.ceil(span_s / rhythm.poll_s) + 1
    return min(math.ceil(span_s / rhythm.sweep_s) + 1, polls)


def _count(times: Sequence[float], begin: float, end: float) -> int:
    return bisect.bisect_left(times, end) - bisect.bisect_left(times, begin)
