"""I3: no edit of a user is lost without a word.

The last edit of each field is on its record in the end, or went across and was
overwritten there by somebody who could see it, or is in the record of what gave way.
"""

from collections.abc import Iterator

from proto.fields import Role
from proto.reconciler import Side
from tests.simulation.invariants.aftermath import Aftermath
from tests.simulation.invariants.truth import Truth, Wrong, same, serials, tell
from tests.simulation.ledger import Entry, Key, Who
from tests.simulation.vendors.forms import NAMES

RACE = "I3 edit between read and write"


def check(after: Aftermath, truth: Truth) -> Iterator[Wrong]:
    """Yield every last edit of a user that is nowhere."""
    for owned in truth.owned:
        for place in (owned.place(Side.LEFT), owned.place(Side.RIGHT)):
            for holder in truth.book(place).live():
                yield from _of_record((place, holder.record_id), after, truth)


def _of_record(key: Key, after: Aftermath, truth: Truth) -> Iterator[Wrong]:
    ways = truth.ways(key[0])
    history = truth.ledger.of(key)
    for name in ways.names:
        changes = [entry for entry in history if name in entry.changed]
        last = next(
            (n for n in range(len(changes) - 1, -1, -1) if _is_users(changes[n])), None
        )
        if last is None:
            continue
        lost = _first_overwriting(changes[last:], name, ways.role_of(name))
        if lost is None:
            continue
        edit, write = lost
        if not _is_accounted_for(edit, write, name, after=after, truth=truth):
            yield Wrong(
                "I3",
                f"{tell(key)} {name} {edit.after.fields[name]!r} of {edit.at:.3f} gave"
                f" way to {write.after.fields[name]!r} at {write.at:.3f}",
            )


def _is_users(entry: Entry) -> bool:
    return entry.who is Who.USER


def _first_overwriting(
    changes: list[Entry], name: str, role: Role
) -> tuple[Entry, Entry] | None:
    """Return a user's edit, as the vendor left it, and our write that ended it."""
    edit = changes[0]
    for entry in changes[1:]:
        if entry.who is Who.VENDOR:
            continue
        if not _holds(edit, entry, name, role):
            return edit, entry
    return None


def _holds(edit: Entry, write: Entry, name: str, role: Role) -> bool:
    """Say whether what a user entered is still in what was written later."""
    value, now = edit.after.fields[name], write.after.fields[name]
    if role in NAMES:
        entered = serials(value) - serials(edit.was(name))
        if entered or not value:
            return bool(value) and entered <= serials(now)
    return same(role, value, now)


def _is_accounted_for(
    edit: Entry, write: Entry, name: str, *, after: Aftermath, truth: Truth
) -> bool:
    if write.who is not Who.TANDEM:
        return True
    read_at, value = write.cause.read_at, edit.after.fields[name]
    is_race = not write.cause.is_conditional and read_at is not None
    if is_race and read_at < edit.at:
        truth.excuse(RACE)
        return True
    if any(name in loss.fields and loss.fields[name] == value for loss in after.losses):
        return True
    if value is None:
        return _is_newer(write, edit, name, truth=truth)
    return _was_carried(edit, name, truth)


def _is_newer(write: Entry, edit: Entry, name: str, *, truth: Truth) -> bool:
    """Say whether a cleared field got something else than what had been cleared.

    An empty value gives way in a conflict, and nothing is kept of it.
    """
    role = truth.ways(edit.place).role_of(name)
    return not same(role, write.after.fields[name], edit.was(name))


def _was_carried(edit: Entry, name: str, truth: Truth) -> bool:
    """Say whether an edit went across, and was overwritten there by a user."""
    role = truth.ways(edit.place).role_of(name)
    for other in truth.partners(edit.key):
        ways = truth.ways(other[0])
        roles = NAMES if role in NAMES else (role,)
        names = {str(ways.name_of(each)) for each in roles}
        arrived = False
        for entry in truth.ledger.of(other):
            if not names & set(entry.changed):
                continue
            if arrived and entry.who is Who.USER:
                return True
            if entry.at >= edit.at and entry.who is Who.TANDEM:
                arrived = arrived or _arrived(entry, edit, name, names=names, role=role)
    return False


def _arrived(
    entry: Entry, edit: Entry, name: str, *, names: set[str], role: Role
) -> bool:
    value = edit.after.fields[name]
    if role in NAMES:
        entered = serials(value) - serials(edit.was(name))
        held = {n for each in names for n in serials(entry.after.fields.get(each))}
        return bool(entered) and entered <= held
    return any(same(role, entry.after.fields.get(each), value) for each in names)
