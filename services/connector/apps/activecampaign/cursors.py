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
from services.connector.apps.activecampaign.times import ZONE
from services.connector.errors import CallFailed, Meaning

OVERLAP: Final = datetime.timedelta(seconds=60)
"""Read again from before the last pass: stamps have whole seconds, and the clock that
answers need not be the one that stamps."""
DAY: Final = datetime.timedelta(days=1)
"""What is after a date may be what is after the whole day."""
PAUSE_PER_PAGE: Final = datetime.timedelta(seconds=5)
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
    is_narrow: bool = False
    """This pass asks by the moment, and not by days."""
    asked_widely: datetime.datetime | None = None
    """When the last pass by days began; None: that is the one before this one."""
    wide_pages: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many pages that took, where they were not few."""
    pages: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many pages this one has taken, if it is by days."""

    @property
    def wide_since(self) -> datetime.datetime:
        """Return when the last pass by days began."""
        return self.since if self.asked_widely is None else self.asked_widely

    @property
    def changed_since(self) -> datetime.datetime:
        """Return since when who changed is new to us."""
        since = self.since if self.is_narrow else self.wide_since
        return max(since, EPOCH + OVERLAP) - OVERLAP

    @property
    def filters(self) -> tuple[tuple[str, str], ...]:
        """Return what the listing is asked for, besides its place.

        The filter of changes is described as a date, in a zone that is not told, and
        used as a moment (developers.activecampaign.com/reference/list-all-contacts,
        read 2026-11). So a day is asked for that is early enough for either, and who
        changed before the last pass is left out by us. Where that takes many pages, it
        is done the more seldom the more it takes; passes between ask by the moment.
        """
        if self.stage is Stage.UNSUBSCRIBED:
            return (("status", "2"),)
        if self.stage is Stage.SCAN or self.changed_since <= EPOCH + DAY * 2:
            return ()
        if self.is_narrow:
            after = vendors.write_moment(self.changed_since)
        else:
            # Days begin by the account's clock.
            after = (self.changed_since - ZONE - DAY).date().isoformat()
        return (("filters[updated_after]", after),)

    @property
    def is_wide_due(self) -> bool:
        """Say whether the pass is to ask by days after all."""
        if not self.is_narrow or self.began is None or self.stage is not Stage.CHANGED:
            return False
        return self.began - self.wide_since >= self.wide_pages * PAUSE_PER_PAGE

    def widened(self) -> "Progress":
        """Return it as a pass by days, from its beginning on."""
        return msgspec.structs.replace(self, is_narrow=False, last_id=0)

    def turned(self) -> "Progress":
        """Return it behind one more page of who changed."""
        return msgspec.structs.replace(self, pages=self.pages + 1)

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
        pages = self.wide_pages if self.is_narrow else self.pages
        return Progress(
            stage=Stage.CHANGED,
            since=began,
            count=self.count,
            swept=began if has_swept else self.swept,
            is_narrow=pages > vendors.FEW_PAGES,
            asked_widely=self.wide_since if self.is_narrow else None,
            wide_pages=pages if pages > vendors.FEW_PAGES else 0,
        )
