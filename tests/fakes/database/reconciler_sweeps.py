"""The reconciler's queries of scans, full comparisons and restored databases."""

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

SIDES = ("left", "right")


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


async def find_scanned(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    scan_id: str,
    begun_at: datetime.datetime,
) -> list[Row]:
    scan = _Scan(tenant_id, account_id, scan_id, begun_at)
    waiting = session.scan("connections", scan.is_awaited)
    return [SCANNED({**row, **scan.told(row)}) for row in waiting]


async def note_scanned(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    scan_id: str,
    begun_at: datetime.datetime,
) -> list[Row]:
    scan = _Scan(tenant_id, account_id, scan_id, begun_at)
    waiting = sorted(
        session.scan("connections", scan.is_awaited),
        key=lambda row: row["connection_id"],
    )
    noted = await session.update(
        "connections", waiting, scan.told, where=scan.is_awaited
    )
    return [SCANNED(row) for row in noted]


async def find_swept(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    scan_id: str,
    begun_at: datetime.datetime,
) -> list[Row]:
    scan = _Scan(tenant_id, account_id, scan_id, begun_at)
    waiting = session.scan("connections", scan.serves_sweep)
    return [_swept({**row, **scan.swept(row)}) for row in waiting]


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
        scan.swept,
        where=lambda row: is_kept(row) and _is_waiting(row),
    )
    return [_swept(row) for row in noted]


def _is_waiting(row: Row) -> bool:
    return row["left_sweep"] is not None or row["right_sweep"] is not None


class _Scan(NamedTuple):
    """A scan that is complete, and whom it serves."""

    tenant_id: str
    account_id: str
    scan_id: str
    begun_at: datetime.datetime

    def is_awaited(self, row: Row) -> bool:
        """Say whether a connection is to be told of it before it begins to sync."""
        ends = (row["left_account"], row["right_account"])
        is_scanning = row["state"] == "scanning" and self.account_id in ends
        return is_scanning and row["tenant_id"] == self.tenant_id and is_kept(row)

    def told(self, row: Row) -> Row:
        """Return which sides of such a connection are scanned after this one."""
        return {
            name: row[name] or self._serves(row, side, "scan")
            for side in SIDES
            for name in [f"{side}_scanned"]
        }

    def serves_sweep(self, row: Row) -> bool:
        """Say whether a comparison waits for this scan, or for one before it."""
        is_ours = row["tenant_id"] == self.tenant_id and is_kept(row)
        return is_ours and self.swept(row) != {
            f"{side}_sweep": row[f"{side}_sweep"] for side in SIDES
        }

    def swept(self, row: Row) -> Row:
        """Return the scans that a comparison waits for after this one."""
        return {
            name: None if self._serves(row, side, "sweep") else row[name]
            for side in SIDES
            for name in [f"{side}_sweep"]
        }

    def _serves(self, row: Row, side: str, what: str) -> bool:
        asked_at = row[f"{what}_asked_at"]
        return row[f"{side}_account"] == self.account_id and (
            row[f"{side}_{what}"] == self.scan_id
            or (asked_at is not None and asked_at <= self.begun_at)
        )


def _swept(row: Row) -> Row:
    scanned = {f"{side}_scanned": row[f"{side}_sweep"] is None for side in SIDES}
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
