"""What both sides of a link say differently because it was decided so (hazard 29).

What people edit on a side whose edits go nowhere stays there, and is no drift. A link
remembers such differences until they are written over or gone.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from proto.reconciler import SIDES, Side
from services.reconciler.engine import diff, merge, model
from services.reconciler.engine.diff import Sides
from services.reconciler.engine.lenses import Atom
from services.reconciler.engine.merge import Merged
from services.reconciler.engine.model import Apart, Pair

_END_OF_KEY = "\x1f"


class Difference(NamedTuple):
    """One atom that one side says and the other does not."""

    side: Side
    key: str
    atom: Atom

    def of(self, pair: Pair) -> Apart:
        """Return it the way a link remembers it."""
        said = f"{self.key}{_END_OF_KEY}{self.atom.canon}"
        form = hashlib.blake2b(
            said.encode("utf-8", "surrogatepass"), digest_size=8
        ).hexdigest()
        return Apart(mapping_id=pair.mapping.mapping_id, side=self.side, form=form)


def after(
    pair: Pair, sides: Sides, *, merged: Merged, known: Iterable[Apart]
) -> Iterator[Apart]:
    """Yield in what a mapping stays apart once what was decided is written.

    New are differences of a side whose own edits were just seen and go nowhere. All
    others were known before, or they are drift.
    """
    known = [each for each in known if each.mapping_id == pair.mapping.mapping_id]
    is_left_alone = any(
        _goes_nowhere(pair, side)
        and (
            diff.is_first_match(pair, sides)
            or not diff.is_raw_equal(
                pair.end(side), sides.old(side), now=sides.now(side)
            )
        )
        for side in SIDES
    )
    if not known and not is_left_alone:
        return
    written = merged.to_left.keys() | merged.to_right.keys()
    for each in differences(pair, sides):
        remembered = each.of(pair)
        if each.key not in written and (is_left_alone or remembered in known):
            yield remembered


def missed(pair: Pair, sides: Sides, *, known: Iterable[Apart]) -> Merged:
    """Return what would go where at a first match, without what is apart on purpose."""
    known = frozenset(known)
    fresh = {
        (each.side, each.key)
        for each in differences(pair, sides)
        if each.of(pair) not in known
    }
    met = merge.merge(pair, sides._replace(old_left={}, old_right={}))
    to_left, to_right = (
        {k: atom for k, atom in met.to(side).items() if (model.other(side), k) in fresh}
        for side in SIDES
    )
    return met._replace(to_left=to_left, to_right=to_right)


def differences(pair: Pair, sides: Sides) -> Iterator[Difference]:
    """Yield what each side says that the other does not, wherever it may go."""
    said = merge.apart(pair, sides._replace(old_left={}, old_right={}))
    for side, atoms in said.items():
        for key, atom in atoms.items():
            yield Difference(side, key, atom)


def _goes_nowhere(pair: Pair, side: Side) -> bool:
    """Say whether some edits of a side are not carried to the other."""
    parts = pair.parts or (pair,)
    return any(not part.end(model.other(side)).is_written for part in parts)
