"""Fields of which a contact has several: email, phone, address, web page.

The primary one is the first item. Writing looks for the entry that each item already
has, so that what else the entry holds, such as a label that somebody made up, stays.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from proto.fields import Address, Item
from services.connector.apps.google_contacts import entries, wire
from services.connector.apps.google_contacts.wire import Entry

OTHER: Final = "other"
_PLACES: Final = {"home": "home", "work": "work", OTHER: OTHER}
_PARTS: Final = {
    "street": "streetAddress",
    "city": "city",
    "region": "region",
    "postal_code": "postalCode",
    "country": "country",
}


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """How one field is read and written."""

    field: str
    labels: Mapping[str, str]
    """Label by type, in small letters; any other type is somebody's own label."""
    types: Mapping[str, str]
    """Type to write by label; a label that is not here is written as other."""
    read: Callable[[Entry], str | Address | None]
    write: Callable[[Entry, str | Address], Entry]


def read(found: Sequence[Entry], kind: Kind) -> tuple[Item, ...] | None:
    """Return the items of a field, the primary one first; None for none."""
    items = (_item(entry, kind) for entry in entries.ordered(found))
    return tuple(item for item in items if item is not None) or None


def write(found: Sequence[Entry], kind: Kind, *, items: Sequence[Item]) -> list[Entry]:
    """Return the entries that have these items, in this order.

    An entry that is no item, such as an address that is a country alone, stays.
    """
    held = [(entry, _item(entry, kind)) for entry in entries.ordered(found)]
    free = [(entry, item) for entry, item in held if item is not None]
    rest = [entry for entry, item in held if item is None]
    wanted = [_known(item, kind) for item in items if _is_told(item)]
    chosen = _choose(free, wanted)
    written = [
        _written(entry, item, kind=kind)
        for entry, item in zip(chosen, wanted, strict=True)
    ]
    kept = [entries.bare(entry, field=kind.field) for entry in rest]
    return entries.led([*written, *kept])


def _item(entry: Entry, kind: Kind) -> Item | None:
    value = kind.read(entry)
    if value is None:
        return None
    name = wire.text(entry, "type").lower()
    return Item(value=value, label=kind.labels.get(name, OTHER) if name else "")


def _is_told(item: Item) -> bool:
    return (
        item.value != Address() if isinstance(item.value, Address) else bool(item.value)
    )


def _known(item: Item, kind: Kind) -> Item:
    if not item.label or item.label in kind.types:
        return item
    return Item(value=item.value, label=OTHER)


def _choose(
    held: list[tuple[Entry, Item]], wanted: Sequence[Item]
) -> list[tuple[Entry, Item] | None]:
    """Give each item the entry that is most like it."""
    likenesses: tuple[Callable[[Item, Item], bool], ...] = (
        lambda old, new: old == new,
        lambda old, new: old.value == new.value,
        lambda old, new: old.label == new.label,
    )
    chosen: list[tuple[Entry, Item] | None] = [None] * len(wanted)
    free = list(held)
    for is_like in likenesses:
        for place, item in enumerate(wanted):
            if chosen[place] is not None:
                continue
            found = next((one for one in free if is_like(one[1], item)), None)
            chosen[place] = found
            free = [one for one in free if one is not found]
    return chosen


def _written(held: tuple[Entry, Item] | None, item: Item, *, kind: Kind) -> Entry:
    entry, before = held or ({}, None)
    entry = entries.bare(entry, field=kind.field)
    if before is None or before.value != item.value:
        entry = kind.write(entry, item.value)
    if before is not None and before.label == item.label:
        return entry
    without = {key: value for key, value in entry.items() if key != "type"}
    return without | ({"type": kind.types[item.label]} if item.label else {})


def _text(entry: Entry) -> str | None:
    return wire.text(entry, "value") or None


def _write_text(entry: Entry, value: str | Address) -> Entry:
    return entry | {"value": value}


def _address(entry: Entry) -> Address | None:
    parts = {part: wire.text(entry, key) for part, key in _PARTS.items()}
    address = Address(**parts)
    return None if address == Address() else address


def _write_address(entry: Entry, value: str | Address) -> Entry:
    """Set the five parts; the box and the second line, which are not mapped, stay."""
    assert isinstance(value, Address), "checked when the fields were"
    # Of the old parts the vendor made the printed form; the code is of the old country.
    dropped = {"formattedValue"}
    if wire.text(entry, "country") != value.country:
        dropped.add("countryCode")
    kept = {key: old for key, old in entry.items() if key not in dropped}
    parts = {key: getattr(value, part) for part, key in _PARTS.items()}
    return {key: text for key, text in (kept | parts).items() if text != ""}


EMAILS: Final = Kind(
    field="emailAddresses",
    labels=_PLACES,
    types=_PLACES,
    read=_text,
    write=_write_text,
)
PHONES: Final = Kind(
    field="phoneNumbers",
    labels={
        **_PLACES,
        "mobile": "mobile",
        "workmobile": "mobile",
        "homefax": "fax",
        "workfax": "fax",
        "otherfax": "fax",
    },
    types={**_PLACES, "mobile": "mobile", "fax": "workFax"},
    read=_text,
    write=_write_text,
)
ADDRESSES: Final = Kind(
    field="addresses",
    labels=_PLACES,
    types=_PLACES,
    read=_address,
    write=_write_address,
)
WEBSITES: Final = Kind(
    field="urls", labels=_PLACES, types=_PLACES, read=_text, write=_write_text
)
