"""Records that may be what a create has made whose answer is on its way (hazard 12).

A poll can show our own new record before its create is answered, with an address that
somebody has changed already. Until the answer tells whose it is, it is nobody's.
"""

import datetime
from typing import Final

from proto.base import Instant
from services.reconciler.engine.model import Seen, SideConfig

SKEW: Final = datetime.timedelta(seconds=30)
"""How far the clocks of those who read and those who decide may differ."""


def may_be_ours(seen: Seen, end: SideConfig, *, open_since: Instant | None) -> bool:
    """Say whether a create that is open since then may turn out to have made it.

    An app that keeps marks says of each record whether one of us made it.
    """
    if open_since is None or seen.live_since is None:
        return False
    if end.capabilities.keeps_marks and not seen.record.marker:
        return False
    return seen.live_since >= open_since - SKEW
