"""What a link remembers once a write has taken effect, besides its shadows."""

import datetime
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from proto.base import Instant
from proto.connector import WriteKind
from proto.ids import FieldId
from proto.reconciler import Side
from proto.record import Consent, Record
from proto.rules import ActionKind
from services.reconciler.engine import guards, places
from services.reconciler.engine.model import (
    Act,
    Carried,
    Cause,
    Config,
    Intent,
    Link,
    Step,
)

TURNS_MAX: Final = 4
"""Values that may chase each other through a ring of connections (hazard 68)."""
TRAIL_MAX: Final = TURNS_MAX * guards.RETURNS_MAX
"""Writes of one mapping on one side that a link remembers at the most."""


def acts(link: Link, intent: Intent) -> tuple[Act, ...]:
    """Return what has been done besides, with what the write did."""
    if intent.acts is None:
        return link.acts
    return acts_on(intent.side, intent.acts, known=link.acts)


def acts_in_part(
    link: Link, intent: Intent, *, record: Record, as_meant: Collection[FieldId]
) -> tuple[Act, ...]:
    """Return what has been done besides where a record shows a part of a write only.

    An act that reads as the write was to leave it, and did not before, is done or taken
    back, whoever did it: otherwise what it took away is taken for somebody's removal of
    what it had put there (I6), and what it put there for somebody's.

    Args:
        as_meant: The fields of the write that read as meant.
    """
    if intent.acts is None:
        return link.acts
    known = {act.key: act for act in link.acts if act.side is intent.side}
    meant = {act.key: act for act in intent.acts}
    found: list[Act] = []
    for key in known.keys() | meant.keys():
        before, after = known.get(key), meant.get(key)
        moved = [act for act in (before, after) if act is not None]
        is_shown = before != after and all(
            _is_shown(act, intent, record=record, as_meant=as_meant) for act in moved
        )
        kept = after if is_shown else before
        if kept is not None:
            found.append(kept)
    return acts_on(intent.side, found, known=link.acts)


def _is_shown(
    act: Act, intent: Intent, *, record: Record, as_meant: Collection[FieldId]
) -> bool:
    """Say whether what a write changes for an act reads as it was to be."""
    action, wanted = act.action, intent.memberships
    if action.kind is ActionKind.SET_FIELD:
        field_id = action.field_id
        is_other = record.fields.get(field_id) != intent.seen.get(field_id)
        return field_id in as_meant and is_other
    is_tag, name = places.place_of(action)
    if is_tag:
        added, removed, now = wanted.tags_add, wanted.tags_remove, record.tags
    else:
        added, removed = wanted.containers_add, wanted.containers_remove
        now = record.containers
    return name in (added if name in now else removed)


def carried(link: Link, intent: Intent) -> tuple[Carried, ...]:
    """Return what each side has got of the other's consent."""
    if not intent.carried:
        return link.carried
    return carried_to(intent.side, intent.carried, known=link.carried)


def as_was_there(link: Link, intent: Intent) -> Intent:
    """Return an update of which nothing was sent, as all of it was there before.

    An unsubscribe that people got ahead of is their own word, and is carried as that,
    unless it was ours before.
    """
    before = {each.side: each.ours for each in link.carried}
    got = (
        msgspec.structs.replace(each, ours=before.get(each.side, Consent.UNKNOWN))
        for each in intent.carried
    )
    return msgspec.structs.replace(intent, carried=tuple(got))


def acts_on(
    side: Side, done: Iterable[Act], *, known: Iterable[Act]
) -> tuple[Act, ...]:
    """Return what has been done, with this and nothing else on one side."""
    kept = [act for act in known if act.side is not side]
    return tuple(sorted((*kept, *done), key=lambda act: (act.side, act.key)))


def carried_to(
    side: Side, got: Iterable[Carried], *, known: Iterable[Carried]
) -> tuple[Carried, ...]:
    """Return what each side has got, with this and nothing else for one side."""
    kept = [each for each in known if each.side is not side]
    return tuple(sorted((*kept, *got), key=lambda each: each.side))


def trail(
    link: Link, intent: Intent, *, config: Config, now: Instant
) -> tuple[Step, ...]:
    """Remember what an update set, and forget what is older than a day.

    What rules did is remembered by what history calls it.
    """
    since = now - datetime.timedelta(seconds=guards.OSCILLATION_S)
    kept = [step for step in link.trail if step.at > since]
    if intent.kind is WriteKind.CREATE:
        return tuple(kept)
    for mapping_id in intent.mapping_ids:
        pair = config.pair_by_id.get(mapping_id)
        if pair is None:
            continue
        ids = pair.end(intent.side).ids
        fields = {i: value for i, value in intent.fields.items() if i in ids}
        form = guards.form_of(fields)
        kept.append(Step(mapping_id=mapping_id, side=intent.side, form=form, at=now))
    for change in intent.changes:
        if change.cause is Cause.RULE:
            name = change.field_id
            form = guards.form_of({name: change.after})
            kept.append(Step(mapping_id=name, side=intent.side, form=form, at=now))
    return _newest(kept)


def _newest(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return the last steps of each mapping: one that turns many hides no other."""
    kept: list[Step] = []
    counted: Counter[tuple[str, Side]] = Counter()
    for step in reversed(list(steps)):
        key = (step.mapping_id, step.side)
        counted[key] += 1
        if counted[key] <= TRAIL_MAX:
            kept.append(step)
    return tuple(reversed(kept))
