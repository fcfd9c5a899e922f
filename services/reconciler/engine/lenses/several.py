"""Several values on both sides, told apart by their normal form."""

from proto.fields import Fields, Item
from services.reconciler.engine import items
from services.reconciler.engine.lenses.atoms import Atom, Atoms, Ends, Target


def changes(ends: Ends) -> Atoms:
    """Return what was added, removed, replaced and labelled anew."""
    known = ends.forms[ends.end.side]
    found = items.changes(
        items.read(ends.end, ends.old, known=known),
        items.read(ends.end, ends.new, known=known),
    )
    return {
        key: Atom(
            _form(change.item, ends),
            change.item,
            change.replaces,
            change.is_relabelled,
        )
        for key, change in found.items()
    }


def waiting(ends: Ends) -> Atoms:
    """Return old items that the other side never got: it was full."""
    opposite = ends.opposite
    held = items.read(opposite, ends.other_old, known=ends.forms[opposite.side])
    known = ends.forms[ends.end.side]
    old = items.read(ends.end, ends.old, known=known)
    return {
        key: Atom(_form(item, ends), item)
        for key, item in items.read(ends.end, ends.new, known=known).items()
        if key in old and key not in held
    }


def put(target: Target) -> Fields:
    """Return a side with the changes applied, as far as it has room."""
    wanted = {
        key: items.Change(_as_item(atom), atom.replaces, atom.is_relabelled)
        for key, atom in target.atoms.items()
    }
    return items.put(target.end, target.onto, known=target.known, wanted=wanted)


def _form(item: Item | None, ends: Ends) -> str:
    if item is None:
        return ""
    # Where a mapping chooses by labels they are not what its items differ in.
    has_labels = not (ends.end.label or ends.opposite.label)
    return f"+{item.label}" if has_labels else "+"


def _as_item(atom: Atom) -> Item | None:
    assert atom.value is None or isinstance(atom.value, Item)
    return atom.value
