"""Where an answer moves the shadows of a link, mapping by mapping."""

from collections.abc import Iterable

import msgspec

from proto.fields import Fields
from proto.reconciler import LEFT, RIGHT, Side
from proto.record import Record
from services.reconciler.engine import evidence, model, pending
from services.reconciler.engine.model import Config, Intent, Link, Pair, Shadow


def pairs_of(intent: Intent, config: Config) -> list[Pair]:
    """Return the mappings of an intent that there still are."""
    pairs = [config.pair_by_id.get(mapping_id) for mapping_id in intent.mapping_ids]
    return [pair for pair in pairs if pair is not None]


def moved(
    link: Link, intent: Intent, *, pairs: Iterable[Pair], told: Fields, config: Config
) -> dict[Side, Shadow]:
    """Return both shadows as a write leaves them in some of its mappings."""
    side = intent.side
    source = dict(_values(link, model.other(side)))
    target = dict(_values(link, side))
    for pair in pairs:
        seen = {i: intent.seen.get(i) for i in pair.end(side).ids}
        shown = {i: told.get(i, seen[i]) for i in seen}
        target.update(
            pending.kept_out(link, intent, pair=pair, shown=shown, config=config)
        )
        source.update(
            (i, intent.source[i])
            for i in pair.end(model.other(side)).ids
            if i in intent.source
        )
    return {side: Shadow(values=target), model.other(side): Shadow(values=source)}


def in_part(link: Link, intent: Intent, *, record: Record, config: Config) -> Link:
    """Move the shadows of mappings that read as they were meant to, and did not before.

    Somebody edited others since, so that nobody can tell whether the write took effect.
    What is there as it was meant is no edit of that side, whoever entered it.
    """
    same = evidence.as_meant(link, intent, record=record, config=config)
    own = evidence.rewritten(intent, record=record, config=config)
    pairs = [
        pair
        for pair in pairs_of(intent, config)
        if (ids := intent.fields.keys() & set(pair.end(intent.side).ids))
        and ids <= same
        and any(record.fields.get(i) != intent.seen.get(i) for i in ids)
    ]
    if not pairs:
        return link
    shadows = moved(
        link, intent, pairs=pairs, told={**intent.fields, **own}, config=config
    )
    return msgspec.structs.replace(link, left=shadows[LEFT], right=shadows[RIGHT])


def _values(link: Link, side: Side) -> Fields:
    shadow = link.shadow(side)
    return shadow.values if shadow is not None else {}
