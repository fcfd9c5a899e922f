"""The tags of a card, which are its CATEGORIES; all that is not asked for stays."""

from collections.abc import Sequence
from typing import Final

from services.connector.apps.carddav import cards, values
from services.connector.apps.carddav.cards import Card, Line
from services.connector.apps.carddav.values import BadValue

KEY: Final = "CATEGORIES"
TAGS_MAX: Final = 200
TAG_CHARACTERS_MAX: Final = 1_000
"""What is more, or longer, is not a tag that anyone uses."""


def read(card: Card) -> tuple[str, ...]:
    """Return the tags of a card in their order, each once."""
    return _all(card)[:TAGS_MAX]


def write(card: Card, *, add: Sequence[str], remove: Sequence[str] = ()) -> None:
    """Put tags behind the others, and take tags out wherever they are.

    Raises:
        BadValue: No card can hold one of the tags, or so many.
    """
    gone = {name.strip() for name in remove}
    for place, line in list(card.all(KEY)):
        card.lines[place] = _without(line, gone)
    card.drop(lambda line: line.key == KEY and not line.value and not line.source)
    there = _all(card)
    more = [name for name in dict.fromkeys(map(_checked, add)) if name not in there]
    if not more:
        return
    if len(there) + len(more) > TAGS_MAX:
        raise BadValue(None)
    text = ",".join(map(cards.escape, more))
    places = [place for place, _ in card.all(KEY)]
    # Programs that know one such line only read the first; most cards have no other.
    last = card.lines[places[-1]] if places else None
    if last is None or last.value.endswith("\\"):
        card.lines.append(Line(name=KEY, value=text))
        return
    value = f"{last.value},{text}" if last.value.strip() else text
    card.lines[places[-1]] = last.having(value=value)


def _all(card: Card) -> tuple[str, ...]:
    found = (
        _name(raw) for _, line in card.all(KEY) for raw in cards.split(line.value, ",")
    )
    return tuple(
        dict.fromkeys(name for name in found if 0 < len(name) <= TAG_CHARACTERS_MAX)
    )


def _without(line: Line, gone: set[str]) -> Line:
    """Return a line without some tags: itself if it has none of them."""
    raw = cards.split(line.value, ",")
    kept = [each for each in raw if _name(each) not in gone]
    return line if len(kept) == len(raw) else line.having(value=",".join(kept))


def _name(raw: str) -> str:
    return cards.unescape(raw).strip()


def _checked(name: str) -> str:
    clean = values.clean(None, name)
    if not 0 < len(clean) <= TAG_CHARACTERS_MAX:
        raise BadValue(None)
    return clean
