"""What an app makes of values that are written to it, so that it is no edit."""

from collections import Counter
from typing import Final

from proto.fields import FieldKind, Value
from proto.ids import FieldId
from proto.record import Record
from services.reconciler.engine import canon
from services.reconciler.engine.model import (
    Config,
    Intent,
    Learned,
    Link,
    SideConfig,
)

LEARNED_PER_FIELD_MAX: Final = 32
"""Older lessons about a field of a link are forgotten, but those in use last."""


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


def completed(intent: Intent, record: Record, *, config: Config) -> tuple[Learned, ...]:
    """Return which numbers of a write a record shows with a country's code, or without.

    They are the same numbers whoever wrote them so, and that is no edit: not even where
    nobody knows whether the write has taken effect.
    """
    by_id = config.side(intent.side).by_id
    found: list[Learned] = []
    for field_id in intent.fields:
        field = by_id.get(field_id)
        if field is None or field.kind is not FieldKind.PHONE:
            continue
        wrote, got = (
            _keys(field.kind, values.get(field_id))
            for values in (intent.fields, record.fields)
        )
        new = _beyond(got, wrote)
        for key in _beyond(wrote, got):
            became = (each for each in new if canon.is_completed(key, each))
            if (form := next(became, None)) is not None:
                lesson = Learned(
                    side=intent.side, field_id=field_id, wrote=key, got=form
                )
                found.append(lesson)
    return tuple(found)


def remember(
    link: Link, fresh: tuple[Learned, ...], *, record: Record, config: Config
) -> tuple[Learned, ...]:
    """Return a link's lessons with new ones added, and too many dropped.

    Those first that tell nothing of what the record holds, and then the oldest.

    Args:
        record: What all the new ones are of.
    """
    if not fresh:
        return link.learned
    side = fresh[0].side
    held = _forms_held(record, config.side(side))
    in_use_last = sorted(
        (*link.learned, *fresh),
        key=lambda each: each.side is side and (each.field_id, each.got) in held,
    )
    kept: list[Learned] = []
    counts: dict[tuple[str, str], int] = {}
    known: set[tuple[str, str, str]] = set()
    for each in reversed(in_use_last):
        place = (each.side.value, each.field_id)
        if (*place, each.got) in known:
            continue
        if counts.get(place, 0) >= LEARNED_PER_FIELD_MAX:
            continue
        known.add((*place, each.got))
        counts[place] = counts.get(place, 0) + 1
        kept.append(each)
    return tuple(reversed(kept))


def _forms_held(record: Record, side: SideConfig) -> set[tuple[FieldId, str]]:
    """Return the normal forms of all values of a record, each with its field."""
    return {
        (field_id, form)
        for field_id, value in record.fields.items()
        if (field := side.by_id.get(field_id)) is not None
        for form in _keys(field.kind, value)
    }


def _keys(kind: FieldKind, value: Value) -> list[str]:
    """Return the normal form of a value, or of each of several."""
    if isinstance(value, tuple):
        return canon.keys(kind, value)
    return [form] if (form := canon.of(kind, value)) else []


def _forms(kind: FieldKind, meant: Value, *, got: Value) -> list[tuple[str, str]]:
    """Pair what was written with what came back, item by item."""
    if isinstance(meant, tuple) or isinstance(got, tuple):
        if not isinstance(meant, tuple) or not isinstance(got, tuple):
            return []
        wrote, became = canon.keys(kind, meant), canon.keys(kind, got)
        # Items that came back as they went are no riddle; the rest keep their order.
        new, changed = _beyond(wrote, became), _beyond(became, wrote)
        if len(new) != len(changed):
            return []
        return list(zip(new, changed, strict=True))
    return [(canon.of(kind, meant), canon.of(kind, got))]


def _beyond(keys: list[str], others: list[str]) -> list[str]:
    """Return keys that there are more often than among others, in their order."""
    left = Counter(others)
    left.subtract(Counter(keys))
    found: list[str] = []
    for key in reversed(keys):
        if left[key] < 0:
            left[key] += 1
            found.append(key)
    return found[::-1]
