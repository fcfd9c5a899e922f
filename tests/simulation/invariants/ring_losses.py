"""I3 in a ring: what a user entered is not given up without anybody's word.

What one connection decides is a user's edit to the next one, so that a value may lose
far from where it was entered. It was lost in silence if nobody has it in the end, no
connection kept it as what gave way, and nobody entered anything else in the meantime.
"""

from collections.abc import Iterator

from proto.fields import Role
from services.reconciler.engine.model import Cause
from tests.simulation.invariants import losses
from tests.simulation.invariants.aftermath import Aftermath
from tests.simulation.invariants.truth import (
    Truth,
    Wrong,
    names_of,
    same,
    serials,
    tell,
)
from tests.simulation.ledger import Entry, Key, Who


def check(after: Aftermath, truth: Truth) -> Iterator[Wrong]:
    """Yield every last edit of a user that is nowhere, and that nobody replaced."""
    done: set[Key] = set()
    places = {place for owned in truth.owned for place in (owned.left, owned.right)}
    for place in sorted(places):
        for holder in truth.book(place).live():
            key = (place, holder.record_id)
            if key not in done:
                person = _of_one_person(key, truth)
                done |= person
                yield from _of_person(sorted(person), after, truth)


def _of_one_person(key: Key, truth: Truth) -> set[Key]:
    """Return all records that were ever bound to each other, by whatever links."""
    found, fresh = {key}, [key]
    while fresh:
        near = set(truth.partners(fresh.pop())) - found
        found |= near
        fresh += near
    return found


def _of_person(person: list[Key], after: Aftermath, truth: Truth) -> Iterator[Wrong]:
    for key in person:
        is_live = truth.holder(key).now.is_live
        for name, edit, write in losses.overwritten(key, truth) if is_live else ():
            words = _Words(edit, name, truth.ways(edit.place).role_of(name))
            if not (
                words.are_none
                or losses.is_race(edit, write, truth)
                or words.gave_way_to_a_rule(after)
                or words.are_in_losses(after)
                or any(words.are_with(each, truth) for each in person)
                or any(words.were_replaced(each, truth) for each in person)
            ):
                told = f"{tell(key)} {name} {edit.after.fields[name]!r}"
                at = f"of {edit.at:.3f} is nowhere since {write.at:.3f}"
                yield Wrong("I3", f"{told} {at}")


class _Words:
    """What a user entered, wherever it may stand in whatever spelling."""

    def __init__(self, edit: Entry, name: str, role: Role) -> None:
        self._edit, self._name, self._role = edit, name, role
        self._value = edit.after.fields[name]
        self._entered = serials(self._value) - serials(edit.was(name))

    @property
    def are_none(self) -> bool:
        """Say whether the field was cleared, which nothing is kept of."""
        return not self._value

    def gave_way_to_a_rule(self, after: Aftermath) -> bool:
        """Say whether a rule that sets the field was followed (behaviour 9)."""
        causes = losses.overwritten_by(self._edit, self._name, self._role, after)
        return Cause.RULE in causes

    def are_in_losses(self, after: Aftermath) -> bool:
        """Say whether some connection keeps them as what gave way."""
        return any(
            self._are_in(value)
            for loss in after.losses
            for value in loss.fields.values()
        )

    def are_with(self, key: Key, truth: Truth) -> bool:
        """Say whether a record has them in the end."""
        fields = truth.holder(key).now.fields
        names = names_of(self._role, truth.ways(key[0]))
        return any(self._are_in(fields.get(name)) for name in names)

    def were_replaced(self, key: Key, truth: Truth) -> bool:
        """Say whether somebody entered something else that they could give way to."""
        names = names_of(self._role, truth.ways(key[0]))
        return any(
            entry is not self._edit
            and entry.at > self._edit.at - losses.SEEN_S
            and (entry.who is Who.VENDOR or entry.seems_entered)
            and not names.isdisjoint(entry.changed)
            for entry in truth.ledger.of(key)
        )

    def _are_in(self, value: object) -> bool:
        """Say whether a value tells them; a word of them will do."""
        if self._entered:
            return bool(self._entered & serials(value))
        return same(self._role, self._value, value)
