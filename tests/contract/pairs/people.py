"""Who is at both vendors at first, who comes later, and how they are edited.

A person is expected at each side as a card; what becomes of it, `crossing` works out.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from proto.fields import Address, Item, Role, Value
from tests.contract.conformance import cards
from tests.contract.conformance.cards import Card
from tests.contract.conformance.stage import Stage
from tests.contract.pairs.lines import NUMBERS, PARTS

LEFT, RIGHT = "left", "right"
SIDES: Final = (LEFT, RIGHT)
OTHER: Final = {LEFT: RIGHT, RIGHT: LEFT}
_NAMES: Final = (*PARTS, Role.NAME_FULL)
APART: Final = 1_000
"""Numbers of people are apart by this, so that no address is part of another."""


class Person(msgspec.Struct, kw_only=True):
    """Somebody, as they are to be found at each side."""

    number: int
    name: str
    """What they are there to show."""
    cards: dict[str, Card]
    """By side; at first those alone who are put in by hand."""
    has_agreed: bool = False
    """They are known to have agreed to be mailed, where they were put in."""
    unsubscribed: str = ""
    """Where they said that they want no more mail."""
    leaves: str = ""
    """Where they are going to say so."""
    own: dict[str, dict[str, str]] = {}
    """Values of fields that users define, by side and label."""
    former: list[str] = []
    """First addresses that they had."""


def crowd(stages: Mapping[str, Stage]) -> list[Person]:
    """Return everybody who is there before the first sync.

    The first two are those of whom all is known, at the left and at the right.
    """
    left, right = stages[LEFT], stages[RIGHT]
    return [
        _alone(1, "known well at the left", LEFT, left.full(1 * APART)),
        _alone(2, "known well at the right", RIGHT, right.full(2 * APART)),
        _common(3, "at both", left.plain(3 * APART), right.plain(3 * APART)),
        _common(
            4,
            "at both, and known better at the left",
            _full(left, 4 * APART),
            right.plain(4 * APART),
        ),
        _common(
            5,
            "at both, and known better at the right",
            left.plain(5 * APART),
            _full(right, 5 * APART),
        ),
        _common(
            6,
            "at both by other names",
            _differing(left, 6 * APART, "Uno"),
            _differing(right, 6 * APART, "Due"),
        ),
        *(_foreigner(number, stages, side) for number, side in ((7, LEFT), (8, RIGHT))),
        *(
            _alone(
                number,
                f"unsubscribed at the {side}",
                side,
                stages[side].plain(number * APART),
                unsubscribed=side,
            )
            for number, side in ((9, LEFT), (10, RIGHT))
        ),
        *(
            _common(
                number,
                f"to unsubscribe at the {side}",
                left.plain(number * APART),
                right.plain(number * APART),
                leaves=side,
            )
            for number, side in ((11, LEFT), (12, RIGHT))
        ),
    ]


def newcomers(stages: Mapping[str, Stage]) -> list[Person]:
    """Return who comes later, one at each side."""
    return [
        _alone(
            number,
            f"a newcomer at the {side}",
            side,
            stages[side].plain(number * APART),
        )
        for number, side in ((13, LEFT), (14, RIGHT))
    ]


def another(value: Value, role: Role, mark: int) -> Value:
    """Return another value of the same form, different with each mark."""
    if isinstance(value, tuple):
        return tuple(_edited_item(one, role, mark) for one in value)
    assert isinstance(value, str)
    return _another_text(value, role, mark)


def email_of(card: Card) -> str:
    """Return somebody's first address."""
    return cards.texts_of(card[Role.EMAIL])[0]


def _alone(
    number: int, name: str, side: str, card: Card, *, unsubscribed: str = ""
) -> Person:
    return Person(
        number=number, name=name, cards={side: card}, unsubscribed=unsubscribed
    )


def _common(
    number: int, name: str, left: Card, right: Card, *, leaves: str = ""
) -> Person:
    cards = {LEFT: left, RIGHT: right}
    return Person(number=number, name=name, cards=cards, leaves=leaves)


def _foreigner(number: int, stages: Mapping[str, Stage], side: str) -> Person:
    """Return somebody whose name is of letters that are not those of English."""
    stage = stages[side]
    words: tuple[str, ...] = ("Zoë", "Šímová-Łukasz 山田")
    if len(stage.name_roles) == 1:
        words = (" ".join(words),)
    names = dict(zip(stage.name_roles, words, strict=True))
    card = {**stage.plain(number * APART), **names}
    return _alone(number, f"of foreign letters at the {side}", side, card)


def _full(stage: Stage, number: int) -> Card:
    """Return somebody of whom all is known, with a plain name."""
    known = {r: v for r, v in stage.full(number).items() if r not in _NAMES}
    return {**known, **stage.plain(number)}


def _differing(stage: Stage, number: int, word: str) -> Card:
    """Return somebody by another name."""
    card, role = stage.plain(number), stage.name_roles[-1]
    return {**card, role: f"{card.get(role) or 'Person'} {word}"}


def _edited_item(item: Item, role: Role, mark: int) -> Item:
    value = item.value
    if isinstance(value, Address):
        street = f"{value.street} {mark}".strip()
        city = f"{value.city}-{mark}"
        value = msgspec.structs.replace(value, street=street, city=city)
    else:
        value = _another_text(value, role, mark)
    return msgspec.structs.replace(item, value=value)


def _another_text(text: str, role: Role, mark: int) -> str:
    return _EDITS.get(role, _longer_word)(text, mark)


def _longer_word(text: str, mark: int) -> str:
    return f"{text}-é{mark}"


def _later_day(text: str, mark: int) -> str:
    return text[: -len("01")] + f"{10 + mark}"


def _higher_number(text: str, mark: int) -> str:
    return f"{text[:-3]}{int(text[-3:]) + 100 * mark:03}"


def _longer_path(text: str, mark: int) -> str:
    return f"{text}/{mark}"


def _other_box(text: str, mark: int) -> str:
    name, _, host = text.partition("@")
    return f"{name}.as{mark}@{host}"


_EDITS: Final[Mapping[Role, Callable[[str, int], str]]] = {
    Role.EMAIL: _other_box,
    Role.WEBSITE: _longer_path,
    Role.BIRTHDAY: _later_day,
    Role.ANNIVERSARY: _later_day,
    **dict.fromkeys(NUMBERS, _higher_number),
}
