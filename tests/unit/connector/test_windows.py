"""Pages of a listing that moves while it is read."""

import random

from hypothesis import given
from hypothesis import strategies as st

from services.connector import windows
from services.connector.windows import Sizes


@given(offset=st.integers(0, 100_000), size_max=st.integers(1, 100))
def test_a_page_begins_before_an_offset_and_goes_beyond_it(offset, size_max):
    sizes = Sizes(greatest=size_max)
    page = windows.window(offset, sizes=sizes)
    assert page.start <= offset < page.end
    assert 1 <= page.size <= size_max
    if offset and size_max >= 20:
        assert page.start < offset
    steps = list(windows.candidates(offset, sizes=sizes))
    assert steps[0] == page
    assert steps[-1].start == 0
    assert len(steps) <= 12


@given(offset=st.integers(0, 100_000), advance_max=st.integers(10, 100))
def test_a_page_has_a_size_that_may_be_asked_for_and_shows_few(offset, advance_max):
    sizes = Sizes(greatest=2 * advance_max, least=10, advance_max=advance_max)
    page = windows.window(offset, sizes=sizes)
    assert page.start <= offset < page.end <= offset + advance_max
    assert 10 <= page.size <= 2 * advance_max
    if offset:
        assert page.start < offset


@given(
    count=st.integers(1, 300),
    advance_max=st.integers(10, 40),
    seed=st.integers(0, 1_000),
)
def test_whoever_stays_is_shown_whatever_comes_and_goes(count, advance_max, seed):
    """Hazard 20, in an order that never changes."""
    random_ = random.Random(seed)
    there = {f"{number:05}" for number in random_.sample(range(10_000), count)}
    stays, shown, anchors, offset = set(there), set(), (), 0
    sizes = Sizes(greatest=2 * advance_max, least=10, advance_max=advance_max)
    for _ in range(1_000):
        for page in windows.candidates(offset, sizes=sizes):
            found = sorted(there)[page.start : page.end]
            known = windows.count_shown(found, anchors=anchors)
            if known is not None or page.start == 0:
                break
        shown |= set(found[known or 0 :])
        anchors, offset = tuple(found[-4:]), page.start + len(found)
        if offset >= len(there):
            break
        gone = set(random_.sample(sorted(there), min(len(there), random_.randrange(9))))
        come = {f"{random_.randrange(10_000):05}" for _ in range(random_.randrange(6))}
        there = (there - gone) | come
        stays -= gone
    else:
        raise AssertionError("the listing has no end")
    assert shown >= stays
