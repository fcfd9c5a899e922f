"""The full comparison of every live connection once a day (hazards, section 4.7).

Both accounts are scanned while the connection stays live; then every link is looked at,
also those that nothing has happened to. What is found out of step was missed: its count
must be zero, and so must those of two audits, for whose findings nothing is written.
"""

import datetime
from typing import Final

import structlog
from prometheus_client import Counter

from proto.ids import ConnectionId, LinkId
from proto.reconciler import Side
from services.chassis.store import Work
from services.reconciler import following
from services.reconciler.batches import Decisions
from services.reconciler.errors import Overtaken
from services.reconciler.store import queue, sweeps
from services.reconciler.store.connections import StoredConnection
from services.reconciler.store.sweeps import CompleteScan

log = structlog.get_logger()

DRIFT: Final = Counter(
    "tandem_reconciler_drift", "Mappings that a full comparison found out of step"
)
UNHEEDED: Final = Counter(
    "tandem_reconciler_unheeded",
    "Unsubscribes that an app took and a full comparison found not shown there",
)
DOUBLED: Final = Counter(
    "tandem_reconciler_doubled",
    "Records that a full comparison found with the mark of another one",
)
COMPARED: Final = Counter(
    "tandem_reconciler_compared", "Connections whose sides were compared in full"
)


async def begin(work: Work, *, before: datetime.datetime) -> StoredConnection | None:
    """Have both accounts of one live connection scanned; None if none is due."""
    connection = await sweeps.lock_due(work.transaction, before=before)
    if connection is None:
        return None
    await work.transaction.narrow(connection.tenant_id)
    asked = await following.ask_for_scans(
        work, following.apps_of(connection), tenant_id=connection.tenant_id
    )
    await sweeps.wait_for(
        work.transaction,
        connection,
        left_scan=asked.scans[connection.left.account_id],
        right_scan=asked.scans[connection.right.account_id],
        asked_at=asked.at,
    )
    return connection


async def note_scan(work: Work, scan: CompleteScan) -> set[ConnectionId]:
    """Have all links of a connection looked at once both its accounts are scanned.

    A scan serves every comparison that was asked for before it began: an account that
    is asked for another scan gives up the one before.
    """
    waiting = await sweeps.find_waiting(work.transaction, scan)
    if not waiting:
        return set()
    # Marked before it is locked, as whoever plans it does: else both might wait.
    likely = [each for each in waiting if each.is_ready]
    for each in likely:
        await queue.mark_both(
            work.transaction, each, tenant_id=scan.tenant_id, is_check=True
        )
    noted = await sweeps.note_scan(
        work.transaction, scan, connection_ids=[each.connection_id for each in waiting]
    )
    ready = {each.connection_id for each in noted if each.is_ready}
    if not ready <= {each.connection_id for each in likely}:
        raise Overtaken("a scan of the other side")
    COMPARED.inc(len(ready))
    return ready


def report(connection: StoredConnection, found: Decisions) -> None:
    """Tell an operator what of which links is out of step, or not as it should be."""
    for link_id, mapping_ids in found.drifted.items():
        DRIFT.inc(len(mapping_ids))
        log.error(
            "drift_found",
            connection_id=connection.connection_id,
            link_id=link_id,
            fields=list(mapping_ids),
        )
    for link_id, sides in found.unheeded.items():
        UNHEEDED.inc(len(sides))
        log.warning("unsubscribe_unheeded", **_where(connection, link_id, sides=sides))
    for link_id, sides in found.doubled.items():
        DOUBLED.inc(len(sides))
        log.warning("mark_doubled", **_where(connection, link_id, sides=sides))


def _where(
    connection: StoredConnection, link_id: LinkId, *, sides: tuple[Side, ...]
) -> dict[str, object]:
    return {
        "connection_id": connection.connection_id,
        "link_id": link_id,
        "side": [side.value for side in sides],
    }
