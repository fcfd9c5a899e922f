"""How far a pass has come, as the text that the poller keeps between two pages.

A pass of changes has stages, because no single filter shows every change: opt-outs
leave the contact's own change time alone, and a deletion is dated by day only.
"""

import datetime
import enum

import msgspec

from services.connector import vendors
from services.connector.apps.constant_contact import dates

OVERLAP_S = 60.0
"""Read again from before the last pass: the filters exclude their bound, stamps
have seconds, and the clock that answers need not be the one that stamps."""


INCLUDE = "custom_fields,list_memberships,phone_numbers,street_addresses,taggings"

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class Stage(enum.StrEnum):
    """Which question to the vendor is being paged through."""

    SCAN = "scan"
    UPDATED = "updated"
    OPTED_OUT = "opted_out"
    DELETED = "deleted"


class Progress(vendors.Progress, frozen=True, kw_only=True):
    """The state of a pass between two pages."""

    stage: Stage
    since: datetime.datetime = EPOCH
    """The vendor's time at which the pass before this one began."""
    began: datetime.datetime | None = None
    """The vendor's time at which this pass began; None before its first answer."""
    swept_on: datetime.date | None = None
    """The vendor's day on which all deleted contacts were last gone through."""
    link: str = ""
    """The next page, as the vendor links to it; empty: the first one of the stage."""

    def query(self, limit: int) -> tuple[tuple[str, str], ...]:
        """Return the filters of the stage's first page."""
        after = dates.write_moment(self._from)
        filters: tuple[tuple[str, str], ...]
        match self.stage:
            case Stage.SCAN:
                filters = (("include_count", "true"),)
            case Stage.UPDATED:
                filters = (("status", "all"), ("updated_after", after))
            case Stage.OPTED_OUT:
                # A deletion opts out too, so it shows here if not as an update.
                filters = (("status", "unsubscribed,deleted"), ("optout_after", after))
            case Stage.DELETED:
                filters = (("status", "deleted"),)
        return (*filters, ("include", INCLUDE), ("limit", str(limit)))

    def concerns(self, deleted_at: str | None) -> bool:
        """Tell whether a contact belongs into this stage's answer.

        The vendor cannot filter deletions by day. The day before counts too: the
        day may be the account's and not that of UTC.
        """
        if self.stage is not Stage.DELETED or self.swept_on is None:
            return True
        day = dates.read_day((deleted_at or "")[:10])
        return day is None or day >= self.swept_on - datetime.timedelta(days=1)

    def following(self, link: str) -> "Progress | None":
        """Return where to go on after a page; None after the last of the pass."""
        if link:
            return msgspec.structs.replace(self, link=link)
        match self.stage:
            case Stage.UPDATED:
                return msgspec.structs.replace(self, stage=Stage.OPTED_OUT, link="")
            case Stage.OPTED_OUT if self._is_sweep_due:
                return msgspec.structs.replace(self, stage=Stage.DELETED, link="")
            case _:
                return None

    def resumption(self) -> "Progress":
        """Return where the next pass begins, once this one has ended."""
        is_complete = self.stage in (Stage.SCAN, Stage.DELETED)
        return Progress(
            stage=Stage.UPDATED,
            since=max(self.began or self.since, self.since),
            swept_on=self._today if is_complete else self.swept_on,
        )

    @property
    def _from(self) -> datetime.datetime:
        if self.since - EPOCH < datetime.timedelta(seconds=OVERLAP_S):
            return EPOCH
        return self.since - datetime.timedelta(seconds=OVERLAP_S)

    @property
    def _today(self) -> datetime.date:
        return (self.began or self.since).date()

    @property
    def _is_sweep_due(self) -> bool:
        return self.swept_on is None or self._today > self.swept_on
