"""How far a pass has come, as the text that the poller keeps between two pages.

Listings go by the last change, are paged by offset, and move while they are read: who
is edited goes to the end, and those behind move up. So a page overlaps with the last,
and is believed if it shows one of the last who were read: who stands behind is unread.
"""

import datetime
import enum
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Final

import msgspec

from services.connector import vendors, windows
from services.connector.apps.mailchimp import fields
from services.connector.errors import CallFailed, Meaning

EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
OVERLAP: Final = datetime.timedelta(seconds=60)
"""Read again from before the last pass: stamps have whole seconds, and the clock that
answers need not be the one that stamps."""
SECOND: Final = datetime.timedelta(seconds=1)
"""Whether a filter takes in its own second is not documented."""
STEPS: Final = (1, 5, 33, 257)
"""How far before its place a page begins, until it shows somebody known."""
SHOWN_MAX: Final = 64
TURNS_MAX: Final = 5
"""So often a listing may lead back, or bring nobody new, before it is not believed."""
_LIST_ID: Final = re.compile(r"[A-Za-z0-9]{1,40}\Z", re.ASCII)


class Stage(enum.StrEnum):
    """What is being listed."""

    SCAN = "scan"
    CHANGED = "changed"
    ARCHIVED = "archived"


class Progress(vendors.Progress, frozen=True, kw_only=True):
    """The state of a pass between two pages; times are the vendor's."""

    stage: Stage
    lists: tuple[str, ...] = ()
    """The audiences of this pass; none before it begins."""
    at: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Which of them is being listed."""
    known: tuple[str, ...] = ()
    """The audiences of the pass before; others are read from their beginning."""
    since: datetime.datetime | None = None
    """When the pass before began."""
    began: datetime.datetime | None = None
    window: datetime.datetime | None = None
    """The change behind which the listing in hand begins, where that moved."""
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many of it were read."""
    shown: tuple[str, ...] = ()
    """The last of those who were read."""
    last_at: datetime.datetime | None = None
    """When the last one who was read was changed."""
    turns: Annotated[int, msgspec.Meta(ge=0)] = 0

    @property
    def list_id(self) -> str:
        """Return the audience that is being listed."""
        return self.lists[self.at]

    @property
    def _is_new(self) -> bool:
        return self.list_id not in self.known

    @property
    def filters(self) -> tuple[tuple[str, str], ...]:
        """Return what the listing in hand is asked for, besides its pages."""
        found = []
        after = self.window
        if after is None and self.stage is not Stage.SCAN and not self._is_new:
            after = self.since and _before(self.since, OVERLAP)
        if after is not None:
            found.append(("since_last_changed", vendors.write_moment(after)))
        if self.stage is Stage.ARCHIVED:
            found.append(("status", fields.ARCHIVED))
        return tuple(found)

    def starts(self) -> Iterator[int]:
        """Yield offsets to try for the next page, each farther back."""
        if not self.offset:
            yield 0
        for step in STEPS:
            if self.offset > step or self.offset == step == 1:
                yield self.offset - step

    def read_of(self, start: int, contact_ids: Sequence[str]) -> int | None:
        """Return how many on a page are read; None: somebody may stand before it."""
        read = windows.count_shown(contact_ids, anchors=self.shown)
        return 0 if read is None and not start else read

    def turned(self) -> "Progress":
        """Return where to go on by times, because offsets lead nowhere any more.

        Raises:
            CallFailed: That has been tried often enough.
        """
        return msgspec.structs.replace(
            self._counted(),
            window=self.last_at and _before(self.last_at, SECOND),
            offset=0,
        )

    def after_page(
        self,
        start: int,
        contact_ids: Sequence[str],
        *,
        has_new: bool,
        last_at: datetime.datetime | None,
        is_more: bool,
    ) -> "Progress":
        """Return where the same listing goes on.

        Raises:
            CallFailed: Page after page brings nobody new.
        """
        found = self._counted() if is_more and not has_new else self
        return msgspec.structs.replace(
            found,
            turns=0 if start and has_new else found.turns,
            offset=start + len(contact_ids),
            shown=(*self.shown, *contact_ids)[-SHOWN_MAX:],
            last_at=last_at or self.last_at,
        )

    def _counted(self) -> "Progress":
        if self.turns >= TURNS_MAX:
            raise CallFailed(Meaning.BROKEN, "a listing that does not go on")
        return msgspec.structs.replace(self, turns=self.turns + 1)

    def after_listing(self) -> "Progress | None":
        """Return the listing that follows; None at the end of the pass."""
        has_archive = self.stage is Stage.CHANGED and not self._is_new
        is_last = self.at + 1 >= len(self.lists)
        if is_last and not has_archive:
            return None
        first = Stage.SCAN if self.stage is Stage.SCAN else Stage.CHANGED
        return Progress(
            stage=Stage.ARCHIVED if has_archive else first,
            lists=self.lists,
            at=self.at if has_archive else self.at + 1,
            known=self.known,
            since=self.since,
            began=self.began,
        )

    def resumption(self) -> "Progress":
        """Return where the next pass begins, once this one has ended."""
        return Progress(
            stage=Stage.CHANGED, known=self.lists, since=self.began or self.since
        )


def _before(
    moment: datetime.datetime, span: datetime.timedelta
) -> datetime.datetime | None:
    """Return a moment so much earlier; None: from the beginning of time."""
    return moment - span if moment > EPOCH + span else None


def decode(cursor: str) -> Progress:
    """Return what a cursor's text says.

    Raises:
        CallFailed: It is not one of ours; only a complete scan goes on from there.
    """
    progress = vendors.decode_cursor(cursor, Progress)
    is_somewhere = not progress.lists or progress.at < len(progress.lists)
    is_plain = all(_LIST_ID.match(each) for each in progress.lists)
    if not (is_somewhere and is_plain):
        raise CallFailed(Meaning.CURSOR_EXPIRED, "a cursor of nowhere")
    return progress
