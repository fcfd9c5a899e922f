"""Edits that were to be carried, or may have been made while a write was on its way.

Shadows do not tell of them. So an old value that somebody enters again, before another
write is tried, looks as if nobody had touched it: what takes its place then is no
conflict, but it is kept as what gave way (I3).
"""

import itertools
from collections.abc import Iterable, Iterator

from proto.fields import Fields
from proto.ids import FieldId
from proto.reconciler import SIDES, Side
from services.reconciler.engine import canon, model
from services.reconciler.engine.case import Case
from services.reconciler.engine.model import Config, Intent, Link, Pair, Uncarried
from services.reconciler.engine.weigh import Want, Weighed


def noted(link: Link, intent: Intent, *, config: Config) -> tuple[Uncarried, ...]:
    """Return what a link remembers once an intent has come to nothing.

    Args:
        link: Its shadows have moved where a part of the write took effect.
    """
    found = {*link.uncarried}
    source = model.other(intent.side)
    for mapping_id in intent.mapping_ids:
        pair = config.pair_by_id.get(mapping_id)
        if pair is None:
            continue
        edited = list(_edited(link, source, pair=pair, shown=intent.source))
        if edited:
            edited += _edited(link, intent.side, pair=pair, shown=intent.seen)
        found.update(edited)
    return _in_order(found)


def after_step(link: Link, pairs: Iterable[Pair]) -> tuple[Uncarried, ...]:
    """Return what is still to be carried once some mappings are in step."""
    if not link.uncarried:
        return ()
    done = {pair.mapping.mapping_id for pair in pairs}
    return tuple(each for each in link.uncarried if each.mapping_id not in done)


def after_merge(case: Case, weighed: Weighed) -> tuple[Uncarried, ...]:
    """Return what is still to be carried: all other mappings are in step.

    Of a record that was edited while a write was on its way nobody can tell whether an
    old value was entered again, for no decision saw what it was meanwhile.
    """
    link = case.link
    touched = [s for s in SIDES if weighed.wants[s] and _was_touched(case, s)]
    if not touched and not link.uncarried:
        return ()
    found = {
        _mark(want.pair.mapping.mapping_id, field_id, side=side)
        for side in touched
        for want in weighed.wants[side]
        for field_id in want.fields
    }
    if link.uncarried:
        wants = itertools.chain(*weighed.wants.values())
        left = {want.pair.mapping.mapping_id for want in wants}
        left |= {hold.mapping_id for hold in weighed.holds}
        found.update(each for each in link.uncarried if each.mapping_id in left)
    return _in_order(found)


def is_overwritten(link: Link, side: Side, *, want: Want, seen: Fields) -> bool:
    """Say whether a write takes the place of an old value that was entered again.

    Args:
        side: The one that is written to.
        seen: What it shows.
    """
    if not link.uncarried:
        return False
    mapping_id, was = want.pair.mapping.mapping_id, _values(link, side)
    return any(
        seen[field_id]
        and _mark(mapping_id, field_id, side=side) in link.uncarried
        and canon.of(field.kind, seen[field_id])
        == canon.of(field.kind, was.get(field_id))
        for field in want.pair.end(side).fields
        if (field_id := field.field_id) in want.fields
    )


def _was_touched(case: Case, side: Side) -> bool:
    """Say whether a record is another one than a write knew that has just ended."""
    shadow, version = case.link.shadow(side), case.record(side).version
    known = "" if shadow is None else shadow.version
    return bool(known and version) and known != version


def _in_order(found: Iterable[Uncarried]) -> tuple[Uncarried, ...]:
    return tuple(sorted(found, key=lambda e: (e.mapping_id, e.side, e.field_id)))


def _edited(
    link: Link, side: Side, *, pair: Pair, shown: Fields
) -> Iterator[Uncarried]:
    """Yield the fields of a side that showed something else than its shadow."""
    was = _values(link, side)
    for field_id in pair.end(side).ids:
        if field_id in was and shown.get(field_id) != was[field_id]:
            yield _mark(pair.mapping.mapping_id, field_id, side=side)


def _mark(mapping_id: str, field_id: FieldId, *, side: Side) -> Uncarried:
    return Uncarried(mapping_id=mapping_id, side=side, field_id=field_id)


def _values(link: Link, side: Side) -> Fields:
    shadow = link.shadow(side)
    return shadow.values if shadow is not None else {}
