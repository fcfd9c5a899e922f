"""Fields of several values, and single fields by label taken as one such field.

Items are told apart by their normal form. A change is carried item by item, so
items that only one app knows or can hold stay where they are.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from proto.fields import Field, FieldKind, Fields, Item, Role
from proto.ids import FieldId
from services.reconciler.engine import canon

Known = Mapping[FieldId, Mapping[str, str]]
"""Per field: the normal form an app made of ours, and ours."""

SLOTS: Final = {
    Role.PHONE_MOBILE: "mobile",
    Role.PHONE_WORK: "work",
    Role.PHONE_HOME: "home",
    Role.PHONE: "",
}
"""Single fields that together hold one item a label."""


class Change(NamedTuple):
    """What became of one item."""

    item: Item | None
    """None: removed."""
    replaces: str = ""
    """The key of the item whose place it takes."""
    is_relabelled: bool = True
    """It carries another label than the item that it replaces."""


Changes = dict[str, Change]


def read(fields: Sequence[Field], values: Fields, *, known: Known) -> dict[str, Item]:
    """Return the items of a side by key, the first of each key only."""
    found: dict[str, Item] = {}
    for field in fields:
        learned = known.get(field.field_id)
        for item in _items(field, values):
            key = canon.item(field.kind, item)
            if learned:
                key = learned.get(key, key)
            if key:
                found.setdefault(key, item)
    return found


def changes(old: Mapping[str, Item], new: Mapping[str, Item]) -> Changes:
    """Return what was added, removed, replaced in place and labelled anew."""
    found: Changes = {}
    for key in old:
        if key not in new:
            found[key] = Change(None)
    came_from = dict(_replaced(list(old), list(new)))
    for key, item in new.items():
        before = old.get(key)
        if before is None:
            replaces = came_from.get(key, "")
            was = old[replaces].label if replaces else ""
            found[key] = Change(item, replaces, not replaces or was != item.label)
        elif before.label != item.label:
            found[key] = Change(item, key)
    return found


def put(
    fields: Sequence[Field], values: Fields, *, known: Known, wanted: Changes
) -> Fields:
    """Return a side's values with changes applied, as far as it has room."""
    if len(fields) == 1 and fields[0].is_multiple:
        field = fields[0]
        kept = _put_list(field, values, known=known, wanted=wanted)
        return {field.field_id: kept or None}
    return _put_slots(fields, values, known=known, wanted=wanted)


def kind_of(fields: Sequence[Field]) -> FieldKind:
    """Return the kind of the items of a side."""
    return fields[0].kind


def _items(field: Field, values: Fields) -> tuple[Item, ...]:
    value = values.get(field.field_id)
    if isinstance(value, tuple):
        return value
    if isinstance(value, str):
        return (Item(value=value, label=SLOTS.get(field.role, "")),)
    return ()


def _replaced(old: list[str], new: list[str]) -> list[tuple[str, str]]:
    """Pair each new key with the one that it took the place of."""
    were, are = set(old), set(new)
    gone = [key for key in old if key not in are]
    came = [key for key in new if key not in were]
    if len(gone) == len(came):
        return list(zip(came, gone, strict=True))
    return [
        (is_now, was)
        for was, is_now in zip(old, new, strict=False)
        if was not in are and is_now not in were
    ]


def _put_list(
    field: Field, values: Fields, *, known: Known, wanted: Changes
) -> tuple[Item, ...]:
    learned = known.get(field.field_id) or {}
    present: list[tuple[str, Item]] = []
    for item in _items(field, values):
        key = canon.item(field.kind, item)
        present.append((learned.get(key, key), item))
    keys = {key for key, _ in present}
    in_place = {
        change.replaces: (key, change)
        for key, change in wanted.items()
        if change.item is not None
        and change.replaces in keys
        and (change.replaces == key or key not in keys)
    }
    kept: list[Item] = []
    for key, item in present:
        if key in in_place:
            kept.append(_in_place(field, item, change=in_place[key][1]))
        elif key not in wanted or wanted[key].item is not None:
            kept.append(item)
    placed = {key for key, _ in in_place.values()} | keys
    for key, change in wanted.items():
        if change.item is not None and key not in placed and _has_room(field, kept):
            kept.append(_labelled(field, change.item))
    return tuple(kept)


def _in_place(field: Field, item: Item, *, change: Change) -> Item:
    """Return the new item in the old one's place; labels of the app's own stay."""
    assert change.item is not None
    if change.is_relabelled:
        return _labelled(field, change.item)
    return msgspec.structs.replace(item, value=change.item.value)


def _labelled(field: Field, item: Item) -> Item:
    """Return an item with a label that the field can carry."""
    if not field.labels or item.label in field.labels:
        return item
    return msgspec.structs.replace(item, label=field.labels[-1])


def _has_room(field: Field, kept: Sequence[Item]) -> bool:
    return not field.count_max or len(kept) < field.count_max


def _put_slots(
    fields: Sequence[Field], values: Fields, *, known: Known, wanted: Changes
) -> Fields:
    held: dict[FieldId, str] = {}
    for field in fields:
        for key in read((field,), values, known=known):
            held[field.field_id] = key
    result: Fields = {f.field_id: values.get(f.field_id) for f in fields}
    free = {f.field_id for f in fields if f.field_id not in held}
    for field_id, key in held.items():
        change = wanted.get(key)
        if change is not None and change.item is None:
            result[field_id] = None
            free.add(field_id)
    for key, change in wanted.items():
        if change.item is None:
            continue
        holder = next((f for f, held_key in held.items() if held_key == key), None)
        former = next(
            (f for f, held_key in held.items() if held_key == change.replaces), None
        )
        if holder is not None and change.replaces != key:
            continue
        if former in free and not change.is_relabelled:
            at: FieldId | None = former
        else:
            at = _slot_for(fields, change.item.label, free=free | {holder or ""})
        if at is None:
            continue
        if holder is not None and at != holder:
            result[holder] = None
            free.add(holder)
        result[at] = _text(change.item)
        free.discard(at)
    return result


def _slot_for(
    fields: Sequence[Field], label: str, *, free: set[FieldId] | set[str]
) -> FieldId | None:
    """Return the free field for a label; a number without one goes anywhere."""
    open_fields = [f for f in fields if f.field_id in free]
    for field in open_fields:
        if SLOTS.get(field.role, "") == label:
            return field.field_id
    if label in ("", "other") or label not in SLOTS.values():
        for field in open_fields:
            if field.role is Role.PHONE or not label:
                return field.field_id
    return None


def _text(item: Item) -> str | None:
    return item.value if isinstance(item.value, str) else None
