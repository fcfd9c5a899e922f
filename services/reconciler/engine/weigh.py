"""All mappings of a link at once: what is in step, what to write, what is held."""

from collections.abc import Container
from typing import Final

import msgspec

from proto.fields import Fields, Value
from proto.reconciler import LEFT, RIGHT, SIDES, Side
from services.reconciler.engine import apart, canon, diff, guards, lenses, merge, model
from services.reconciler.engine.diff import Sides
from services.reconciler.engine.lenses import Atom, Atoms
from services.reconciler.engine.merge import Merged
from services.reconciler.engine.model import (
    Apart,
    Config,
    Hold,
    Lens,
    Pair,
    PairEnd,
    Reason,
)

_COPY: Final = Lens.COPY

_Settled = tuple[Merged, dict[Side, Fields], Reason | None]
"""A merge, what has to change on which side, and why that cannot be carried."""


class Want(msgspec.Struct, frozen=True):
    """What one mapping needs written on one side."""

    pair: Pair
    merged: Merged
    fields: Fields


class Weighed(msgspec.Struct, frozen=True):
    """All mappings of a link after the merge."""

    wants: dict[Side, list[Want]]
    holds: tuple[Hold, ...]
    left: Fields
    """The shadows, with the mappings that are in step brought up to date."""
    right: Fields
    apart: tuple[Apart, ...]
    """What is different on purpose, and what stays so once all that is written."""


def weigh(sides: Sides, config: Config, *, known: tuple[Apart, ...] = ()) -> Weighed:
    """Merge every mapping; find what is in step, what to write, what is held.

    Args:
        known: What is different on purpose so far.
    """
    wants: dict[Side, list[Want]] = {LEFT: [], RIGHT: []}
    holds: list[Hold] = []
    in_step: list[Pair] = []
    stays_apart: dict[str, tuple[Apart, ...]] = {}
    for pair in diff.touched(config, sides):
        settled = _settled_at_once(pair, sides)
        if settled is None:
            if not diff.is_known(pair, sides):
                continue
            settled = _settled(pair, sides, known=known)
        merged, needed, reason = settled
        if reason is not None:
            holds.append(Hold(mapping_id=pair.mapping.mapping_id, reason=reason))
            continue
        for side, fields in needed.items():
            wants[side].append(Want(pair, merged, fields))
        if known or not pair.is_two_way or apart.is_cleared(pair, merged):
            found = apart.after(pair, sides, merged=merged, needed=needed, known=known)
            stays_apart[pair.mapping.mapping_id] = tuple(dict.fromkeys(found))
        if not needed:
            in_step.append(pair)
    left, right = sides.old_left, sides.old_right
    if in_step:
        left = _brought_up_to_date(in_step, LEFT, sides=sides)
        right = _brought_up_to_date(in_step, RIGHT, sides=sides)
    if known or stays_apart:
        kept = [each for each in known if each.mapping_id not in stays_apart]
        fresh = [each for found in stays_apart.values() for each in found]
        known = (*kept, *fresh)
    return Weighed(wants, tuple(holds), left, right, known)


def missed(pair: Pair, sides: Sides, *, known: tuple[Apart, ...]) -> dict[Side, Fields]:
    """Return what would be written if both sides had just met (hazard 29).

    Nothing where they are apart on purpose, or cannot say what the other says.
    """
    merged = apart.missed(pair, sides, known=known)
    needed = _needed(pair, sides, merged=merged)
    reason = _hindrance(pair, sides, merged=merged, needed=needed)
    return needed if reason is None else {}


def _brought_up_to_date(in_step: list[Pair], side: Side, *, sides: Sides) -> Fields:
    """Return a side's shadow with the present values of some mappings."""
    now = sides.now(side)
    news = {i: now[i] for pair in in_step for i in pair.end(side).ids}
    return {**sides.old(side), **news}


def _settled(pair: Pair, sides: Sides, *, known: tuple[Apart, ...] = ()) -> _Settled:
    """Merge a mapping; return also what has to change where, and what is against it."""
    merged = merge.merge(pair, sides, known=known)
    needed = _needed(pair, sides, merged=merged)
    return merged, needed, _hindrance(pair, sides, merged=merged, needed=needed)


def _needed(pair: Pair, sides: Sides, *, merged: Merged) -> dict[Side, Fields]:
    """Return what has to change on which side."""
    needed = {}
    for side, atoms in ((LEFT, merged.to_left), (RIGHT, merged.to_right)):
        if atoms:
            fields = fields_for(pair, side, sides=sides, merged=merged)
            if fields:
                needed[side] = fields
    return needed


def _settled_at_once(pair: Pair, sides: Sides) -> _Settled | None:
    """Merge the commonest case at once: one side edited the only field of a mapping.

    Says the same as ``_settled``, at a third of the cost; None for any other case.
    """
    if pair.plain is None or sides.forms is not lenses.NO_FORMS:
        return None
    left_id, right_id = pair.plain
    old_left, old_right = sides.old_left, sides.old_right
    if left_id not in old_left or right_id not in old_right:
        return None
    was_left, left = old_left[left_id], sides.left[left_id]
    was_right, right = old_right[right_id], sides.right[right_id]
    is_left = was_left != left
    if is_left is (was_right != right):
        return None
    if pair.mapping.lens is not _COPY:
        return _listed(pair, LEFT if is_left else RIGHT, sides=sides)
    if is_left:
        return _copied(pair.left, pair.right, was=was_left, value=left, held=right)
    return _copied(pair.right, pair.left, was=was_right, value=right, held=left)


def _copied(
    end: PairEnd, opposite: PairEnd, *, was: Value, value: Value, held: Value
) -> _Settled:
    """Settle an edit of a value that is the same on both sides.

    Args:
        held: What the other side has there.
    """
    kind, kind_there = end.fields[0].kind, opposite.fields[0].kind
    form, form_before = canon.of(kind, value), canon.of(kind, was)
    if form == form_before or not opposite.is_written:
        return merge.NOTHING, {}, None
    if not form:
        value = None
    merged = _going_to(opposite, {"": Atom(form, value, form_before)})
    if kind_there is not kind:
        is_there = canon.of(kind_there, held) == canon.of(kind_there, value)
    else:
        # Where the other side has what was here before, it lacks what is here now.
        is_there = held != was and canon.of(kind, held) == form
    if is_there:
        return merged, {}, None
    return _needing(value, opposite, merged=merged)


def _listed(pair: Pair, side: Side, *, sides: Sides) -> _Settled:
    """Settle an edit of items that a side made."""
    there, opposite = model.other(side), pair.end(model.other(side))
    onto, source = sides.now(there), sides.now(side)
    atoms = lenses.changes(
        pair, side, old=sides.old(side), new=source, other_old=sides.old(there)
    )
    if not atoms or not opposite.is_written:
        return merge.NOTHING, {}, None
    placed = lenses.put(
        lenses.target(pair, there, atoms=atoms, onto=onto, source=source)
    )
    field, merged = opposite.fields[0], _going_to(opposite, atoms)
    held, value = onto[field.field_id], placed[field.field_id]
    if lenses.is_alike(field, held, other=value, known=lenses.NO_FORMS[there]):
        return merged, {}, None
    return _needing(value, opposite, merged=merged)


def _going_to(end: PairEnd, atoms: Atoms) -> Merged:
    if end.side is LEFT:
        return Merged(atoms, {}, (), is_first=False)
    return Merged({}, atoms, (), is_first=False)


def _needing(value: Value, end: PairEnd, *, merged: Merged) -> _Settled:
    field = end.fields[0]
    reason = guards.reason_against(field, value)
    return merged, {end.side: {field.field_id: value}}, reason


def fields_for(pair: Pair, side: Side, *, sides: Sides, merged: Merged) -> Fields:
    """Return the fields of a side that have to change for a mapping."""
    end, onto = pair.end(side), sides.now(side)
    target = lenses.put(merge.target(pair, side, atoms=merged.to(side), sides=sides))
    known = sides.forms[side]
    found: Fields = {}
    for field in end.fields:
        was, now = onto.get(field.field_id), target[field.field_id]
        if not lenses.is_alike(field, was, other=now, known=known):
            found[field.field_id] = now
    return found


def _hindrance(
    pair: Pair, sides: Sides, *, merged: Merged, needed: dict[Side, Fields]
) -> Reason | None:
    """Say why an edit cannot be carried, or None if it can."""
    if lenses.can_refuse(pair):
        for side in SIDES:
            reason = _unsayable(pair, side, sides=sides, merged=merged)
            if reason is not None:
                return reason
    for side, fields in needed.items():
        for field in pair.end(side).fields:
            if (
                field.field_id in fields
                and (reason := guards.reason_against(field, fields[field.field_id]))
                is not None
            ):
                return reason
    return None


def _unsayable(
    pair: Pair, side: Side, *, sides: Sides, merged: Merged
) -> Reason | None:
    """Say why an edit says what a side cannot hold, or None if it can."""
    atoms = merged.to(side)
    if not atoms:
        return None
    return lenses.reason_against(merge.target(pair, side, atoms=atoms, sides=sides))


def for_create(
    values: Fields, source: Side, *, config: Config, without: Container[str] = ()
) -> tuple[Fields, list[Pair], tuple[Hold, ...]]:
    """Return what a new counterpart of a record gets, by which mappings, and holds.

    Args:
        without: Mappings whose value was refused already; they come after it.
    """
    side = model.other(source)
    sides = Sides(
        old_left={},
        old_right={},
        left=values if source is LEFT else {},
        right=values if source is RIGHT else {},
        forms=lenses.NO_FORMS,
    )
    fields: Fields = {}
    pairs: list[Pair] = []
    holds: list[Hold] = []
    for pair in config.pairs:
        if not pair.end(side).is_written or pair.mapping.mapping_id in without:
            continue
        if not all(field_id in values for field_id in pair.end(source).ids):
            continue
        _, needed, reason = _settled(pair, sides)
        if reason is not None:
            holds.append(Hold(mapping_id=pair.mapping.mapping_id, reason=reason))
            continue
        pairs.append(pair)
        fields.update(needed.get(side, {}))
    return fields, pairs, tuple(holds)
