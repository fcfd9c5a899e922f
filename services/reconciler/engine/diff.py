"""What is known of a link's two sides, and what changed since the shadow."""

import itertools
import operator
from collections.abc import Mapping
from typing import Final

import msgspec

from proto.fields import Fields
from proto.reconciler import LEFT, RIGHT, Side
from services.reconciler.engine import forms
from services.reconciler.engine.items import Known
from services.reconciler.engine.model import (
    Config,
    Link,
    Pair,
    PairEnd,
    Seen,
    Shadow,
)

_EMPTY = Shadow()
_UNTOLD: Final = itertools.repeat(object())
"""Differs from any value: a field that the shadow does not have."""


class Sides(msgspec.Struct, frozen=True):
    """Shadows and present values of both sides; absent fields are as last known."""

    old_left: Fields
    old_right: Fields
    left: Fields
    right: Fields
    forms: Mapping[Side, Known]

    def old(self, side: Side) -> Fields:
        """Return the shadow of a side."""
        return self.old_left if side is LEFT else self.old_right

    def now(self, side: Side) -> Fields:
        """Return the present values of a side."""
        return self.left if side is LEFT else self.right

    def as_if_just_met(self) -> "Sides":
        """Return the present values without any shadow."""
        return msgspec.structs.replace(self, old_left={}, old_right={})


def sides_of(link: Link, left: Fields, *, right: Fields, config: Config) -> Sides:
    """Return what is known of both sides."""
    old_left = (link.left or _EMPTY).values
    old_right = (link.right or _EMPTY).values
    return Sides(
        old_left=old_left,
        old_right=old_right,
        left={**old_left, **left},
        right={**old_right, **right},
        forms=forms.forms_of(link.learned, config),
    )


def is_unchanged(link: Link, *, left: Seen | None, right: Seen | None) -> bool:
    """Say whether both records are what they were when nothing was left to do."""
    if link.left is not None:
        if left is None or link.left.digest != left.digest:
            return False
    elif left is not None:
        return False
    if link.right is not None:
        return right is not None and link.right.digest == right.digest
    return right is None


def touched(config: Config, sides: Sides) -> list[Pair]:
    """Return the mappings with a field that is not, to the letter, what it was.

    One pass over the values; everything dearer is for these mappings only.
    """
    found: set[int] = set()
    for old, now, places in (
        (sides.old_left, sides.left, config.places[LEFT]),
        (sides.old_right, sides.right, config.places[RIGHT]),
    ):
        # In one go for all fields: a loop over them takes twice as long.
        were = map(old.get, now, _UNTOLD)
        for field_id in itertools.compress(now, map(operator.ne, were, now.values())):
            if field_id in places:
                found.update(places[field_id])
    pairs = config.pairs
    return [pairs[index] for index in sorted(found)]


def is_first_match(pair: Pair, sides: Sides) -> bool:
    """Say whether a mapping has never been in step on this link."""
    return not (
        sides.old_left.keys() >= pair.left.id_set
        and sides.old_right.keys() >= pair.right.id_set
    )


def is_known(pair: Pair, sides: Sides) -> bool:
    """Say whether both sides have told all fields of a mapping."""
    return (
        sides.left.keys() >= pair.left.id_set
        and sides.right.keys() >= pair.right.id_set
    )


def is_raw_equal(end: PairEnd, old: Fields, *, now: Fields) -> bool:
    """Say whether a side's fields are, to the letter, what they were."""
    for field_id in end.ids:  # noqa: SIM110
        # A generator here would cost more than the comparison.
        if old[field_id] != now[field_id]:
            return False
    return True
