"""What an edit is made of, and the two ends it goes between.

A lens reads an edit on one side as atoms that both sides understand, and applies
atoms to what a side holds. Whatever no atom speaks of stays.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from proto.fields import Field, FieldKind, Fields, Item, Value
from proto.reconciler import Side
from services.reconciler.engine import canon
from services.reconciler.engine.config import Pair, PairEnd
from services.reconciler.engine.items import Known

WHOLE: Final = ""
"""The only atom of a mapping that changes as a whole."""


class Atom(msgspec.Struct, frozen=True):
    """The smallest part of a mapping that changes by itself."""

    canon: str
    """Normal form of the new value; empty when it was cleared or removed."""
    value: Value | Item = None
    replaces: str = ""
    """What it was, or for items the key of the item whose place it takes."""
    is_relabelled: bool = True
    is_in_place: bool = True
    """It took the place of what was, which was not just taken away before it."""

    @property
    def text(self) -> str | None:
        """Return the value as text; None for an empty one and for what is no text."""
        value = self.value.value if isinstance(self.value, Item) else self.value
        return value if isinstance(value, str) else None


Atoms = dict[str, Atom]


class Ends(msgspec.Struct, frozen=True, kw_only=True):
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
    is_first: bool
    other_new: Fields | None = None
    """The other side's present values, if it may have been edited, too."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping seen from the side that atoms are applied to."""

    pair: Pair
    known: Known
    end: PairEnd
    opposite: PairEnd
    atoms: Atoms
    onto: Fields
    source: Fields
    """What the other side holds now."""


def normal(end: PairEnd, values: Fields, *, forms: Mapping[Side, Known]) -> list[str]:
    """Return the normal forms of a side's fields, by what the app was given."""
    known = forms[end.side]
    return [form(f, values.get(f.field_id), known=known) for f in end.fields]


def is_alike(field: Field, one: Value, *, other: Value, known: Known) -> bool:
    """Say whether two values of a field have the same normal form."""
    if one == other:
        return True
    if isinstance(one, tuple) and isinstance(other, tuple) and not known:
        return len(one) == len(other) and _are_alike(field.kind, one, others=other)
    return form(field, one, known=known) == form(field, other, known=known)


def form(field: Field, value: Value, *, known: Known) -> str:
    """Return the normal form of a value, by what the app was given."""
    found = canon.of(field.kind, value)
    learned = known.get(field.field_id)
    return learned.get(found, found) if learned else found


def _are_alike(
    kind: FieldKind, ones: tuple[Item, ...], *, others: tuple[Item, ...]
) -> bool:
    """Say whether as many items have the same normal forms, one by one."""
    for one, other in zip(ones, others, strict=True):
        # Most are the very same, which need no normal form.
        if one != other and (
            one.label != other.label or canon.item(kind, one) != canon.item(kind, other)
        ):
            return False
    return True
