"""How an edit on one side reads on the other: one module for each lens.

``changes`` says what an edit was, in atoms that both sides understand; ``put``
applies atoms to what the other side holds now. Whatever no atom speaks of stays.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from proto.fields import Fields
from proto.reconciler import LEFT, RIGHT, Side
from services.reconciler.engine.config import Lens, Pair, PairEnd
from services.reconciler.engine.items import Known
from services.reconciler.engine.lenses import (
    atoms,
    choices,
    copies,
    days,
    firsts,
    fullnames,
    parts,
    several,
    texts,
)
from services.reconciler.engine.lenses.atoms import Atom, Atoms, Ends, Target
from services.reconciler.engine.model import Reason

__all__ = [
    "NO_FORMS",
    "Atom",
    "Atoms",
    "can_refuse",
    "changes",
    "is_alike",
    "normal",
    "put",
    "reason_against",
    "target",
    "waiting",
]

NO_FORMS: Final[Mapping[Side, Known]] = {LEFT: {}, RIGHT: {}}
"""Nothing learned about how the two apps change values."""

_NOTHING_HELD: Final[Fields] = {}

is_alike = atoms.is_alike
normal = atoms.normal


class _Lens(NamedTuple):
    changes: Callable[[Ends], Atoms]
    put: Callable[[Target], Fields]
    reason_against: Callable[[Target], Reason | None] | None = None
    """None: any value can be carried, as far as the lens is concerned."""


_LENSES: Final[Mapping[Lens, _Lens]] = {
    Lens.COPY: _Lens(copies.changes, copies.put),
    Lens.DATE: _Lens(days.changes, days.put, days.reason_against),
    Lens.DAY: _Lens(days.changes, days.put, days.reason_against),
    Lens.TEXT: _Lens(texts.changes, texts.put, texts.reason_against),
    Lens.CHOICE: _Lens(choices.changes, choices.put, choices.reason_against),
    Lens.NAME: _Lens(fullnames.changes, fullnames.put),
    Lens.ITEMS: _Lens(several.changes, several.put),
    Lens.FIRST: _Lens(firsts.changes, firsts.put, firsts.reason_against),
}


def changes(
    pair: Pair,
    side: Side,
    *,
    old: Fields | None,
    new: Fields,
    other_old: Fields,
    other_new: Fields | None = None,
    forms: Mapping[Side, Known] = NO_FORMS,
) -> Atoms:
    """Return what was edited on a side since its shadow.

    Without a shadow everything that the side holds is an edit, as far as the other
    side does not say the same.

    Args:
        other_new: What the other side holds now, where that may have been edited, too.
    """
    end, opposite = pair.ends(side)
    ends = Ends(
        pair=pair,
        forms=forms,
        end=end,
        opposite=opposite,
        old=_NOTHING_HELD if old is None else old,
        new=new,
        other_old=other_old,
        is_first=old is None,
        other_new=other_new,
    )
    return _LENSES[pair.mapping.lens].changes(ends)


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
    end, opposite = pair.ends(side)
    ends = Ends(
        pair=pair,
        forms=forms,
        end=end,
        opposite=opposite,
        old=old,
        new=new,
        other_old=other_old,
        is_first=False,
    )
    return several.waiting(ends)


def target(
    pair: Pair,
    side: Side,
    *,
    atoms: Atoms,
    onto: Fields,
    source: Fields,
    forms: Mapping[Side, Known] = NO_FORMS,
) -> Target:
    """Return a side as atoms are to be applied to it.

    Args:
        onto: What it holds.
        source: What the other side holds now, for names that words cannot place.
    """
    end, opposite = pair.ends(side)
    return Target(
        pair=pair,
        known=forms[side],
        end=end,
        opposite=opposite,
        atoms=atoms,
        onto=onto,
        source=source,
    )


def put(target: Target) -> Fields:
    """Return a side's fields of the mapping with atoms applied to what it holds.

    What cannot be carried changes nothing; ``reason_against`` says why.
    """
    if not target.pair.parts:
        return _LENSES[target.pair.mapping.lens].put(target)
    result = _held(target)
    for part in _parts_of(target, result):
        result.update(_LENSES[part.pair.mapping.lens].put(part))
    return result


def can_refuse(pair: Pair) -> bool:
    """Say whether there are values that the lens of a mapping cannot carry."""
    if pair.parts:
        return any(can_refuse(part) for part in pair.parts)
    return _LENSES[pair.mapping.lens].reason_against is not None


def reason_against(target: Target) -> Reason | None:
    """Say why atoms cannot be applied to a side, or None if they can."""
    if not target.pair.parts:
        against = _LENSES[target.pair.mapping.lens].reason_against
        return against(target) if against is not None else None
    result = _held(target)
    for part in _parts_of(target, result):
        lens = _LENSES[part.pair.mapping.lens]
        reason = lens.reason_against(part) if lens.reason_against is not None else None
        if reason is not None:
            return reason
        result.update(lens.put(part))
    return None


def _held(target: Target) -> Fields:
    """Return a mapping's fields as a side holds them."""
    return {field_id: target.onto.get(field_id) for field_id in target.end.ids}


def _parts_of(target: Target, result: Fields) -> Iterator[Target]:
    """Return the parts that have atoms, each to be applied to what came before.

    Those that make room for others come first.
    """
    side = target.end.side
    found = parts.split(target.atoms)
    for number, own in sorted(found.items(), key=lambda part: _growth(part[1])):
        pair = target.pair.parts[number]
        end, opposite = pair.ends(side)
        yield msgspec.structs.replace(
            target,
            pair=pair,
            end=_as_in(target.end, end),
            opposite=opposite,
            atoms=own,
            onto=result,
        )


def _growth(atoms: Atoms) -> int:
    """Return how many values more there are than before, about."""
    return sum(1 if atom.canon else -1 for atom in atoms.values())


def _as_in(whole: PairEnd, end: PairEnd) -> PairEnd:
    """Return a part's end with its fields as the whole mapping has them now."""
    by_id = dict(zip(whole.ids, whole.fields, strict=True))
    return msgspec.structs.replace(
        end, fields=tuple(by_id[field_id] for field_id in end.ids)
    )
