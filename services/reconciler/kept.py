"""How long the reconciler keeps the rows of each of its tables, and what sees to it."""

import datetime
from typing import Final

from services.chassis.clock import Clock
from services.chassis.retention import Data, Kept, Rule
from services.chassis.store import Store, Work
from services.chassis.tenancy import ALL_TENANTS
from services.reconciler.config import Config
from services.reconciler.store import leftovers

SCANS: Final = datetime.timedelta(days=7)
ERASURES: Final = datetime.timedelta(days=30)
"""As long as it is told which records the apps have still."""
BATCH: Final = 2_000

_ACCOUNT: Final = "as long as a connection uses its account"
_CONNECTION: Final = "as long as its connection"

KEPT: Final = (
    Kept(
        table="accounts",
        data=Data.SETTINGS,
        how_long="as long as a connection uses it",
        by=("purge_accounts",),
    ),
    Kept(
        table="connections",
        data=Data.SETTINGS,
        how_long="until it is deleted",
        by=("purge_connections",),
    ),
    Kept(
        table="observations",
        data=Data.CONTACTS,
        how_long=_ACCOUNT,
        by=("purge_observations", "erase_observations"),
    ),
    Kept(
        table="emails",
        data=Data.CONTACTS,
        how_long=_ACCOUNT,
        by=("purge_emails", "drop_emails", "erase_emails"),
    ),
    Kept(table="scans", data=Data.OPERATION, how_long="7 days", by=("purge_scans",)),
    Kept(
        table="scan_parts",
        data=Data.OPERATION,
        how_long="until its scan is complete",
        by=("complete_scan", "purge_scan_parts"),
    ),
    Kept(
        table="links",
        data=Data.CONTACTS,
        how_long=_CONNECTION,
        by=("purge_links", "drop_links", "erase_links"),
    ),
    Kept(
        table="dirty",
        data=Data.TRACES,
        how_long="until it is planned",
        by=("clear_dirty", "purge_dirty", "erase_dirty"),
    ),
    Kept(
        table="intents",
        data=Data.CONTACTS,
        how_long=f"RECONCILER_HISTORY_DAYS (400), and {_CONNECTION}",
        by=("forget_history", "purge_intents", "erase_intents"),
    ),
    Kept(
        table="losses",
        data=Data.CONTACTS,
        how_long="as long as the write that they gave way to",
        by=("forget_history", "purge_losses", "erase_losses"),
    ),
    Kept(
        table="suppressions",
        data=Data.TRACES,
        how_long="until it is lifted: keyed hashes only",
        by=("drop_suppressions",),
    ),
    Kept(
        table="erasures",
        data=Data.TRACES,
        how_long="30 days after its end; who it is about is sealed",
        by=("forget_erasures",),
    ),
)


def rules(store: Store[Work], *, config: Config, clock: Clock) -> list[Rule]:
    """Return what the reconciler takes away by its age alone."""

    async def forget_history() -> bool:
        before = clock.now() - datetime.timedelta(days=config.history_days)
        async with store.transaction(ALL_TENANTS) as work:
            count = await leftovers.forget_history(
                work.transaction, before=before, limit=BATCH
            )
        return count == BATCH

    async def forget_erasures() -> bool:
        before = clock.now() - ERASURES
        async with store.transaction(ALL_TENANTS) as work:
            count = await leftovers.forget_erasures(
                work.transaction, before=before, limit=BATCH
            )
        return count == BATCH

    return [Rule("history", forget_history), Rule("erasures", forget_erasures)]
