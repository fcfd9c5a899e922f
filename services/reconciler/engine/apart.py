"""What both sides of a link say differently because it was decided so (hazard 29).

What people edit on a side whose edits go nowhere stays there, and is no drift. Nor is
it when somebody cleared a single value that stood for one of several, and the others
stay (behaviour 18). A link remembers such differences until they are written over or
gone.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from proto.fields import Fields
from proto.reconciler import LEFT, RIGHT, SIDES, Side
from services.reconciler.engine import diff, lenses, merge, model
from services.reconciler.engine.diff import Sides
from services.reconciler.engine.lenses import Atom, Atoms, parts
from services.reconciler.engine.merge import Merged
from services.reconciler.engine.model import Apart, Lens, Pair

_WITH_FIRSTS: Final = (Lens.FIRST, Lens.PARTS)
"""Mappings between one value and several, or with parts that are such."""


def after(
    pair: Pair,
    sides: Sides,
    *,
    merged: Merged,
    needed: Mapping[Side, Fields],
    known: Iterable[Apart],
) -> Iterator[Apart]:
    """Yield in what a mapping is apart, and stays so once what was decided is written.

    Until then nothing is apart no more: a write may be held, or come to nothing, and
    the edit that it was decided for be taken back. Once a side's own edits were just
    seen that go nowhere, every difference may be due to them, on either side: what
    somebody took away there shows as said here alone. Otherwise all were known before,
    or they are drift. A part that is written into a name that is apart takes the place
    of other words than there, so that any may be new.
    """
    known = [each for each in known if each.mapping_id == pair.mapping.mapping_id]
    is_left_alone = _is_left_alone(pair, sides)
    if is_cleared(pair, merged):
        yield from _left_empty(pair, sides)
    if not known and not is_left_alone:
        return
    if needed:
        yield from known
    is_name = pair.mapping.lens is Lens.NAME
    if is_name and needed:
        sides = msgspec.structs.replace(
            sides,
            left={**sides.left, **needed.get(LEFT, {})},
            right={**sides.right, **needed.get(RIGHT, {})},
        )
        merged = merge.NOTHING
    for each in _differences(pair, sides, written=merged):
        if is_left_alone or each in known or (is_name and needed):
            yield each
        elif is_name and known and _has_edited(pair, each.side, sides=sides):
            # In place of words that no part of the other side has, or beside them.
            yield each


def is_cleared(pair: Pair, merged: Merged) -> bool:
    """Say whether a single value was cleared that stood for one of several."""
    if pair.mapping.lens not in _WITH_FIRSTS:
        return False
    return any(
        not atom.canon
        for side in SIDES
        for _, atom in _of_firsts(pair, merged.to(side))
    )


def remaining(
    known: tuple[Apart, ...], sides: Sides, *, pairs: Iterable[Pair]
) -> tuple[Apart, ...]:
    """Return what is apart still, now that some mappings have been written."""
    if not known:
        return known
    told = [pair for pair in pairs if diff.is_known(pair, sides)]
    written = {pair.mapping.mapping_id for pair in told}
    left = {
        each
        for pair in told
        for each in _differences(pair, sides, written=merge.NOTHING)
    }
    return tuple(
        each for each in known if each.mapping_id not in written or each in left
    )


def missed(pair: Pair, sides: Sides, *, known: Iterable[Apart]) -> Merged:
    """Return what would go where at a first match, without what is apart on purpose."""
    met = merge.merge(pair, sides.as_if_just_met())
    fresh = set(_differences(pair, sides, written=merge.NOTHING)) - set(known)
    if pair.mapping.lens is Lens.NAME:
        # Words cannot be told from parts one by one, so that they go together.
        sides_fresh = {each.side for each in fresh}
        return msgspec.structs.replace(
            met,
            to_left=met.to_left if RIGHT in sides_fresh else {},
            to_right=met.to_right if LEFT in sides_fresh else {},
        )
    to_left, to_right = (
        {
            key: atom
            for key, atom in met.to(side).items()
            if _told(pair, model.other(side), key=key, atom=atom) in fresh
        }
        for side in SIDES
    )
    return msgspec.structs.replace(met, to_left=to_left, to_right=to_right)


def _is_left_alone(pair: Pair, sides: Sides) -> bool:
    """Say whether edits of a side have just been seen that are not carried."""
    is_first = diff.is_first_match(pair, sides)
    return any(
        not part.end(model.other(side)).is_written
        and (is_first or _has_edited(part, side, sides=sides))
        for part in pair.parts or (pair,)
        for side in SIDES
    )


def _has_edited(pair: Pair, side: Side, *, sides: Sides) -> bool:
    return not diff.is_raw_equal(pair.end(side), sides.old(side), now=sides.now(side))


def _differences(pair: Pair, sides: Sides, *, written: Merged) -> Iterator[Apart]:
    """Yield what each side says that the other does not, but for what is written."""
    if pair.mapping.lens is Lens.NAME:
        yield from _words_apart(pair, sides, written=written)
        return
    done = written.to_left.keys() | written.to_right.keys()
    said = merge.differences(pair, sides.as_if_just_met())
    for side, atoms in said.items():
        for key, atom in atoms.items():
            if key not in done:
                yield _told(pair, side, key=key, atom=atom)


def _left_empty(pair: Pair, sides: Sides) -> Iterator[Apart]:
    """Yield that single values are empty where the other side has any."""
    for side, atoms in merge.differences(pair, sides.as_if_just_met()).items():
        for key, atom in atoms.items():
            is_for_none = not atom.replaces
            if is_for_none and _is_of_several(pair, side, key=key, atom=atom):
                yield _told(pair, side, key=key, atom=atom)


def _told(pair: Pair, side: Side, *, key: str, atom: Atom) -> Apart:
    """Return what a side says; of several values for one, that they are others.

    Which of them comes first does not matter then, nor whether some come and go.
    """
    is_of_several = _is_of_several(pair, side, key=key, atom=atom)
    return _apart(pair, side, key=key, said="" if is_of_several else atom.canon)


def _is_of_several(pair: Pair, side: Side, *, key: str, atom: Atom) -> bool:
    return any(part.end(side).is_many for part, _ in _of_firsts(pair, {key: atom}))


def _of_firsts(pair: Pair, atoms: Atoms) -> Iterator[tuple[Pair, Atom]]:
    """Yield atoms of mappings, or parts of one, between one value and several."""
    by_part = parts.split(atoms) if pair.parts else {0: atoms}
    for number, own in by_part.items():
        part = pair.parts[number] if pair.parts else pair
        if part.mapping.lens is Lens.FIRST:
            yield from ((part, atom) for atom in own.values())


def _words_apart(pair: Pair, sides: Sides, *, written: Merged) -> Iterator[Apart]:
    """Yield the words of a name that the other side lacks, each as often as it does.

    Apps write capitals as they like, and word by word, so they tell nothing here.
    """
    has = {
        side: Counter(
            word
            for text in lenses.normal(
                pair.end(side), sides.now(side), forms=sides.forms
            )
            for word in text.casefold().split()
        )
        for side in SIDES
    }
    for side in SIDES:
        opposite = model.other(side)
        lacked = has[side] - has[opposite]
        for atom in written.to(opposite).values():
            lacked.subtract(atom.canon.casefold().split())
        for word, count in lacked.items():
            for number in range(count):
                yield _apart(pair, side, key=str(number), said=word)


def _apart(pair: Pair, side: Side, *, key: str, said: str) -> Apart:
    return Apart.of(pair.mapping.mapping_id, side, key=key, said=said)
