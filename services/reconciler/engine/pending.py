"""Edits of a written side that were not carried yet: they stay out of its shadow.

An app's answer shows them beside what was written. In the shadow they would no longer
count as edits, and never go across.
"""

import msgspec

from proto.connector import WriteKind
from proto.fields import Fields
from proto.reconciler import LEFT, Side
from services.reconciler.engine import diff, lenses, merge, model
from services.reconciler.engine.model import Cause, Config, Intent, Lens, Link, Pair


def kept_out(
    link: Link, intent: Intent, *, pair: Pair, shown: Fields, config: Config
) -> Fields:
    """Return what a mapping's answer shows, without edits that are still to be carried.

    Args:
        shown: The target's fields of the mapping, as the write left them.
    """
    if intent.kind is WriteKind.CREATE:
        return shown
    side = intent.side
    is_left = side is LEFT
    sides = diff.sides_of(
        link,
        intent.seen if is_left else intent.source,
        right=intent.source if is_left else intent.seen,
        config=config,
    )
    if not diff.is_known(pair, sides):
        return shown
    if link.config_version != config.version:
        pair = _as_decided(pair, intent)
    merged = merge.merge(pair, sides, known=link.apart)
    back = merge.residue(pair, side, sides=sides, merged=merged)
    if not back:
        return shown
    target = merge.target(_with_room(pair, side), side, atoms=back, sides=sides)
    return lenses.put(msgspec.structs.replace(target, onto=shown))


def _as_decided(pair: Pair, intent: Intent) -> Pair:
    """Return a mapping with the winner by which a write was decided.

    Settings that came after it decide nothing about it: by another winner the edit
    that gave way would count as one that is still to be carried (hazard 67).
    """
    gave_way = any(
        change.mapping_id == pair.mapping.mapping_id and change.cause is Cause.CONFLICT
        for change in intent.changes
    )
    winner = model.other(intent.side) if gave_way else intent.side
    return msgspec.structs.replace(
        pair,
        winner=winner,
        parts=tuple(_as_decided(part, intent) for part in pair.parts),
    )


def _with_room(pair: Pair, side: Side) -> Pair:
    """Return a mapping for a shadow, which may remember more than the app holds.

    Of a single field by label, too, whose one place may be taken by now.
    """
    is_several = pair.mapping.lens is Lens.ITEMS
    fields = tuple(
        msgspec.structs.replace(
            field, count_max=0, is_multiple=field.is_multiple or is_several
        )
        for field in pair.end(side).fields
    )
    end = msgspec.structs.replace(pair.end(side), fields=fields)
    if side is LEFT:
        return msgspec.structs.replace(pair, left=end)
    return msgspec.structs.replace(pair, right=end)
