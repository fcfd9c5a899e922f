"""Whether values really are too long for the other side, so that they may be held.

What an app would have to cut is held, and never cut (hazard 64).
"""

from proto.reconciler import Side
from tests.simulation.invariants.truth import Owned, Truth
from tests.simulation.ledger import Key
from tests.simulation.vendors.book import value_of
from tests.simulation.vendors.forms import NAMES
from tests.simulation.vendors.numbers import texts_of


def is_too_long(key: Key | None, other: Key | None, truth: Truth) -> bool:
    """Say whether a name of one record is too long for the app of the other."""
    assert key is not None
    assert other is not None
    mine, theirs = truth.ways(key[0]), truth.ways(other[0])
    if not theirs.length_max:
        return False
    state = truth.holder(key).now
    return any(
        len(value_of(state, mine, role) or "") > theirs.length_max for role in NAMES
    )


def leaves_anything(owned: Owned, side: Side, key: Key, truth: Truth) -> bool:
    """Say whether the other app takes anything that a record can give it.

    Of that a counterpart is made, without what is too long.
    """
    there = Side.RIGHT if side is Side.LEFT else Side.LEFT
    ways = truth.ways(owned.place(there))
    for view in owned.now.mappings:
        ends = view.left, view.right
        names, fields = ends if side is Side.LEFT else reversed(ends)
        held = truth.holder(key).now.fields
        told = [text for name in names for text in texts_of(held.get(name))]
        if len(fields) > 1 and ways.role_of(fields[0]) in NAMES:
            # The first word is the given name, the others are the family's.
            told = " ".join(told).split(maxsplit=len(fields) - 1)
        limits = [ways.limit_of(ways.role_of(name)) for name in fields]
        fits = (len(t) <= most for t, most in zip(told, limits, strict=False) if most)
        if told and view.direction in ("both", f"to_{there.value}") and all(fits):
            return True
    return False
