"""How far a pass has come, as the text that the poller keeps between two pages.

A search ends at ten thousand results, and its pages move when somebody is edited
meanwhile. So none is ever paged: each begins at the time at which the one before it
ended, and where a whole page has one time, it goes on by ids within that time.
"""

import enum

import msgspec

from services.connector import vendors
from services.connector.apps.hubspot.lists import Known
from services.connector.errors import CallFailed, Meaning

OVERLAP_MS = 120_000
"""Searches show a change up to a minute late, and a clock is not exact."""
SWEEP_MS = 15 * 60_000
"""How often an archive of several pages is gone through; its first page always is."""
PAUSE_MS_PER_PAGE = 5_000
"""How long lists rest that have not few pages, though somebody was put on them."""


class Stage(enum.StrEnum):
    """Which question to the vendor is being asked."""

    SCAN = "scan"
    CHANGED = "changed"
    TIED = "tied"
    """Of those that changed at one time, by their ids."""
    ARCHIVED = "archived"
    JOINED = "joined"
    """Who came to be on lists that somebody was put on."""


class Progress(vendors.Progress, frozen=True, kw_only=True):
    """The state of a pass between two pages; times are the vendor's, in ms."""

    stage: Stage
    since: int = 0
    """When the pass before this one began."""
    began: int | None = None
    """When this pass began; None before its first answer."""
    at: int | None = None
    """From which time of change the search goes on; None at its beginning."""
    last_id: int = 0
    """Behind which id it goes on, within one time of change."""
    after: str = ""
    """The vendor's own cursor of a listing; empty: its first page."""
    swept: int | None = None
    """When all who are archived were last gone through."""
    listed: int = 0
    """Since when who came to be on a list is news."""
    lists: tuple[str, ...] = ()
    """Lists that are still to be gone through."""

    @property
    def since_ms(self) -> int:
        """From when on the search asks."""
        return max(0, self.since - OVERLAP_MS) if self.at is None else self.at

    @property
    def _fresh_ms(self) -> int:
        """From when on a time of change is not to be gone by.

        It may be newer than the one that the index sorts by, and then hide others
        behind it. The next pass reads from here on again.
        """
        return (self.since if self.began is None else self.began) - OVERLAP_MS

    @property
    def is_sweep_due(self) -> bool:
        """Say whether an archive is to be read beyond its first page."""
        began = self.since if self.began is None else self.began
        return self.swept is None or began - self.swept >= SWEEP_MS

    def concerns(self, archived_ms: int | None) -> bool:
        """Tell whether a deletion can be news: the listing cannot be asked for that."""
        if self.swept is None or archived_ms is None:
            return True
        return archived_ms >= self.swept - OVERLAP_MS

    def after_search(self, keys: list[tuple[int, int]], *, is_full: bool) -> "Progress":
        """Return where to go on behind what a search showed.

        Args:
            keys: Time of change and id of each, in the order shown.

        Raises:
            CallFailed: It would go round in circles.
        """
        replace = msgspec.structs.replace
        if self.stage is Stage.TIED:
            if not is_full:
                return replace(
                    self, stage=Stage.CHANGED, at=self.since_ms + 1, last_id=0
                )
            last_id = keys[-1][1]
            if last_id <= self.last_id:
                raise CallFailed(Meaning.BROKEN, "a search that does not go on")
            return replace(self, last_id=last_id)
        if not is_full:
            return replace(self, stage=Stage.ARCHIVED, at=None)
        times = [at for at, _ in keys]
        goal = max((at for at in times if at < self._fresh_ms), default=times[-1])
        if goal < self.since_ms:
            raise CallFailed(Meaning.BROKEN, "a search that does not go on")
        if goal == self.since_ms or times[0] == times[-1]:
            return replace(self, stage=Stage.TIED, at=goal)
        return replace(self, at=goal)

    def after_list(self, after: str) -> "Progress | None":
        """Return where to go on behind a page of a listing; None at the end."""
        is_on = self.stage is Stage.SCAN or self.is_sweep_due or bool(self.after)
        if after and is_on:
            return msgspec.structs.replace(self, after=after)
        return None

    @property
    def joined_since_ms(self) -> int:
        """From when on it is news that somebody is on a list."""
        return max(0, self.listed - OVERLAP_MS)

    def after_archive(self, known: Known, *, is_whole: bool) -> "Progress":
        """Return what follows the listing of who is archived.

        It is lists to go through, where it is stage ``JOINED``, or else a new pass.

        Args:
            known: All lists, and when somebody was last put on each.
            is_whole: All who are archived were gone through.
        """
        began = self.since if self.began is None else self.began
        progress = msgspec.structs.replace(
            self, swept=began if is_whole else self.swept, after=""
        )
        grown = {
            list_id: one.pages
            for list_id, one in known.items()
            if one.joined_ms is not None and one.joined_ms >= self.joined_since_ms
        }
        if not grown:
            return progress.resumption(is_listed=True)
        pages = sum(grown.values())
        is_early = began - self.listed < pages * PAUSE_MS_PER_PAGE
        if pages > vendors.FEW_PAGES and is_early:
            return progress.resumption(is_listed=False)
        return msgspec.structs.replace(progress, stage=Stage.JOINED, lists=tuple(grown))

    def after_members(self, after: str) -> "Progress":
        """Return where to go on behind a page of a list: in it, or at the next."""
        lists = self.lists if after else self.lists[1:]
        return msgspec.structs.replace(self, after=after, lists=lists)

    def resumption(self, *, is_listed: bool) -> "Progress":
        """Return where the next pass begins, once this one has ended.

        Args:
            is_listed: Nobody who came to be on a list is left to be told.
        """
        began = self.since if self.began is None else self.began
        return Progress(
            stage=Stage.CHANGED,
            since=max(began, self.since),
            swept=self.swept,
            listed=max(began, self.listed) if is_listed else self.listed,
        )
