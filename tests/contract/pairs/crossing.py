"""What a connection of two vendors makes of a person: both cards, line by line.

What no line is about stays as people put it in.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, TypedDict

from proto.fields import Role, Value
from proto.record import Consent
from tests.contract.conformance.cards import Card
from tests.contract.conformance.shapes import Shape, Voice
from tests.contract.pairs import carrying, lines, people
from tests.contract.pairs.lines import End, Line
from tests.contract.pairs.people import LEFT, OTHER, RIGHT, Person

STATUS, TAG, IGNORE = "status", "tag", "ignore"
"""How unsubscribes go across."""


class Ends(TypedDict):
    """Where a line comes from and goes to."""

    source: End
    target: End


class Crossing:
    """What a connection of two vendors makes of people."""

    def __init__(
        self, shapes: Mapping[str, Shape], *, mailing: Iterable[str] = ()
    ) -> None:
        self.shapes = shapes
        """By side."""
        self.mailing = frozenset(mailing)
        """The sides where whoever is there gets mail."""
        both = lines.between(shapes[LEFT], shapes[RIGHT])
        self._lines: dict[str, list[Line]] = {
            LEFT: both,
            RIGHT: [line.turned() for line in both],
        }
        """By the side that values come from."""

    @classmethod
    def of(cls, stages: Mapping[str, Any]) -> Self:
        """Return what the vendors of two stages, or of two kinds of them, make."""
        return cls(
            {side: stage.shape for side, stage in stages.items()},
            mailing=(
                side
                for side, stage in stages.items()
                if stage.least_consent is Consent.SUBSCRIBED
            ),
        )

    def meet(self, person: Person) -> None:
        """Put down what the first sync makes of somebody.

        Who is not known to have agreed is not taken where everybody is mailed.
        """
        before = dict(person.cards)
        if len(before) == 1 and not person.has_agreed:
            (there,) = (OTHER[side] for side in before)
            if there in self.mailing:
                return
        for side, own in before.items():
            card = before.get(OTHER[side])
            found = dict(card or {})
            for line, ends in self.ends(side):
                if card is None:
                    new = carrying.arrived(own, line, **ends)
                else:
                    is_left = side == LEFT
                    new = carrying.met(own, card, line, **ends, wins=is_left)
                found = _with(found, line.right, new)
            person.cards[OTHER[side]] = found

    def edit(self, person: Person, side: str, *, mark: int) -> Card:
        """Put down what an edit at a side makes of both; return the edit."""
        was, there = person.cards[side], person.cards[OTHER[side]]
        roles = self.shared(side)
        if self.shapes[side].is_known_by_address:
            roles.discard(Role.EMAIL)
        changes = {r: people.another(v, r, mark) for r, v in was.items() if r in roles}
        now = {**was, **changes}
        found = self.after(was, now, there, side=side)
        if Role.EMAIL in changes:
            person.former.append(people.email_of(was))
        person.cards = {side: now, OTHER[side]: found}
        return changes

    def after(self, was: Card, now: Card, there: Card, *, side: str) -> Card:
        """Return what an edit at a side makes of the other one."""
        found = dict(there)
        for line, ends in self.ends(side):
            new = carrying.edited(was, now, there, line, **ends)
            found = _with(found, line.right, new)
        return found

    def shared(self, side: str) -> set[Role]:
        """Return the roles of a side that a line is about."""
        return {role for line in self._lines[side] for role in line.left}

    def has_voice(self, side: str) -> bool:
        """Say whether a side's vendor tells who unsubscribed; there may be no side."""
        return side in self.shapes and self.shapes[side].voice is not Voice.NONE

    def way_out(self, side: str) -> str:
        """Return the best way in which unsubscribes at a side can reach the other."""
        if not self.has_voice(side):
            return IGNORE
        target = self.shapes[OTHER[side]]
        if target.voice is Voice.WRITTEN:
            return STATUS
        return TAG if target.has_tags else IGNORE

    @property
    def unsubscribes(self) -> str:
        """Return the option to connect with: as such if one vendor takes them so."""
        ways = {self.way_out(side) for side in self.shapes}
        return next((way for way in (STATUS, TAG) if way in ways), IGNORE)

    def reaches(self, person: Person, side: str, way: str) -> bool:
        """Say whether an unsubscribe at the other side is to arrive in this way."""
        if person.unsubscribed != OTHER[side] or self.unsubscribes != way:
            return False
        target = self.shapes[side]
        return target.has_tags if way == TAG else target.voice is Voice.WRITTEN

    def ends(self, side: str) -> Iterator[tuple[Line, Ends]]:
        """Yield the lines by which values leave a side, with what is at their ends."""
        for line in self._lines[side]:
            yield (
                line,
                Ends(
                    source=End(line.left, self.shapes[side]),
                    target=End(line.right, self.shapes[OTHER[side]]),
                ),
            )


def _with(card: Card, roles: tuple[Role, ...], new: Card) -> dict[Role, Value]:
    """Return a card with other values of some roles."""
    kept = {role: value for role, value in card.items() if role not in roles}
    return {**kept, **new}
