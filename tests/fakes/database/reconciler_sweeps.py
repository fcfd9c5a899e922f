"""The reconciler's queries of full comparisons and of restored databases."""

import datetime

from tests.fakes.database.reconciler_connections import (
    CONNECTION,
    IDENTITY,
    SCANNED,
    is_kept,
)
from tests.fakes.database.sessions import Session
from tests.fakes.database.tables import Row


async def claim_sweep(
    session: Session, *, now: datetime.datetime, before: datetime.datetime
) -> list[Row]:
    def begun_at(row: Row) -> datetime.datetime | None:
        return row["sweep_asked_at"] or row["scan_asked_at"]

    due = [
        row
        for row in session.scan("connections")
        if row["state"] == "live"
        and is_kept(row)
        and (at := begun_at(row)) is not None
        and at <= before
    ]
    due.sort(key=begun_at)
    held = await session.lock("connections", due, skips=True, limit=1)
    claimed = await session.update(
        "connections",
        held,
        lambda _: {"sweep_asked_at": now, "left_sweep": None, "right_sweep": None},
    )
    return [CONNECTION(row) for row in claimed]


async def await_sweep(
    session: Session,
    *,
    tenant_id: str,
    connection_id: str,
    left_scan: str,
    right_scan: str,
) -> int:
    return len(
        await session.update(
            "connections",
            [session.get("connections", connection_id, tenant_id)],
            lambda _: {"left_sweep": left_scan, "right_sweep": right_scan},
        )
    )


async def find_swept(session: Session, *, tenant_id: str, scan_id: str) -> list[Row]:
    waiting = [
        {**row, **_without(row, scan_id)}
        for row in session.scan("connections")
        if _waits(row, scan_id, tenant_id=tenant_id)
    ]
    return [_swept(row) for row in waiting]


async def note_swept(session: Session, *, tenant_id: str, scan_id: str) -> list[Row]:
    noted = await session.update(
        "connections",
        session.scan("connections"),
        lambda row: _without(row, scan_id),
        where=lambda row: _waits(row, scan_id, tenant_id=tenant_id),
    )
    return [_swept(row) for row in noted]


def _waits(row: Row, scan_id: str, *, tenant_id: str) -> bool:
    is_ours = row["tenant_id"] == tenant_id and is_kept(row)
    return is_ours and scan_id in (row["left_sweep"], row["right_sweep"])


def _without(row: Row, scan_id: str) -> Row:
    """Return the scans that a comparison waits for after this one."""
    return {
        name: None if row[name] == scan_id else row[name]
        for name in ("left_sweep", "right_sweep")
    }


def _swept(row: Row) -> Row:
    scanned = {
        "left_scanned": row["left_sweep"] is None,
        "right_scanned": row["right_sweep"] is None,
    }
    return SCANNED({**row, **scanned})


async def lock_unverified(session: Session) -> list[Row]:
    found = session.scan("connections", _is_unverified)
    found.sort(key=lambda row: (row["connection_id"], row["tenant_id"]))
    held = await session.lock("connections", found, skips=True, limit=1)
    return [CONNECTION(row) for row in held]


async def forget_epochs(session: Session) -> int:
    running = session.scan("connections", _is_started)
    return len(
        await session.update(
            "connections", running, lambda _: {"epoch": ""}, where=_is_started
        )
    )


def _is_started(row: Row) -> bool:
    return row["state"] in ("scanning", "syncing", "live") and is_kept(row)


def _is_unverified(row: Row) -> bool:
    return _is_started(row) and row["epoch"] != IDENTITY
