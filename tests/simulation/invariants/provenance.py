"""I3b: what we write was entered by a user for that person, and is none too old.

Checkers like those of ``safety``, which has them checked with the others.
"""

from collections.abc import Iterator
from typing import Final

from proto.fields import Role
from tests.simulation import taint
from tests.simulation.invariants.truth import (
    Truth,
    Wrong,
    is_again,
    is_overtaken,
    ours,
    same,
    serials,
    tell,
)
from tests.simulation.ledger import Act, Entry, Key
from tests.simulation.vendors.forms import NAMES
from tests.simulation.vendors.numbers import NUMBERS

TWICE: Final = "I3b carried out again after another write of ours"


def authored(entry: Entry, truth: Truth) -> Iterator[Wrong]:
    """I3b: what we write was entered by a user, for this person and this field."""
    ways = truth.ways(entry.place)
    for name in entry.changed:
        role, value = ways.role_of(name), entry.cause.asked.get(name)
        if role is Role.UNKNOWN or truth.are_several(role):
            continue
        if not isinstance(value, str):
            continue
        where = f"{tell(entry.key)} {name} {value!r}"
        yield from entered(entry, value, role=role, where=where, truth=truth)
        if _was_there(entry, role, value, truth=truth):
            continue
        if _is_put_back(entry, name, truth):
            truth.excuse("I3b put back by a whole write")
            continue
        if is_again(entry, truth):
            truth.excuse(TWICE)
            continue
        yield Wrong("I3b", f"the other side never had {where}")


def entered(
    entry: Entry, text: str, *, role: Role, where: str, truth: Truth
) -> Iterator[Wrong]:
    """Yield why no user entered a text for this person and this field."""
    person = truth.people.person_of.get(entry.key)
    origins = taint.origins(text)
    if not origins:
        yield Wrong("I3b", f"nobody entered {where}")
    for origin in origins:
        known = truth.people.authored.get(origin.serial)
        if known is None or known.origin.person != origin.person:
            yield Wrong("I3b", f"nobody entered {where}")
        elif person is None or not truth.people.are_one(person, origin.person):
            yield Wrong("I3b", f"entered for somebody else: {where}")
        elif not _is_of(role, known.role, truth):
            yield Wrong("I3b", f"entered in another field: {where}")


def in_order(entry: Entry, truth: Truth) -> Iterator[Wrong]:
    """I3b: a field never goes back to something entered before what we wrote last."""
    person = truth.people.person_of.get(entry.key)
    if person is None or not truth.people.is_plain(person) or len(truth.owned) > 2:
        # In a ring each connection has a winner of its own.
        return
    history = truth.ledger.of(entry.key)
    known = [
        *history,
        *(e for key in truth.others_of(entry.key) for e in _of(truth, key)),
    ]
    if any(e.act in (Act.RESTORE, Act.MERGE) for e in known):
        # What comes back is compared as if it had never been seen.
        return
    entered = [e for e in known if e.seems_entered and e.number != entry.number]
    rebound_at = max(truth.bound_at(entry.key)[1:], default=0.0)
    for earlier in ours(history):
        if earlier.at < rebound_at:
            # Another link's: its records are compared as at a first match.
            continue
        for name in set(entry.changed) & set(earlier.changed):
            if truth.are_several(truth.ways(entry.place).role_of(name)):
                continue
            if _is_put_back(entry, name, truth):
                continue
            stood = earlier.was(name), earlier.after.fields[name]
            gave_way = _given_way(name, to=earlier, history=history)
            brought = [each for each in entered if each is not gave_way]
            was, now = (
                {
                    role: _entered_at(serial, each.at, by, truth=truth)
                    for role, serial in _come_anew(each, name, to, truth).items()
                }
                for each, to, by in zip(
                    (earlier, entry), stood, (brought, entered), strict=True
                )
            )
            if not any(now[role] < was[role] for role in now.keys() & was.keys()):
                continue
            if is_again(entry, truth):
                truth.excuse(TWICE)
            else:
                text = f"{tell(entry.key)} {name}, {was} to {now}"
                yield Wrong("I3b", f"an older entry came back: {text}")


def _is_put_back(entry: Entry, name: str, truth: Truth) -> bool:
    """Say whether a field is what it was when we read it, and somebody edited it since.

    Where an app takes whole records alone, what we leave as it is goes with the rest
    (hazards 39 and 40); I3 counts the edit between our read and our write.
    """
    if not is_overtaken(entry, name, truth):
        return False
    state = truth.holder(entry.key).at(entry.cause.read_at or 0.0)
    role = truth.ways(entry.place).role_of(name)
    asked = entry.cause.asked.get(name)
    return state is not None and same(role, state.fields.get(name), asked)


def _is_of(role: Role, entered: Role, truth: Truth) -> bool:
    """Say whether what was entered in one field may stand in another."""
    if role in NAMES:
        # A full name is split by its words, and nobody knows which are which.
        return entered in NAMES
    if truth.are_several(role):
        # A number may be moved to a field of another label.
        return entered in NUMBERS
    return role is entered


def _was_there(entry: Entry, role: Role, value: str, *, truth: Truth) -> bool:
    """Say whether the other side had a value at any time, whole or in its words."""
    if role in NAMES:
        return _words_were_there(entry, value, truth=truth)
    return any(
        same(role, state.fields.get(ways.name_of(role)), value)
        for ways, state in truth.states_elsewhere(entry.key, at=entry.at)
    )


def _words_were_there(entry: Entry, value: str, *, truth: Truth) -> bool:
    """Say whether the words of a name were there; both sides' may be joined."""
    wanted, seen = set(value.casefold().split()), set[str]()
    own = truth.ways(entry.place)
    # The last state of the record itself is the write that is looked at.
    states = [(own, state) for _, state in truth.holder(entry.key).history[:-1]]
    states += truth.states_elsewhere(entry.key, at=entry.at)
    for ways, state in states:
        for role in NAMES:
            held = state.fields.get(ways.name_of(role))
            seen |= set(str(held or "").casefold().split())
    return wanted <= seen


def _of(truth: Truth, key: Key) -> list[Entry]:
    return truth.ledger.of(key)


def _by_role(value: object, truth: Truth) -> dict[Role, int]:
    """Return the newest entry of each role that stands in a value."""
    found: dict[Role, int] = {}
    for serial in serials(value):
        known = truth.people.authored.get(serial)
        if known is not None:
            found[known.role] = max(serial, found.get(known.role, 0))
    return found


def _come_anew(entry: Entry, name: str, to: object, truth: Truth) -> dict[Role, int]:
    """Return the newest entries in a value, of names but for the words that stood.

    A write that exchanges one word of a full name neither carries the others nor
    brings them back (behaviour 14): somebody may have entered them on this side, or
    in another part of the name.
    """
    newest = _by_role(entry.after.fields[name], truth)
    is_name = truth.ways(entry.place).role_of(name) in NAMES
    stood = serials(to) if is_name else set[int]()
    return {role: serial for role, serial in newest.items() if serial not in stood}


def _given_way(name: str, *, to: Entry, history: list[Entry]) -> Entry | None:
    """Return what put into a record what a write of ours took the place of.

    That is not where the write had its value from, though one may be the beginning of
    the other: where an app cuts what it is given, and no write of ours has shown that
    yet (hazard 55), the two differ, and the winning side's is written (behaviour 32).
    """
    before = [each for each in history if each.number < to.number]
    return next((each for each in reversed(before) if name in each.changed), None)


def _entered_at(
    serial: int, until: float, entered: list[Entry], *, truth: Truth
) -> float:
    """Return when somebody entered a value last, on either side, and it was shown.

    What was entered again where no answer has shown it is nothing to go by yet, nor
    ever if it was written over before that.
    """
    return max(
        (
            each.at
            for each in entered
            for name in each.changed
            if serial in serials(each.after.fields[name])
            and _is_shown(each, name, serial=serial, until=until, truth=truth)
        ),
        default=0.0,
    )


def _is_shown(
    entered: Entry, name: str, *, serial: int, until: float, truth: Truth
) -> bool:
    """Say whether what was entered was there still when somebody told of the record.

    Of a record that nobody has ever told of nothing is known.
    """
    if truth.known_until(entered.key, at=until) is None:
        return entered.at <= until
    return any(
        (state := truth.holder(entered.key).at(moment)) is not None
        and serial in serials(state.fields.get(name))
        for moment in truth.known_at(entered.key, until=until)
        if moment >= entered.at
    )
