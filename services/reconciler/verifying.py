"""After a restored backup: what is stored may be older than what the apps hold.

Each connection remembers the database it was last scanned in: the server's identity and
its timeline, which a restore changes. In another one it is scanned anew before anything
is planned, and writes that were on their way are looked up (hazard 79).
"""

import structlog

from services.chassis.store import Work
from services.reconciler import following
from services.reconciler.store import claims, intents

log = structlog.get_logger()


async def verify_one(work: Work) -> bool:
    """Have one connection scanned that needs it; False if there is none."""
    connection = await claims.lock_unverified(work.transaction)
    if connection is None:
        return False
    await intents.look_at_all(work.transaction, connection, now=work.clock.now())
    state = await following.scan(work, connection)
    log.warning(
        "database_restored",
        connection_id=connection.connection_id,
        state=state.value,
    )
    return True
