"""How long a link waits before it is tried again, and a write before it is looked at.

Each wait in a row is longer than the one before, up to a limit.
"""

import datetime
from typing import Final

from proto.base import Instant

REFUSED_DELAY_S: Final = 60
REFUSED_FACTOR: Final = 4

DEAD_IN_A_ROW_MAX: Final = 3
"""Intents that may come to nothing at once, one after the other."""
DEAD_DELAY_S: Final = 15
DEAD_FACTOR: Final = 2
"""What came to nothing was refused by nobody: it is tried sooner than a refusal."""

RETRY_DELAY_S_MAX: Final = 6 * 3600

LOOK_FACTOR: Final = 2
LOOK_DELAY_S_MAX: Final = 900
LOOKS_UNTIL_HELD: Final = 5
"""Looks without an answer after which the contact is shown as held."""

AWAIT_S: Final = 30
"""How often somebody new asks whether a create has made them; its answer tells
earlier."""

_GROWTH_MAX: Final = 10


def after_refusal(count: int, now: Instant) -> Instant:
    """Say when to try again after so many refusals in a row."""
    return _later(now, count - 1, first_s=REFUSED_DELAY_S, factor=REFUSED_FACTOR)


def after_nothing(count: int, now: Instant) -> Instant:
    """Say when to try again after so many tries in a row that came to nothing.

    Those that were made at once are one round: patience begins with the first wait.
    """
    waits = max(0, count - DEAD_IN_A_ROW_MAX)
    return _later(now, waits, first_s=DEAD_DELAY_S, factor=DEAD_FACTOR)


def after_look(count: int, now: Instant, *, settle_s: int) -> Instant:
    """Say when to look again after so many looks without an answer."""
    later = _later(now, count, first_s=settle_s, factor=LOOK_FACTOR)
    return min(later, now + datetime.timedelta(seconds=LOOK_DELAY_S_MAX))


def _later(now: Instant, count: int, *, first_s: int, factor: int) -> Instant:
    delay_s = min(first_s * factor ** min(count, _GROWTH_MAX), RETRY_DELAY_S_MAX)
    return now + datetime.timedelta(seconds=delay_s)
