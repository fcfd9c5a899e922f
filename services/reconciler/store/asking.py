"""By which time accounts are asked for something: each word is later than the last.

Whoever reads them heeds the newest word. The clocks of replicas differ, and what one
that is behind asks for would never come: its connection would wait for ever.
"""

import datetime
from collections.abc import Iterable
from typing import Final

from proto.ids import AccountId, TenantId
from services.chassis.database import Transaction
from services.reconciler.store import sweeps

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
    asked = [
        scans.asked_at
        for account_id in sorted(account_ids)
        for scans in [
            await sweeps.find_last_scans(
                transaction, tenant_id=tenant_id, account_id=account_id
            )
        ]
        if scans.asked_at is not None
    ]
    return max(asked, default=None)
