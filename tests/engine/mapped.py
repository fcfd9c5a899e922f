"""Connections with mappings that a person made, for tests of lenses."""

from proto.fields import Field, Fields
from proto.reconciler import (
    CustomMapping,
    Direction,
    End,
    MappedField,
    OptionPair,
    Settings,
    Side,
)
from services.reconciler.engine import lenses, mapping, merge, model, weigh
from services.reconciler.engine.diff import Sides
from services.reconciler.engine.model import Config, Pair
from tests.engine import world

LEFT, RIGHT = Side.LEFT, Side.RIGHT


def custom(
    left: str, right: str, *options: tuple[str, str], **more: object
) -> CustomMapping:
    """Return a mapping of two fields, written ``field`` or ``field/label``."""
    ends = []
    for text in (left, right):
        field_id, _, label = text.partition("/")
        ends.append(MappedField(field_id=field_id, label=label))
    pairs = tuple(OptionPair(left=one, right=two) for one, two in options)
    return CustomMapping(left=ends[0], right=ends[1], options=pairs, **more)


def settings(*made: CustomMapping, **more: object) -> Settings:
    return Settings(
        name="test",
        left=End(account_id="acct_1"),
        right=End(account_id="acct_2"),
        custom_mappings=made,
        **more,
    )


def config(
    left: tuple[Field, ...],
    right: tuple[Field, ...],
    *made: CustomMapping,
    version: int = 1,
    **more: object,
) -> Config:
    """Return a connection with these custom mappings, and the default ones."""
    return mapping.config_of(
        left=world.end(left),
        right=world.end(right),
        settings=settings(*made, **more),
        version=version,
    )


def only_pair(
    left: Field | tuple[Field, ...], right: Field | tuple[Field, ...], **more: object
) -> Pair:
    """Return the one mapping, made by a person, of two fields."""
    label, right_label = more.pop("left_label", ""), more.pop("right_label", "")
    made = custom(
        f"{left.field_id}/{label}",
        f"{right.field_id}/{right_label}",
        *more.pop("options", ()),
        direction=more.get("direction", Direction.BOTH),
    )
    (pair,) = config((left,), (right,), made, **more).pairs
    return pair


def carry(
    pair: Pair, side: Side, *, old: Fields | None, new: Fields, other: Fields
) -> Fields:
    """Return the other side once an edit of ``side`` has arrived."""
    atoms = lenses.changes(pair, side, old=old, new=new, other_old=other)
    if not atoms:
        return other
    target = lenses.target(pair, model.other(side), atoms=atoms, onto=other, source=new)
    placed = lenses.put(target)
    if lenses.reason_against(target) is not None:
        assert placed == {i: other.get(i) for i in placed}, "held, yet changed"
    return {**other, **placed}


def hold(pair: Pair, side: Side, *, old: Fields | None, new: Fields, other: Fields):
    """Return why an edit of ``side`` cannot be carried; None if it can."""
    atoms = lenses.changes(pair, side, old=old, new=new, other_old=other)
    if not atoms:
        return None
    return lenses.reason_against(
        lenses.target(pair, model.other(side), atoms=atoms, onto=other, source=new)
    )


def agree(pair: Pair, left: Fields, right: Fields) -> bool:
    """Say whether a first match of two sides would write nothing."""
    sides = Sides(
        old_left={}, old_right={}, left=left, right=right, forms=lenses.NO_FORMS
    )
    merged = merge.merge(pair, sides)
    return not any(
        weigh.fields_for(pair, side, sides=sides, merged=merged)
        for side in (LEFT, RIGHT)
        if merged.to(side)
    )


def same(pair: Pair, side: Side, one: Fields, other: Fields) -> bool:
    """Say whether two states of a side have the same normal form."""
    end = pair.end(side)
    return lenses.normal(end, one, forms=lenses.NO_FORMS) == lenses.normal(
        end, other, forms=lenses.NO_FORMS
    )
