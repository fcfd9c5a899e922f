"""Records that may be what a create has made whose answer is on its way (hazard 12).

A poll can show our own new record before its create is answered, with an address that
somebody has changed already. Until the answer tells whose it is, it is nobody's.
"""

import datetime
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from proto.base import Instant
from proto.ids import LinkId
from proto.reconciler import Side
from proto.record import Record
from services.reconciler.engine.model import Config, Intent, Link, Seen, SideConfig

SKEW: Final = datetime.timedelta(seconds=30)
"""How far the clocks of those who read and those who decide may differ."""


class ReadsLike(Protocol):
    """What says by its values whether a record is what a create was to make."""

    def __call__(
        self, link: Link, intent: Intent, *, record: Record, config: Config
    ) -> bool:
        """Say whether it is."""


def since(decided_at: Instant, *, began_at: Instant | None) -> Instant:
    """Return from when on a record may be what a create has made.

    Args:
        began_at: When its connection began to sync. What was read before then was made
            by nothing that was decided since.
    """
    earliest = decided_at - SKEW
    if began_at is None or decided_at < began_at:
        return earliest
    return max(earliest, began_at)


def may_be_ours(seen: Seen, end: SideConfig, *, open_since: Instant | None) -> bool:
    """Say whether a create may turn out to have made it that may have since then.

    An app that keeps marks says of each record whether one of us made it.
    """
    if open_since is None or seen.live_since is None:
        return False
    if end.capabilities.keeps_marks and not seen.record.marker:
        return False
    return seen.live_since >= open_since


def makers_of(
    seen: Seen,
    side: Side,
    *,
    lost: Iterable[Intent],
    links: Mapping[LinkId, Link],
    config: Config,
    began_at: Instant | None,
    reads_like: ReadsLike,
) -> list[Link]:
    """Return the links whose lost creates a record reads like, where no marks tell.

    None if it is known already whose it is.

    Args:
        began_at: When their connection began to sync.
    """
    end, record = config.side(side), seen.record
    if end.capabilities.keeps_marks:
        return []
    makers: list[Link] = []
    for intent in lost:
        link = links.get(intent.link_id)
        if link is None or link.intent_id != intent.intent_id:
            continue
        if link.parked_id == record.record_id:
            return []
        open_since = since(intent.decided_at, began_at=began_at)
        if (
            intent.side is side
            and may_be_ours(seen, end, open_since=open_since)
            and reads_like(link, intent, record=record, config=config)
        ):
            makers.append(link)
    return makers
