"""How far a pass has come, as the text that the poller keeps between two pages.

Contacts are listed by id, behind the last that was read, so that nothing moves. What
somebody is on a list does not show among changes, so the number of those who have
unsubscribed is compared, and they are gone through where it is another.
"""

import datetime
import enum
from typing import Annotated, Final

import msgspec

from services.connector import vendors
from services.connector.errors import CallFailed, Meaning

OVERLAP: Final = datetime.timedelta(seconds=60)
"""Read again from before the last pass: stamps have whole seconds, and the clock that
answers need not be the one that stamps."""
SWEEP: Final = datetime.timedelta(hours=1)
"""How often who unsubscribed is gone through although their number is the same."""
EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class Stage(enum.StrEnum):
    """What is being listed."""

    SCAN = "scan"
    CHANGED = "changed"
    UNSUBSCRIBED = "unsubscribed"


class Progress(vendors.Progress, frozen=True, kw_only=True):
    """The state of a pass between two pages; times are the vendor's."""

    stage: Stage
    since: datetime.datetime = EPOCH
    """When the pass before this one began."""
    began: datetime.datetime | None = None
    """When this pass began; None before its first answer."""
    last_id: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Behind which id the listing goes on."""
    count: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many had unsubscribed when that was last looked at."""
    swept: datetime.datetime = EPOCH
    """When they were last gone through, or everybody was."""

    @property
    def filters(self) -> tuple[tuple[str, str], ...]:
        """Return what the listing is asked for, besides its place."""
        if self.stage is Stage.UNSUBSCRIBED:
            return (("status", "2"),)
        if self.stage is Stage.SCAN or self.since <= EPOCH + OVERLAP:
            return ()
        after = vendors.write_moment(self.since - OVERLAP)
        return (("filters[updated_after]", after),)

    def is_sweep_due(self, count: int) -> bool:
        """Say whether who unsubscribed is to be gone through."""
        at = self.began or self.since
        return count != self.count or (count > 0 and at - self.swept >= SWEEP)

    def after(self, contact_id: int) -> "Progress":
        """Return where the same listing goes on.

        Raises:
            CallFailed: It would go round in circles.
        """
        if contact_id <= self.last_id:
            raise CallFailed(Meaning.BROKEN, "a listing that does not go on")
        return msgspec.structs.replace(self, last_id=contact_id)

    def sweep(self, count: int) -> "Progress":
        """Return the listing of who unsubscribed."""
        return msgspec.structs.replace(
            self, stage=Stage.UNSUBSCRIBED, last_id=0, count=count
        )

    def resumption(self) -> "Progress":
        """Return where the next pass begins, once this one has ended."""
        began = self.began or self.since
        has_swept = self.stage is not Stage.CHANGED
        return Progress(
            stage=Stage.CHANGED,
            since=began,
            count=self.count,
            swept=began if has_swept else self.swept,
        )
