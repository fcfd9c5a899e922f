"""Options of two choices, as far as a person has paired them.

An option without a pair says something that the other side cannot: it is held.
"""

from typing import Final

from proto.fields import Fields
from services.reconciler.engine import canon
from services.reconciler.engine.config import PairEnd
from services.reconciler.engine.lenses.atoms import WHOLE, Atom, Atoms, Ends, Target
from services.reconciler.engine.model import Reason

_UNPAIRED: Final = "\x1f"
"""Marks an option that means nothing on the other side."""


def changes(ends: Ends) -> Atoms:
    """Return what the new option means, if it is another than what the old one did."""
    was, now = _meaning(ends, ends.old), _meaning(ends, ends.new)
    if was == now:
        return {}
    return {WHOLE: Atom(now, ends.new.get(ends.end.ids[0]) if now else None, was)}


def put(target: Target) -> Fields:
    """Return the option that means the same; what means nothing changes nothing."""
    field_id, atom = target.end.ids[0], target.atoms[WHOLE]
    if not atom.canon:
        return {field_id: None}
    option = _option(target.end, atom)
    return {field_id: target.onto.get(field_id) if option is None else option}


def reason_against(target: Target) -> Reason | None:
    """Say why an option cannot be carried."""
    atom = target.atoms[WHOLE]
    is_paired = not atom.canon or _option(target.end, atom) is not None
    return None if is_paired else Reason.NO_PAIR


def _meaning(ends: Ends, values: Fields) -> str:
    end, field = ends.end, ends.end.fields[0]
    option = canon.of(field.kind, values.get(field.field_id))
    learned = ends.forms[end.side].get(field.field_id)
    if learned:
        option = learned.get(option, option)
    if not option:
        return ""
    return end.meanings.get(option, f"{_UNPAIRED}{end.side}{_UNPAIRED}{option}")


def _option(end: PairEnd, atom: Atom) -> str | None:
    return end.options.get(atom.canon)
