"""The order in which transactions of the reconciler lock rows, and who breaks it.

Two transactions that lock rows of the same tables in one order never wait for each
other. The order is told in ``services/reconciler/README.md``; what is broken here would
be a deadlock in Postgres some day, however rare.
"""

from typing import Final

ORDER: Final = (
    "intents",
    "links",
    "losses",
    "suppressions",
    "observations",
    "dirty",
    "connections",
    "accounts",
)
"""Tables of the reconciler, in the order in which their rows are locked.

Addresses go with the observation of their record. Scans and their parts have no place
in it: only parts of one scan meet there, the last of them completes it, and one that is
repeated waits at the inbox, with nothing locked.
"""
_RANKS: Final = {table: rank for rank, table in enumerate(ORDER)}
_UNIQUE: Final = frozenset({"intents", "links", "losses", "connections"})
"""Tables whose new rows have ids that nobody else can have yet."""


class OutOfOrder(AssertionError):
    """A row was locked after rows of a table that comes later."""


class Ordering:
    """What one transaction has locked so far."""

    def __init__(self) -> None:
        self._rank = -1
        self._statement = ""

    def check(self, table: str, *, statement: str, is_new: bool, waits: bool) -> None:
        """Take a lock into account.

        What waits for nobody may be taken at any time, but is held from then on.

        Raises:
            OutOfOrder: It had to be taken earlier.
        """
        rank = _RANKS.get(table)
        if rank is None or (is_new and table in _UNIQUE):
            return
        if waits and rank < self._rank:
            raise OutOfOrder(
                f"{statement} locks {table} after {self._statement} has"
                f" locked {ORDER[self._rank]}"
            )
        if rank > self._rank:
            self._rank, self._statement = rank, statement
