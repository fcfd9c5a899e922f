"""What acts make of a tag, a list or a field, however many of them are about one.

Each act remembers how its place was before any of them. So whichever ends first, what
another one wants stays, and in the end the place is as people had it (behaviour 9).
"""

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple, Protocol

import msgspec

from proto.fields import Field, FieldKind, Fields, Value
from proto.ids import ContainerId, FieldId
from proto.record import Memberships, Record
from proto.rules import Action, ActionKind
from services.reconciler.engine import canon
from services.reconciler.engine.config import SideConfig
from services.reconciler.engine.model import Act

_NO_CHANGE: Final = Memberships()
_SET_FIELD: Final = ActionKind.SET_FIELD

_SETS: Final = {
    ActionKind.ADD_TAG: True,
    ActionKind.ADD_TO_CONTAINER: True,
    ActionKind.REMOVE_TAG: False,
    ActionKind.REMOVE_FROM_CONTAINER: False,
}
"""Whether an action puts a tag or container there or takes it away."""


class Acts(NamedTuple):
    """The acts of one side, or of one of its places, in the order of their rules."""

    kept: list[Act]
    """Done before, and wanted still."""
    begun: list[Act]
    over: list[Act]
    """Done before, and wanted no more."""


class Change:
    """The changes of one record that its acts add up to."""

    def __init__(
        self, record: Record, side: SideConfig, *, stays: Collection[str]
    ) -> None:
        self._record = record
        self._side = side
        self._stays = stays
        """Tags, lists and fields that something besides acts wants as they are."""
        self._there: dict[tuple[bool, str], bool] = {}
        self.acts: list[Act] = []
        """What has been done afterwards."""
        self.fields: Fields = {}
        self.causes: dict[FieldId, str] = {}

    def carry_out(self, acts: Acts) -> None:
        """Do what begins and take back what is over, one place after the other."""
        for at in _by_place(acts):
            sample = (at.begun or at.kept or at.over)[0].action
            place = self._place(sample)
            if place is None:
                self.acts += (*at.kept, *at.begun)
            else:
                self._settle(place, at, sample=sample)

    def memberships(self) -> Memberships:
        """Return which tags and lists come and go."""
        if not self._there:
            return _NO_CHANGE
        found: dict[tuple[bool, bool], list[str]] = {}
        for (is_tag, name), is_there in sorted(self._there.items()):
            found.setdefault((is_tag, is_there), []).append(name)
        return Memberships(
            containers_add=tuple(map(ContainerId, found.get((False, True), ()))),
            containers_remove=tuple(map(ContainerId, found.get((False, False), ()))),
            tags_add=tuple(found.get((True, True), ())),
            tags_remove=tuple(found.get((True, False), ())),
        )

    def _settle(self, place: "_Place", at: Acts, *, sample: Action) -> None:
        name = name_of(sample)
        found = _settled(place, at, stays=name in self._stays)
        self.acts += found.acts
        if place.is_same(found.value, place.now):
            return
        if sample.kind is _SET_FIELD:
            self.fields[name] = found.value
        else:
            self._there[place_of(sample)] = bool(found.value)
        self.causes[name] = found.key

    def _place(self, action: Action) -> "_Place | None":
        """Return what an action is about, if it can be changed at all."""
        record = self._record
        if action.kind is not _SET_FIELD:
            if action.kind not in _SETS:
                return None
            is_tag, name = place_of(action)
            return _Membership(name in (record.tags if is_tag else record.containers))
        field = self._side.by_id.get(action.field_id)
        if field is None or not field.is_writable:
            return None
        return _OfField(field, record.fields.get(action.field_id))


class _Settled(NamedTuple):
    """What is to be in a place, because of what, and the acts that stay."""

    value: Value
    key: str
    acts: list[Act]


def _settled(place: "_Place", at: Acts, *, stays: bool) -> _Settled:
    """Decide what is to be in a place by all acts that are about it.

    What begins decides. If nothing does, the place changes only where it still is as an
    act that is over has left it: to what another act wants, or to what it was before.
    """
    chain, base = _chain(place, [*at.over, *at.kept])
    kept = at.kept
    left = [act for act in at.over if act in chain and not act.undoes]
    if left:
        # What a rule leaves for good is from now on as if it had always been so.
        is_left = any(place.is_now(act) for act in left)
        base = place.now if is_left else place.wanted_by(left[-1])
    if chain:
        kept = [place.before(act, base) if act in chain else act for act in kept]
    elif at.begun:
        # People have changed it since: it is theirs, also once these are over.
        kept = [place.before(act, place.wanted_by(act)) for act in kept]
    acts = [*kept, *(place.before(act, base) for act in at.begun)]
    if at.begun:
        last = at.begun[-1]
        return _Settled(place.wanted_by(last), last.key, acts)
    stays |= any(place.is_now(act) for act in (*at.kept, *left))
    ended = [act for act in at.over if place.is_now(act)]
    if stays or not ended:
        return _Settled(place.now, "", acts)
    heirs = [act for act in at.kept if act in chain]
    if heirs:
        return _Settled(place.wanted_by(heirs[-1]), heirs[-1].key, acts)
    return _Settled(base, ended[-1].key, acts)


def _chain(place: "_Place", known: list[Act]) -> tuple[list[Act], Value]:
    """Return the acts by which a place is as it is, and how it was before all of them.

    None is where people have changed it since. Acts of earlier versions remember what
    the one before them had made of the place: these are followed one after the other.
    """
    base, rest = place.now, known
    chain: list[Act] = []
    while level := [act for act in rest if place.is_same(place.wanted_by(act), base)]:
        chain += level
        rest = [act for act in rest if act not in level]
        earlier = [place.was(act) for act in level]
        base = next((was for was in earlier if not place.is_same(was, base)), base)
    if chain:
        chain += [act for act in rest if place.is_same(place.was(act), base)]
    return chain, base


class _Place(Protocol):
    """A tag, a list or a field of one record."""

    @property
    def now(self) -> Value:
        """Return what it is."""

    def is_same(self, one: Value, other: Value) -> bool:
        """Say whether two values mean the same there."""

    def is_now(self, act: Act) -> bool:
        """Say whether it is as an act wants it."""

    def wanted_by(self, act: Act) -> Value:
        """Return what an act makes of it."""

    def was(self, act: Act) -> Value:
        """Return what it was before an act, as far as the act remembers."""

    def before(self, act: Act, value: Value) -> Act:
        """Return an act that remembers what the place was before it."""


class _Membership:
    """A tag, or a list."""

    def __init__(self, is_there: bool) -> None:
        self.now: Value = is_there

    def is_same(self, one: Value, other: Value) -> bool:
        return one is other

    def is_now(self, act: Act) -> bool:
        return self.wanted_by(act) is self.now

    def wanted_by(self, act: Act) -> Value:
        return _SETS[act.action.kind]

    def was(self, act: Act) -> Value:
        is_there = _SETS[act.action.kind]
        return not is_there if act.before is None else is_there

    def before(self, act: Act, value: Value) -> Act:
        return _remembering(act, value is _SETS[act.action.kind] or None)


class _OfField:
    """A field that can be written."""

    def __init__(self, field: Field, now: Value) -> None:
        self.now = now
        self._field = field

    def is_same(self, one: Value, other: Value) -> bool:
        kind = self._field.kind
        return canon.of(kind, one) == canon.of(kind, other)

    def is_now(self, act: Act) -> bool:
        return self.is_same(self.wanted_by(act), self.now)

    def wanted_by(self, act: Act) -> Value:
        return value_of(act.action, self._field)

    def was(self, act: Act) -> Value:
        return act.before

    def before(self, act: Act, value: Value) -> Act:
        return _remembering(act, value)


def _remembering(act: Act, before: Value) -> Act:
    return act if act.before == before else msgspec.structs.replace(act, before=before)


def _by_place(acts: Acts) -> Iterable[Acts]:
    """Return the acts of each place."""
    found: dict[tuple[ActionKind | bool, str], Acts] = {}
    for number, some in enumerate(acts):
        for act in some:
            action = act.action
            key = (
                (action.kind, action.field_id)
                if action.kind is _SET_FIELD or action.kind not in _SETS
                else place_of(action)
            )
            found.setdefault(key, Acts([], [], []))[number].append(act)
    return found.values()


def value_of(action: Action, field: Field) -> Value:
    """Return what an action sets a field to."""
    if field.kind is FieldKind.BOOLEAN:
        return action.value == "true"
    return action.value or None


def place_of(action: Action) -> tuple[bool, str]:
    """Return whether an action is about a tag, and which tag or container."""
    is_tag = action.kind in (ActionKind.ADD_TAG, ActionKind.REMOVE_TAG)
    return is_tag, action.value


def name_of(action: Action) -> FieldId:
    """Return what history calls the tag, list or field that an action changes."""
    if action.kind is _SET_FIELD:
        return action.field_id
    is_tag, name = place_of(action)
    return membership_name(name, is_tag=is_tag)


def are_there(change: Memberships) -> dict[FieldId, bool]:
    """Say by what history calls them which tags and lists are there afterwards."""
    return {
        membership_name(name, is_tag=is_tag): is_there
        for names, is_tag, is_there in (
            (change.tags_add, True, True),
            (change.tags_remove, True, False),
            (change.containers_add, False, True),
            (change.containers_remove, False, False),
        )
        for name in names
    }


def membership_name(name: str, *, is_tag: bool) -> FieldId:
    """Return what history calls a tag or a list."""
    return FieldId(f"tag:{name}" if is_tag else f"container:{name}")
