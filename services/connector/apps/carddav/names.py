"""Names: the parts in N, and the full name in FN that every card must have.

The parts are what is mapped. FN follows them as long as it is made of them; a full
name that somebody chose freely stays.
"""

from collections.abc import Callable, Mapping

import msgspec

from services.connector.apps.carddav import cards
from services.connector.apps.carddav.cards import Card, Line

PARTS = ("family", "given", "middle", "prefix", "suffix")
"""In the order in which N holds them."""

NO_NAME = "Unnamed contact"
"""The full name of a card that has nothing else to show."""

Parts = Mapping[str, str]
Form = Callable[[Parts], str]


class Style(msgspec.Struct, frozen=True):
    """How a card's full name came about before a change."""

    form: Form | None
    """How it is made of the parts; None for one that stands in for a name."""


def _joined(*names: str) -> Form:
    return lambda parts: " ".join(parts[n] for n in names if parts[n])


_FULL = _joined("prefix", "given", "middle", "family", "suffix")
_FORMS: tuple[Form, ...] = (
    _FULL,
    _joined("given", "family"),
    _joined("given", "middle", "family"),
    _joined("prefix", "given", "family"),
    _joined("family", "given"),
    lambda parts: ", ".join(parts[n] for n in ("family", "given") if parts[n]),
    lambda parts: parts["family"] + parts["given"],
    _joined("given"),
)


def full(card: Card) -> str:
    """Return the full name."""
    line = card.first("FN")
    return cards.unescape(line.value) if line else ""


def read(card: Card) -> dict[str, str]:
    """Return the parts of the name; of the full name where a card has no parts."""
    parts = _stored(card)
    if any(parts.values()):
        return parts
    name = full(card)
    if _plain(name) in _stand_ins(card):
        return parts
    given, _, family = _plain(name).partition(" ")
    return {**parts, "given": given, "family": family}


def style(card: Card) -> Style | None:
    """Say how the full name came about; None if somebody chose it freely."""
    name, parts = _plain(full(card)), read(card)
    if any(parts.values()):
        for form in _FORMS:
            if _plain(form(parts)) == name:
                return Style(form)
    return Style(None) if name in _stand_ins(card) else None


def write(card: Card, changed: Parts) -> None:
    """Set some parts of the name; those not mentioned stay as they are."""
    before = read(card)
    after = {**before, **changed}
    if after == before:
        return
    line = card.first("N") or Line(name="N")
    raw = cards.split(line.value, ";")
    raw += [""] * (len(PARTS) - len(raw))
    stored = _stored(card)
    for place, part in enumerate(PARTS):
        # What is not touched keeps its own list of names and its own escapes.
        if after[part] != stored[part]:
            raw[place] = cards.escape(after[part])
    card.put(line.having(value=";".join(raw)))
    if not any(after.values()):
        # Else the parts would be read out of the full name again.
        card.put((card.first("FN") or Line(name="FN")).having(value=""))


def refresh(card: Card, before: Style | None) -> None:
    """Bring the full name in step with the card, if it was so before the change."""
    if before is None and full(card):
        return
    form = before.form if before else None
    parts = read(card) if form else _stored(card)
    form = form or _FULL
    name = _plain(form(parts)) or _plain(_FULL(parts)) or _stand_in(card)
    if name == _plain(full(card)):
        return
    card.put((card.first("FN") or Line(name="FN")).having(value=cards.escape(name)))


def _stored(card: Card) -> dict[str, str]:
    line = card.first("N")
    raw = cards.split(line.value, ";") if line else []
    raw += [""] * (len(PARTS) - len(raw))
    return {
        part: " ".join(cards.unescape(name) for name in cards.split(text, ",")).strip()
        for part, text in zip(PARTS, raw, strict=False)
    }


def _stand_in(card: Card) -> str:
    """Return what a card without a name shows in its place."""
    return next((text for text in _substitutes(card) if text), NO_NAME)


def _stand_ins(card: Card) -> set[str]:
    return {"", NO_NAME, *_substitutes(card)}


def _substitutes(card: Card) -> list[str]:
    company = card.first("ORG")
    found = [cards.unescape(cards.split(company.value, ";")[0])] if company else []
    for key in ("EMAIL", "TEL"):
        found += [cards.unescape(line.value) for _, line in card.all(key)]
    return [_plain(text) for text in found]


def _plain(text: str) -> str:
    return " ".join(text.split())
