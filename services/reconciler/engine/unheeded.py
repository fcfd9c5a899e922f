"""Whether what was carried of somebody's no is shown by whoever took it.

An app may answer that it has written an unsubscribe, and show the record as it was.
Nothing would ever look again: afterwards it reads like somebody who was subscribed
anew, which is left alone. So what the answer showed is remembered until the record
shows anything else, and the full comparison tells whom it has found so still.
"""

import msgspec

from proto.base import Instant
from proto.connector import ContactWritten, WriteKind, WriteOutcome
from proto.reconciler import SIDES, Side
from proto.record import CONSENT_RANKS, Record
from services.reconciler.engine import model
from services.reconciler.engine.case import Case
from services.reconciler.engine.model import (
    Config,
    Intent,
    Link,
    Seen,
    Unheeded,
)


def noted(
    link: Link,
    intent: Intent,
    *,
    result: ContactWritten,
    config: Config,
    now: Instant,
) -> Link:
    """Remember whether the answer to a write shows the unsubscribe that it carried."""
    if not intent.carried or not _is_told(intent, result):
        return link
    kept = [each for each in link.unheeded if each.side is not intent.side]
    kept += _not_shown(intent, result.record, config=config, now=now)
    return msgspec.structs.replace(link, unheeded=tuple(kept))


def remaining(case: Case) -> Case:
    """Forget what the records show by now, and where people have had a word since."""
    if not case.link.unheeded:
        return case
    kept = tuple(u for u in case.link.unheeded if _is_as_it_was(u, case.seen(u.side)))
    return case if kept == case.link.unheeded else case.changed(unheeded=kept)


def of(link: Link, *, left: Seen | None, right: Seen | None) -> tuple[Side, ...]:
    """Return the sides that took a no which a later read does not show.

    While whoever said it has not taken it back.
    """
    seen = {Side.LEFT: left, Side.RIGHT: right}
    found = {
        each.side
        for each in link.unheeded
        if _has_got_a_no(link, each.side) and _is_still(each, seen[each.side])
    }
    return tuple(side for side in SIDES if side in found)


def _has_got_a_no(link: Link, side: Side) -> bool:
    """Say whether a side has got a no of the other one that still stands."""
    return any(each.side is side and CONSENT_RANKS[each.level] for each in link.carried)


def _is_told(intent: Intent, result: ContactWritten) -> bool:
    """Say whether an answer shows what an app has made of a write, and nothing since.

    A record that was read after the write does if it has the version from before.
    """
    is_write = result.kind is not WriteKind.LOOK and result.sent_at is not None
    if result.outcome is not WriteOutcome.WRITTEN or not is_write:
        return False
    version = result.record.version if result.record is not None else ""
    return not result.is_read_after or version == intent.seen_version != ""


def _not_shown(
    intent: Intent, record: Record | None, *, config: Config, now: Instant
) -> list[Unheeded]:
    """Return what a record lacks of the unsubscribe that was written to it."""
    if record is None:
        return []
    able = config.side(intent.side).capabilities
    is_shown_there = able.detects_unsubscribes and able.can_unsubscribe
    # A complaint may well be shown as no more than an unsubscribe.
    is_looser = CONSENT_RANKS[intent.consent] and not CONSENT_RANKS[record.consent]
    # An urgent write carries an unsubscribe alone: its tag is no rule's.
    tags = set(intent.memberships.tags_add if intent.is_urgent else ())
    lacks = tags - set(record.tags)
    if not lacks and not (is_shown_there and is_looser):
        return []
    return [
        Unheeded(
            side=intent.side,
            record_id=record.record_id,
            consent=record.consent,
            tag=min(lacks, default=""),
            at=now,
        )
    ]


def _is_still(noted: Unheeded, seen: Seen | None) -> bool:
    """Say whether a record was read since, and shows what it showed then."""
    return (
        seen is not None
        and not seen.is_missing
        and model.is_live(seen)
        and seen.read_at > noted.at
        and _is_as_it_was(noted, seen)
    )


def _is_as_it_was(noted: Unheeded, seen: Seen | None) -> bool:
    return (
        seen is not None
        and seen.record.record_id == noted.record_id
        and seen.record.consent is noted.consent
        and not (noted.tag and noted.tag in seen.record.tags)
    )
