"""A link to be decided about, with everything that is known of it."""

import msgspec

from proto.base import Instant
from proto.ids import IntentId
from proto.reconciler import LEFT, Side
from proto.record import Record
from services.reconciler.engine import diff, model
from services.reconciler.engine.diff import Sides
from services.reconciler.engine.model import Config, Link, Seen


class Case(msgspec.Struct, frozen=True):
    """What one decision is made from."""

    link: Link
    left: Seen | None
    right: Seen | None
    config: Config
    now: Instant
    intent_id: IntentId
    """For the intent that may come of it."""

    def seen(self, side: Side) -> Seen | None:
        """Return what was last seen on a side."""
        return self.left if side is LEFT else self.right

    def known(self, side: Side) -> Seen:
        """Return what was last seen on a side where there is a record."""
        seen = self.left if side is LEFT else self.right
        assert seen is not None
        return seen

    def record(self, side: Side) -> Record:
        """Return the record of a side where there is one."""
        seen = self.left if side is LEFT else self.right
        assert seen is not None
        return seen.record

    def records(self) -> tuple[Record, Record]:
        """Return both records where there are two, the left one first."""
        assert self.left is not None
        assert self.right is not None
        return self.left.record, self.right.record

    @property
    def order(self) -> tuple[Side, Side]:
        """Return the sides as they are written to.

        The losing side comes first, so that swapping the winner mirrors the order.
        """
        return model.other(self.config.winner), self.config.winner

    def sides(self) -> Sides:
        """Return shadows and present values of both sides."""
        left, right = self.records()
        return diff.sides_of(
            self.link, left.fields, right=right.fields, config=self.config
        )

    def changed(self, **changes: object) -> "Case":
        """Return the same case with its link changed."""
        link = msgspec.structs.replace(self.link, **changes)
        return msgspec.structs.replace(self, link=link)
