"""What goes wrong on the way to a vendor and back: chances, and the fate of a call."""

import enum
import random
from typing import Final, NamedTuple

import msgspec

from tests.simulation.vendors.ways import LATE_S_MAX, TIMEOUT_S

TRAVEL_S: Final = (0.01, 0.2)


class Fate(enum.StrEnum):
    """What becomes of one call."""

    FINE = "fine"
    UNREACHABLE = "unreachable"
    """No connection is made."""
    RESET = "reset"
    """It is sent, and the connection breaks before the vendor does anything."""
    FAILS_BEFORE = "fails_before"
    """The vendor says 500 or 502 and has done nothing."""
    BUSY = "busy"
    """The vendor says 503 and has done nothing."""
    LIMITED = "limited"
    """The vendor says 429, with or without a time to wait."""
    PAGE = "page"
    """Something on the way answers with an HTML page; the vendor sees nothing."""
    LATE = "late"
    """It arrives, and is carried out, after its sender gave up."""
    LOST = "lost"
    """It is carried out, and the answer never comes."""
    CUT = "cut"
    """It is carried out, and the answer breaks off."""
    FAILS_AFTER = "fails_after"
    """It is carried out, and the vendor says 500 all the same."""
    GARBLED = "garbled"
    """It is carried out, and half of the JSON comes, or a page instead."""
    TWICE = "twice"
    """It is carried out, and again a moment later."""
    SHORT = "short"
    """A listing answers well, and leaves out half of what there is."""
    EMPTY = "empty"
    """A listing answers well, and shows nobody."""
    HIDDEN = "hidden"
    """A record that is there is answered with 404."""


class Weather(msgspec.Struct, frozen=True, kw_only=True):
    """How often each fate has a call, as a share from 0 to 1."""

    chances: dict[Fate, float] = {}
    total: float = 0.0
    """The sum of the chances: most calls need no more than this."""

    def draw(self, source: random.Random) -> Fate:
        """Return the fate of one call."""
        if not self.total:
            return Fate.FINE
        dice = source.random()
        if dice >= self.total:
            return Fate.FINE
        for fate, chance in self.chances.items():
            dice -= chance
            if dice < 0:
                return fate
        return Fate.FINE


CALM: Final = Weather()


class Severity(NamedTuple):
    """How bad the weather may be: the share of calls that something happens to."""

    low: float
    high: float


KINDS: Final = (Severity(0.0, 0.0), Severity(0.01, 0.05), Severity(0.08, 0.3))
ORDINARY: Final = (
    Fate.UNREACHABLE,
    Fate.RESET,
    Fate.FAILS_BEFORE,
    Fate.BUSY,
    Fate.LIMITED,
    Fate.PAGE,
    Fate.LATE,
    Fate.LOST,
    Fate.CUT,
    Fate.FAILS_AFTER,
    Fate.GARBLED,
    Fate.TWICE,
)
UNTRUE: Final = (Fate.SHORT, Fate.EMPTY)
"""Answers that look well and are not: only a later complete scan heals them."""
DENYING: Final = (Fate.HIDDEN,)


def draw(source: random.Random, *, fates: tuple[Fate, ...]) -> Weather:
    """Draw a weather in which a few of the fates are common."""
    severity = source.choice(KINDS)
    total = source.uniform(*severity)
    if not total:
        return CALM
    chosen = source.sample(fates, source.randint(1, len(fates)))
    weights = [source.random() + 0.05 for _ in chosen]
    share = total / sum(weights)
    chances = {
        fate: weight * share for fate, weight in zip(chosen, weights, strict=True)
    }
    return Weather(chances=chances, total=total)


def arrives_s(fate: Fate, source: random.Random) -> float:
    """Return how long a call is under way."""
    if fate is Fate.LATE:
        return source.uniform(0.5 * TIMEOUT_S, LATE_S_MAX)
    return source.uniform(*TRAVEL_S)
