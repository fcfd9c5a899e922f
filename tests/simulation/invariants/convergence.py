"""I1: in the end both sides say the same, or it is said why they do not.

A reason counts only where the records themselves bear it out.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from proto.fields import Role, Value
from proto.reconciler import SIDES, Direction, MappingView, RecordState, Side
from services.reconciler.engine import model
from tests.simulation.invariants import (
    agreement,
    lengths,
    numbers,
    oscillation,
    recognition,
    rings,
    scope,
)
from tests.simulation.invariants.aftermath import Aftermath, Held
from tests.simulation.invariants.scope import Scope
from tests.simulation.invariants.truth import Owned, Truth, Wrong, tell
from tests.simulation.ledger import Act, Key, Place, State, Who
from tests.simulation.vendors import forms
from tests.simulation.vendors.book import Holder, address_key
from tests.simulation.vendors.forms import NAMES
from tests.simulation.vendors.ways import Markers

CLEARED_MAX: Final = 4
"""More mappings than this nobody empties at once: it waits for a person."""
UNSURE: Final = "outcome_unknown"
SET_APART: Final = ("mass_change", "id_reused")
"""Reasons for which a whole link waits for a person."""


class Pair(NamedTuple):
    """A link with the records that it is about."""

    owned: Owned
    link: Held
    left: Key | None
    right: Key | None

    def key(self, side: Side) -> Key | None:
        """Return the record on one side."""
        return self.left if side is Side.LEFT else self.right

    @property
    def both(self) -> tuple[Key, Key]:
        """Return its records, where it has two."""
        assert self.left is not None
        assert self.right is not None
        return self.left, self.right

    def __str__(self) -> str:
        keys = " and ".join(tell(key) for key in (self.left, self.right) if key)
        row = self.link.row
        held = f" {dict(self.link.held)}" if self.link.held else ""
        return f"{keys}, {row.state} {row.reason}{held}"


def check(after: Aftermath, truth: Truth) -> Iterator[Wrong]:
    """Yield whoever is not in step, and not told with a good reason."""
    for owned in truth.owned:
        pairs = list(pairs_of(owned, after))
        yield from _everybody_is_listed(owned, pairs, truth)
        for pair in pairs:
            left, right = _live(pair.left, truth), _live(pair.right, truth)
            if left is not None and right is not None:
                yield from _both_live(pair, truth)
            elif left is not None or right is not None:
                yield from _one_live(pair, after, truth)
                yield from _left_behind(pair, pairs, truth)


def pairs_of(owned: Owned, after: Aftermath) -> Iterator[Pair]:
    """Yield a connection's links."""
    for link in after.links:
        row = link.row
        if row.connection_id == owned.connection_id:
            keys = [
                (owned.place(side), record_id) if record_id is not None else None
                for side in SIDES
                for record_id in [row.record_id(side)]
            ]
            yield Pair(owned, link, *keys)


def disagreements(pair: Pair, truth: Truth) -> Iterator[tuple[MappingView, str]]:
    """Yield the mappings in which the two records differ, and how."""
    for view in pair.owned.now.mappings:
        text = _difference(pair, view, truth)
        if text:
            yield view, text


def _everybody_is_listed(
    owned: Owned, pairs: list[Pair], truth: Truth
) -> Iterator[Wrong]:
    listed = {key for pair in pairs for key in (pair.left, pair.right)}
    for side in SIDES:
        place = owned.place(side)
        for holder in truth.book(place).live():
            key = (place, holder.record_id)
            if key not in listed and scope.is_included(owned, side, holder.now):
                yield Wrong("I1", f"{tell(key)} is neither linked nor named")


def _both_live(pair: Pair, truth: Truth) -> Iterator[Wrong]:
    if recognition.are_both_ours(pair.left, pair.right, truth=truth):
        yield Wrong("I5", f"both sides are ours: {pair}")
    state, reason = pair.link.row.state, pair.link.row.reason
    if reason in SET_APART:
        if not _is_set_apart(pair, truth):
            yield Wrong("I1", f"set apart without a reason: {pair}")
        return
    found = scope.of_pair(pair.owned, _states(pair, truth))
    if state == RecordState.EXCLUDED:
        if found is Scope.FULL or found.value != reason:
            yield Wrong("I1", f"excluded without a reason, {found}: {pair}")
        return
    if found is not Scope.FULL:
        yield Wrong("I1", f"{found} and not excluded: {pair}")
        return
    if reason == "email_removed":
        if all(_email(key, truth) for key in (pair.left, pair.right) if key):
            yield Wrong("I1", f"both have an address: {pair}")
        return
    if state == RecordState.HELD and reason == UNSURE:
        if not _can_be_unsure(pair, truth):
            yield Wrong("I14", f"unsure for ever: {pair}")
        return
    if state not in (RecordState.IN_SYNC, RecordState.HELD, RecordState.FAILED):
        yield Wrong("I1", f"both are live: {pair}")
        return
    # Mappings that share a field are held together, by all their ids.
    held = {each: why for ids, why in pair.link.held for each in ids.split()}
    is_excused = False
    for view, text in disagreements(pair, truth):
        why = held.get(view.mapping_id, reason)
        if _is_borne_out(pair, view.mapping_id, why, truth):
            is_excused = True
        elif not _is_only_read(pair, view, truth):
            yield Wrong("I1", f"{text}: {pair}")
    keys = (pair.left, pair.right)
    is_excused |= oscillation.is_respelled(pair.owned, keys, pair.link.held, truth)
    if "no_room" in held.values():
        is_excused |= numbers.are_too_many(pair.owned, pair.both, truth=truth)
    is_excused |= oscillation.is_of_rules(keys, pair.link.held, truth)
    if state != RecordState.IN_SYNC and not is_excused:
        yield Wrong("I1", f"in step, and said not to be: {pair}")


def _one_live(pair: Pair, after: Aftermath, truth: Truth) -> Iterator[Wrong]:
    side = Side.LEFT if _live(pair.left, truth) is not None else Side.RIGHT
    key, other = pair.key(side), pair.key(model.other(side))
    assert key is not None
    state, reason = pair.link.row.state, pair.link.row.reason
    if other is not None:
        if reason in SET_APART and _is_set_apart(pair, truth):
            return
        is_told = tells_end(other, truth)
        if state not in (RecordState.DELETED, "merged") and is_told:
            yield Wrong("I1", f"{tell(other)} is gone, and nobody says so: {pair}")
        return
    checks = {
        "no_email": not _email(key, truth),
        "made_by_us": not _email(key, truth)
        and truth.holder(key).maker is Who.TANDEM
        and (len(truth.owned) > 1 or truth.is_back_unbound(key)),
        **{
            each.value: each is _scope_of(pair, side, truth)
            for each in (
                Scope.OUT_OF_CONTAINER,
                Scope.OUT_OF_RULES,
                Scope.NOT_ON_OTHER_SIDE,
            )
        },
        "not_agreed": agreement.lacks(key, pair.owned.place(model.other(side)), truth),
        "one_way": _is_one_way_to(side, pair.owned),
        "duplicate_email": _has_rival(pair, key, side, truth),
        "matches_several": _has_rival(pair, key, side, truth),
        "match_is_linked": _has_rival(pair, key, side, truth),
        "exists_outside_container": _has_rival(pair, key, side, truth),
        "linked_around": reason == "linked_around"
        and _is_around(pair, key, side, after, truth),
        UNSURE: _can_be_unsure(pair, truth),
        "too_long": state == RecordState.HELD
        and not lengths.leaves_anything(pair.owned, side, key, truth),
    }
    if reason in checks:
        if not checks[reason]:
            yield Wrong("I1", f"not so by now: {pair}")
        return
    email_held = dict(pair.link.held).get("email")
    if state == RecordState.HELD and email_held is not None:
        return
    if state == RecordState.DELETED:
        # Its counterpart came and went before the two were bound.
        return
    yield Wrong("I1", f"half a link: {pair}")


def _left_behind(pair: Pair, pairs: list[Pair], truth: Truth) -> Iterator[Wrong]:
    """Yield whoever did not go along when its counterpart was merged into another.

    It stays where it is only if that one is somebody else's already (hazard 9), or if
    the id had come to mean somebody else, and that one was merged (hazard 11). And
    nobody is told to be deleted who was not, but by an app that denied a record.
    """
    side = Side.LEFT if _live(pair.left, truth) is None else Side.RIGHT
    gone = pair.key(side)
    if gone is None or not tells_end(gone, truth):
        return
    heir = truth.heir_of(gone)
    if heir is None:
        return
    is_denied = bool(truth.calls(gone[0]).denied.get(gone[1]))
    if pair.link.row.state == RecordState.DELETED and not is_denied:
        yield Wrong("I1", f"merged into {tell(heir)}, and said to be deleted: {pair}")
    if _is_reused(gone, truth) and pair.link.row.reason == "id_reused":
        return
    rivals = [each for each in pairs if each.key(side) == heir]
    if not any(each.key(model.other(side)) for each in rivals):
        yield Wrong("I1", f"{tell(heir)} is free, and was not followed: {pair}")


def _difference(pair: Pair, view: MappingView, truth: Truth) -> str:
    """Return how two records differ in a mapping; nothing if they do not."""
    left, right = pair.both
    if numbers.is_about(view, left, truth):
        return numbers.difference(view, pair.owned, pair.both, truth=truth)
    if len(view.left) != 1 or len(view.right) != 1:
        return _name_difference(pair, view, truth)
    role = truth.ways(left[0]).role_of(view.left[0])
    mine, theirs = truth.says(left, view.left[0]), truth.says(right, view.right[0])
    if forms.agree(role, mine, theirs):
        return ""
    return f"{view.mapping_id} is {mine.value!r} and {theirs.value!r}"


def _name_difference(pair: Pair, view: MappingView, truth: Truth) -> str:
    """Compare a full name with its parts, word by word."""
    left, right = pair.both
    mine = _words(truth.holder(left).now.fields, view.left, right, truth)
    theirs = _words(truth.holder(right).now.fields, view.right, left, truth)
    if sorted(mine) == sorted(theirs):
        return ""
    return f"{view.mapping_id} is {mine} and {theirs}"


def _words(
    fields: Mapping[str, Value], names: Iterable[str], other: Key, truth: Truth
) -> list[str]:
    """Return the words of a name, as the other record's app writes them."""
    told = (fields.get(name) for name in names)
    joined = " ".join(text for text in told if isinstance(text, str) and text)
    return (truth.ways(other[0]).forms.of(NAMES[0], joined) or "").casefold().split()


def _is_only_read(pair: Pair, view: MappingView, truth: Truth) -> bool:
    """Say whether a one-way mapping may differ.

    Nothing goes back from its target, and nothing that is empty clears at a first
    match, such as after a restored record (hazards 57 and 74). That holds for each part
    of a name by itself (hazard 58).
    """
    if view.direction is Direction.BOTH:
        return False
    ends = [(pair.left, view.left), (pair.right, view.right)]
    if view.direction is Direction.TO_LEFT:
        ends.reverse()
    (source, source_names), (target, names) = ends
    assert source is not None
    assert target is not None
    fields = truth.holder(source).now.fields
    silent = tuple(name for name in source_names if not fields.get(name))
    if silent == source_names or (
        silent and _lacks_only(silent, (source, source_names), (target, names), truth)
    ):
        ends_named = ((source, silent), (target, names))
        sides = (Side.LEFT, view.left), (Side.RIGHT, view.right)
        is_renewed = any(
            pair.owned.renewals(side, name) for side, names in sides for name in names
        )
        return is_renewed or not _was_cleared(*ends_named, truth)
    # What an app makes of a number some time later looks like an edit.
    is_theirs = truth.are_several(truth.ways(target[0]).role_of(names[0]))
    return any(
        (entry.seems_entered or (is_theirs and entry.who is Who.VENDOR))
        and set(names) & set(entry.changed)
        for entry in truth.ledger.of(target)
    )


def _lacks_only(
    silent: Iterable[str],
    source: tuple[Key, Iterable[str]],
    target: tuple[Key, Iterable[str]],
    truth: Truth,
) -> bool:
    """Say whether a name lacks nothing but what its empty parts said once."""
    (key, parts), (other, names) = source, target
    holder = truth.holder(key)
    kept = sorted(_words(truth.holder(other).now.fields, names, key, truth))
    filled = (
        {**holder.now.fields, **{name: state.fields.get(name) for name in silent}}
        for _, state in holder.history
    )
    return any(sorted(_words(each, parts, other, truth)) == kept for each in filled)


def _was_cleared(
    source: tuple[Key, Iterable[str]],
    target: tuple[Key, Iterable[str]],
    truth: Truth,
) -> bool:
    """Say whether a user cleared what we had carried already: that is to go across.

    Not where a record was gone in between, for both were matched anew after that, nor
    before the two were bound, where it was carried from somebody else.
    """
    told, heard = (truth.ledger.of(key) for key, _ in (source, target))
    is_own = truth.partners(target[0])[:1] == [source[0]]
    since = 0.0 if is_own else truth.bound_to_at(target[0], source[0])
    if any(entry.act not in (Act.CREATE, Act.EDIT) for entry in (*told, *heard)):
        return False
    if any(e.who is Who.USER and set(target[1]) & set(e.changed) for e in heard):
        return False
    carried = [
        entry.at
        for entry in heard
        if entry.who is Who.TANDEM
        and set(target[1]) & set(entry.changed)
        # Whom nobody told us of is met like somebody else's.
        and (entry.act is Act.EDIT or truth.is_answered(target[0]))
    ]
    return bool(carried) and any(
        entry.who is Who.USER
        and entry.at > max(carried[-1], since)
        and set(source[1]) & set(entry.changed)
        and not any(entry.after.fields.get(name) for name in source[1])
        for entry in told
    )


def _is_borne_out(pair: Pair, mapping_id: str, reason: str, truth: Truth) -> bool:
    """Say whether the records show why a mapping is not in step."""
    if reason == oscillation.REASON:
        keys = (pair.left, pair.right)
        return oscillation.is_borne_out(pair.owned, keys, mapping_id, truth)
    if reason in ("too_long", "value_refused"):
        ends = (pair.left, pair.right), (pair.right, pair.left)
        return any(lengths.is_too_long(key, other, truth) for key, other in ends)
    if reason == "no_room":
        return numbers.are_too_many(pair.owned, pair.both, truth=truth)
    if reason == "clears_too_much":
        return _empty_count(pair, truth) > CLEARED_MAX
    if reason == "already_exists":
        return mapping_id == "email" and any(
            _is_taken(pair, side, truth) for side in SIDES
        )
    return False


def _empty_count(pair: Pair, truth: Truth) -> int:
    """Return how many fields only one of two records has anything in."""
    count = 0
    for view in pair.owned.now.mappings:
        ends = (pair.left, view.left), (pair.right, view.right)
        told = [
            any(truth.holder(key).now.fields.get(name) for name in names)
            for key, names in ends
            if key is not None
        ]
        count += len(set(told)) > 1
    return count


def _is_set_apart(pair: Pair, truth: Truth) -> bool:
    """Say whether a link waits for a person, and for a reason that is so."""
    match pair.link.row.reason:
        case "mass_change":
            return bool(pair.owned.guarded)
        case "id_reused":
            keys = (pair.left, pair.right)
            return any(_is_reused(key, truth) for key in keys if key is not None)
    return False


def _is_reused(key: Key, truth: Truth) -> bool:
    """Say whether an id has meant more than one person."""
    return len([e for e in truth.ledger.of(key) if e.act is Act.CREATE]) > 1


def _scope_of(pair: Pair, side: Side, truth: Truth) -> Scope:
    key = pair.key(side)
    assert key is not None
    return scope.of_record(pair.owned, side, truth.holder(key).now)


def _states(pair: Pair, truth: Truth) -> dict[Side, State]:
    return {
        side: truth.holder(key).now
        for side in SIDES
        if (key := pair.key(side)) is not None
    }


def _is_taken(pair: Pair, side: Side, truth: Truth) -> bool:
    """Say whether a side's address belongs to somebody else on the other side."""
    key, other = pair.key(side), pair.key(model.other(side))
    assert key is not None
    assert other is not None
    book = truth.book(other[0])
    if not book.ways.unique_emails:
        return False
    return book.owner_of(_email(key, truth), but=other[1]) is not None


def _has_rival(pair: Pair, key: Key, side: Side, truth: Truth) -> bool:
    """Say whether anybody else, on either side, has a record's address."""
    email = _email(key, truth)
    return any(
        email
        and (place, holder.record_id) != key
        and email in _emails_known((place, holder.record_id), truth)
        for place in (pair.owned.place(side), pair.owned.place(model.other(side)))
        for holder in _known_live(place, truth)
    )


def _emails_known(key: Key, truth: Truth) -> set[str]:
    """Return the addresses that Tandem may know a record by.

    Of one whose end it was not told it may not have been shown the last one either.
    """
    holder = truth.holder(key)
    states = (state for _, state in holder.history)
    shown = (holder.now,) if holder.now.is_live else states
    name = truth.ways(key[0]).email_name
    return {address_key(state.fields.get(name)) for state in shown}


def _is_around(
    pair: Pair, key: Key, side: Side, after: Aftermath, truth: Truth
) -> bool:
    """Say whether links lead to a counterpart that has another address, or is gone."""
    place = pair.owned.place(model.other(side))
    return any(
        each[0] == place
        and (_live(each, truth) is None or _email(each, truth) != _email(key, truth))
        for each in rings.reached_from(key, after, truth)
    )


def _known_live(place: Place, truth: Truth) -> list[Holder]:
    """Return the records that Tandem must take for live: nobody told it otherwise."""
    holders = truth.book(place).holders.values()
    return [
        each
        for each in holders
        if each.now.is_live or not tells_end((place, each.record_id), truth)
    ]


def tells_end(key: Key, truth: Truth) -> bool:
    """Say whether Tandem has to know by now who was deleted (hazards, section 4.6).

    It does once it has heard of the tombstone, or a comparison has missed them beside
    somebody who shows that the app is well: of an account that is empty now nobody
    counts as gone, and a listing may have left its tombstones out (hazard 70).
    """
    place, record_id = key
    if truth.features.sweeps and truth.book(place).live():
        return True
    since, _ = truth.holder(key).history[-1]
    lag_s = truth.ways(place).lag_s
    heard = set(truth.known_at(key, until=math.inf))
    return any(
        at >= since + lag_s and not heard.isdisjoint((at, at - lag_s))
        for at in truth.calls(place).appeared[record_id]
    )


def _can_be_unsure(pair: Pair, truth: Truth) -> bool:
    """Say whether an app offers nothing to look for a lost record by."""
    return any(
        ways.markers is Markers.IGNORED and not ways.finds_by_email
        for side in SIDES
        for ways in [truth.ways(pair.owned.place(side))]
    )


def _is_one_way_to(side: Side, owned: Owned) -> bool:
    direction = owned.now.settings.direction
    return direction is not Direction.BOTH and direction == f"to_{side.value}"


def _email(key: Key, truth: Truth) -> str:
    ways = truth.ways(key[0])
    return address_key(truth.holder(key).now.fields.get(ways.name_of(Role.EMAIL)))


def _live(key: Key | None, truth: Truth) -> Holder | None:
    if key is None:
        return None
    holder = truth.holder(key)
    return holder if holder.now.is_live else None
