"""The reconciler's queries on records that an app does not know any more."""

import datetime

from tests.fakes.database.reconciler_connections import is_kept
from tests.fakes.database.sessions import Session
from tests.fakes.database.tables import Row, only

MISSED = only("record_id", "missing_since")
PLACE = only("tenant_id", "account_id", "record_id")


async def note_missing(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    record_ids: list[str],
    read_at: list[datetime.datetime],
    now: datetime.datetime,
    wait_min: datetime.timedelta,
    wait_max: datetime.timedelta,
) -> list[Row]:
    gone = dict(zip(record_ids, read_at, strict=True))
    keys = [(account_id, record_id, tenant_id) for record_id in gone]

    def is_missed(row: Row) -> bool:
        return row["is_live"] and row["read_at"] < gone[row["record_id"]]

    def noted_at(row: Row) -> Row:
        since = row["missing_since"] or gone[row["record_id"]]
        wait = min(max(now - since, wait_min), wait_max)
        return {"missing_since": since, "ask_again_at": now + wait}

    noted = await session.update(
        "observations",
        [row for row in session.get_all("observations", keys) if is_missed(row)],
        noted_at,
        where=is_missed,
    )
    return [MISSED(row) for row in noted]


async def claim_missing(
    session: Session,
    *,
    now: datetime.datetime,
    wait_min: datetime.timedelta,
    wait_max: datetime.timedelta,
    limit: int,
) -> list[Row]:
    due = [
        row
        for row in session.find("observations", "missing")
        if row["ask_again_at"] <= now
    ]
    if due:
        read = _read_accounts(session)
        due = [row for row in due if (row["account_id"], row["tenant_id"]) in read]
    due.sort(key=lambda row: row["ask_again_at"])

    def put_off(row: Row) -> Row:
        wait = min(max(now - row["missing_since"], wait_min), wait_max)
        return {"ask_again_at": now + wait}

    held = await session.lock("observations", due, skips=True, limit=limit)
    claimed = await session.update("observations", held, put_off, is_exact=True)
    return [PLACE(row) for row in claimed]


def _read_accounts(session: Session) -> set[tuple[str, str]]:
    """Return the accounts that a running connection reads."""
    return {
        (row[name], row["tenant_id"])
        for row in session.scan("connections")
        if row["state"] in ("scanning", "syncing", "live") and is_kept(row)
        for name in ("left_account", "right_account")
    }


async def is_any_shown(
    session: Session, *, tenant_id: str, account_id: str, since: datetime.datetime
) -> list[Row]:
    seen = session.find("observations", "account", account_id, tenant_id)
    is_shown = any(
        row["is_live"] and row["missing_since"] is None and row["read_at"] >= since
        for row in seen
    )
    return [{"is_shown": is_shown}]


async def find_controls(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    without: list[str],
    limit: int,
) -> list[Row]:
    there = [
        {"record_id": row["record_id"]}
        for row in session.find("observations", "account", account_id, tenant_id)
        if row["is_live"]
        and row["missing_since"] is None
        and row["record_id"] not in without
    ]
    return there[:limit]


async def count_live(session: Session, *, tenant_id: str, account_id: str) -> list[Row]:
    seen = session.find("observations", "account", account_id, tenant_id)
    return [{"live": sum(row["is_live"] for row in seen)}]
