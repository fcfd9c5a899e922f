"""Leases of limits that accounts share: one replica calls for all of them.

An account's lease makes one replica call it, so that its pace holds. Where a vendor
counts by client, the accounts of a client are leased to the same replica (ADR 17).
"""

import datetime

from services.chassis.clock import Clock
from services.connector.accounts import Claim
from services.connector.store import ConnectorWork
from services.connector.transport import Transport


class SharedLimits:
    """The shared limits that this process holds, each while an account needs it."""

    def __init__(self, transport: Transport, *, owner: str, clock: Clock) -> None:
        self._lines = transport.lines
        self._owner = owner
        self._clock = clock
        self._until_s: dict[str, float] = {}

    def is_ours(self, limited_by: str) -> bool:
        """Tell whether a limit is still ours, as far as can be told from here."""
        until_s = self._until_s.get(limited_by, 0.0)
        return not limited_by or self._clock.monotonic() < until_s

    async def hold(
        self,
        work: ConnectorWork,
        claim: Claim,
        *,
        limited_by: str,
        until: datetime.datetime,
        until_s: float,
    ) -> bool:
        """Lease the limit of an account; False if another replica has it."""
        if limited_by != claim.limited_by:
            # Also where it is not to be had, so that nobody claims the account again
            # who cannot call for it.
            await work.note_limit(claim, limited_by=limited_by)
        if not limited_by:
            return True
        made = await work.lease_limit(limited_by, owner=self._owner, until=until)
        if made is None:
            return False
        self._lines.set_stored(made)
        self._until_s[limited_by] = until_s
        return True

    async def renew(
        self, work: ConnectorWork, *, until: datetime.datetime, until_s: float
    ) -> None:
        """Keep what is held for another while."""
        if not self._until_s:
            return
        ours = await work.renew_limits(
            sorted(self._until_s), owner=self._owner, until=until
        )
        for limited_by in self._until_s:
            self._until_s[limited_by] = until_s if limited_by in ours else 0.0

    async def save_calls(self, work: ConnectorWork) -> None:
        """Add the calls made since the last time to the stored counts."""
        if calls := self._lines.unsaved_shared():
            await work.add_shared_calls(calls)
            work.transaction.after_commit(lambda: self._lines.note_shared_saved(calls))

    async def release(
        self, work: ConnectorWork, limited_by: str, *, until: datetime.datetime
    ) -> None:
        """Give a limit back that no account here needs; others may have it then."""
        self._until_s.pop(limited_by, None)
        await work.release_limit(limited_by, owner=self._owner, until=until)
