"""Mappings that a person made: any two fields that go together.

Several of them may share a field of several values, each with labels of its own.
They are one mapping to the engine, because the field is written as a whole.
"""

import hashlib
import urllib.parse
from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from proto.fields import FieldKind
from proto.ids import FieldId
from proto.reconciler import (
    SIDES,
    CustomMapping,
    Direction,
    MappedField,
    MappingView,
    Settings,
    Side,
)
from services.reconciler.engine import canon, compatibility
from services.reconciler.engine.compatibility import Compatibility, FieldEnd
from services.reconciler.engine.config import Lens, Mapping, SideConfig

ID_PREFIX: Final = "custom:"
ID_LENGTH_MAX: Final = 600
"""Of any mapping's id: it is part of a key in the database."""

Place = tuple[Side, FieldId]
"""A field of one side."""


class Resolved(NamedTuple):
    """A custom mapping with the fields that it names."""

    custom: CustomMapping
    mapping_id: str
    left: FieldEnd
    right: FieldEnd
    compatibility: Compatibility

    def end(self, side: Side) -> FieldEnd:
        """Return one side."""
        return self.left if side is Side.LEFT else self.right


def id_of(custom: CustomMapping) -> str:
    """Return the stable id of a custom mapping, made of its two ends."""
    return _bounded(f"{ID_PREFIX}{_end_id(custom.left)}:{_end_id(custom.right)}")


def resolve(
    custom: CustomMapping, *, left: SideConfig, right: SideConfig
) -> Resolved | None:
    """Return a custom mapping with its fields; None if an account lacks one."""
    left_field = left.by_id.get(custom.left.field_id)
    right_field = right.by_id.get(custom.right.field_id)
    if left_field is None or right_field is None:
        return None
    ends = (
        FieldEnd(left_field, label_of(custom.left)),
        FieldEnd(right_field, label_of(custom.right)),
    )
    found = compatibility.compatibility(*ends, has_options=bool(custom.options))
    return Resolved(custom, id_of(custom), *ends, found)


def label_of(end: MappedField) -> str:
    """Return a label the way apps spell it."""
    return canon.name(end.label).lower()


def mappings(
    *, left: SideConfig, right: SideConfig, settings: Settings
) -> tuple[Mapping, ...]:
    """Return the custom mappings that can work, each by itself, in their order."""
    found: list[Mapping] = []
    used: dict[Place, set[str]] = {}
    for custom in settings.custom_mappings:
        resolved = resolve(custom, left=left, right=right)
        mapping = _mapping(resolved, settings=settings) if resolved else None
        if mapping is None:
            continue
        ends = [
            (used.setdefault((side, mapping.fields(side)[0]), set()), label)
            for side, label in (
                (Side.LEFT, mapping.left_label),
                (Side.RIGHT, mapping.right_label),
            )
        ]
        if any(clashes(labels, label) for labels, label in ends):
            continue
        found.append(mapping)
        for labels, label in ends:
            labels.add(label)
    return tuple(found)


def idle_view(
    custom: CustomMapping, *, left: SideConfig, right: SideConfig
) -> MappingView:
    """Return a mapping that cannot work as it is shown."""
    fields = (
        left.by_id.get(custom.left.field_id),
        right.by_id.get(custom.right.field_id),
    )
    names = [
        field.label if field is not None else end.field_id
        for field, end in zip(fields, (custom.left, custom.right), strict=True)
    ]
    return MappingView(
        mapping_id=id_of(custom),
        label=" and ".join(names),
        kind=next((f.kind for f in fields if f is not None), FieldKind.UNKNOWN),
        left=(custom.left.field_id,),
        right=(custom.right.field_id,),
        direction=custom.direction,
        is_on=False,
    )


def clashes(labels: Collection[str], label: str) -> bool:
    """Say whether a label of a field is in use, or all of the field is.

    Args:
        labels: Those in use; an empty one stands for the whole field.
    """
    return bool(labels) and (not label or label in labels or "" in labels)


def places_of(found: Iterable[Mapping]) -> set[Place]:
    """Return the fields that mappings use."""
    return {
        (side, field_id)
        for mapping in found
        for side in SIDES
        for field_id in mapping.fields(side)
    }


def grouped(found: Iterable[Mapping]) -> tuple[Mapping, ...]:
    """Return mappings with those that share a field made one."""
    groups: list[list[Mapping]] = []
    for mapping in found:
        own = places_of([mapping])
        near = [group for group in groups if not own.isdisjoint(places_of(group))]
        joined = [each for group in near for each in group]
        groups = [group for group in groups if group not in near]
        groups.append([*joined, mapping])
    return tuple(g[0] if len(g) == 1 else _whole(g) for g in groups)


def _whole(group: list[Mapping]) -> Mapping:
    """Return one mapping of several that share fields.

    Its id is theirs, with spaces between.
    """
    parts = sorted(group, key=lambda part: part.mapping_id)
    kinds = {part.kind for part in parts}
    return Mapping(
        mapping_id=_bounded(" ".join(part.mapping_id for part in parts)),
        label=", ".join(part.label for part in parts),
        kind=kinds.pop() if len(kinds) == 1 else FieldKind.TEXT,
        lens=Lens.PARTS,
        left=tuple(dict.fromkeys(i for part in parts for i in part.left)),
        right=tuple(dict.fromkeys(i for part in parts for i in part.right)),
        direction=Direction.BOTH,
        parts=tuple(parts),
    )


def _mapping(resolved: Resolved, *, settings: Settings) -> Mapping | None:
    """Return a mapping with the directions that are asked for and possible."""
    custom, (left, right) = resolved.custom, (resolved.left, resolved.right)
    lens = resolved.compatibility.lens
    direction = compatibility.narrowed(
        resolved.compatibility.direction, custom.direction, settings.direction
    )
    if direction is None or lens is None:
        return None
    is_one_kind = left.field.kind is right.field.kind
    return Mapping(
        mapping_id=resolved.mapping_id,
        label=f"{_shown(left)} and {_shown(right)}",
        kind=left.field.kind if is_one_kind else FieldKind.TEXT,
        lens=lens,
        left=(left.field.field_id,),
        right=(right.field.field_id,),
        direction=direction,
        winner=settings.winners.get(resolved.mapping_id),
        left_label=left.label,
        right_label=right.label,
        options=custom.options,
    )


def _shown(end: FieldEnd) -> str:
    return f"{end.field.label} ({end.label})" if end.label else end.field.label


def _end_id(end: MappedField) -> str:
    label = label_of(end)
    return _quoted(end.field_id) + (f"[{_quoted(label)}]" if label else "")


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="@+", errors="surrogatepass")


def _bounded(text: str) -> str:
    """Return an id that fits, the same for the same text."""
    if len(text) <= ID_LENGTH_MAX:
        return text
    digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return f"{text[: ID_LENGTH_MAX - len(digest) - 1]}~{digest}"
