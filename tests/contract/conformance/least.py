"""The fewest calls that a vendor's API allows, to compare an app's own with.

Each stage declares them, from the vendor's documents and apart from the app's code. A
call counts if nobody could do without it and still be right: so does the read before a
write where the vendor replaces records whole or checks nothing.
"""

from typing import Final

import msgspec

FIRST_SYNC_MAX: Final = 1.05
"""A first sync makes at most so many times the least calls."""
CHANGES_MAX: Final = 1.2
"""A few changes, in either direction, at most so many times."""
IDLE_MAX: Final = 1.0


class Least(msgspec.Struct, frozen=True, kw_only=True):
    """What one account costs; the stage says where each figure comes from."""

    page_size: int
    """Records that a call of a scan shows."""
    scan_calls: int = 0
    """Calls of a scan besides its pages: what has to be known to make or read them."""
    idle_calls: int
    """Calls that tell that nothing changed."""
    changes_page_size: int
    """Changed records that a call shows."""
    changes_calls: int
    """Calls besides those pages, where something changed."""
    relearning_calls: int = 0
    """More of them where a process knows nothing of the account yet."""
    find_batch: int = 0
    """Addresses that a call finds, before creates; 0 where the vendor refuses a second
    record with an address, so that nothing has to be found."""
    create_batch: int = 1
    create_calls: int = 0
    """Calls once before the first create."""
    lists_batch: int = 0
    """Records whose lists a call tells, where they are told of by themselves; 0 where a
    record shows its lists."""
    read_batch: int = 0
    """Records that a call reads, before updates; 0 where they need not be read."""
    update_batch: int = 1
    told_batch: int = 0
    """Records that a call reads after they were written, where the app's answer to the
    write does not tell what they are; 0 where it does."""

    def scan(self, count: int) -> int:
        """Return the calls that read everybody, by a process that knows nothing."""
        pages = max(1, _calls(count, self.page_size))
        return self.scan_calls + pages + self.lists(count, self.page_size)

    def changes(self, count: int, *, is_new: bool = False) -> int:
        """Return the calls that show so many changes."""
        if not count:
            return self.idle_calls
        known = self.relearning_calls if is_new else 0
        pages = _calls(count, self.changes_page_size)
        lists = self.lists(count, self.changes_page_size)
        return known + self.changes_calls + pages + lists

    def creates(self, count: int) -> int:
        """Return the calls that create so many records, none of which is there."""
        looked = _calls(count, self.find_batch) if self.find_batch else 0
        made = _calls(count, self.create_batch)
        return self.create_calls + looked + made + self._told(count, self.create_batch)

    def updates(self, count: int) -> int:
        """Return the calls that change so many records."""
        read = _calls(count, self.read_batch) if self.read_batch else 0
        read += self.lists(count, self.read_batch)
        written = _calls(count, self.update_batch)
        return read + written + self._told(count, self.update_batch)

    def lists(self, count: int, size: int) -> int:
        """Return the calls that tell the lists of so many, shown so many at once."""
        if not self.lists_batch or not size:
            return 0
        whole, rest = divmod(count, size)
        return whole * _calls(size, self.lists_batch) + _calls(rest, self.lists_batch)

    def _told(self, count: int, batch: int) -> int:
        """Return the calls that read so many, written in batches: one at least each."""
        if not self.told_batch:
            return 0
        return _calls(count, min(batch, self.told_batch))


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """Calls that a piece of work took, beside the least."""

    stage: str
    work: str
    size: int
    """Of how many records it was."""
    made: int
    least: int
    times_max: float

    @property
    def times(self) -> float:
        """Return how many times the least it was."""
        return self.made / self.least

    @property
    def is_within(self) -> bool:
        """Say whether it was few enough."""
        return self.times <= self.times_max

    def __str__(self) -> str:
        """Return it for a person to read."""
        return (
            f"{self.stage}, {self.work} of {self.size:,}: {self.made:,} calls, at least"
            f" {self.least:,} ({self.times:.2f}, at most {self.times_max:.2f})"
        )


def _calls(count: int, batch: int) -> int:
    return -(-count // batch)
