"""What people do to somebody's telephone numbers: several fields, or several in one."""

import random
from collections.abc import Callable
from typing import Final

import msgspec

from proto.fields import Item, Role, Value
from tests.simulation.people import LABELS, People
from tests.simulation.vendors.book import Found, Holder
from tests.simulation.vendors.forms import number_key
from tests.simulation.vendors.numbers import NUMBERS, SLOTS
from tests.simulation.vendors.ways import Ways

Items = tuple[Item, ...]

AGAIN: Final = 0.25
"""The share of numbers entered that somebody has entered before, on either side."""


class Renumbering:
    """Draws what becomes of a record's numbers."""

    def __init__(self, people: People, source: random.Random) -> None:
        self._people = people
        self._source = source
        self._of_list: dict[Callable[[Items, Item], Items], float] = {
            self._add: 4.0,
            self._replace: 3.0,
            self._relabel: 3.0,
            self._remove: 2.0,
            self._exchange: 0.5,
            self._shuffle: 0.5,
        }

    def change(self, found: Found, person: int) -> None:
        """Enter other numbers in a record, if its vendor keeps any."""
        if not NUMBERS.isdisjoint(found.ways.roles):
            fields = self._edited(found.holder, found.ways, person=person)
            found.book.edit(found.record_id, fields)

    def _edited(self, holder: Holder, ways: Ways, *, person: int) -> dict[str, Value]:
        new = self._people.item(person)
        known = [
            authored.text
            for authored in self._people.authored.values()
            if authored.origin.person == person and authored.role in NUMBERS
        ]
        if known and self._source.random() < AGAIN:
            again = self._people.number_again(self._source.choice(known))
            new = msgspec.structs.replace(new, value=again)
        if ways.numbers.is_list:
            name = ways.name_of(Role.PHONE)
            held = holder.now.fields.get(name)
            items = held if isinstance(held, tuple) else ()
            [act] = self._source.choices(list(self._of_list), self._of_list.values())
            return {name: ways.numbers.fitted(_distinct(act(items, new))) or None}
        return self._of_slots(holder, ways, new=new)

    def _of_slots(self, holder: Holder, ways: Ways, *, new: Item) -> dict[str, Value]:
        names = [ways.name_of(role) for role in SLOTS if role in ways.roles]
        values: list[Value] = [holder.now.fields.get(name) for name in names]
        at = self._source.randrange(len(names))
        match self._source.choice(("enter", "enter", "enter", "move", "clear")):
            case "enter":
                values[at] = new.value
            case "move":
                to = self._source.randrange(len(names))
                values[at], values[to] = values[to], values[at]
            case "clear":
                values[at] = None
        return dict(zip(names, values, strict=True))

    def _add(self, items: Items, new: Item) -> Items:
        at = self._source.choice((0, len(items), len(items)))
        return (*items[:at], new, *items[at:])

    def _replace(self, items: Items, new: Item) -> Items:
        if not items:
            return (new,)
        at = self._source.randrange(len(items))
        replaced = msgspec.structs.replace(items[at], value=new.value)
        return (*items[:at], replaced, *items[at + 1 :])

    def _relabel(self, items: Items, new: Item) -> Items:
        if not items:
            return (new,)
        at = self._source.randrange(len(items))
        label = self._source.choice(LABELS)
        other = msgspec.structs.replace(items[at], label=label)
        return (*items[:at], other, *items[at + 1 :])

    def _remove(self, items: Items, _new: Item) -> Items:
        at = self._source.randrange(max(len(items), 1))
        return (*items[:at], *items[at + 1 :])

    def _exchange(self, items: Items, new: Item) -> Items:
        """Put one in another's place, and that one's elsewhere."""
        return (*items[1:], new)

    def _shuffle(self, items: Items, _new: Item) -> Items:
        return tuple(self._source.sample(items, len(items)))


def _distinct(items: Items) -> Items:
    """Return items of which none says the same number as another."""
    found: dict[str, Item] = {}
    for item in items:
        found.setdefault(number_key(str(item.value)), item)
    return tuple(found.values())
