"""How a link is left: at rest until one of its records changes, or waiting for a write.

A link at rest remembers the digests of both records, so that nothing looks at it
again before one of them differs.
"""

import datetime

import msgspec

from proto.base import Instant
from proto.reconciler import RecordState
from services.reconciler.engine import guards, patience
from services.reconciler.engine.case import Case
from services.reconciler.engine.model import (
    NOTHING,
    Hold,
    Intent,
    Link,
    Plan,
    Reason,
    Refusal,
    Seen,
    Shadow,
)


def plan(
    case: Case,
    state: RecordState,
    *,
    reason: str = "",
    holds: tuple[Hold, ...] = (),
) -> Plan:
    """Leave a link as it is until one of its records changes."""
    refusals = tuple(r for r in case.link.refusals if case.now < r.retry_at)
    rested = msgspec.structs.replace(
        case.link,
        state=state,
        reason=str(reason),
        held=holds,
        left=_seen_through(case.link.left, case.left),
        right=_seen_through(case.link.right, case.right),
        failure_count=0 if state is not RecordState.FAILED else case.link.failure_count,
        refusals=refusals,
        retry_at=_due_at(str(reason), holds, refusals=refusals, now=case.now),
        config_version=case.config.version,
    )
    return NOTHING if rested == case.link else Plan(link=rested)


def waiting(case: Case, intent: Intent, *, holds: tuple[Hold, ...] = ()) -> Link:
    """Return a link whose write is on its way.

    It rests no more: whatever comes of the write, the link is looked at again, unless
    its answer says until when to wait.
    """
    return msgspec.structs.replace(
        case.link,
        left=_unseen(case.link.left),
        right=_unseen(case.link.right),
        state=RecordState.PENDING,
        reason="",
        held=holds,
        intent_id=intent.intent_id,
        retry_at=None,
        config_version=case.config.version,
    )


def until_changed(link: Link, intent: Intent) -> Link:
    """Remember what the records were for an intent, so that a change alone counts."""
    return msgspec.structs.replace(
        link,
        left=_seen_at(link.left, intent.left_digest),
        right=_seen_at(link.right, intent.right_digest),
    )


def refused_before(link: Link) -> dict[str, Hold]:
    """Return the mappings whose value the app refused at the last try."""
    return {hold.mapping_id: hold for hold in link.held if hold.is_refusal}


def _due_at(
    reason: str,
    holds: tuple[Hold, ...],
    *,
    refusals: tuple[Refusal, ...],
    now: Instant,
) -> Instant | None:
    """Say when a link that waits for something else is looked at again."""
    due = [refusal.retry_at for refusal in refusals]
    if reason == Reason.AWAITS_CREATE:
        due.append(now + datetime.timedelta(seconds=patience.AWAIT_S))
    if any(hold.reason == Reason.OSCILLATES for hold in holds):
        due.append(now + datetime.timedelta(seconds=guards.OSCILLATION_S))
    return min(due, default=None)


def _seen_at(shadow: Shadow | None, digest: str) -> Shadow | None:
    if not digest:
        return shadow
    return Shadow(values=shadow.values if shadow is not None else {}, digest=digest)


def _unseen(shadow: Shadow | None) -> Shadow | None:
    if shadow is None or not shadow.digest:
        return shadow
    return Shadow(values=shadow.values)


def _seen_through(shadow: Shadow | None, seen: Seen | None) -> Shadow | None:
    if seen is None:
        return shadow
    values = shadow.values if shadow is not None else {}
    return Shadow(values=values, digest=seen.digest)
