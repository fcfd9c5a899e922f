"""What a person is shown of a connection. Pure."""

import datetime
import math

from proto.base import Instant
from proto.connector import AccountReading
from proto.progress import Counts, Progress
from proto.reconciler import Connection, ConnectionState, RecordState
from services.reconciler.engine import mapping, options
from services.reconciler.store.connections import StoredConnection

Links = dict[RecordState, tuple[int, int]]
"""Contacts by state, and how many of them have both sides."""


def connection_view(connection: StoredConnection) -> Connection:
    """Return a connection as it is told to others."""
    return Connection(
        connection_id=connection.connection_id,
        settings=connection.settings,
        left_app=connection.left.app,
        right_app=connection.right.app,
        state=connection.state,
        attention=connection.attention,
        attention_side=connection.attention_side,
        guarded=connection.guarded,
        mappings=mapping.views(
            left=connection.left, right=connection.right, settings=connection.settings
        ),
        offers=options.offers(connection.config),
        version=connection.version,
        created_at=connection.created_at,
        started_at=connection.started_at,
    )


def counts_of(connection: StoredConnection, links: Links, *, erased: int = 0) -> Counts:
    """Return contacts by state, and what has been done so far."""

    def count(state: RecordState) -> int:
        return links.get(state, (0, 0))[0]

    return Counts(
        in_sync=count(RecordState.IN_SYNC),
        pending=count(RecordState.PENDING),
        excluded=count(RecordState.EXCLUDED),
        duplicate=count(RecordState.DUPLICATE),
        held=count(RecordState.HELD),
        failed=count(RecordState.FAILED),
        deleted=count(RecordState.DELETED),
        merged=count(RecordState.MERGED),
        linked=sum(linked for _, linked in links.values()),
        created_left=connection.created_left,
        created_right=connection.created_right,
        updated_left=connection.updated_left,
        updated_right=connection.updated_right,
        erased=erased,
    )


def progress_of(
    connection: StoredConnection,
    *,
    readings: tuple[AccountReading | None, AccountReading | None],
    to_plan: int,
    to_write: int,
    now: Instant,
) -> Progress:
    """Return how far the present scan and sync are."""
    left, right = readings
    has_scanned = connection.state in (ConnectionState.SYNCING, ConnectionState.LIVE)
    return Progress(
        scanned_left=left.record_count if left else 0,
        scanned_right=right.record_count if right else 0,
        scan_done_left=connection.left_scanned or has_scanned,
        scan_done_right=connection.right_scanned or has_scanned,
        to_plan=to_plan,
        to_write=to_write,
        done=connection.done,
        failed=connection.failed,
        seconds_left=seconds_left(
            connection, to_plan=to_plan, to_write=to_write, now=now
        ),
    )


def seconds_left(
    connection: StoredConnection, *, to_plan: int, to_write: int, now: Instant
) -> int | None:
    """Estimate from the rate so far; None while there is nothing to go by.

    What is not planned yet is taken to need as many writes as what is planned did.
    """
    begun = connection.sync_started_at
    if begun is None:
        return None
    if to_plan == 0 and to_write == 0:
        return 0
    elapsed_s = (now - begun) / datetime.timedelta(seconds=1)
    answered = connection.done + connection.failed
    if elapsed_s <= 0 or connection.planned == 0:
        return None
    share = (answered + to_write) / connection.planned
    writes = to_write + share * to_plan
    if answered == 0:
        # Nothing written yet: only planning can be estimated.
        if to_write:
            return None
        return math.ceil(to_plan * elapsed_s / connection.planned)
    return math.ceil(writes * elapsed_s / answered)
