"""Mappings that were made or changed on the way, which begin anew (hazard 76).

A shadow says what was there when a mapping was last in step. What a person has mapped
otherwise since was never in step: it is compared as if the records had just met, so
that an empty value clears nothing.
"""

from collections.abc import Set

import msgspec

from proto.ids import FieldId
from proto.reconciler import Side
from services.reconciler.engine.config import Config, Mapping
from services.reconciler.engine.model import Link, Shadow


def renewed(old: Config, new: Config) -> dict[str, int]:
    """Return at which version each mapping came to mean what it means now.

    Mappings that are as old as the connection are left out.
    """
    before = {mapping.mapping_id: mapping for mapping in old.mappings}
    found: dict[str, int] = {}
    for mapping in new.mappings:
        mapping_id, was = mapping.mapping_id, before.get(mapping.mapping_id)
        if was is None or _meaning(was) != _meaning(mapping):
            found[mapping_id] = new.version
        elif mapping_id in old.renewed:
            found[mapping_id] = old.renewed[mapping_id]
    return found


def apply(link: Link, config: Config) -> Link:
    """Return a link that remembers values of today's mappings only."""
    since = link.config_version
    if since == config.version:
        return link
    return msgspec.structs.replace(
        link,
        left=_kept(link.left, _remembered(config, Side.LEFT, since=since)),
        right=_kept(link.right, _remembered(config, Side.RIGHT, since=since)),
    )


def _meaning(mapping: Mapping) -> tuple[object, ...]:
    """Return what decides whether two values correspond."""
    return (
        mapping.lens,
        mapping.left,
        mapping.right,
        mapping.left_label,
        mapping.right_label,
        mapping.options,
        tuple(_meaning(part) for part in mapping.parts),
    )


def _remembered(config: Config, side: Side, *, since: int) -> Set[FieldId]:
    """Return the fields of mappings that mean today what they meant back then."""
    kept: set[FieldId] = set()
    anew: set[FieldId] = set()
    for mapping in config.mappings:
        is_renewed = config.renewed.get(mapping.mapping_id, 0) > since
        (anew if is_renewed else kept).update(mapping.fields(side))
    return kept - anew


def _kept(shadow: Shadow | None, field_ids: Set[FieldId]) -> Shadow | None:
    if shadow is None or shadow.values.keys() <= field_ids:
        return shadow
    values = {i: value for i, value in shadow.values.items() if i in field_ids}
    return msgspec.structs.replace(shadow, values=values)
