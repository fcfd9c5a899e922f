"""How an edit on one side reads on the other.

``changes`` says what an edit was, in atoms that both sides understand; ``put``
applies atoms to what the other side holds now. Whatever no atom speaks of stays.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from proto.fields import Address, FieldKind, Fields, Item, Value
from proto.reconciler import Side
from services.reconciler.engine import canon, items, model, names
from services.reconciler.engine.items import Known
from services.reconciler.engine.model import Lens, Pair, PairEnd

NO_FORMS: Final[Mapping[Side, Known]] = {Side.LEFT: {}, Side.RIGHT: {}}
"""Nothing learned about how the two apps change values."""

_NOTHING_HELD: Final[Fields] = {}


class Atom(NamedTuple):
    """The smallest part of a mapping that changes by itself."""

    canon: str
    """Normal form of the new value; empty when it was cleared or removed."""
    value: Value | Item = None
    replaces: str = ""
    """What it was, or for items the key of the item whose place it takes."""
    is_relabelled: bool = True


Atoms = dict[str, Atom]

_WHOLE: Final = ""
"""The only atom of a mapping that changes as a whole."""


class Ends(NamedTuple):
    """A mapping seen from the side whose edit is read."""

    pair: Pair
    forms: Mapping[Side, Known]
    end: PairEnd
    opposite: PairEnd
    old: Fields
    """The shadow; empty at a first match."""
    new: Fields
    other_old: Fields
    """The other side's shadow, or its present values at a first match."""


def changes(
    pair: Pair,
    side: Side,
    *,
    old: Fields | None,
    new: Fields,
    other_old: Fields,
    forms: Mapping[Side, Known] = NO_FORMS,
) -> Atoms:
    """Return what was edited on a side since its shadow.

    Without a shadow everything that the side holds is an edit, as far as the other
    side does not say the same.
    """
    ends = Ends(
        pair=pair,
        forms=forms,
        end=pair.end(side),
        opposite=pair.end(model.other(side)),
        old=_NOTHING_HELD if old is None else old,
        new=new,
        other_old=other_old,
    )
    lens = pair.mapping.lens
    if lens is Lens.ITEMS:
        return _items_changed(ends)
    if lens is Lens.FIRST:
        if ends.end.fields[0].is_multiple or len(ends.end.fields) > 1:
            return _first_changed(ends, is_first_match=old is None)
        return _single_changed(ends, is_first_match=old is None)
    if lens is Lens.NAME:
        if old is None:
            return _names_compared(ends)
        if len(ends.end.fields) > 1:
            return _parts_changed(ends)
        return _full_changed(ends)
    if lens is Lens.DATE:
        return _date_changed(ends)
    return _value_changed(ends)


def waiting(
    pair: Pair,
    side: Side,
    *,
    old: Fields,
    new: Fields,
    other_old: Fields,
    forms: Mapping[Side, Known] = NO_FORMS,
) -> Atoms:
    """Return a side's old items that the other side never got: it was full."""
    end, opposite = pair.end(side), pair.end(model.other(side))
    if not any(field.count_max for field in opposite.fields):
        return {}
    held = items.read(opposite.fields, other_old, known=forms[opposite.side])
    known = items.read(end.fields, old, known=forms[side])
    return {
        key: Atom(f"+{item.label}", item)
        for key, item in items.read(end.fields, new, known=forms[side]).items()
        if key in known and key not in held
    }


def put(
    pair: Pair,
    side: Side,
    *,
    atoms: Atoms,
    onto: Fields,
    source: Fields,
    forms: Mapping[Side, Known] = NO_FORMS,
) -> Fields:
    """Return a side's fields of the mapping with atoms applied to ``onto``.

    Args:
        source: What the other side holds now, for names that words cannot place.
    """
    end = pair.end(side)
    lens = pair.mapping.lens
    if lens is Lens.ITEMS:
        wanted = {
            key: items.Change(_as_item(atom), atom.replaces, atom.is_relabelled)
            for key, atom in atoms.items()
        }
        return items.put(end.fields, onto, known=forms[side], wanted=wanted)
    if lens is Lens.FIRST:
        if end.fields[0].is_multiple or len(end.fields) > 1:
            return _put_counterpart(end, atoms[_WHOLE], onto=onto, known=forms[side])
        return {end.ids[0]: _as_text(atoms[_WHOLE])}
    if lens is Lens.NAME:
        if len(end.fields) > 1:
            return _put_parts(end, atoms, onto=onto)
        return {end.ids[0]: _put_full(end, atoms, onto=onto, pair=pair, source=source)}
    if lens is Lens.DATE:
        return {end.ids[0]: _put_date(end, atoms[_WHOLE], onto=onto)}
    value = atoms[_WHOLE].value
    assert not isinstance(value, Item)
    return {end.ids[0]: value}


def normal(end: PairEnd, values: Fields, *, forms: Mapping[Side, Known]) -> list[str]:
    """Return the normal forms of a side's fields, by what the app was given."""
    found = []
    for field in end.fields:
        value = canon.of(field.kind, values.get(field.field_id))
        learned = forms[end.side].get(field.field_id)
        found.append(learned.get(value, value) if learned else value)
    return found


def _value_changed(ends: Ends) -> Atoms:
    field = ends.end.fields[0]
    value = ends.new.get(field.field_id)
    was = canon.of(field.kind, ends.old.get(field.field_id))
    now = canon.of(field.kind, value)
    learned = ends.forms[ends.end.side].get(field.field_id)
    if learned:
        was, now = learned.get(was, was), learned.get(now, now)
    if was == now:
        return {}
    return {_WHOLE: Atom(now, value if now else None, was)}


def _date_changed(ends: Ends) -> Atoms:
    field_id = ends.end.ids[0]
    was = _month_day(ends.old.get(field_id))
    now = _month_day(ends.new.get(field_id))
    if was == now:
        return {}
    return {_WHOLE: Atom(now, ends.new.get(field_id) if now else None, was)}


def _month_day(value: Value) -> str:
    if not isinstance(value, str) or not value.strip():
        return ""
    parts = canon.date_parts(value)
    return parts[1] if parts is not None else value.strip()


def _put_date(end: PairEnd, atom: Atom, *, onto: Fields) -> Value:
    """Return the new day with the year that this side knows, if it knows one."""
    if not atom.canon or not isinstance(atom.value, str):
        return None
    parts = canon.date_parts(atom.value)
    if parts is None:
        return atom.value
    year, month_day = parts
    if end.fields[0].kind is FieldKind.MONTH_DAY:
        return f"--{month_day}"
    held = onto.get(end.ids[0])
    known = canon.date_parts(held) if isinstance(held, str) else None
    if known is None and not year and not end.fields[0].is_year_optional:
        # The field cannot hold a day without its year, and we invent none.
        return held
    year = known[0] if known is not None else year
    return f"{year}-{month_day}" if year else f"--{month_day}"


def _items_changed(ends: Ends) -> Atoms:
    known, fields = ends.forms[ends.end.side], ends.end.fields
    found = items.changes(
        items.read(fields, ends.old, known=known),
        items.read(fields, ends.new, known=known),
    )
    return {
        key: Atom(
            f"+{change.item.label}" if change.item is not None else "",
            change.item,
            change.replaces,
            change.is_relabelled,
        )
        for key, change in found.items()
    }


def _single_changed(ends: Ends, *, is_first_match: bool) -> Atoms:
    """Read an edit of the single value: it concerns its counterpart only."""
    was = normal(ends.end, ends.old, forms=ends.forms)[0]
    now = normal(ends.end, ends.new, forms=ends.forms)[0]
    if was == now:
        return {}
    if is_first_match:
        opposite = ends.opposite
        if now in items.read(
            opposite.fields, ends.other_old, known=ends.forms[opposite.side]
        ):
            return {}
    value = ends.new.get(ends.end.ids[0])
    return {_WHOLE: Atom(now, value if now else None, was, is_relabelled=False)}


def _first_changed(ends: Ends, *, is_first_match: bool) -> Atoms:
    """Read an edit of several values: it matters if the counterpart is gone."""
    known, fields = ends.forms[ends.end.side], ends.end.fields
    old = items.read(fields, ends.old, known=known)
    new = items.read(fields, ends.new, known=known)
    single = normal(ends.opposite, ends.other_old, forms=ends.forms)[0]
    if single in new or (single and not is_first_match and single not in old):
        return {}
    found = items.changes(old, new)
    chosen = next(iter(new), "")
    if not single:
        chosen = next((key for key, c in found.items() if c.item is not None), "")
    else:
        for key, change in found.items():
            if change.item is not None and change.replaces == single:
                chosen = key
    if chosen == single:
        return {}
    return {_WHOLE: Atom(chosen, new.get(chosen), single)}


def _put_counterpart(end: PairEnd, atom: Atom, *, onto: Fields, known: Known) -> Fields:
    present = items.read(end.fields, onto, known=known)
    wanted: items.Changes = {}
    if atom.canon in present:
        return {field_id: onto.get(field_id) for field_id in end.ids}
    is_replacing = atom.replaces in present
    if is_replacing:
        wanted[atom.replaces] = items.Change(None)
    if atom.canon:
        item = Item(value=_as_text(atom) or "")
        wanted[atom.canon] = items.Change(item, atom.replaces, not is_replacing)
    result = items.put(end.fields, onto, known=known, wanted=wanted)
    value, held = result[end.ids[0]], onto.get(end.ids[0])
    if (
        atom.canon
        and not is_replacing
        and isinstance(value, tuple)
        and isinstance(held, tuple)
        and len(value) > len(held)
    ):
        # One value stands for the first of several, so it goes to the front.
        result[end.ids[0]] = (value[-1], *value[:-1])
    return result


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
    edited = names.edit(old=old, new=new, base=base)
    return {role: Atom(text, text, base[role]) for role, text in edited.items()}


def _names_compared(ends: Ends) -> Atoms:
    """Find, at a first match, parts that the other side lacks or tells differently."""
    is_parts = len(ends.end.fields) > 1
    parts_end, full_end = (
        (ends.end, ends.opposite) if is_parts else (ends.opposite, ends.end)
    )
    mine, theirs = ends.new, ends.other_old
    parts = _parts_of(parts_end, mine if is_parts else theirs)
    full = _words((theirs if is_parts else mine).get(full_end.ids[0]))
    guess = names.split(full, base=parts)
    new, old = (parts, guess) if is_parts else (guess, parts)
    return {
        role: Atom(new[role], new[role], old[role])
        for role in parts
        if new[role] and new[role] != old[role]
    }


def _put_parts(end: PairEnd, atoms: Atoms, *, onto: Fields) -> Fields:
    result: Fields = {field_id: onto.get(field_id) for field_id in end.ids}
    for field in end.fields:
        atom = atoms.get(field.role)
        if atom is not None:
            result[field.field_id] = atom.canon or None
    return result


def _put_full(
    end: PairEnd, atoms: Atoms, *, onto: Fields, pair: Pair, source: Fields
) -> str | None:
    full = _words(onto.get(end.ids[0]))
    parts = _parts_of(pair.end(model.other(end.side)), source)
    if not full:
        return names.join(_texts(atoms)) or None
    for role, atom in _texts(atoms).items():
        full = names.replace(
            full, role=role, old=atoms[role].replaces, new=atom, parts=parts
        )
    return full or None


def _texts(atoms: Atoms) -> names.Parts:
    return {role: atoms[role].canon for role in names.PARTS if role in atoms}


def _parts_of(end: PairEnd, values: Fields) -> names.Parts:
    return {f.role: _words(values.get(f.field_id)) for f in end.fields}


def _words(value: Value) -> str:
    return canon.name(value) if isinstance(value, str) else ""


def _as_item(atom: Atom) -> Item | None:
    assert atom.value is None or isinstance(atom.value, Item)
    return atom.value


def _as_text(atom: Atom) -> str | None:
    value = atom.value.value if isinstance(atom.value, Item) else atom.value
    if isinstance(value, Address) or not isinstance(value, str):
        return None
    return value
