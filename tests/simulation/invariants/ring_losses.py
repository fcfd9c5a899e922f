"""I3 in a ring: what a user entered is not given up without anybody's word.

What one connection decides is a user's edit to the next one, so that a value may lose
far from where it was entered. It was lost in silence if nobody has it in the end, no
connection kept it as what gave way, and nobody entered anything else in the meantime.
"""

from collections.abc import Iterator

from proto.fields import Role
from services.reconciler.engine.model import Cause
from tests.simulation.invariants.aftermath import Aftermath
from tests.simulation.invariants.truth import (
    Truth,
    Wrong,
    names_of,
    same,
    serials,
    tell,
)
from tests.simulation.ledger import Act, Entry, Key, Who
from tests.simulation.vendors.ways import Ways

SEEN_S = 120.0
"""What came up elsewhere so shortly before was yet to be carried."""


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
        for name in truth.ways(key[0]).names if is_live else ():
            lost = _overwritten(truth.ledger.of(key), name)
            if lost is None or _is_accounted_for(*lost, name, after=after, truth=truth):
                continue
            edit, write = lost
            if not _is_replaced(edit, name, person, truth=truth):
                told = f"{tell(key)} {name} {edit.after.fields[name]!r}"
                at = f"of {edit.at:.3f} is nowhere since {write.at:.3f}"
                yield Wrong("I3", f"{told} {at}")


def _is_accounted_for(
    edit: Entry, write: Entry, name: str, *, after: Aftermath, truth: Truth
) -> bool:
    """Say whether it could not be known, was ordered, or is kept as what gave way."""
    words = _Words(edit, name, truth.ways(edit.place).role_of(name))
    return (
        _is_race(edit, write)
        or _was_ordered(edit, name, after)
        or words.are_in_losses(after)
    )


def _is_replaced(edit: Entry, name: str, person: list[Key], *, truth: Truth) -> bool:
    """Say whether a record still has it, or somebody entered something else."""
    role = truth.ways(edit.place).role_of(name)
    words = _Words(edit, name, role)
    return any(
        words.are_with(key, truth)
        or any(
            _replaces(each, edit, role, truth.ways(key[0]))
            for each in truth.ledger.of(key)
        )
        for key in person
    )


def _overwritten(history: list[Entry], name: str) -> tuple[Entry, Entry] | None:
    """Return a user's last edit of a field with our write that followed it, if any."""
    born = max((n for n, e in enumerate(history) if e.act is Act.CREATE), default=0)
    changes = [entry for entry in history[born:] if name in entry.changed]
    users = [n for n, entry in enumerate(changes) if entry.who is Who.USER]
    if not users:
        return None
    edit = changes[users[-1]]
    write = next((e for e in changes[users[-1] :] if e.who is Who.TANDEM), None)
    return (edit, write) if write is not None and edit.after.fields[name] else None


def _is_race(edit: Entry, write: Entry) -> bool:
    """Say whether an edit fell between our read and a write on no condition."""
    read_at = write.cause.read_at
    return not write.cause.is_conditional and read_at is not None and read_at < edit.at


def _was_ordered(edit: Entry, name: str, after: Aftermath) -> bool:
    """Say whether a rule that sets a field has overwritten it (behaviour 9)."""
    return any(
        change.cause is Cause.RULE and change.field_id == name
        for planned in after.intents
        if planned.intent.record_id == edit.record_id
        for change in planned.intent.changes
    )


def _replaces(entry: Entry, edit: Entry, role: Role, ways: Ways) -> bool:
    """Say whether somebody entered something else that an edit could give way to."""
    is_news = entry is not edit and entry.at > edit.at - SEEN_S
    names = names_of(role, ways) & set(entry.changed)
    is_theirs = entry.who is Who.VENDOR or entry.seems_entered
    return is_news and is_theirs and bool(names)


class _Words:
    """What a user entered, wherever it may stand in whatever spelling."""

    def __init__(self, edit: Entry, name: str, role: Role) -> None:
        self._value = edit.after.fields[name]
        self._role = role
        self._entered = serials(self._value) - serials(edit.was(name))

    def are_in(self, value: object) -> bool:
        """Say whether a value tells them; a word of them will do."""
        if self._entered:
            return bool(self._entered & serials(value))
        return same(self._role, self._value, value)

    def are_with(self, key: Key, truth: Truth) -> bool:
        """Say whether a record has them in the end."""
        fields = truth.holder(key).now.fields
        names = names_of(self._role, truth.ways(key[0]))
        return any(self.are_in(fields.get(name)) for name in names)

    def are_in_losses(self, after: Aftermath) -> bool:
        """Say whether some connection keeps them as what gave way."""
        return any(
            self.are_in(value)
            for loss in after.losses
            for value in loss.fields.values()
        )
