"""Queries that take away, a batch at a time, what no connection is left for."""

import datetime
from pathlib import Path

from services.chassis import queries
from services.chassis.database import Transaction

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")


async def purge(
    transaction: Transaction, *, limit: int, scans_before: datetime.datetime
) -> bool:
    """Remove a batch of every kind; True if there may be more."""
    counts = [
        await transaction.execute(query)
        for query in (
            Q["purge_intents"](limit=limit),
            Q["purge_links"](limit=limit),
            Q["purge_losses"](limit=limit),
            Q["purge_observations"](limit=limit),
            Q["purge_emails"](limit=limit),
            Q["purge_scan_parts"](limit=limit),
            Q["purge_scans"](limit=limit, before=scans_before),
            Q["purge_dirty"](limit=limit),
        )
    ]
    await transaction.execute(Q["purge_connections"]())
    await transaction.execute(Q["purge_accounts"]())
    return limit in counts


async def forget_history(
    transaction: Transaction, *, before: datetime.datetime, limit: int
) -> int:
    """Remove a batch of the writes that were over before then; returns how many."""
    return await transaction.execute(Q["forget_history"](before=before, limit=limit))


async def forget_erasures(
    transaction: Transaction, *, before: datetime.datetime, limit: int
) -> int:
    """Remove a batch of the erasures that were over before then; returns how many."""
    return await transaction.execute(Q["forget_erasures"](before=before, limit=limit))
