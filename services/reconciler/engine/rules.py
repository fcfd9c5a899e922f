"""What rules make of a contact: whether it is synced, and what is done to it besides.

An action is an act once it is carried out. It is done when a rule begins to match,
once, and taken back when the rule no longer matches, if the rule says so. Whatever
people do to the record in between is theirs.
"""

from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from proto.fields import Fields
from proto.ids import FieldId
from proto.reconciler import LEFT, RIGHT, Side
from proto.record import Memberships, Presence, Record
from proto.rules import Action, ActionKind
from services.reconciler.engine import conditions, consent, model, places
from services.reconciler.engine.conditions import Subject
from services.reconciler.engine.model import Act, Carried, Config, Scope
from services.reconciler.engine.places import Acts, Change

DELETION: Final = "deletion"
"""The key of the act by which the counterpart of a deleted contact is tagged."""


class Acting(msgspec.Struct, frozen=True):
    """What acts come to on one side of a link."""

    memberships: Memberships
    fields: Fields
    causes: dict[FieldId, str]
    """The key of the act by tag, list or field, for history."""
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
        return {**places.are_there(self.memberships), **self.fields}


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
    carried: tuple[Carried, ...] = (),
    frozen: Collection[str] = (),
) -> Acting:
    """Find out what rules want done or taken back on a side, given the other side.

    Args:
        carried: What each side has got of the other's consent: its tag stays.
        frozen: Tags, lists and fields that no rule may change now, by ``name_of``.
    """
    wanted_now = _wanted(side, source, config=config)
    on_side = [act for act in done if act.side is side]
    if not wanted_now and not on_side:
        return _NOTHING
    due = {act.key: act for act in wanted_now}
    known: dict[str, Act] = {}
    over: list[Act] = []
    for act in on_side:
        wanted = due.get(act.key)
        if wanted is not None and wanted.action == act.action:
            known[act.key] = _undone_as(act, wanted)
        else:
            over.append(act)
    waiting: list[Act] = []
    held: tuple[str, ...] = ()
    if frozen:
        waiting = [act for act in over if act.undoes and _is_frozen(act, frozen)]
        over = [act for act in over if act not in waiting]
        late = [
            key
            for key, act in due.items()
            if key not in known and _is_frozen(act, frozen)
        ]
        names = [*waiting, *map(due.pop, late)]
        held = tuple(dict.fromkeys(places.name_of(act.action) for act in names))
    kept = [*waiting, *(known[key] for key in due if key in known)]
    begun = [act for key, act in due.items() if key not in known]
    if not over and not begun:
        return Acting(_NO_CHANGE, {}, {}, _in_order(kept), held)
    stays = consent.tags_told(side, carried, config=config)
    change = Change(target, config.side(side), stays=stays)
    change.carry_out(Acts(kept, begun, over))
    return Acting(
        memberships=change.memberships(),
        fields=change.fields,
        causes=change.causes,
        acts=_in_order(change.acts),
        held=held,
    )


def _is_frozen(act: Act, frozen: Collection[str]) -> bool:
    """Say whether an act has to wait; a deletion is told however often (I6)."""
    return act.key != DELETION and places.name_of(act.action) in frozen


def _in_order(acts: Iterable[Act]) -> tuple[Act, ...]:
    """Return acts by their keys, so that equal ones are remembered alike."""
    by_key = {act.key: act for act in acts}
    return tuple([by_key[key] for key in sorted(by_key)])


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
