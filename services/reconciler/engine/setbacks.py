"""Writes that an app refused: each waits by itself until it is tried again.

The other side does not wait with it, nor do other writes to the same one. What would
be written otherwise by now, or onto something else, is tried at once.
"""

from typing import Final

import msgspec

from proto.base import Instant
from proto.errors import ErrorCode
from proto.reconciler import LEFT, RecordState
from services.reconciler.engine import memory, patience
from services.reconciler.engine.model import Intent, Link, Refusal

REFUSALS_MAX: Final = 8
"""Refused writes that a link remembers; one state of its records asks for fewer."""


def waits_for(link: Link, intent: Intent, *, now: Instant) -> Refusal | None:
    """Return why a write is not tried now, if the app refused the very same before."""
    known = _known(link, intent)
    return known if known is not None and now < known.retry_at else None


def due(link: Link, *, now: Instant) -> Link:
    """Return a link whose writes no longer wait that somebody else stood in the way of.

    Whoever had what they were to give may have given it up, and the link's own records
    do not show that.
    """
    if link.intent_id is not None:
        return link
    is_alone = not link.refusals and link.state is RecordState.FAILED
    if is_alone and link.reason == ErrorCode.ALREADY_EXISTS:
        return msgspec.structs.replace(link, retry_at=now)
    refusals = tuple(
        msgspec.structs.replace(each, retry_at=min(each.retry_at, now))
        if each.reason == ErrorCode.ALREADY_EXISTS
        else each
        for each in link.refusals
    )
    if refusals == link.refusals:
        return link
    return msgspec.structs.replace(link, refusals=refusals, retry_at=now)


def noted(
    link: Link, intent: Intent, *, reason: str, now: Instant
) -> tuple[Refusal, ...]:
    """Return what a link remembers once a write was refused."""
    known = _known(link, intent)
    count = 1 if known is None else known.count + 1
    new = Refusal(
        side=intent.side,
        key=_key_of(intent),
        reason=reason,
        count=count,
        retry_at=patience.after_refusal(count, now),
    )
    others = [each for each in link.refusals if each != known]
    return (*others, new)[-REFUSALS_MAX:]


def _known(link: Link, intent: Intent) -> Refusal | None:
    if not link.refusals:
        return None
    key = _key_of(intent)
    return next((each for each in link.refusals if each.key == key), None)


def _key_of(intent: Intent) -> str:
    is_left = intent.side is LEFT
    return memory.digest_of(
        (
            intent.side,
            intent.fields,
            intent.memberships,
            intent.consent,
            intent.left_digest if is_left else intent.right_digest,
        )
    )
