"""I7 where whoever is there gets mail: who has not agreed is not made there.

It shares nothing with the engine but the word: subscribed is the only yes.
"""

from typing import Final

from proto.record import Consent
from tests.simulation.invariants.truth import Truth
from tests.simulation.ledger import Act, Entry, Key, Place

KNOWN_S_MAX: Final = 30.0
"""A yes that is over counts so long: what a create rests on was read a little before
it is sent, by clocks that differ, and may be a little old then."""


def is_asked_for(entry: Entry, truth: Truth) -> bool:
    """Say whether a create of ours is of the kind that has to be agreed to."""
    return entry.act is Act.CREATE and truth.ways(entry.place).mails_everybody


def is_given(entry: Entry, truth: Truth) -> bool:
    """Say whether the source of a create had agreed when it was sent, or before."""
    source = truth.source_of(entry)
    if source is None:
        return False
    history = truth.holder(source).history
    since_s = entry.cause.sent_at - KNOWN_S_MAX - truth.ways(source[0]).lag_s
    ends = [at for at, _ in history[1:]]
    return any(
        state.consent is Consent.SUBSCRIBED and at <= entry.at and until >= since_s
        for (at, state), until in zip(history, [*ends, entry.at], strict=True)
    )


def lacks(key: Key, place: Place, truth: Truth) -> bool:
    """Say whether a record stays alone because an account elsewhere mails everybody."""
    has_agreed = truth.holder(key).now.consent is Consent.SUBSCRIBED
    return truth.ways(place).mails_everybody and not has_agreed
