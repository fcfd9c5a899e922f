"""Three-way merge of one mapping: each side against its own shadow."""

from collections.abc import Container
from typing import Final

import msgspec

from proto.fields import FieldKind
from proto.reconciler import LEFT, RIGHT, SIDES, Side
from services.reconciler.engine import canon, diff, items, lenses, model
from services.reconciler.engine.diff import Sides
from services.reconciler.engine.lenses import Atom, Atoms, firsts, fullnames, parts
from services.reconciler.engine.lenses.atoms import WHOLE, Target
from services.reconciler.engine.model import Apart, Lens, Pair

_NAME: Final = Lens.NAME
_ITEMS: Final = Lens.ITEMS
_FIRST: Final = Lens.FIRST
_SHARE_ROOM: Final = (Lens.ITEMS, Lens.PARTS)
"""Where one change may make room for another."""


class Merged(msgspec.Struct, frozen=True):
    """What has to go where so that both sides say the same."""

    to_left: Atoms
    to_right: Atoms
    lost: tuple[Side, ...]
    """Sides that have an edit which gives way."""
    is_first: bool

    def to(self, side: Side) -> Atoms:
        """Return what has to go to a side."""
        return self.to_left if side is LEFT else self.to_right


NOTHING: Final = Merged({}, {}, (), is_first=False)
"""Nothing has to go anywhere."""


def merge(pair: Pair, sides: Sides, *, known: Container[Apart] = ()) -> Merged:
    """Merge a mapping whose fields are known on both sides.

    What only one side edited goes to the other, atom by atom. Where both edited
    one atom alike, nothing goes anywhere; where they differ the winner's goes,
    unless it is empty, for in a conflict an empty value never clears another.

    Args:
        known: What is different on purpose, and does not wait to go across.
    """
    if pair.parts:
        return _merge_parts(pair, sides)
    is_first = diff.is_first_match(pair, sides)
    from_left = _edits(pair, LEFT, sides=sides, is_first=is_first)
    from_right = _edits(pair, RIGHT, sides=sides, is_first=is_first)
    lost: list[Side] = []
    lens = pair.mapping.lens
    is_name_of_both = lens is _NAME and bool(from_left and from_right)
    if from_left and from_right:
        if lens is _NAME and fullnames.is_same(
            pair, left=sides.left, right=sides.right
        ):
            # The same words can be split otherwise, which is no conflict.
            return Merged({}, {}, (), is_first)
        if lens is _ITEMS:
            _put_in_place(from_left, from_right, lost=lost, losing=RIGHT)
            _put_in_place(from_right, from_left, lost=lost, losing=LEFT)
    if lens is _ITEMS and pair.is_limited:
        _add_waiting(from_left, LEFT, pair=pair, sides=sides, known=known)
        _add_waiting(from_right, RIGHT, pair=pair, sides=sides, known=known)
    both = [key for key in from_left if key in from_right] if from_right else ()
    for key in both:
        ours, theirs = from_left[key], from_right[key]
        if _agree(ours, theirs, lens=lens):
            del from_left[key], from_right[key]
        elif _wins(ours, theirs, pair=pair) is LEFT:
            from_left[key] = msgspec.structs.replace(
                ours, replaces=_former(ours, theirs, pair=pair)
            )
            del from_right[key]
            if theirs.canon:
                lost.append(RIGHT)
        else:
            from_right[key] = msgspec.structs.replace(
                theirs, replaces=_former(theirs, ours, pair=pair)
            )
            del from_left[key]
            if ours.canon:
                lost.append(LEFT)
    if is_name_of_both and not _is_one_name(
        pair, sides, from_left=from_left, from_right=from_right
    ):
        from_left, from_right, lost = _whole_name(pair, sides)
    if not pair.left.is_written:
        from_right = {}
    if not pair.right.is_written:
        from_left = {}
    given_up = tuple(dict.fromkeys(lost)) if lost else ()
    return Merged(from_right, from_left, given_up, is_first)


def differences(pair: Pair, sides: Sides) -> dict[Side, Atoms]:
    """Return what each side says that the other does not, wherever it may go.

    Both are compared as at a first match: the shadows have to be empty.
    """
    if pair.parts:
        by_part = [differences(part, sides) for part in pair.parts]
        return {
            side: parts.joined({n: each[side] for n, each in enumerate(by_part)})
            for side in SIDES
        }
    found = {side: _edits(pair, side, sides=sides, is_first=True) for side in SIDES}
    left, right = found[LEFT], found[RIGHT]
    for key in [key for key in left if key in right]:
        if _agree(left[key], right[key], lens=pair.mapping.lens):
            del left[key], right[key]
    return found


def target(pair: Pair, side: Side, *, atoms: Atoms, sides: Sides) -> Target:
    """Return a side as atoms are to be applied to it, as both are now."""
    return lenses.target(
        pair,
        side,
        atoms=atoms,
        onto=sides.now(side),
        source=sides.now(model.other(side)),
        forms=sides.forms,
    )


def residue(pair: Pair, side: Side, *, sides: Sides, merged: Merged) -> Atoms:
    """Return atoms that take back a side's own edits which have yet to be carried.

    A write that merges both sides' edits shows both in the app's answer; what the
    other side has not got yet must stay out of the shadow to be seen as an edit.
    """
    pending = merged.to(model.other(side))
    if not pending:
        return {}
    pending = _with_effect(pending, model.other(side), pair=pair, sides=sides)
    if not pair.parts:
        return _taken_back(pending, side, pair=pair, sides=sides)
    return parts.joined(
        {
            number: _taken_back(own, side, pair=pair.parts[number], sides=sides)
            for number, own in parts.split(pending).items()
        }
    )


def _taken_back(pending: Atoms, side: Side, *, pair: Pair, sides: Sides) -> Atoms:
    """Return atoms that take back what a side has yet to carry."""
    if pair.mapping.lens is _FIRST:
        end = pair.end(side)
        return firsts.undone(pending, sides.old(side), end=end, known=sides.forms[side])
    if pair.mapping.lens is _NAME:
        return {
            role: Atom(edit.replaces, edit.replaces or None, edit.canon)
            for role, edit in pending.items()
        }
    back = lenses.changes(
        pair,
        side,
        old=sides.now(side),
        new=sides.old(side),
        other_old=sides.now(model.other(side)),
        forms=sides.forms,
    )
    found = {
        # An item whose place it would take back may have been agreed on.
        key: atom
        if atom.replaces in pending
        else msgspec.structs.replace(atom, replaces="")
        for key, atom in back.items()
        if key in pending
    }
    if pair.mapping.lens is _ITEMS:
        # What the other side has not, or no more, is not in the shadow either. So it
        # is new and goes across yet, also if whoever labelled it takes that back.
        opposite = model.other(side)
        there = items.read(
            pair.end(opposite), sides.now(opposite), known=sides.forms[opposite]
        )
        found |= {key: Atom("", None, key) for key in pending if key not in there}
    return found


def _with_effect(atoms: Atoms, side: Side, *, pair: Pair, sides: Sides) -> Atoms:
    """Return the atoms that change anything on a side as it is now.

    By itself, or together with the others: they may make room for it.
    """

    def placed(some: Atoms) -> list[str]:
        fields = lenses.put(target(pair, side, atoms=some, sides=sides))
        return lenses.normal(pair.end(side), fields, forms=sides.forms)

    before = lenses.normal(pair.end(side), sides.now(side), forms=sides.forms)
    alone = {key for key, atom in atoms.items() if placed({key: atom}) != before}
    if len(alone) == len(atoms) or pair.mapping.lens not in _SHARE_ROOM:
        return {key: atom for key, atom in atoms.items() if key in alone}
    after = placed(atoms)
    return {
        key: atom
        for key, atom in atoms.items()
        if key in alone
        or placed({each: a for each, a in atoms.items() if each != key}) != after
    }


def _merge_parts(pair: Pair, sides: Sides) -> Merged:
    """Merge each part by itself, for it has a direction and a winner of its own."""
    merged = [merge(part, sides) for part in pair.parts]
    lost = dict.fromkeys(side for each in merged for side in each.lost)
    return Merged(
        parts.joined({n: each.to_left for n, each in enumerate(merged)}),
        parts.joined({n: each.to_right for n, each in enumerate(merged)}),
        tuple(lost),
        all(each.is_first for each in merged),
    )


def _edits(pair: Pair, side: Side, *, sides: Sides, is_first: bool) -> Atoms:
    old, now = sides.old(side), sides.now(side)
    if not is_first and diff.is_raw_equal(pair.end(side), old, now=now):
        return {}
    opposite = model.other(side)
    return lenses.changes(
        pair,
        side,
        old=None if is_first else old,
        new=now,
        other_old=sides.now(opposite) if is_first else sides.old(opposite),
        other_new=sides.now(opposite),
        forms=sides.forms,
    )


def _is_one_name(
    pair: Pair, sides: Sides, *, from_left: Atoms, from_right: Atoms
) -> bool:
    """Say whether both sides of a name that both edited would tell it alike.

    As far as they did before: a title may be told by one side alone.
    """
    is_first = diff.is_first_match(pair, sides)
    left, right = (
        (sides.left, sides.right) if is_first else (sides.old_left, sides.old_right)
    )
    return fullnames.is_alike(
        pair,
        left=lenses.put(target(pair, LEFT, atoms=from_right, sides=sides)),
        right=lenses.put(target(pair, RIGHT, atoms=from_left, sides=sides)),
        alone=fullnames.told_alone(pair, left=left, right=right),
    )


def _whole_name(pair: Pair, sides: Sides) -> tuple[Atoms, Atoms, list[Side]]:
    """Let one side's whole name prevail where its words cannot be told apart."""
    names = {side: fullnames.told(pair.end(side), sides.now(side)) for side in SIDES}
    is_left = _wins(Atom(names[LEFT]), Atom(names[RIGHT]), pair=pair) is LEFT
    winner, loser = (LEFT, RIGHT) if is_left else (RIGHT, LEFT)
    whole = {WHOLE: Atom(names[winner], names[winner])}
    return (whole, {}, [loser]) if is_left else ({}, whole, [loser])


def _put_in_place(
    ours: Atoms, theirs: Atoms, *, lost: list[Side], losing: Side
) -> None:
    """Let an item that was replaced prevail over a new label for the old one.

    The new item goes across with its own label, or each side would keep another.
    """
    for key, atom in list(ours.items()):
        relabelled = theirs.get(atom.replaces) if atom.replaces != key else None
        if atom.canon and relabelled is not None and relabelled.canon:
            ours[key] = msgspec.structs.replace(atom, is_relabelled=True)
            del theirs[atom.replaces]
            lost.append(losing)


def _add_waiting(
    atoms: Atoms, side: Side, *, pair: Pair, sides: Sides, known: Container[Apart]
) -> None:
    """Add items for which the other side had no room when they came.

    What somebody took away there, where edits go nowhere, does not wait for room.
    """
    for key, atom in _waiting(pair, side, sides=sides).items():
        said = Apart.of(pair.mapping.mapping_id, side, key=key, said=atom.canon)
        if said not in known:
            atoms.setdefault(key, atom)


def _waiting(pair: Pair, side: Side, *, sides: Sides) -> Atoms:
    if not pair.end(model.other(side)).is_limited or diff.is_first_match(pair, sides):
        return {}
    return lenses.waiting(
        pair,
        side,
        old=sides.old(side),
        new=sides.now(side),
        other_old=sides.old(model.other(side)),
        forms=sides.forms,
    )


def _agree(ours: Atom, theirs: Atom, *, lens: Lens) -> bool:
    """Say whether two edits of one atom come to the same.

    Items that both sides added are the same item, under whatever label.
    """
    if ours.canon == theirs.canon:
        return True
    return (
        lens is _ITEMS
        and bool(ours.canon and theirs.canon)
        and not (ours.replaces and theirs.replaces)
    )


def _wins(ours: Atom, theirs: Atom, *, pair: Pair) -> Side:
    """Say which of two different edits of one atom prevails.

    In a conflict an empty value clears nothing. But there is none where one side only
    writes in other capitals what it had, or a number with its country's code: an app
    may do that by itself, however much later, and nobody's edit may give way to it
    (hazards 53 and 54).
    """
    if not ours.canon or not theirs.canon:
        filled = ours if ours.canon else theirs
        return LEFT if (filled is ours) is not _is_respelled(filled, pair) else RIGHT
    if not pair.left.is_written:
        return LEFT
    if not pair.right.is_written:
        return RIGHT
    if _is_respelled(ours, pair) is not _is_respelled(theirs, pair):
        return RIGHT if _is_respelled(ours, pair) else LEFT
    return pair.winner


def _is_respelled(atom: Atom, pair: Pair) -> bool:
    """Say whether a value is the one before, but for capitals or a country's code."""
    if pair.mapping.kind is FieldKind.PHONE:
        return canon.is_completed(atom.canon, atom.replaces)
    return atom.canon.casefold() == atom.replaces.casefold()


def _former(winning: Atom, losing: Atom, *, pair: Pair) -> str:
    """Return what the winning edit takes the place of on the losing side."""
    if pair.mapping.lens is _ITEMS:
        return winning.replaces
    return losing.canon if losing.is_in_place else ""
