"""How often a message's handler was begun without an end, over all replicas.

The count is in the database, in a transaction of its own: a message that ends the
process that takes it could not be counted otherwise. The first delivery is counted
only if it fails, so that what goes well costs nothing.
"""

from collections import Counter
from pathlib import Path
from typing import Any, Final

from services.chassis import queries
from services.chassis.clock import Clock
from services.chassis.errors import Unavailable
from services.chassis.outbox import Envelope, Key
from services.chassis.store import Store
from services.chassis.tenancy import ALL_TENANTS

Q = queries.load(Path(__file__).parent / "sql" / "queries.sql")

ATTEMPTS_MAX: Final = 5
"""So many attempts are counted; then a message is buried."""


class Attempts:
    """The counts of one service's messages, as one replica keeps them."""

    def __init__(self, store: Store[Any], *, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._spared: Counter[Key] = Counter()

    async def count(self, envelope: Envelope) -> int:
        """Count one more for a message and return how many there are."""
        await self.settle()
        async with self._store.transaction(envelope.tenant_id) as work:
            row = await work.transaction.fetch_row(
                Q["count_attempt"](
                    tenant_id=envelope.tenant_id,
                    message_id=envelope.message_id,
                    now=self._clock.now(),
                )
            )
        return int(row["begun"])

    def spare(self, envelope: Envelope) -> None:
        """Take one back, which an outage ended: nothing is wrong with the message."""
        self._spared[envelope.tenant_id, envelope.message_id] += 1

    async def settle(self) -> None:
        """Write down what was taken back, now that the database may be there again."""
        if not self._spared:
            return
        spared, self._spared = self._spared, Counter()
        try:
            async with self._store.transaction(ALL_TENANTS) as work:
                await work.transaction.execute(
                    Q["spare_attempts"](
                        tenant_ids=[tenant_id for tenant_id, _ in spared],
                        message_ids=[message_id for _, message_id in spared],
                        counts=list(spared.values()),
                    )
                )
        except Unavailable:
            self._spared += spared
            raise
