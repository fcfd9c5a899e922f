"""Whether anything told that a record was made by us, once the app's answer was lost.

Where an app keeps no marks, a record can be told by its address or by the rest of
what it was made with. Its user may have changed both before anybody saw it: what is
made again then is the residual that hazard 35 allows, and is counted.
"""

import math
from typing import Final

from proto.fields import Role, Value
from tests.simulation.invariants.truth import Truth
from tests.simulation.ledger import Key, State, Who
from tests.simulation.vendors.forms import NAMES
from tests.simulation.vendors.ways import Markers, Ways

CUT_MIN: Final = 10
"""A shorter beginning is not what an app has left of a text."""


def is_beyond(key: Key, *, at: float, truth: Truth) -> bool:
    """Say whether a record of ours did not read like one when it was first shown.

    What an app answered is known by its id, whatever its user makes of it.

    Args:
        at: When it was to be known at the latest.
    """
    made, calls = truth.ledger.of(key)[0], truth.calls(key[0])
    ways = truth.ways(key[0])
    is_ours = made.who is Who.TANDEM and ways.markers is Markers.IGNORED
    if not is_ours or truth.is_answered(key):
        return False
    # What was said to the create itself is an answer, and not stored.
    told = [each.as_of for each in calls.sights.get(key[1], ()) if each.as_of > made.at]
    first = min([at - ways.lag_s, *told])
    state = truth.holder(key).at(max(first, made.at))
    return state is not None and not _reads_like(made.cause.asked, state, ways)


def are_both_ours(left: Key | None, right: Key | None, *, truth: Truth) -> bool:
    """Say whether nobody entered either record of a link, or gave it a life anew."""
    if left is None or right is None or len(truth.owned) > 1:
        return False
    ends = ((left, right), (right, left))
    if any(truth.holder(key).maker is not Who.TANDEM for key, _ in ends):
        return False
    for key, other in ends:
        bound = [each for each in truth.partners(key) if each != other]
        if any(truth.was_part_of(each, other, of=key) for each in bound):
            # Whom it was made for had become a part of the other (hazard 9).
            return False
        # A create that came to nothing, as far as anybody could tell, bound nobody.
        meant = bound or [each for each in truth.others_of(key) if each != other]
        if any(truth.was_back_alone(key, each, until=other) for each in meant):
            truth.excuse("I5 restored when its counterpart had another")
            return False
        if not bound and is_beyond(key, at=math.inf, truth=truth):
            truth.excuse("I5 rewritten before it was seen (hazard 35)")
            return False
    return True


def _reads_like(asked: dict[str, Value], state: State, ways: Ways) -> bool:
    """Say whether a record has the address that was asked for, or the name and more.

    Two people may have one name: half of what else it was made with has to be as it was
    (hazard 14), or one of them would be overwritten with the other.
    """
    alike = {name for name, value in asked.items() if _is_alike(value, state, name)}
    told = {name for name, value in asked.items() if value}
    if told <= alike or ways.email_name in told & alike:
        return True
    told = {name for name in told if ways.role_of(name) is not Role.EMAIL}
    same = told & alike
    names = {name for name in told if ways.role_of(name) in NAMES}
    if not names:
        return bool(told) and same == told
    left = {name for name in told if state.fields.get(name)}
    rest = left - names
    is_named = bool(names & same) and names & left <= same
    return is_named and 2 * len(rest & same) >= len(rest)


def _is_alike(asked: Value, state: State, name: str) -> bool:
    """Say whether a text is what was asked for, but for what an app makes of it."""
    plain, held = (
        " ".join(str(value or "").casefold().split())
        for value in (asked, state.fields.get(name))
    )
    return plain == held or (len(held) >= CUT_MIN and plain.startswith(held))
