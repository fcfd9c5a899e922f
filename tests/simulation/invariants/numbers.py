"""I1 and I3b of telephone numbers, where a vendor keeps a list of them.

A number is the same however it is dialled. The judge's own reading of behaviour 18
and hazard 59; it shares nothing with the engine.
"""

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

from proto.fields import Role
from proto.reconciler import Direction, MappingView
from tests.simulation.invariants import provenance
from tests.simulation.invariants.truth import (
    Owned,
    Truth,
    Wrong,
    is_again,
    tell,
)
from tests.simulation.ledger import Entry, Key, State
from tests.simulation.vendors.forms import number_key, number_text
from tests.simulation.vendors.numbers import NUMBERS, SLOTS, texts_of
from tests.simulation.vendors.ways import Ways

PUT_BACK: Final = "I3b a number put back between read and write"

OWN_PLACE: Final = ("mobile", "work", "home")
"""A number with one of these labels goes to its own single field or to none."""

Held = dict[str, str]
"""The labels of numbers by what they are told by."""


class Part(NamedTuple):
    """What of a record's numbers a mapping is about."""

    names: tuple[str, ...] = ()
    """None: every field."""
    label: str = ""
    """Those of a list with this one alone; none: all of them."""


ALL: Final = Part()


def parts_of(view: MappingView, owned: Owned) -> tuple[Part, Part]:
    """Return what a mapping is about on either side; people may choose a label."""
    labels = next(
        (
            (each.left.label, each.right.label)
            for each in owned.now.settings.custom_mappings
            if ((each.left.field_id,), (each.right.field_id,))
            == (view.left, view.right)
        ),
        ("", ""),
    )
    return Part(view.left, labels[0]), Part(view.right, labels[1])


def held(fields: State | None, ways: Ways, part: Part = ALL) -> Held:
    """Return the numbers of a record, or of some of its fields."""
    found: Held = {}
    if fields is None:
        return found
    for name in part.names or map(ways.name_of, numbers_of(ways)):
        value = fields.fields.get(name)
        if isinstance(value, tuple):
            items = (each for each in value if part.label in ("", each.label))
            for item in items:
                found.setdefault(number_key(str(item.value)), item.label)
        elif isinstance(value, str):
            label = SLOTS.get(ways.role_of(name), "")
            found.setdefault(number_key(value), label)
    return found


def numbers_of(ways: Ways) -> list[Role]:
    """Return the roles of a vendor's fields that hold numbers."""
    return [role for role in ways.roles if role in NUMBERS]


def is_about(view: MappingView, left: Key, truth: Truth) -> bool:
    """Say whether a mapping is of numbers, and one side has a list of them."""
    return truth.are_several(truth.ways(left[0]).role_of(view.left[0]))


def authored(entry: Entry, truth: Truth) -> Iterator[Wrong]:
    """I3b: each number that we write was entered for this person, and is elsewhere."""
    ways = truth.ways(entry.place)
    names = [n for n in entry.changed if truth.are_several(ways.role_of(n))]
    before = held(entry.before, ways)
    for name in names:
        for text in texts_of(entry.cause.asked.get(name)):
            if number_key(text) in before:
                continue
            where = f"{tell(entry.key)} {name} {text!r}"
            role = ways.role_of(name)
            yield from provenance.entered(
                entry, text, role=role, where=where, truth=truth
            )
            if _was_elsewhere(entry, number_key(text), truth=truth):
                continue
            if is_again(entry, truth):
                truth.excuse(provenance.TWICE)
            elif _was_read(entry, number_key(text), truth):
                truth.excuse(PUT_BACK)
            else:
                yield Wrong("I3b", f"the other side never had {where}")


def _was_read(entry: Entry, key: str, truth: Truth) -> bool:
    """Say whether a number was there when we read the record, and a user took it away.

    A list is written as a whole, and not every app takes that on a condition.
    """
    read_at = entry.cause.read_at
    if read_at is None or entry.cause.is_conditional:
        return False
    state = truth.holder(entry.key).at(read_at)
    return key in held(state, truth.ways(entry.place))


def _was_elsewhere(entry: Entry, key: str, *, truth: Truth) -> bool:
    return any(
        key in held(state, ways)
        for ways, state in truth.states_elsewhere(entry.key, at=entry.at)
    )


def difference(
    view: MappingView, owned: Owned, keys: tuple[Key, Key], *, truth: Truth
) -> str:
    """Return how the numbers of two records differ; nothing if they do not."""
    left, right = keys
    ends = _ends(view, owned, keys, truth=truth)
    for mine, theirs in (ends, ends[::-1]):
        target = left if view.direction is Direction.TO_LEFT else right
        is_target = view.direction is not Direction.BOTH and mine.key == target
        if is_target and len(truth.partners(target)) > 1:
            # What it had from its former counterpart is its own.
            continue
        missing = [
            key
            for key, label in mine.held.items()
            if key not in theirs.held and theirs.has_place_for(label, of=mine)
        ]
        if missing:
            return f"{tell(theirs.key)} {theirs.names} lacks {missing}: {theirs.held}"
    return ""


def are_too_many(owned: Owned, keys: tuple[Key, Key], *, truth: Truth) -> bool:
    """Say whether all numbers that a list lacks are more than it has room for.

    Mappings that share a list are held together. What is there in another form is
    another number, as far as anybody has seen.
    """
    lacked, room = 0, math.inf
    for view in owned.now.mappings:
        if not is_about(view, keys[0], truth):
            continue
        ends = _ends(view, owned, keys, truth=truth)
        for mine, theirs in (ends, ends[::-1]):
            if theirs.is_list:
                lacked += len(mine.texts - theirs.texts)
                room = theirs.room
    return lacked > room


def _ends(
    view: MappingView, owned: Owned, keys: tuple[Key, Key], *, truth: Truth
) -> "tuple[_End, _End]":
    left, right = parts_of(view, owned)
    return _End(left, keys[0], truth), _End(right, keys[1], truth)


class _End:
    """The numbers of one record, as far as a mapping is about them."""

    def __init__(self, part: Part, key: Key, truth: Truth) -> None:
        self._truth = truth
        self.names = part.names
        self.key = key
        self.ways = truth.ways(key[0])
        self.state = truth.holder(key).now
        self.held = held(self.state, self.ways, part)

    @property
    def texts(self) -> set[str]:
        """Return the numbers as they are written, but for spaces and the like."""
        held = (self.state.fields.get(name) for name in self.names)
        return {
            number_text(text)
            for value in held
            for text in texts_of(value)
            if number_key(text) in self.held
        }

    @property
    def room(self) -> float:
        """Return how many more a list takes."""
        most = self.ways.numbers.count_max or math.inf
        return most - len(texts_of(self.state.fields.get(self.names[0])))

    def _was_cleared(self) -> bool:
        [name] = self.names
        changes = [
            entry
            for entry in self._truth.ledger.of(self.key)
            if name in entry.changed and entry.after.fields[name] is None
        ]
        return bool(changes) and changes[-1].seems_entered

    @property
    def is_list(self) -> bool:
        return self.ways.is_several(self.ways.role_of(self.names[0]))

    def has_place_for(self, label: str, *, of: "_End") -> bool:
        """Say whether a number of the other side could be here, too.

        One alone has to be, but that its user cleared it: then the others stay there.
        """
        if self.is_list:
            return (len(of.names) == 1 and not of.is_list) or self.room > 0
        free = [name for name in self.names if not self.state.fields.get(name)]
        if len(self.names) == 1 and of.is_list:
            # One number stands for the first of several.
            return bool(free) and not self._was_cleared()
        labels = {SLOTS[self.ways.role_of(name)] for name in free}
        if label in OWN_PLACE:
            return label in labels
        return "" in labels or (not label and bool(free))
