"""Fields of several values, and single fields by label taken as one such field.

Items are told apart by their normal form. A change is carried item by item, so
items that only one app knows or can hold stay where they are.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from proto.fields import Address, Field, FieldKind, Fields, Item, Role, Value
from proto.ids import FieldId
from services.reconciler.engine import canon, countries
from services.reconciler.engine.config import PairEnd

Known = Mapping[FieldId, Mapping[str, str]]
"""Per field: of normal forms that mean one value, the one that each is known by."""

SLOTS: Final = {
    Role.PHONE_MOBILE: "mobile",
    Role.PHONE_WORK: "work",
    Role.PHONE_HOME: "home",
    Role.PHONE: "",
}
"""Single fields that together hold one item a label."""


class Change(msgspec.Struct, frozen=True):
    """What became of one item."""

    item: Item | None
    """None: removed."""
    replaces: str = ""
    """The key of the item whose place it takes."""
    is_relabelled: bool = True
    """It carries another label than the item that it replaces."""


Changes = dict[str, Change]
_Held = dict[str, Item]
_REMOVED: Final = Change(None)
_NOTHING_LEARNED: Final[Mapping[str, str]] = {}

_ADDRESS_PARTS: Final = ("street", "city", "region", "postal_code", "country")
"""In the order of ``canon.address_parts``."""


def read(end: PairEnd, values: Fields, *, known: Known) -> dict[str, Item]:
    """Return the items of a mapping's side by key, the first of each key only."""
    found: dict[str, Item] = {}
    for field in end.fields:
        keys, items = _keyed(end, field, values=values, known=known)
        if not found:
            found = dict(zip(keys, items, strict=True))
            if len(found) == len(keys) and "" not in found:
                # All of one field, each with a key of its own: so it is as a rule.
                continue
            found = {}
        for key, item in zip(keys, items, strict=True):
            if key and key not in found:
                found[key] = item
    return found


def changes(old: Mapping[str, Item], new: Mapping[str, Item]) -> Changes:
    """Return what was added, removed, replaced in place and labelled anew."""
    gone = [key for key in old if key not in new]
    found: Changes = dict.fromkeys(gone, _REMOVED)
    came_from = _replaced(old, new, gone=gone) if gone else {}
    for key, item in new.items():
        before = old.get(key)
        if before is None:
            replaces = came_from.get(key, "")
            was = old[replaces].label if replaces else ""
            found[key] = Change(item, replaces, not replaces or was != item.label)
        elif before.label != item.label:
            found[key] = Change(item, key)
    return found


def left_of(
    kind: FieldKind,
    meant: tuple[Item, ...],
    *,
    now: tuple[Item, ...],
    known: Mapping[str, str],
) -> tuple[Item, ...] | None:
    """Return which items a write left behind, by those that are there some time later.

    Those that were meant, as they read; labels are the app's to choose. It drops what
    it has no place for, and nothing else would come of an item: where as many are gone
    as came, those took their places.

    Args:
        known: Of forms that mean one item, the one that it is known by.
    """
    wrote, keys = (
        [known.get(key, key) for key in canon.keys(kind, some)] for some in (meant, now)
    )
    read = list(zip(keys, now, strict=True))
    came, gone = set(keys).difference(wrote), set(wrote).difference(keys)
    if not came or len(came) != len(gone):
        return tuple(item for key, item in read if key in wrote) or None
    # One number may be there twice, under two labels.
    shown: dict[str, list[Item]] = {}
    for key, item in read:
        shown.setdefault(key, []).append(item)
    return tuple(
        shown[key].pop(0) if shown.get(key) else item
        for key, item in zip(wrote, meant, strict=True)
    )


def put(end: PairEnd, values: Fields, *, known: Known, wanted: Changes) -> Fields:
    """Return a side's values with changes applied, as far as it has room.

    Items with another label than the mapping's are left alone.
    """
    if len(end.fields) == 1 and end.fields[0].is_multiple:
        kept = _put_list(end, values, known=known, wanted=wanted)
        return {end.ids[0]: kept or None}
    return _put_slots(end, values, known=known, wanted=wanted)


def _keyed(
    end: PairEnd, field: Field, *, values: Fields, known: Known
) -> tuple[list[str], tuple[Item, ...]]:
    """Return a field's items and their keys; others' items have an empty one."""
    held = values.get(field.field_id)
    if isinstance(held, str):
        held = (Item(value=held, label=SLOTS.get(field.role, "")),)
    if not isinstance(held, tuple):
        return [], ()
    keys = canon.keys(end.kind, held)
    if known and field.kind is end.kind:
        learned = known.get(field.field_id, _NOTHING_LEARNED)
        keys = [learned.get(key, key) for key in keys]
    if end.label:
        labelled = zip(keys, held, strict=True)
        keys = [key if item.label == end.label else "" for key, item in labelled]
    return keys, held


def _replaced(
    old: Mapping[str, Item], new: Mapping[str, Item], *, gone: list[str]
) -> dict[str, str]:
    """Return for each new key the one that it took the place of."""
    came = [key for key in new if key not in old]
    if len(gone) == len(came):
        return dict(zip(came, gone, strict=True))
    return {
        is_now: was
        for was, is_now in zip(old, new, strict=False)
        if was not in new and is_now not in old
    }


def _put_list(
    end: PairEnd, values: Fields, *, known: Known, wanted: Changes
) -> tuple[Item, ...]:
    field = end.fields[0]
    keys, present = _keyed(end, field, values=values, known=known)
    countries_held = _countries_of(present) if end.kind is FieldKind.ADDRESS else []
    in_place = {
        change.replaces: (key, change)
        for key, change in wanted.items()
        if change.item is not None
        and change.replaces
        and change.replaces in keys
        and (change.replaces == key or key not in keys)
    }
    kept: list[Item] = []
    for key, item in zip(keys, present, strict=True):
        if key in in_place:
            came, change = in_place[key]
            if came != key:
                change = _as_held(change, item, countries_held=countries_held)
            kept.append(_in_place(end, item, change=change, is_same=came == key))
        elif key not in wanted or wanted[key].item is not None:
            kept.append(item)
    placed = {*keys, *(key for key, _ in in_place.values())}
    for key, change in wanted.items():
        if change.item is not None and key not in placed and _has_room(field, kept):
            added = _as_held(change, None, countries_held=countries_held)
            kept.append(_labelled(end, added.item or change.item))
    return tuple(kept)


def _countries_of(items: Sequence[Item]) -> list[str]:
    values = [item.value for item in items]
    return [value.country for value in values if isinstance(value, Address)]


def _as_held(
    change: Change, held: Item | None, *, countries_held: Sequence[str]
) -> Change:
    """Return a change that says the same the way the app says it.

    Of an address only the parts that differ are taken, and a country is written the
    way the app writes it.
    """
    item = change.item
    if item is None or not isinstance(item.value, Address):
        return change
    new = item.value
    country = countries.like(new.country, countries_held)
    new = msgspec.structs.replace(new, country=country)
    if held is not None and isinstance(held.value, Address):
        new = _spliced(held.value, new)
    return msgspec.structs.replace(
        change, item=msgspec.structs.replace(item, value=new)
    )


def _spliced(held: Address, new: Address) -> Address:
    """Return an address with those parts of another that differ."""
    were, are = canon.address_parts(held), canon.address_parts(new)
    differing = {
        part: getattr(new, part)
        for part, was, is_now in zip(_ADDRESS_PARTS, were, are, strict=True)
        if was != is_now
    }
    return msgspec.structs.replace(held, **differing)


def _in_place(end: PairEnd, item: Item, *, change: Change, is_same: bool) -> Item:
    """Return the new item in the old one's place; labels of the app's own stay.

    An item that is the same but for its label keeps the app's spelling.
    """
    assert change.item is not None
    value = item.value if is_same else change.item.value
    label = change.item.label if change.is_relabelled else item.label
    placed = msgspec.structs.replace(item, value=value, label=label)
    return _labelled(end, placed) if change.is_relabelled else placed


def _labelled(end: PairEnd, item: Item) -> Item:
    """Return an item with a label that the field can carry."""
    field = end.fields[0]
    if end.label:
        return msgspec.structs.replace(item, label=end.label)
    if not field.labels or item.label in field.labels:
        return item
    return msgspec.structs.replace(item, label=field.labels[-1])


def _has_room(field: Field, kept: Sequence[Item]) -> bool:
    return not field.count_max or len(kept) < field.count_max


def _put_slots(
    end: PairEnd, values: Fields, *, known: Known, wanted: Changes
) -> Fields:
    held = {f.field_id: _held(end, f, values=values, known=known) for f in end.fields}
    # All that get another label leave first, or two could not change places. Whoever
    # finds no room stays, and the others are placed around it.
    moving = {
        key
        for key, change in wanted.items()
        if change.item is not None and change.replaces == key
    }
    while True:
        placed, stuck = _placed(end.fields, held, moving=moving, wanted=wanted)
        if not stuck:
            break
        moving -= stuck
    return {
        field.field_id: values.get(field.field_id)
        if placed[field.field_id] == held[field.field_id]
        else _as_value(field, list(placed[field.field_id].values()))
        for field in end.fields
    }


def _held(end: PairEnd, field: Field, *, values: Fields, known: Known) -> _Held:
    """Return a slot's items by key: one, or what a shadow remembers besides."""
    keys, found = _keyed(end, field, values=values, known=known)
    return {key: item for key, item in zip(keys, found, strict=True) if key}


def _placed(
    fields: Sequence[Field],
    held: dict[FieldId, _Held],
    *,
    moving: set[str],
    wanted: Changes,
) -> tuple[dict[FieldId, _Held], set[str]]:
    """Return what is in which slot then, and one that was to move and had no room."""
    was_at = {key: i for i in reversed(held) for key in held[i]}
    placed = {
        field_id: {
            key: item
            for key, item in found.items()
            if not (key in wanted and wanted[key].item is None)
            and not (key in moving and was_at[key] == field_id)
        }
        for field_id, found in held.items()
    }
    for key, change in wanted.items():
        is_moving = key in moving and key in was_at
        if change.item is None or (key in was_at and not is_moving):
            continue
        free = {f.field_id for f in fields if f.is_multiple or not placed[f.field_id]}
        former = was_at.get(change.replaces)
        if former in free and not change.is_relabelled:
            at: FieldId | None = former
        else:
            at = _slot_for(fields, change.item.label, free=free)
        if at is not None:
            item = held[was_at[key]][key] if is_moving else change.item
            placed[at][key] = item
        elif is_moving:
            return placed, {key}
    return placed, set()


def _as_value(field: Field, found: Sequence[Item]) -> Value:
    """Return the items of a slot as its value: a text, unless it has room for more."""
    texts = [item.value for item in found if isinstance(item.value, str)]
    if len(texts) > 1 and field.is_multiple:
        label = SLOTS.get(field.role, "")
        return tuple(Item(value=text, label=label) for text in texts)
    return texts[0] if texts else None


def _slot_for(
    fields: Sequence[Field], label: str, *, free: set[FieldId]
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
