"""I8: what two decide at once is done once, and by the one that was not overtaken.

Every open write is the one that its link waits for: another one is the decision of
somebody whose claim was over, and whatever comes of it nobody waits for (hazards 41
and 101). Looked for in the tables, since most of it is caught once more at the app.
"""

from collections.abc import Iterator
from operator import itemgetter
from typing import Final

from tests.simulation.invariants.aftermath import OPEN, Rows
from tests.simulation.invariants.truth import Wrong

_NAME: Final = itemgetter("tenant_id", "connection_id", "link_id", "intent_id")


def check(rows: Rows) -> Iterator[Wrong]:
    """Yield open writes that no link waits for.

    Tables are read one after the other, so that a write may be answered in between.
    """
    found = _open(rows)
    if not found:
        return
    waiting = set(map(_NAME, rows("reconciler.links")))
    for write in sorted((found - waiting) & _open(rows)):
        yield Wrong("I8", f"{write[-1]} is open, and {write[-2]} does not wait for it")


def _open(rows: Rows) -> set[tuple[str, ...]]:
    return {_NAME(row) for row in rows("reconciler.intents") if row["state"] in OPEN}
