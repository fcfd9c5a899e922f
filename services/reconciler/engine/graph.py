"""Mappings as arrows from field to field, to find those that lead back."""

from collections.abc import Iterable
from typing import NamedTuple

from proto.ids import FieldId
from proto.reconciler import Direction, Side
from services.reconciler.engine import compatibility
from services.reconciler.engine.config import Mapping
from services.reconciler.engine.custom import Resolved

Node = tuple[Side, FieldId, str]
"""A field of one side, or its values with one label."""


class Arrow(NamedTuple):
    """One direction of a mapping between two of its fields."""

    start: Node
    stop: Node
    mapping_id: str


def of_mapping(mapping: Mapping) -> list[Arrow]:
    """Return the arrows of a mapping."""
    lefts = [(Side.LEFT, i, mapping.left_label) for i in mapping.left]
    rights = [(Side.RIGHT, i, mapping.right_label) for i in mapping.right]
    return _arrows(lefts, rights, mapping_id=mapping.mapping_id, way=mapping.direction)


def of_custom(resolved: Resolved) -> list[Arrow]:
    """Return the arrows of a custom mapping, as it is asked for."""
    left = (Side.LEFT, resolved.left.field.field_id, resolved.left.label)
    right = (Side.RIGHT, resolved.right.field.field_id, resolved.right.label)
    way = resolved.custom.direction
    return _arrows([left], [right], mapping_id=resolved.mapping_id, way=way)


def looping(arrows: Iterable[Arrow]) -> set[Arrow]:
    """Return the arrows from whose tip other mappings lead back to their start."""
    by_start: dict[Node, list[Arrow]] = {}
    every = list(arrows)
    for arrow in every:
        by_start.setdefault(arrow.start, []).append(arrow)
    return {arrow for arrow in every if _leads_back(arrow, by_start)}


def _leads_back(arrow: Arrow, by_start: dict[Node, list[Arrow]]) -> bool:
    seen, waiting = {arrow.stop}, [arrow.stop]
    while waiting:
        for step in by_start.get(waiting.pop(), ()):
            if step.mapping_id == arrow.mapping_id:
                continue
            if step.stop == arrow.start:
                return True
            if step.stop not in seen:
                seen.add(step.stop)
                waiting.append(step.stop)
    return False


def _arrows(
    lefts: list[Node], rights: list[Node], *, mapping_id: str, way: Direction
) -> list[Arrow]:
    found = []
    for left in lefts:
        for right in rights:
            if compatibility.reaches(way, Side.RIGHT):
                found.append(Arrow(left, right, mapping_id))
            if compatibility.reaches(way, Side.LEFT):
                found.append(Arrow(right, left, mapping_id))
    return found
