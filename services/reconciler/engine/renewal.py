"""Mappings that were made or changed on the way, which begin anew (hazard 76).

A shadow says what was there when a mapping was last in step. What a person has mapped
otherwise since was never in step: it is compared as if the records had just met, so
that an empty value clears nothing.
"""

from collections.abc import Set

import msgspec

from proto.ids import FieldId
from proto.reconciler import LEFT, RIGHT, Side
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
    """Return a link that remembers values of today's mappings only.

    Nor does it remember of others what is apart on purpose: that is found out anew.
    """
    if link.config_version == config.version:
        return link
    lasting = _lasting(config, since=link.config_version)
    return msgspec.structs.replace(
        link,
        left=_kept(link.left, _remembered(config, LEFT, lasting=lasting)),
        right=_kept(link.right, _remembered(config, RIGHT, lasting=lasting)),
        apart=tuple(each for each in link.apart if each.mapping_id in lasting),
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


def _lasting(config: Config, *, since: int) -> Set[str]:
    """Return the mappings that mean today what they meant back then."""
    ids = (mapping.mapping_id for mapping in config.mappings)
    return {each for each in ids if config.renewed.get(each, 0) <= since}


def _remembered(config: Config, side: Side, *, lasting: Set[str]) -> Set[FieldId]:
    """Return the fields that no other mappings have."""
    kept: set[FieldId] = set()
    anew: set[FieldId] = set()
    for mapping in config.mappings:
        is_kept = mapping.mapping_id in lasting
        (kept if is_kept else anew).update(mapping.fields(side))
    return kept - anew


def _kept(shadow: Shadow | None, field_ids: Set[FieldId]) -> Shadow | None:
    if shadow is None or shadow.values.keys() <= field_ids:
        return shadow
    values = {i: value for i, value in shadow.values.items() if i in field_ids}
    return msgspec.structs.replace(shadow, values=values)
