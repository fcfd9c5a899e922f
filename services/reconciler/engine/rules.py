"""What rules make of a contact: whether it is synced, and what is done to it besides.

An action is an act once it is carried out. It is done when a rule begins to match,
once, and taken back when the rule no longer matches, if the rule says so. Whatever
people do to the record in between is theirs.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import msgspec

from proto.fields import Field, FieldKind, Fields, Value
from proto.ids import ContainerId, FieldId
from proto.reconciler import LEFT, RIGHT, Side
from proto.record import Memberships, Presence, Record
from proto.rules import Action, ActionKind
from services.reconciler.engine import canon, conditions, model
from services.reconciler.engine.conditions import Subject
from services.reconciler.engine.model import Act, Config, Scope, SideConfig

DELETION: Final = "deletion"
"""The key of the act by which the counterpart of a deleted contact is tagged."""


class Acting(msgspec.Struct, frozen=True):
    """What acts come to on one side of a link."""

    memberships: Memberships
    fields: Fields
    causes: dict[FieldId, str]
    """The key of the act by field, for history."""
    acts: tuple[Act, ...]
    """What has been done on that side afterwards."""
    held: tuple[str, ...] = ()
    """Tags, lists and fields that are left as they are for now."""

    @property
    def needs_write(self) -> bool:
        """Say whether anything has to be written."""
        return bool(self.memberships) or bool(self.fields)

    @property
    def changes(self) -> Fields:
        """Return what becomes of tags, lists and fields, as history calls them."""
        return {**are_there(self.memberships), **self.fields}


_NO_CHANGE: Final = Memberships()
_NOTHING: Final = Acting(_NO_CHANGE, {}, {}, ())


def scope_of(
    record: Record, side: Side, *, config: Config, has_counterpart: bool
) -> Scope:
    """Say how far the rules let a record be synced."""
    end, rules = config.side(side), config.rules(side)
    if not end.includes(record):
        return Scope.OUT
    if not rules or not config.allows(model.other(side)):
        return Scope.FULL
    found = Scope.OUT
    subject = Subject(record, end, has_counterpart)
    for rule in rules:
        if conditions.asks_for_deleted(rule):
            continue
        if conditions.asks_for_counterpart(rule):
            # Whether there is one turns out when it is matched.
            if conditions.fulfils(
                rule, msgspec.structs.replace(subject, has_counterpart=True)
            ):
                found = Scope.UPDATES
        elif conditions.fulfils(rule, subject):
            return Scope.FULL
    return found


def is_link_in_scope(left: Record, right: Record, *, config: Config) -> bool:
    """Say whether a linked contact is kept in sync.

    One rule of either side is enough. In a one-way connection the rules of the side
    that is written to do nothing (behaviour 6).
    """
    if not (config.left.includes(left) and config.right.includes(right)):
        return False
    if not config.has_rules:
        return True
    return any(
        scope_of(record, side, config=config, has_counterpart=True) is not Scope.OUT
        for side, other, record in (
            (LEFT, RIGHT, left),
            (RIGHT, LEFT, right),
        )
        if config.allows(other)
    )


def act_on(
    side: Side,
    *,
    target: Record,
    source: Record,
    done: Iterable[Act],
    config: Config,
    frozen: Collection[str] = (),
) -> Acting:
    """Find out what rules want done or taken back on a side, given the other side.

    Args:
        frozen: Tags, lists and fields that no rule may change now, by ``name_of``.
    """
    wanted_now = _wanted(side, source, config=config)
    on_side = [act for act in done if act.side is side]
    if not wanted_now and not on_side:
        return _NOTHING
    due = {act.key: act for act in wanted_now}
    kept: dict[str, Act] = {}
    over: list[Act] = []
    for act in on_side:
        wanted = due.get(act.key)
        if wanted is not None and wanted.action == act.action:
            kept[act.key] = _undone_as(act, wanted)
        elif act.undoes:
            over.append(act)
    held: tuple[str, ...] = ()
    if frozen:
        waiting = [act for act in over if _is_frozen(act, frozen)]
        over = [act for act in over if act not in waiting]
        kept.update((act.key, act) for act in waiting)
        waiting += [
            due.pop(key)
            for key in [*due]
            if key not in kept and _is_frozen(due[key], frozen)
        ]
        held = tuple(dict.fromkeys(name_of(act.action) for act in waiting))
    begun = [act for key, act in due.items() if key not in kept]
    if not over and not begun:
        return Acting(_NO_CHANGE, {}, {}, _in_order(kept), held)
    change = _Change(target, config.side(side))
    for act in over:
        change.undo(act)
    for act in begun:
        kept[act.key] = change.do(act)
    return Acting(
        memberships=change.memberships(),
        fields=change.fields,
        causes=change.causes,
        acts=_in_order(kept),
        held=held,
    )


def _is_frozen(act: Act, frozen: Collection[str]) -> bool:
    """Say whether an act has to wait; a deletion is told however often (I6)."""
    return act.key != DELETION and name_of(act.action) in frozen


def _in_order(acts: Mapping[str, Act]) -> tuple[Act, ...]:
    """Return acts by their keys, so that equal ones are remembered alike."""
    return tuple([acts[key] for key in sorted(acts)])


def _undone_as(act: Act, wanted: Act) -> Act:
    """Return an act that is taken back if its rule says so now."""
    if act.undoes is wanted.undoes:
        return act
    return msgspec.structs.replace(act, undoes=wanted.undoes)


def tags_deletions_on(side: Side, config: Config) -> bool:
    """Say whether contacts of a side are tagged when their counterparts are deleted."""
    source = config.side(model.other(side))
    return (
        config.tags_deletions
        and config.allows(side)
        and source.capabilities.detects_deletions
        and config.side(side).capabilities.can_tag
    )


def _wanted(side: Side, source: Record, *, config: Config) -> list[Act]:
    """Return what is to be so on a side because of the other side's record."""
    if not config.allows(side):
        return []
    found: list[Act] = []
    rules = config.acts[side]
    if rules:
        subject = Subject(source, config.side(model.other(side)), has_counterpart=True)
        found = [
            act
            for rule, acts in rules
            if conditions.fulfils(rule, subject)
            for act in acts
        ]
    if source.presence is _DELETED and tags_deletions_on(side, config):
        tag = Action(kind=ActionKind.ADD_TAG, value=config.deletion_tag)
        found.append(Act(key=DELETION, side=side, action=tag, undoes=True))
    return found


_DELETED: Final = Presence.DELETED
_SET_FIELD: Final = ActionKind.SET_FIELD

_SETS: Final = {
    ActionKind.ADD_TAG: True,
    ActionKind.ADD_TO_CONTAINER: True,
    ActionKind.REMOVE_TAG: False,
    ActionKind.REMOVE_FROM_CONTAINER: False,
}
"""Whether an action puts a tag or container there or takes it away."""


class _Change:
    """The changes of one record that acts add up to."""

    def __init__(self, record: Record, side: SideConfig) -> None:
        self._record = record
        self._side = side
        self._wanted: dict[tuple[bool, str], bool] = {}
        self.fields: Fields = {}
        self.causes: dict[FieldId, str] = {}

    def do(self, act: Act) -> Act:
        """Carry an act out; returns it with what is needed to take it back."""
        if act.action.kind is _SET_FIELD:
            return self._set(act)
        what, is_there = place_of(act.action), _SETS.get(act.action.kind)
        if is_there is None:
            return act
        was_so = self._has(what) is is_there
        self._wanted[what] = is_there
        return msgspec.structs.replace(act, before=was_so or None)

    def undo(self, act: Act) -> None:
        """Take an act back, as far as what it did is still so and was our doing."""
        action = act.action
        if action.kind is not _SET_FIELD:
            is_there = _SETS.get(action.kind)
            if act.before is None and is_there is not None:
                self._wanted.setdefault(place_of(action), not is_there)
            return
        field = self._side.by_id.get(action.field_id)
        now = self._record.fields.get(action.field_id)
        if field is None or not field.is_writable:
            return
        if canon.of(field.kind, now) == canon.of(field.kind, value_of(action, field)):
            self.fields[action.field_id] = act.before
            self.causes[action.field_id] = act.key

    def memberships(self) -> Memberships:
        """Return what differs from the record as it is."""
        if not self._wanted:
            return _NO_CHANGE
        found: dict[tuple[bool, bool], list[str]] = {}
        for what, is_there in sorted(self._wanted.items()):
            if self._has(what) is not is_there:
                found.setdefault((what[0], is_there), []).append(what[1])
        return Memberships(
            containers_add=tuple(map(ContainerId, found.get((False, True), ()))),
            containers_remove=tuple(map(ContainerId, found.get((False, False), ()))),
            tags_add=tuple(found.get((True, True), ())),
            tags_remove=tuple(found.get((True, False), ())),
        )

    def _has(self, what: tuple[bool, str]) -> bool:
        is_tag, name = what
        return name in (self._record.tags if is_tag else self._record.containers)

    def _set(self, act: Act) -> Act:
        action = act.action
        field = self._side.by_id.get(action.field_id)
        if field is None or not field.is_writable:
            return act
        value, now = value_of(action, field), self._record.fields.get(action.field_id)
        if canon.of(field.kind, now) != canon.of(field.kind, value):
            self.fields[action.field_id] = value
            self.causes[action.field_id] = act.key
        return msgspec.structs.replace(act, before=now)


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
    return _name_of(name, is_tag=is_tag)


def are_there(change: Memberships) -> dict[FieldId, bool]:
    """Say by what history calls them which tags and lists are there afterwards."""
    return {
        _name_of(name, is_tag=is_tag): is_there
        for names, is_tag, is_there in (
            (change.tags_add, True, True),
            (change.tags_remove, True, False),
            (change.containers_add, False, True),
            (change.containers_remove, False, False),
        )
        for name in names
    }


def _name_of(name: str, *, is_tag: bool) -> FieldId:
    return FieldId(f"tag:{name}" if is_tag else f"container:{name}")
