"""What a link remembers once a write has taken effect, besides its shadows."""

import datetime
from collections.abc import Iterable
from typing import Final

from proto.base import Instant
from proto.connector import WriteKind
from proto.reconciler import Side
from services.reconciler.engine import guards
from services.reconciler.engine.model import Act, Carried, Config, Intent, Link, Step

TRAIL_MAX: Final = 24
"""Writes that a link remembers at the most."""


def acts(link: Link, intent: Intent) -> tuple[Act, ...]:
    """Return what has been done besides, with what the write did."""
    if intent.acts is None:
        return link.acts
    return acts_on(intent.side, intent.acts, known=link.acts)


def carried(link: Link, intent: Intent) -> tuple[Carried, ...]:
    """Return what each side has got of the other's consent."""
    if not intent.carried:
        return link.carried
    return carried_to(intent.side, intent.carried, known=link.carried)


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
    """Remember what an update set, and forget what is older than a day."""
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
    return tuple(kept[-TRAIL_MAX:])
