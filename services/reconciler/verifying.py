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
    found = await claims.find_unverified(work.transaction)
    if found is None:
        return False
    await work.transaction.narrow(found.tenant_id)
    # Its writes are locked before it, as by whoever takes an answer; to look once more
    # than needed does no harm.
    await intents.look_at_all(work.transaction, found, now=work.clock.now())
    connection = await claims.lock_unverified(
        work.transaction, connection_id=found.connection_id
    )
    if connection is None:
        # Another replica has it, or somebody has paused it.
        return True
    state = await following.scan(work, connection)
    log.warning(
        "database_restored",
        connection_id=connection.connection_id,
        state=state.value,
    )
    return True
