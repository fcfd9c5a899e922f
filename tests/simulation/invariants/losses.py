"""I3: no edit of a user is lost without a word.

The last edit of each field is on its record in the end, or went across and was
overwritten there by somebody who could see it, or is in the record of what gave way.
"""

import math
from collections.abc import Iterator

from proto.fields import Role, Value
from proto.reconciler import SIDES, Side
from services.reconciler.engine.model import Cause
from tests.simulation.invariants import denials
from tests.simulation.invariants.aftermath import Aftermath, Planned
from tests.simulation.invariants.truth import (
    Owned,
    Truth,
    Wrong,
    name_of,
    names_of,
    same,
    serials,
    tell,
)
from tests.simulation.ledger import Act, Entry, Key, Who
from tests.simulation.vendors.forms import NAMES, Forms
from tests.simulation.vendors.ways import LAG_S_MAX

RACE = "I3 edit between read and write"
CLEARED = "I3 cleared before a first match"
DROPPED = "I3 cleared between a write and the read after it"
SEEN_S = 120.0
"""What a record was so shortly before may be all that we had seen of it."""
YOUNG_S = 900.0
"""For so long after a record was merged, or came back and we had yet to be shown that,
what is in it may be taken for its first state; and after a field's mapping came."""


STORED_S = 10.0
"""How long what we were shown may take to be stored, by a slow database too."""


def check(after: Aftermath, truth: Truth) -> Iterator[Wrong]:
    """Yield every last edit of a user that is nowhere."""
    places = [place for owned in truth.owned for place in (owned.left, owned.right)]
    for place in dict.fromkeys(places):
        for holder in truth.book(place).live():
            yield from _of_record((place, holder.record_id), after, truth)
    yield from _emptied(after, truth)


def _emptied(after: Aftermath, truth: Truth) -> Iterator[Wrong]:
    """Yield what an empty value took the place of, though the two were just linked.

    Names are left out where a side has full ones: one may leave a part empty elsewhere.
    """
    by_id = {each.connection_id: each for each in truth.owned}
    for planned in after.intents:
        intent, owned = planned.intent, by_id[planned.connection_id]
        place = owned.place(Side(intent.side))
        ends = [truth.ways(owned.place(side)) for side in SIDES]
        has_full = any(Role.NAME_FULL in ways.roles for ways in ends)
        for change in intent.changes:
            is_emptied = change.before and not change.after
            role = truth.ways(place).role_of(change.field_id)
            if not is_emptied or (role in NAMES and has_full):
                continue
            what = f"{place.app}/{intent.record_id} {change.field_id} {change.before!r}"
            if change.cause is Cause.FIRST_MATCH:
                yield Wrong("I3", f"{what} was emptied when linked")
            elif truth.are_several(role):
                continue
            elif change.cause is Cause.CHANGED and _was_cleared_while_off(
                planned, role, owned=owned, truth=truth
            ):
                yield Wrong("I3", f"{what} was emptied for what came while it was off")
            elif change.cause is Cause.CHANGED and _was_left_out(
                planned, role, owned=owned, truth=truth
            ):
                yield Wrong("I3", f"{what} was emptied for what a trash left out")


def _was_cleared_while_off(
    planned: Planned, role: Role, *, owned: Owned, truth: Truth
) -> bool:
    """Say whether a value was cleared on the other side while its mapping was off.

    Such a mapping begins anew, and nothing empty clears then (hazard 76). What we were
    shown only once it was on again is an edit like any other.
    """
    intent = planned.intent
    source = Side.RIGHT if Side(intent.side) is Side.LEFT else Side.LEFT
    record_id = next(
        (r.record_id(source) for r in truth.links() if r.link_id == intent.link_id),
        None,
    )
    if record_id is None:
        return False
    key = (owned.place(source), record_id)
    name = name_of(role, truth.ways(key[0]))
    cleared = [
        entry.at
        for entry in truth.ledger.of(key)
        if name in entry.changed
        and entry.who is not Who.TANDEM
        and not entry.after.fields[name]
        and abs(planned.decided_at - entry.at) < YOUNG_S
    ]
    return bool(cleared) and all(
        owned.is_off(source, name, at=at)
        and owned.is_off(source, name, at=_known_at(key, at, truth=truth))
        for at in cleared
    )


def _was_left_out(planned: Planned, role: Role, *, owned: Owned, truth: Truth) -> bool:
    """Say whether a value lacks on the other side since its record was restored.

    Whom we knew as gone is met anew (hazard 74): nothing that it lacks was cleared.
    """
    intent = planned.intent
    source = Side.RIGHT if Side(intent.side) is Side.LEFT else Side.LEFT
    key = (owned.place(source), intent.source_id)
    name = name_of(role, truth.ways(key[0]))
    changes = [
        entry
        for entry in truth.ledger.of(key)
        if name in entry.changed and entry.at <= planned.decided_at + STORED_S
    ]
    return bool(changes) and truth.is_met_anew(changes[-1])


def _known_at(key: Key, at: float, *, truth: Truth) -> float:
    """Return by when we knew for sure what was done to a record at a time."""
    appeared = truth.calls(key[0]).appeared[key[1]]
    fresh = (each for each in appeared if each >= at + LAG_S_MAX)
    return min(fresh, default=math.inf) + STORED_S


def _of_record(key: Key, after: Aftermath, truth: Truth) -> Iterator[Wrong]:
    for name, edit, write in overwritten(key, truth):
        if not _is_accounted_for(edit, write, name, after=after, truth=truth):
            yield Wrong(
                "I3",
                f"{tell(key)} {name} {edit.after.fields[name]!r} of {edit.at:.3f} gave"
                f" way to {write.after.fields[name]!r} at {write.at:.3f}",
            )


def overwritten(key: Key, truth: Truth) -> Iterator[tuple[str, Entry, Entry]]:
    """Yield fields of a record with the last edit of a user and what ended it."""
    ways = truth.ways(key[0])
    history = truth.ledger.of(key)
    # An id may have meant somebody else before.
    born = max(n for n, each in enumerate(history) if each.act is Act.CREATE)
    history = history[born:]
    for name in ways.names:
        role = ways.role_of(name)
        if truth.are_several(role):
            continue
        changes = [
            entry
            for entry in history
            # Another spelling of what was there is no edit.
            if name in entry.changed
            and not same(role, entry.was(name), entry.after.fields[name])
        ]
        last = next(
            (n for n in range(len(changes) - 1, -1, -1) if _is_users(changes[n])), None
        )
        if last is None:
            continue
        lost = _first_overwriting(changes[last:], name, role)
        if lost is not None:
            yield name, *lost


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
        if not _holds(edit, entry.after.fields[name], name, role):
            return edit, entry
    return None


def _holds(edit: Entry, now: Value, name: str, role: Role) -> bool:
    """Say whether what a user entered is still in a later value.

    Of a name only the part that was entered counts (behaviour 14): the rest may have
    come from the other side in between.
    """
    value = edit.after.fields[name]
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
    if is_race(edit, write, truth):
        return True
    value, role = edit.after.fields[name], truth.ways(edit.place).role_of(name)
    causes = overwritten_by(edit, name, role, after)
    is_undone = _is_put_back(write, edit, name, after=after, truth=truth)
    if is_undone and Cause.RULE not in causes:
        return False
    if any(
        name in loss.fields and _holds(edit, loss.fields[name], name, role)
        for loss in after.losses
    ):
        return True
    if (causes and _is_one_way(edit, name, truth)) or Cause.RULE in causes:
        return True
    if value is not None:
        return _was_carried(edit, name, truth)
    if _is_newer(write, edit, name, truth=truth):
        return True
    if _met_late(write, edit, name, after=after, truth=truth):
        return True
    if _was_under_way(write, edit, name, after=after, truth=truth):
        return True
    if _is_first_match(write, name, after) and _is_young(edit, name, truth):
        truth.excuse(CLEARED)
        return True
    if truth.is_unread(edit):
        # It may as well be what the app has dropped, and that is no deletion.
        truth.excuse(DROPPED)
        return True
    return False


def is_race(edit: Entry, write: Entry, truth: Truth) -> bool:
    """Say whether an edit fell between our read and a write on no condition."""
    read_at = write.cause.read_at
    if write.cause.is_conditional or read_at is None or read_at >= edit.at:
        return False
    truth.excuse(RACE)
    return True


def _is_put_back(
    write: Entry, edit: Entry, name: str, *, after: Aftermath, truth: Truth
) -> bool:
    """Say whether a write undid an edit that nobody else's had met.

    Who alone edits is right, whichever side wins conflicts (behaviour 33). What was
    given up has yet to be carried, and meets it, even where it took effect unheard of;
    what took effect so on the other side is taken for somebody's there.
    """
    role = truth.ways(edit.place).role_of(name)
    return (
        role not in NAMES
        and edit.after.fields[name] is not None
        and _was_ours(edit, name, truth)
        and not _is_newer(write, edit, name, truth=truth)
        and not _is_young(edit, name, truth)
        and not any(
            _given_up(key, role, value, after=after, truth=truth)
            for key in (write.key, *truth.partners(write.key))
            for value in (write.cause.asked.get(name), write.after.fields[name])
        )
    )


def _was_ours(edit: Entry, name: str, truth: Truth) -> bool:
    """Say whether we had written what was edited: to either side, so that both had it.

    What users entered on both sides may never have been seen before the edit.
    """
    role = truth.ways(edit.place).role_of(name)
    for key in (edit.key, *truth.partners(edit.key)):
        names = names_of(role, truth.ways(key[0]))
        changes = [
            entry
            for entry in truth.ledger.of(key)
            if entry.at < edit.at and names & set(entry.changed)
        ]
        if changes and changes[-1].who is Who.TANDEM:
            return True
    return False


def _is_first_match(write: Entry, name: str, after: Aftermath) -> bool:
    """Say whether a value was written because the two had never been in step."""
    return any(
        change.field_id == name and change.cause is Cause.FIRST_MATCH
        for planned in after.intents
        if planned.intent.record_id == write.record_id
        for change in planned.intent.changes
        if change.after == write.cause.asked.get(name)
    )


def _is_young(edit: Entry, name: str, truth: Truth) -> bool:
    """Say whether the two could be new to each other: an empty value then gives way.

    So they are in a field whose mapping has come since, or not long before; until we
    have been shown who was restored; and once one is back that its app denied, so that
    it had to be believed gone (hazards 70 and 74, behaviour 38).
    """
    entries = [
        entry
        for key in (edit.key, *truth.partners(edit.key))
        for entry in truth.ledger.of(key)
    ]
    is_fresh = any(at > edit.at - SEEN_S for at in truth.bound_at(edit.key))
    return (
        is_fresh
        or any(
            entry.at > edit.at - YOUNG_S
            and (
                entry.act is Act.MERGE
                or (entry.act is Act.RESTORE and _is_unmet(entry, edit, truth=truth))
            )
            for entry in entries
        )
        or any(
            at > edit.at - YOUNG_S
            for owned, side in truth.ends_at(edit.place)
            for at in owned.renewals(side, name)
        )
        or any(
            at > edit.at - YOUNG_S
            for key in (edit.key, *truth.partners(edit.key))
            for at in denials.all_of(key, truth)
        )
    )


def _is_unmet(entry: Entry, edit: Entry, *, truth: Truth) -> bool:
    """Say whether somebody who was restored had not met all counterparts since.

    They meet once both have been shown.
    """
    return may_be_news(entry, edit, truth=truth) or any(
        known_until is not None and known_until < entry.at
        for key in (edit.key, *truth.partners(edit.key))
        for known_until in [truth.known_until(key, at=edit.at)]
    )


def _is_one_way(edit: Entry, name: str, truth: Truth) -> bool:
    """Say whether what users enter in a field goes nowhere, by the settings."""
    return any(
        view.direction == f"to_{side.value}"
        for owned, side in truth.ends_at(edit.place)
        for version in owned.versions
        for view in version.mappings
        if name in (view.left if side is Side.LEFT else view.right)
    )


def overwritten_by(edit: Entry, name: str, role: Role, after: Aftermath) -> set[Cause]:
    """Return why intents overwrote a value that they tell, so that it can be put back.

    A rule that sets a field (behaviour 9) is an order to overwrite it.
    """
    value = edit.after.fields[name]
    return {
        change.cause
        for planned in after.intents
        if planned.intent.record_id == edit.record_id
        for change in planned.intent.changes
        if change.field_id == name and same(role, change.before, value)
    }


def _is_newer(write: Entry, edit: Entry, name: str, *, truth: Truth) -> bool:
    """Say whether a cleared field got something that came up elsewhere.

    An empty value gives way in a conflict (behaviour 33), and nothing is kept of it.
    """
    role, value = truth.ways(edit.place).role_of(name), write.after.fields[name]
    return not same(role, value, edit.was(name)) or any(
        may_be_news(entry, edit, truth=truth)
        for entry in _bringing(write, edit, name, truth=truth)
    )


def _met_late(
    write: Entry, edit: Entry, name: str, *, after: Aftermath, truth: Truth
) -> bool:
    """Say whether a write of the link was open while it came up and was cleared.

    Nobody looks at the link before that is answered: then the two meet.
    """
    return any(
        {planned.intent.record_id, planned.intent.source_id}
        == {entry.record_id, edit.record_id}
        and planned.decided_at <= entry.at + SEEN_S
        and (planned.closed_at or math.inf) >= edit.at
        for entry in _bringing(write, edit, name, truth=truth)
        for planned in after.intents
    )


def _bringing(write: Entry, edit: Entry, name: str, *, truth: Truth) -> Iterator[Entry]:
    """Yield what may be why we wrote a value where somebody had edited a field.

    Nobody can tell what a vendor rewrote by itself from what a user entered, nor what
    the network carried out again.
    """
    role = truth.ways(edit.place).role_of(name)
    for key in truth.partners(edit.key):
        for entry in truth.ledger.of(key):
            is_edit = entry.who is Who.VENDOR or entry.seems_entered
            if not is_edit or entry.at > write.at:
                continue
            if _brings(entry, write, name, role=role, truth=truth):
                yield entry


def may_be_news(entry: Entry, edit: Entry, *, truth: Truth) -> bool:
    """Say whether an entry may still have been to be carried when one was made there.

    So it is for a while, and until answers of both apps have shown the two records: an
    account may be lost for hours.
    """
    told = [truth.known_until(each.key, at=edit.at) for each in (entry, edit)]
    return entry.at > edit.at - SEEN_S or any(
        known_until is not None and known_until < entry.at for known_until in told
    )


def _was_under_way(
    write: Entry, edit: Entry, name: str, *, after: Aftermath, truth: Truth
) -> bool:
    """Say whether what came back was to be written already when a field was cleared.

    As that was never done, the clearing met the edit of the other side that was still
    to be carried: an empty value gives way in a conflict (behaviour 33).
    """
    role = truth.ways(write.place).role_of(name)
    return any(
        planned.decided_at <= edit.at <= (planned.closed_at or 0.0)
        for planned in _given_up(
            write.key, role, write.cause.asked.get(name), after=after, truth=truth
        )
    )


def _given_up(
    key: Key, role: Role, value: Value, *, after: Aftermath, truth: Truth
) -> list[Planned]:
    """Return intents that were to write a value to a record, and are dead."""
    place, record_id = key
    ends = {(owned.connection_id, side) for owned, side in truth.ends_at(place)}
    return [
        planned
        for planned in after.intents
        if planned.state == "dead"
        and (planned.connection_id, planned.intent.side) in ends
        and planned.intent.record_id == record_id
        and any(
            truth.ways(place).role_of(change.field_id) is role
            and same(role, change.after, value)
            for change in planned.intent.changes
        )
    ]


def _brings(entry: Entry, write: Entry, name: str, *, role: Role, truth: Truth) -> bool:
    """Say whether an entry is why we wrote a value, wherever its words stand.

    The app that we wrote it to may have made something else of it (hazard 55).
    """
    value = write.after.fields[name]
    names = names_of(role, truth.ways(entry.place)) & set(entry.changed)
    if role in NAMES:
        held = {n for name in names for n in serials(entry.after.fields[name])}
        return bool(serials(value)) and serials(value) <= held
    brought = [entry.after.fields[each] for each in names]
    texts = [each if isinstance(each, str) else None for each in brought]
    forms = _forms(write, truth)
    return any(
        same(role, each, value) or same(role, forms.of(role, each), value)
        for each in texts
    )


def _was_carried(edit: Entry, name: str, truth: Truth) -> bool:
    """Say whether an edit was on the other side too, and overwritten there since.

    A user did that, or a call that the network brought again, which looks the same.
    """
    role = truth.ways(edit.place).role_of(name)
    for other in truth.partners(edit.key):
        ways = truth.ways(other[0])
        names = names_of(role, ways)
        arrived = False
        for entry in truth.ledger.of(other):
            is_change = bool(names & set(entry.changed))
            is_late = may_be_news(entry, edit, truth=truth)
            if arrived and is_change and is_late and entry.seems_entered:
                return True
            if is_change:
                held = [entry.after.fields.get(each) for each in names]
                arrived = _arrived(
                    held, edit, name, role=role, forms=(_forms(edit, truth), ways.forms)
                )
    return False


def _forms(edit: Entry, truth: Truth) -> Forms:
    return truth.ways(edit.place).forms


def _arrived(
    held: list[Value], edit: Entry, name: str, *, role: Role, forms: tuple[Forms, Forms]
) -> bool:
    """Say whether a record has what was entered on the other side, as far as it can.

    The edit's own vendor may have rewritten it before it went across (hazard 55): one
    that cuts after so many letters then keeps others of it. And what it leaves of the
    other side's value says nothing that is not there.
    """
    value = edit.after.fields[name]
    if role in NAMES:
        entered = serials(value) - serials(edit.was(name))
        return bool(entered) and entered <= {n for each in held for n in serials(each)}
    own, theirs = forms
    text = value if isinstance(value, str) else None
    came = {theirs.of(role, text), theirs.of(role, own.of(role, text))}
    is_there = any(same(role, each, form) for each in held for form in came)
    return is_there or any(
        same(role, own.of(role, each), text) for each in held if isinstance(each, str)
    )
