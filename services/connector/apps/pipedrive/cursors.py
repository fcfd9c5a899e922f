"""How far a pass has come, as the text that the poller keeps between two pages.

The vendor's own cursors go on behind an id, so that nobody is missed who is there all
the while.
"""

import datetime
import enum
from typing import Annotated, Final

import msgspec

from services.connector import vendors

OVERLAP: Final = datetime.timedelta(seconds=60)
"""Read again from before the last pass: times have whole seconds, and the clock that
answers need not be the one that stamps."""
EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


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
    after: Annotated[str, msgspec.Meta(max_length=2_000)] = ""
    """The vendor's own cursor; empty: the first page."""

    @property
    def updated_since(self) -> str:
        """Return from which time of change on is asked, its own second included."""
        after = self.since - OVERLAP if self.since > EPOCH + OVERLAP else EPOCH
        return vendors.write_moment(after)

    def resumption(self) -> "Progress":
        """Return where the next pass begins, once this one has ended."""
        return Progress(
            stage=Stage.CHANGES, since=max(self.began or self.since, self.since)
        )
