"""Which fields can be mapped to which, in which direction, and if not, why not."""

import enum
from collections.abc import Mapping
from typing import Final, NamedTuple, Self

from proto.fields import Field, FieldKind
from proto.reconciler import Direction, Side
from services.reconciler.engine.config import Lens

_WORDS: Final = frozenset(
    (FieldKind.TEXT, FieldKind.URL, FieldKind.EMAIL, FieldKind.PHONE)
)
"""Kinds whose values are texts to each other."""

_DAYS: Final = frozenset((FieldKind.DATE, FieldKind.MONTH_DAY, FieldKind.DATETIME))
_SAYABLE: Final = frozenset(
    (*_DAYS, FieldKind.NUMBER, FieldKind.BOOLEAN, FieldKind.CHOICE)
)
"""Kinds that have a text form, from which they are not read back."""

_COPIED: Final = frozenset(
    (FieldKind.NUMBER, FieldKind.BOOLEAN, FieldKind.DATE, FieldKind.DATETIME)
)
"""Kinds that are copied to fields of the same kind, words besides."""


class Bar(enum.StrEnum):
    """Why values cannot go from one field to another."""

    UNKNOWN = "unknown"
    KINDS_DIFFER = "kinds_differ"
    """What the one holds cannot be said in the other."""
    READ_ONLY = "read_only"
    NEEDS_OPTIONS = "needs_options"
    """A choice is written only where a person has paired its options."""
    OPTIONS_UNUSED = "options_unused"
    """Options are paired, but the fields are not two choices."""
    LABEL_NOT_OFFERED = "label_not_offered"
    LABEL_ON_SINGLE = "label_on_single"
    """A field of one value has no labels to choose by."""
    SEVERAL_DIFFER = "several_differ"
    """Several values are carried only as they are, and no choices."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


SENTENCES: Final[Mapping[Bar, str]] = {
    Bar.UNKNOWN: "These fields cannot be mapped. Choose others.",
    Bar.KINDS_DIFFER: "One field cannot hold what the other holds. Choose the other"
    " direction, or another field.",
    Bar.READ_ONLY: "The app lets nobody write this field. Choose the other direction.",
    Bar.NEEDS_OPTIONS: "A choice is written only by paired options. Pair them.",
    Bar.OPTIONS_UNUSED: "Only options of two choices can be paired. Leave them out.",
    Bar.LABEL_NOT_OFFERED: "The app has no such label for this field. Choose another.",
    Bar.LABEL_ON_SINGLE: "This field holds one value only. Leave the label out.",
    Bar.SEVERAL_DIFFER: "Several values go only to a field of the same kind, and"
    " choices not at all. Choose another field.",
}
"""What to tell a person."""


class FieldEnd(NamedTuple):
    """One end of a mapping: a field, or its values with one label."""

    field: Field
    label: str = ""
    """In the letters that apps use: lower case."""


class Compatibility(NamedTuple):
    """How two fields go together."""

    lens: Lens | None
    """None: not at all."""
    to_left: Bar | None
    """Why values cannot go to the left; None: they can."""
    to_right: Bar | None

    @property
    def direction(self) -> Direction | None:
        """Return all directions that are possible; None if there is none."""
        if self.to_left is None and self.to_right is None:
            return Direction.BOTH
        if self.to_left is not None and self.to_right is not None:
            return None
        return Direction.TO_LEFT if self.to_left is None else Direction.TO_RIGHT

    def bar(self, direction: Direction) -> Bar | None:
        """Say why values cannot go in a direction, or None if they can."""
        bars = {
            Direction.TO_LEFT: (self.to_left,),
            Direction.TO_RIGHT: (self.to_right,),
        }.get(direction, (self.to_left, self.to_right))
        return next((bar for bar in bars if bar is not None), None)


def compatibility(
    left: FieldEnd, right: FieldEnd, *, has_options: bool = False
) -> Compatibility:
    """Say how two fields go together, and in which directions.

    Args:
        has_options: Options of the two are paired.
    """
    bar = _bar_to(left) or _bar_to(right)
    lens = None if bar is not None else _lens_of(left.field, right.field)
    if lens is None:
        bar = bar or _bar_between(left.field, right.field)
        return Compatibility(None, bar, bar)
    if lens is Lens.CHOICE and not has_options:
        return Compatibility(None, Bar.NEEDS_OPTIONS, Bar.NEEDS_OPTIONS)
    if lens is not Lens.CHOICE and has_options:
        return Compatibility(None, Bar.OPTIONS_UNUSED, Bar.OPTIONS_UNUSED)
    return Compatibility(
        lens,
        _bar_into(left.field, right.field, lens=lens),
        _bar_into(right.field, left.field, lens=lens),
    )


def narrowed(direction: Direction | None, *others: Direction) -> Direction | None:
    """Return what is left of a direction within others; None if nothing is."""
    for other in others:
        if direction is None or other is Direction.UNKNOWN:
            return None
        if direction is Direction.BOTH:
            direction = other
        elif other not in (Direction.BOTH, direction):
            return None
    return direction


def reaches(direction: Direction, side: Side) -> bool:
    """Say whether values go to a side in a direction."""
    one_way = Direction.TO_LEFT if side is Side.LEFT else Direction.TO_RIGHT
    return direction in (Direction.BOTH, one_way)


def _bar_to(end: FieldEnd) -> Bar | None:
    """Say why an end cannot be part of any mapping."""
    if not end.label:
        return None
    if not end.field.is_multiple:
        return Bar.LABEL_ON_SINGLE
    is_offered = not end.field.labels or end.label in end.field.labels
    return None if is_offered else Bar.LABEL_NOT_OFFERED


def _lens_of(left: Field, right: Field) -> Lens | None:
    kinds = {left.kind, right.kind}
    if FieldKind.UNKNOWN in kinds:
        return None
    is_alike = len(kinds) == 1 or kinds <= _WORDS
    if left.is_multiple or right.is_multiple:
        if not is_alike or FieldKind.CHOICE in kinds:
            return None
        if left.is_multiple and right.is_multiple:
            return Lens.ITEMS
        # An address that is not one of several has no form of its own.
        return None if FieldKind.ADDRESS in kinds else Lens.FIRST
    if kinds <= _WORDS or (is_alike and left.kind in _COPIED):
        return Lens.COPY
    if kinds <= _DAYS:
        return Lens.DATE if FieldKind.MONTH_DAY in kinds else Lens.DAY
    if kinds == {FieldKind.CHOICE}:
        return Lens.CHOICE
    if FieldKind.TEXT in kinds and kinds - {FieldKind.TEXT} <= _SAYABLE:
        return Lens.TEXT
    return None


def _bar_between(left: Field, right: Field) -> Bar:
    if left.is_multiple or right.is_multiple:
        return Bar.SEVERAL_DIFFER
    return Bar.KINDS_DIFFER


def _bar_into(target: Field, source: Field, *, lens: Lens) -> Bar | None:
    """Say why a lens does not go into a field."""
    if lens is Lens.TEXT and source.kind is FieldKind.TEXT:
        return Bar.KINDS_DIFFER
    return None if target.is_writable else Bar.READ_ONLY
