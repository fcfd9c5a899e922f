"""How long the connector keeps the rows of each of its tables."""

import datetime
from typing import Final

from services.chassis.retention import Data, Kept

ANSWERS: Final = datetime.timedelta(days=1)
"""How long an answer is kept, to be told again if its intent is repeated."""

LIMITS: Final = datetime.timedelta(days=30)
"""How long it is kept what a client was called, after nobody calls for it."""

KEPT: Final = (
    Kept(
        table="accounts",
        data=Data.OPERATION,
        how_long="as long as the tenant: when it was read, and how far",
        by=(),
    ),
    Kept(
        table="shared_limits",
        data=Data.OPERATION,
        how_long="30 days after its last use",
        by=("prune_limits",),
    ),
    Kept(
        table="writes",
        data=Data.CONTACTS,
        how_long="1 day after the answer",
        by=("prune_writes", "erase_writes"),
    ),
    Kept(
        table="wanted_reads",
        data=Data.TRACES,
        how_long="until it is read, and an hour at most where an app is well",
        by=("forget_wanted_reads", "forget_controls", "erase_wanted_reads"),
    ),
)
