"""When API keys were last used: noted in memory, stored many at a time."""

import asyncio
import datetime
from typing import Final

from proto.ids import ApiKeyId, TenantId
from services.api.store import api_keys
from services.chassis import loops
from services.chassis.clock import Clock
from services.chassis.errors import Unavailable
from services.chassis.store import Store, Work
from services.chassis.tenancy import ALL_TENANTS

STORE_EVERY_S: Final = 15.0
BATCH: Final = 1_000


class Usage:
    """Uses that are not stored yet; at most one time a key."""

    def __init__(self, database: Store[Work], *, clock: Clock) -> None:
        self._store = database
        self._clock = clock
        self._used: dict[tuple[TenantId, ApiKeyId], datetime.datetime] = {}

    def note(self, tenant_id: TenantId, key_id: ApiKeyId) -> None:
        """Remember that a key was used just now."""
        self._used[tenant_id, key_id] = self._clock.now()

    async def flush(self) -> bool:
        """Store a batch; True if there is more."""
        batch = dict(sorted(self._used.items())[:BATCH])
        if not batch:
            return False
        async with self._store.transaction(ALL_TENANTS) as work:
            await api_keys.note_key_use(work.transaction, batch)
        for key, at in batch.items():
            # Used again in the meantime: that time is still to be stored.
            if self._used.get(key) == at:
                del self._used[key]
        return len(batch) == BATCH

    async def run(self, stopping: asyncio.Event) -> None:
        """Store what was noted, every few seconds and once more at the end."""
        await loops.forever(
            "key_usage",
            self.flush,
            clock=self._clock,
            stopping=stopping,
            idle_s=STORE_EVERY_S,
        )
        try:
            while await self.flush():
                pass
        except Unavailable:
            # Only the last seconds of a display are lost.
            self._used.clear()
