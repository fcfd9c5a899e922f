"""A full name on one side, its parts on the other.

An edit changes the part that changed, and the words of it only.
"""

from collections import Counter
from collections.abc import Mapping

from proto.fields import Fields, Value
from proto.reconciler import Side
from services.reconciler.engine import canon, names
from services.reconciler.engine.config import Pair, PairEnd
from services.reconciler.engine.items import Known
from services.reconciler.engine.lenses import atoms
from services.reconciler.engine.lenses.atoms import WHOLE, Atom, Atoms, Ends, Target

Counts = tuple[int, int]
"""Of the left and of the right."""


def changes(ends: Ends) -> Atoms:
    """Return the parts that an edit of either form of a name changes."""
    if ends.is_first:
        return _compared(ends)
    return _parts_changed(ends) if ends.end.is_many else _full_changed(ends)


def put(target: Target) -> Fields:
    """Return a side's name with parts exchanged, or another one as a whole."""
    if WHOLE in target.atoms:
        return _put_whole(target, target.atoms[WHOLE].canon)
    if target.end.is_many:
        return _put_parts(target)
    return {target.end.ids[0]: _put_full(target)}


def is_same(pair: Pair, *, left: Fields, right: Fields) -> bool:
    """Say whether both sides hold the same words."""
    return told(pair.left, left) == told(pair.right, right)


def told(end: PairEnd, values: Fields) -> str:
    """Return the words of a side's name, in the order in which it tells them."""
    return " ".join(filter(None, (_words(values.get(i)) for i in end.ids)))


def is_alike(pair: Pair, *, left: Fields, right: Fields, alone: Counts) -> bool:
    """Say whether both sides tell one name: their words in one order, as often.

    Either may tell others besides, such as a title, or what an app cut in two.

    Args:
        alone: How many words each side may tell that the other does not.
    """
    ours, theirs = _words_of(pair, left=left, right=right)
    mine = [word for word in ours if word in theirs]
    yours = [word for word in theirs if word in ours]
    is_more = len(ours) - len(mine) > alone[0] or len(theirs) - len(yours) > alone[1]
    return mine == yours and not is_more


def told_alone(pair: Pair, *, left: Fields, right: Fields) -> Counts:
    """Return how many words each side tells that the other does not, left first."""
    ours, theirs = (Counter(words) for words in _words_of(pair, left=left, right=right))
    return (ours - theirs).total(), (theirs - ours).total()


def _words_of(
    pair: Pair, *, left: Fields, right: Fields
) -> tuple[list[str], list[str]]:
    return (
        told(pair.left, left).casefold().split(),
        told(pair.right, right).casefold().split(),
    )


def _parts_changed(ends: Ends) -> Atoms:
    found: Atoms = {}
    for field in ends.end.fields:
        was = _words(ends.old.get(field.field_id))
        now = _words(ends.new.get(field.field_id))
        if was != now:
            found[field.role] = Atom(now, now, was)
    return found


def _full_changed(ends: Ends) -> Atoms:
    """Read an edit of a full name as the other side's parts that it concerns."""
    base = _parts_of(ends.opposite, ends.other_old)
    new = _words(ends.new.get(ends.end.ids[0]))
    old = _words(ends.old.get(ends.end.ids[0]))
    if old == new:
        return {}
    now = base if ends.other_new is None else _parts_of(ends.opposite, ends.other_new)
    edited = names.edit(old=old, new=new, base=base, now=now)
    return {role: Atom(text, text, base[role]) for role, text in edited.items()}


def _compared(ends: Ends) -> Atoms:
    """Find, at a first match, parts that the other side lacks or tells differently.

    What an app has made of a name that was written to it tells nothing else.
    """
    new, old = _in_parts(ends, ends.new, theirs=ends.other_old)
    given, was_given = new, old
    if any(ends.forms.values()):
        mine = _as_given(ends.end, ends.new, forms=ends.forms)
        theirs = _as_given(ends.opposite, ends.other_old, forms=ends.forms)
        given, was_given = _in_parts(ends, mine, theirs=theirs)
    return {
        role: Atom(new[role], new[role], old[role])
        for role in new
        if new[role] and new[role] != old[role] and given[role] != was_given[role]
    }


def _in_parts(
    ends: Ends, mine: Fields, *, theirs: Fields
) -> tuple[names.Parts, names.Parts]:
    """Return the parts of the name that each side tells."""
    if ends.end.is_many:
        parts = _parts_of(ends.end, mine)
        full = _words(theirs.get(ends.opposite.ids[0]))
        return parts, names.split(full, base=parts)
    parts = _parts_of(ends.opposite, theirs)
    return names.split(_words(mine.get(ends.end.ids[0])), base=parts), parts


def _as_given(end: PairEnd, values: Fields, *, forms: Mapping[Side, Known]) -> Fields:
    """Return a side's name as the app was given it."""
    known = forms[end.side]
    return {
        f.field_id: atoms.form(f, values.get(f.field_id), known=known)
        for f in end.fields
    }


def _put_parts(target: Target) -> Fields:
    end, onto = target.end, target.onto
    result: Fields = {field_id: onto.get(field_id) for field_id in end.ids}
    for field in end.fields:
        atom = target.atoms.get(field.role)
        if atom is not None:
            result[field.field_id] = atom.canon or None
    return result


def _put_whole(target: Target, name: str) -> Fields:
    end = target.end
    if not end.is_many:
        return {end.ids[0]: name or None}
    split = names.split(name, base=_parts_of(end, target.onto))
    return {field.field_id: split[field.role] or None for field in end.fields}


def _put_full(target: Target) -> str | None:
    wanted = target.atoms
    full = _words(target.onto.get(target.end.ids[0]))
    parts = _parts_of(target.opposite, target.source)
    if not full:
        return names.join(_texts(wanted)) or None
    for role, text in _texts(wanted).items():
        full = names.replace(
            full, role=role, old=wanted[role].replaces, new=text, parts=parts
        )
    return full or None


def _texts(wanted: Atoms) -> names.Parts:
    return {role: wanted[role].canon for role in names.PARTS if role in wanted}


def _parts_of(end: PairEnd, values: Fields) -> names.Parts:
    return {f.role: _words(values.get(f.field_id)) for f in end.fields}


def _words(value: Value) -> str:
    return canon.name(value) if isinstance(value, str) else ""
