"""How far a pass has come, as the text that the poller keeps between two pages.

A pass goes through the lists in the order of their ids, and through each list in the
order of states that people mostly take, so that whoever changes it meanwhile is met
again. Edits move no time of the vendor's: only who reads everybody sees them. That is
done in every pass where it takes few pages, and else the more seldom the more it takes.
"""

import datetime
import enum
from typing import Annotated, Final

import msgspec

from services.connector import vendors

OVERLAP: Final = datetime.timedelta(minutes=10)
ZONE: Final = datetime.timedelta(hours=12)
"""Times are told in a zone that is not: nowhere is it earlier by more than this."""
EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
PAUSE_PER_PAGE: Final = datetime.timedelta(seconds=30)
ANCHORS_MAX: Final = 16


class Stage(enum.StrEnum):
    """What a pass is for."""

    SCAN = "scan"
    CHANGES = "changes"


class State(enum.StrEnum):
    """The vendor's listings of a list, in the order in which they are read."""

    UNCONFIRMED = "unconfirmed"
    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    DELETED = "deleted"


_STATES: Final = tuple(State)
Count = Annotated[int, msgspec.Meta(ge=0, le=10**6)]


class Progress(vendors.Progress, frozen=True, kw_only=True):
    """The state of a pass between two pages."""

    stage: Stage
    since: datetime.datetime = EPOCH
    """When the pass before this one began."""
    began: datetime.datetime | None = None
    """When this pass began; None before its first answer."""
    swept: datetime.datetime = EPOCH
    """When everybody was last read."""
    more_pages: Count = 0
    """Pages that this took, besides the first of each listing."""
    is_sweep: bool = False
    """This pass reads everybody."""
    list_id: str = ""
    """The list that is being read; empty: the first one."""
    state: State = State.UNCONFIRMED
    offset: Count = 0
    """How many of the listing were read."""
    anchors: Annotated[tuple[str, ...], msgspec.Meta(max_length=ANCHORS_MAX)] = ()
    """Traces of those who were shown last."""

    @property
    def reads_all(self) -> bool:
        """Say whether the listing is read whole; who is deleted is never edited."""
        return self.is_sweep and self.state is not State.DELETED

    @property
    def is_small(self) -> bool:
        """Say whether everybody is read in every pass."""
        return self.more_pages <= vendors.FEW_PAGES

    @property
    def is_sweep_due(self) -> bool:
        """Say whether everybody is to be read again."""
        if self.is_sweep or self.began is None:
            return False
        return self.began - self.swept >= self.more_pages * PAUSE_PER_PAGE

    @property
    def date(self) -> str:
        """Return from which time of change on the listing is read, in any zone."""
        early = self.since - OVERLAP - ZONE if self.since > EPOCH + ZONE * 2 else EPOCH
        return early.strftime("%Y-%m-%d %H:%M")

    def begun(self, now: datetime.datetime | None) -> "Progress":
        """Return it with the time of its first answer.

        Where an answer tells none, the pass counts as begun with the last one.
        """
        return msgspec.structs.replace(self, began=self.since if now is None else now)

    def sweeping(self) -> "Progress":
        """Return it as a pass that reads everybody, from its first listing on."""
        return msgspec.structs.replace(self, is_sweep=True, more_pages=0)

    def at_list(self, list_id: str) -> "Progress":
        """Return it at a list; at its beginning, unless it is there already."""
        if list_id == self.list_id:
            return self
        return msgspec.structs.replace(
            self, list_id=list_id, state=State.UNCONFIRMED, offset=0, anchors=()
        )

    def at(self, offset: int, *, anchors: tuple[str, ...]) -> "Progress":
        """Return it behind a page of a listing that goes on."""
        more = self.more_pages + 1 if self.reads_all else self.more_pages
        return msgspec.structs.replace(
            self, offset=offset, anchors=anchors, more_pages=more
        )

    def after_state(self) -> "Progress | None":
        """Return it at the list's next listing; None after the last."""
        last = State.BOUNCED if self.stage is Stage.SCAN else State.DELETED
        if self.state is last:
            return None
        following = _STATES[_STATES.index(self.state) + 1]
        return msgspec.structs.replace(self, state=following, offset=0, anchors=())

    def resumption(self) -> "Progress":
        """Return where the next pass begins, once this one has ended."""
        began = self.since if self.began is None else self.began
        swept = began if self.is_sweep else self.swept
        return Progress(
            stage=Stage.CHANGES,
            since=max(began, self.since),
            swept=swept,
            more_pages=self.more_pages,
        )


def first() -> Progress:
    """Return where a scan begins."""
    return Progress(stage=Stage.SCAN, is_sweep=True)
