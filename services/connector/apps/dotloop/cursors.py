"""How far a pass has come, as the text that the poller keeps between two pages."""

import datetime
import enum
from typing import Annotated

import msgspec

from services.connector import vendors

OVERLAP = datetime.timedelta(seconds=60)
"""Read again from before the last pass: stamps have whole seconds, and the clock that
answers need not be the one that stamps."""
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
SIZE_MAX = 1_000

Query = tuple[tuple[str, str], ...]


class Stage(enum.StrEnum):
    """What is being paged through."""

    SCAN = "scan"
    CHANGES = "changes"


class Progress(vendors.Progress, frozen=True, kw_only=True):
    """The state of a pass between two pages."""

    stage: Stage
    since: datetime.datetime = EPOCH
    """The vendor's time at which the pass before this one began."""
    began: datetime.datetime | None = None
    """The vendor's time at which this pass began; None before its first answer."""
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many of the listing were read."""
    size: Annotated[int, msgspec.Meta(ge=0, le=SIZE_MAX)] = 0
    """The greatest batch that the vendor gives; 0: not known yet."""
    is_counted: bool = False
    """A total beyond the end of its batch was told, so that it counts everybody."""
    shown: tuple[int, ...] = ()
    """The ids of the last batch."""

    @property
    def filters(self) -> Query:
        """Return what the listing is asked for, besides its batches."""
        if self.stage is Stage.SCAN:
            return ()
        # A fraction of a second is answered with 400, "Unparseable date", as a live
        # client reports (github.com/mpittsie4/Hubspot-dotloop, read 2026-11).
        after = self.since - OVERLAP if self.since > EPOCH + OVERLAP else EPOCH
        return (("filter", f"updated_min={vendors.write_moment(after)}"),)

    def resumption(self) -> "Progress":
        """Return where the next pass begins, once this one has ended."""
        return Progress(stage=Stage.CHANGES, since=self.began or self.since)
