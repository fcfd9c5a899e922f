"""One value on one side, several on the other: the first of them goes across.

The single value stands for one of the several, its counterpart. An edit of it
replaces its counterpart only.
"""

from collections.abc import Mapping

from proto.fields import Fields, Item
from proto.reconciler import Side
from services.reconciler.engine import canon, items
from services.reconciler.engine.config import PairEnd
from services.reconciler.engine.items import Known
from services.reconciler.engine.lenses.atoms import (
    WHOLE,
    Atom,
    Atoms,
    Ends,
    Target,
)
from services.reconciler.engine.model import Reason


def changes(ends: Ends) -> Atoms:
    """Return the value that is to be on the other side, if another one was."""
    return _several_changed(ends) if ends.end.is_many else _single_changed(ends)


def put(target: Target) -> Fields:
    """Return a side with the value in its counterpart's place."""
    atom = target.atoms[WHOLE]
    if atom.canon and atom.text is None:
        return {i: target.onto.get(i) for i in target.end.ids}
    if not target.end.is_many:
        return {target.end.ids[0]: atom.text}
    return _put_counterpart(target, atom)


def reason_against(target: Target) -> Reason | None:
    """Say why a value cannot be carried: it is no text, or there is no room."""
    atom, end = target.atoms[WHOLE], target.end
    if not atom.canon:
        return None
    if atom.text is None:
        return Reason.BAD_VALUE
    if not end.is_many or not end.is_limited:
        return None
    found = items.read(end, _put_counterpart(target, atom), known=target.known)
    return None if atom.canon in found else Reason.NO_ROOM


def undone(atoms: Atoms, values: Fields, *, end: PairEnd, known: Known) -> Atoms:
    """Return atoms that take back an edit of a side.

    Args:
        values: What the side held before.
    """
    found: Atoms = {}
    for key, atom in atoms.items():
        item = items.read(end, values, known=known).get(atom.replaces)
        # What only the other side has, as when its edit gave way in a conflict, is
        # known by its normal form alone.
        found[key] = Atom(
            atom.replaces,
            (item or atom.replaces) if atom.replaces else None,
            atom.canon,
            is_relabelled=False,
        )
    return found


def _single_changed(ends: Ends) -> Atoms:
    """Read an edit of the single value: it concerns its counterpart only."""
    was = _key(ends.end, ends.old, forms=ends.forms)
    now = _key(ends.end, ends.new, forms=ends.forms)
    if was == now:
        return {}
    if ends.is_first:
        opposite = ends.opposite
        if now in items.read(opposite, ends.other_old, known=ends.forms[opposite.side]):
            return {}
    value = ends.new.get(ends.end.ids[0])
    return {WHOLE: Atom(now, value if now else None, was, is_relabelled=False)}


def _several_changed(ends: Ends) -> Atoms:
    """Read an edit of several values: it matters if the counterpart is gone."""
    known = ends.forms[ends.end.side]
    old = items.read(ends.end, ends.old, known=known)
    new = items.read(ends.end, ends.new, known=known)
    single = _key(ends.opposite, ends.other_old, forms=ends.forms)
    counterpart = single
    if single and not ends.is_first and single not in old:
        # It was edited where that goes nowhere. What went across first stands for it.
        counterpart = next(iter(old), "")
    if single in new or counterpart in new:
        return {}
    found = items.changes(old, new)
    chosen = next(iter(new), "")
    if not single:
        chosen = next((key for key, c in found.items() if c.item is not None), "")
    else:
        for key, change in found.items():
            if change.item is not None and change.replaces == counterpart:
                chosen = key
    if chosen == single:
        return {}
    is_in_place = not single or (
        chosen in found and found[chosen].replaces == counterpart
    )
    value = new.get(chosen)
    return {WHOLE: Atom(chosen, value, single, is_in_place=is_in_place)}


def _put_counterpart(target: Target, atom: Atom) -> Fields:
    end, onto, known = target.end, target.onto, target.known
    present = items.read(end, onto, known=known)
    wanted: items.Changes = {}
    if atom.canon in present:
        return {field_id: onto.get(field_id) for field_id in end.ids}
    is_replacing = atom.replaces in present
    if is_replacing:
        wanted[atom.replaces] = items.Change(None)
    if atom.canon:
        item = Item(value=atom.text or "")
        wanted[atom.canon] = items.Change(item, atom.replaces, not is_replacing)
    result = items.put(end, onto, known=known, wanted=wanted)
    value, held = result[end.ids[0]], onto.get(end.ids[0])
    if (
        atom.canon
        and not is_replacing
        and isinstance(value, tuple)
        and isinstance(held, tuple)
        and len(value) > len(held)
    ):
        # One value stands for the first of several, so it goes before the others.
        is_mine = [not end.label or item.label == end.label for item in held]
        at = is_mine.index(True) if True in is_mine else len(held)
        result[end.ids[0]] = (*value[:at], value[-1], *value[at:-1])
    return result


def _key(end: PairEnd, values: Fields, *, forms: Mapping[Side, Known]) -> str:
    """Return what the single value is told from others by."""
    field = end.fields[0]
    key = canon.of(end.kind, values.get(field.field_id))
    learned = forms[end.side].get(field.field_id) if field.kind is end.kind else None
    return learned.get(key, key) if learned else key
