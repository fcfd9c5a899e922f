"""Which of the hazards' situations a simulation had, by their numbers in hazards.md.

The run prints how common each was: a hazard that never comes up proves nothing. What
counts is what happened, as far as that was written down anywhere.
"""

from collections import Counter
from typing import Final

from tests.simulation.invariants.truth import Truth
from tests.simulation.situations import names, of_records, of_tandem, of_vendors
from tests.simulation.situations.story import Played, Story

SHARE_MIN: Final = 0.01
"""In so many of the seeds each situation has to occur."""


def of(played: Played, truth: Truth) -> tuple[str, ...]:
    """Return the codes of the situations that a simulation had, in a fixed order."""
    story = Story(played, truth)
    found: set[str] = set()
    for part in (of_records, of_vendors, of_tandem):
        found |= {code for code, is_so in part.of(story) if is_so}
    assert found <= names.KNOWN.keys(), found - names.KNOWN.keys()
    return tuple(sorted(found))


def rare(counts: Counter[str], *, seed_count: int) -> list[str]:
    """Return the codes of what occurred in too few of so many seeds."""
    least = SHARE_MIN * seed_count
    return [
        code for code in names.KNOWN if names.has_to_be(code) and counts[code] < least
    ]
