"""The reconciler's queries of full comparisons and of restored databases."""

import datetime
from typing import NamedTuple

from tests.fakes.database.reconciler_connections import (
    CONNECTION,
    IDENTITY,
    SCANNED,
    is_kept,
)
from tests.fakes.database.sessions import Session
from tests.fakes.database.tables import Row


async def lock_unswept(session: Session, *, before: datetime.datetime) -> list[Row]:
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
    return [CONNECTION(row) for row in held]


async def await_sweep(
    session: Session,
    *,
    tenant_id: str,
    connection_id: str,
    left_scan: str,
    right_scan: str,
    asked_at: datetime.datetime,
) -> int:
    return len(
        await session.update(
            "connections",
            [session.get("connections", connection_id, tenant_id)],
            lambda _: {
                "sweep_asked_at": asked_at,
                "left_sweep": left_scan,
                "right_sweep": right_scan,
            },
        )
    )


async def last_asked(
    session: Session, *, tenant_id: str, account_ids: list[str]
) -> list[Row]:
    asked = [
        row["asked_at"]
        for row in session.scan("scans")
        if row["tenant_id"] == tenant_id
        and row["account_id"] in account_ids
        and row["asked_at"] is not None
    ]
    return [{"asked_at": max(asked, default=None)}]


async def find_swept(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    scan_id: str,
    begun_at: datetime.datetime,
) -> list[Row]:
    scan = _Scan(tenant_id, account_id, scan_id, begun_at)
    waiting = [
        {**row, **scan.left_of(row)}
        for row in session.scan("connections")
        if scan.serves(row)
    ]
    return [_swept(row) for row in waiting]


async def note_swept(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    scan_id: str,
    begun_at: datetime.datetime,
    connection_ids: list[str],
) -> list[Row]:
    scan = _Scan(tenant_id, account_id, scan_id, begun_at)
    noted = await session.update(
        "connections",
        session.get_all("connections", [(each, tenant_id) for each in connection_ids]),
        scan.left_of,
        where=lambda row: is_kept(row) and _is_waiting(row),
    )
    return [_swept(row) for row in noted]


def _is_waiting(row: Row) -> bool:
    return row["left_sweep"] is not None or row["right_sweep"] is not None


class _Scan(NamedTuple):
    """A scan that is complete."""

    tenant_id: str
    account_id: str
    scan_id: str
    begun_at: datetime.datetime

    def serves(self, row: Row) -> bool:
        """Say whether a comparison waits for this scan, or for one before it."""
        is_ours = row["tenant_id"] == self.tenant_id and is_kept(row)
        return is_ours and any(self._serves(row, side) for side in ("left", "right"))

    def left_of(self, row: Row) -> Row:
        """Return the scans that a comparison waits for after this one."""
        return {
            f"{side}_sweep": None if self._serves(row, side) else row[f"{side}_sweep"]
            for side in ("left", "right")
        }

    def _serves(self, row: Row, side: str) -> bool:
        waits_for, asked_at = row[f"{side}_sweep"], row["sweep_asked_at"]
        return (
            waits_for is not None
            and row[f"{side}_account"] == self.account_id
            and (
                waits_for == self.scan_id
                or (asked_at is not None and asked_at <= self.begun_at)
            )
        )


def _swept(row: Row) -> Row:
    scanned = {
        "left_scanned": row["left_sweep"] is None,
        "right_scanned": row["right_sweep"] is None,
    }
    return SCANNED({**row, **scanned})


async def find_unverified(session: Session) -> list[Row]:
    found = session.scan("connections", _is_unverified)
    found.sort(key=lambda row: (row["connection_id"], row["tenant_id"]))
    return [CONNECTION(row) for row in found[:1]]


async def lock_unverified(session: Session, *, connection_id: str) -> list[Row]:
    found = session.scan(
        "connections",
        lambda row: row["connection_id"] == connection_id and _is_unverified(row),
    )
    held = await session.lock("connections", found, skips=True)
    return [CONNECTION(row) for row in held]


async def forget_epochs(session: Session) -> int:
    running = sorted(
        session.scan("connections", _is_started),
        key=lambda row: (row["connection_id"], row["tenant_id"]),
    )
    return len(
        await session.update(
            "connections", running, lambda _: {"epoch": ""}, where=_is_started
        )
    )


def _is_started(row: Row) -> bool:
    return row["state"] in ("scanning", "syncing", "live") and is_kept(row)


def _is_unverified(row: Row) -> bool:
    return _is_started(row) and row["epoch"] != IDENTITY
