"""Records that an app denied although they were there, and that had to be believed."""

from collections.abc import Iterator
from typing import Final

from tests.simulation.invariants.truth import Truth
from tests.simulation.ledger import Key

DENIALS_APART_S: Final = 60.0
"""Two answers so far apart that an app does not know a record make a deletion (4.6)."""
WELL_S: Final = 120.0
"""So long before an answer an app may have shown that it is well: what it showed a
minute ago counts, and reading takes time (4.6)."""
BELIEF_S: Final = 300.0
"""A deletion that was taken back so recently may still be acted on."""


def all_of(key: Key, truth: Truth) -> Iterator[float]:
    """Yield when a record had to be believed to be gone."""
    for at in truth.calls(key[0]).denied[key[1]]:
        if had_to_be_believed(key, at, truth):
            yield at


def had_to_be_believed(key: Key, at: float, truth: Truth) -> bool:
    """Say whether an app denied a record so often that it had to be believed.

    Whatever shows it makes the denials before it void, a listing some time later; and
    an app that shows nobody else is not believed (hazard 70).
    """
    calls, record_id = truth.calls(key[0]), key[1]
    denied = [each for each in calls.denied[record_id] if each <= at]
    read = [each for each in calls.reads[record_id] if each <= at]
    shown = [each for each in calls.appeared[record_id] if each <= at - BELIEF_S]
    since = max((each for each in (*read, *shown) if each not in denied), default=0.0)
    told = [each for each in denied if each > since]
    return (
        bool(told)
        and told[-1] - told[0] >= DENIALS_APART_S
        and any(
            told[-1] - WELL_S <= each <= at
            for other, times in calls.appeared.items()
            if other != record_id
            for each in times
        )
    )
