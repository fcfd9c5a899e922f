"""Properties of which a card may have several: email, phone, address, web page.

The preferred one is the first item. Writing looks for the line that each item
already has, so that what else a line carries (group, own label, parameters) stays.
"""

import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

from proto.fields import Address, Item
from services.connector.apps.carddav import cards
from services.connector.apps.carddav.cards import Card, Line, Parameter

OTHER = "other"
APPLE_LABEL = "X-ABLABEL"

_APPLE_BUILT_IN = re.compile(r"_\$!<(.*)>!\$_", re.DOTALL)
_FAX = {"fax": "fax", "homefax": "fax", "workfax": "fax", "otherfax": "fax"}
_MOBILE = {"cell": "mobile", "mobile": "mobile", "iphone": "mobile"}
_PLACES = {"work": "work", "home": "home", "other": OTHER}
_LEAST = 101
"""Behind every preference that a card can state."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """How one property is read and written."""

    key: str
    labels: Mapping[str, str]
    """Label by type, the telling ones first."""
    types: Mapping[str, str]
    """Type to write by label; a label that is not here is written as other."""
    read: Callable[[Line], str | Address | None]
    write: Callable[[Line, str | Address], Line]


class _Entry(msgspec.Struct, frozen=True):
    """An item and the line it is read from."""

    line: Line
    item: Item
    preference: int


def read(card: Card, kind: Kind) -> tuple[Item, ...] | None:
    """Return the items of a property, the preferred one first; None for none."""
    return tuple(entry.item for entry in _entries(card, kind)) or None


def write(card: Card, kind: Kind, *, items: Sequence[Item]) -> None:
    """Make these the items of a property, in this order."""
    wanted = tuple(_known(kind, item) for item in items)
    entries = _entries(card, kind)
    if wanted == tuple(entry.item for entry in entries):
        return
    chosen = _choose(entries, wanted)
    kept = {id(entry.line) for entry in chosen if entry}
    gone = [entry.line for entry in entries if id(entry.line) not in kept]
    lines = [
        _changed(card, kind=kind, entry=entry, item=item)
        for entry, item in zip(chosen, wanted, strict=True)
    ]
    _replace(card, chosen=chosen, lines=lines)
    for line in gone:
        _remove(card, line)
    if read(card, kind) != wanted:
        _arrange(card, lines)


def _entries(card: Card, kind: Kind) -> list[_Entry]:
    found = []
    own_labels = card.companions(APPLE_LABEL)
    for _, line in card.all(kind.key):
        value = kind.read(line)
        if value is not None:
            own = own_labels.get(line.group.lower())
            item = Item(value=value, label=_label(line, kind=kind, own=own))
            found.append(_Entry(line, item, _preference(line)))
    return sorted(found, key=lambda entry: entry.preference)


def _preference(line: Line) -> int:
    if "pref" in line.parameter("TYPE"):
        return 1
    stated = next(iter(line.parameter("PREF")), "")
    return int(stated) if re.fullmatch(r"[0-9]{1,3}", stated) else _LEAST


def _label(line: Line, *, kind: Kind, own: Line | None) -> str:
    if own:
        text = cards.unescape(own.value).strip()
        built_in = _APPLE_BUILT_IN.fullmatch(text)
        name = (built_in[1] if built_in else text).lower()
        return kind.labels.get(name, OTHER)
    types = line.parameter("TYPE")
    return next((kind.labels[t] for t in kind.labels if t in types), "")


def _known(kind: Kind, item: Item) -> Item:
    if not item.label or item.label in kind.types:
        return item
    return Item(value=item.value, label=OTHER)


def _choose(entries: list[_Entry], wanted: Sequence[Item]) -> list[_Entry | None]:
    """Give each item the line that is most like it."""
    likenesses: tuple[Callable[[Item, Item], bool], ...] = (
        lambda old, new: old == new,
        lambda old, new: old.value == new.value,
        lambda old, new: old.label == new.label,
    )
    chosen: list[_Entry | None] = [None] * len(wanted)
    free = list(entries)
    for is_like in likenesses:
        for place, item in enumerate(wanted):
            if chosen[place] is not None:
                continue
            found = next((e for e in free if is_like(e.item, item)), None)
            chosen[place] = found
            free = [e for e in free if e is not found]
    return chosen


def _changed(card: Card, *, kind: Kind, entry: _Entry | None, item: Item) -> Line:
    """Return the line of an item; drop a label of its own that no longer holds."""
    line = entry.line if entry else Line(name=kind.key)
    if entry is None or entry.item.value != item.value:
        line = kind.write(line, item.value)
    if entry and entry.item.label == item.label:
        return line
    if own := card.companions(APPLE_LABEL).get(line.group.lower()):
        card.drop(lambda other: other is own)
    line = line.without("TYPE", values=tuple(kind.labels))
    if not item.label:
        return line
    label = Parameter(name="TYPE", values=(kind.types[item.label],))
    return line.having(parameters=(*line.parameters, label))


def _replace(
    card: Card, *, chosen: Sequence[_Entry | None], lines: Sequence[Line]
) -> None:
    """Put changed lines where they were, and new ones behind the last of them."""
    for entry, line in zip(chosen, lines, strict=True):
        if entry is None:
            same = [i for i, _ in card.all(line.key)]
            card.lines.insert(same[-1] + 1 if same else len(card.lines), line)
        else:
            card.lines[_place(card, entry.line)] = line


def _remove(card: Card, line: Line) -> None:
    """Take a line out, with what Apple's programs keep about it in its group."""
    card.drop(lambda other: other is line)
    group = line.group.lower()
    rest = [other for other in card.lines if group and other.group.lower() == group]
    if all(other.key.startswith("X-AB") for other in rest):
        card.drop(lambda other: any(other is companion for companion in rest))


def _arrange(card: Card, lines: Sequence[Line]) -> None:
    """Put the lines in this order, the first one preferred."""
    places = sorted(_place(card, line) for line in lines)
    uses_pref = any(_preference(line) < _LEAST for line in lines)
    plain = [line.without("PREF").without("TYPE", values=("pref",)) for line in lines]
    if uses_pref:
        first = plain[0]
        name, value = ("PREF", "1") if card.version == "4.0" else ("TYPE", "PREF")
        preferred = Parameter(name=name, values=(value,))
        plain[0] = first.having(parameters=(*first.parameters, preferred))
    for place, line in zip(places, plain, strict=True):
        card.lines[place] = line


def _place(card: Card, line: Line) -> int:
    return next(i for i, other in enumerate(card.lines) if other is line)


def _text(line: Line) -> str | None:
    return cards.unescape(line.value).strip() or None


def _phone(line: Line) -> str | None:
    text = _text(line)
    if text is None or not text.lower().startswith("tel:"):
        return text
    number, _, rest = text[4:].partition(";")
    extension = re.search(r"(?:^|;)ext=([^;]+)", rest)
    return f"{number} ext. {extension[1]}" if extension else number or None


def _address(line: Line) -> Address | None:
    raw = cards.split(line.value, ";")
    parts = [
        ", ".join(cards.unescape(piece) for piece in cards.split(text, ",")).strip()
        for text in (*raw[:7], *[""] * 7)
    ]
    address = Address(
        street=parts[2],
        city=parts[3],
        region=parts[4],
        postal_code=parts[5],
        country=parts[6],
    )
    return None if address == Address() else address


def _write_text(line: Line, value: str | Address) -> Line:
    assert isinstance(value, str), "checked when the fields were"
    # The address of a web page is escaped too, although the standard says otherwise:
    # servers built on vobject cut it off at a bare comma.
    return line.without("VALUE").having(value=cards.escape(value))


def _write_address(line: Line, value: str | Address) -> Line:
    """Set the five parts; the box and the second line, which we do not map, stay."""
    assert isinstance(value, Address), "checked when the fields were"
    raw = cards.split(line.value, ";")
    raw += [""] * (7 - len(raw))
    before = _address(line) or Address()
    names = ("street", "city", "region", "postal_code", "country")
    for place, name in enumerate(names, 2):
        if getattr(before, name) != getattr(value, name):
            raw[place] = cards.escape(getattr(value, name))
    # A printed form or a position of the old address would be wrong now.
    bare = line.without("LABEL").without("GEO")
    return bare.having(value=";".join(raw))


_PLACE_TYPES = {"home": "HOME", "work": "WORK", OTHER: "OTHER"}

EMAILS = Kind(
    key="EMAIL", labels=_PLACES, types=_PLACE_TYPES, read=_text, write=_write_text
)
PHONES = Kind(
    key="TEL",
    labels={**_FAX, **_MOBILE, **_PLACES, "pager": OTHER},
    types={"mobile": "CELL", "fax": "FAX", **_PLACE_TYPES},
    read=_phone,
    write=_write_text,
)
ADDRESSES = Kind(
    key="ADR",
    labels=_PLACES,
    types=_PLACE_TYPES,
    read=_address,
    write=_write_address,
)
WEBSITES = Kind(
    key="URL", labels=_PLACES, types=_PLACE_TYPES, read=_text, write=_write_text
)
