"""One value that is the same on both sides."""

from proto.fields import Fields, Item
from services.reconciler.engine import canon
from services.reconciler.engine.lenses.atoms import WHOLE, Atom, Atoms, Ends, Target


def changes(ends: Ends) -> Atoms:
    """Return the new value if it differs from the old one."""
    field = ends.end.fields[0]
    value = ends.new.get(field.field_id)
    was = canon.of(field.kind, ends.old.get(field.field_id))
    now = canon.of(field.kind, value)
    learned = ends.forms[ends.end.side].get(field.field_id)
    if learned:
        was, now = learned.get(was, was), learned.get(now, now)
    if was == now:
        return {}
    return {WHOLE: Atom(now, value if now else None, was)}


def put(target: Target) -> Fields:
    """Return the value as the other side holds it."""
    value = target.atoms[WHOLE].value
    assert not isinstance(value, Item)
    return {target.end.ids[0]: value}
