"""What an app makes of values that are written to it, so that it is no edit."""

from typing import Final

from proto.fields import FieldKind, Value
from proto.record import Record
from services.reconciler.engine import canon
from services.reconciler.engine.model import Config, Intent, Learned, Link

LEARNED_PER_FIELD_MAX: Final = 8
"""Older lessons about a field of a link are forgotten."""


def learned_from(
    intent: Intent, record: Record, *, config: Config
) -> tuple[Learned, ...]:
    """Return the values that came back in another normal form than they went."""
    found: list[Learned] = []
    by_id = config.side(intent.side).by_id
    for field_id, meant in intent.fields.items():
        field = by_id.get(field_id)
        if field is None or field_id not in record.fields:
            continue
        got = record.fields[field_id]
        if got == meant:
            continue
        for wrote, became in _forms(field.kind, meant, got=got):
            if wrote != became and wrote and became:
                found.append(
                    Learned(
                        side=intent.side, field_id=field_id, wrote=wrote, got=became
                    )
                )
    return tuple(found)


def remember(link: Link, fresh: tuple[Learned, ...]) -> tuple[Learned, ...]:
    """Return a link's lessons with new ones added and the oldest dropped."""
    if not fresh:
        return link.learned
    kept: list[Learned] = []
    counts: dict[tuple[str, str], int] = {}
    known: set[tuple[str, str, str]] = set()
    for each in reversed((*link.learned, *fresh)):
        place = (each.side.value, each.field_id)
        if (*place, each.got) in known:
            continue
        if counts.get(place, 0) >= LEARNED_PER_FIELD_MAX:
            continue
        known.add((*place, each.got))
        counts[place] = counts.get(place, 0) + 1
        kept.append(each)
    return tuple(reversed(kept))


def _forms(kind: FieldKind, meant: Value, *, got: Value) -> list[tuple[str, str]]:
    """Pair what was written with what came back, item by item."""
    if isinstance(meant, tuple) or isinstance(got, tuple):
        if not isinstance(meant, tuple) or not isinstance(got, tuple):
            return []
        wrote = [canon.item(kind, item) for item in meant]
        became = [canon.item(kind, item) for item in got]
        # Items that came back as they went are no riddle; the rest keep their order.
        new = [key for key in wrote if key not in became]
        changed = [key for key in became if key not in wrote]
        if len(new) != len(changed):
            return []
        return list(zip(new, changed, strict=True))
    return [(canon.of(kind, meant), canon.of(kind, got))]
