"""By which time accounts are asked for something: each word is later than the last.

Whoever reads them heeds the newest word. The clocks of replicas differ, and what one
that is behind asks for would never come: its connection would wait for ever.
"""

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from proto.ids import AccountId, TenantId
from services.chassis import queries
from services.chassis.database import Transaction

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")

STEP: Final = datetime.timedelta(milliseconds=2)
"""How much later than the last scan the next is asked for at least."""
REST: Final = datetime.timedelta(milliseconds=1)
"""How much later than the last scan nothing is asked for any more."""


async def for_scans(
    transaction: Transaction,
    account_ids: Iterable[AccountId],
    *,
    tenant_id: TenantId,
    now: datetime.datetime,
) -> datetime.datetime:
    """Return the time by which accounts are asked for scans."""
    last = await _last(transaction, account_ids, tenant_id=tenant_id)
    return now if last is None else max(now, last + STEP)


async def for_rest(
    transaction: Transaction,
    account_id: AccountId,
    *,
    tenant_id: TenantId,
    now: datetime.datetime,
) -> datetime.datetime:
    """Return the time by which an account is left alone, before any later scan."""
    last = await _last(transaction, (account_id,), tenant_id=tenant_id)
    return now if last is None else last + REST


async def _last(
    transaction: Transaction, account_ids: Iterable[AccountId], *, tenant_id: TenantId
) -> datetime.datetime | None:
    row = await transaction.fetch_row(
        Q["last_asked"](tenant_id=tenant_id, account_ids=sorted(account_ids))
    )
    return None if row is None else row["asked_at"]
