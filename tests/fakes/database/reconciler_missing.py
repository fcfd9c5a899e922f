"""The reconciler's queries on records that an app does not know any more."""

import datetime

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
    ask_again_at: datetime.datetime,
) -> list[Row]:
    gone = dict(zip(record_ids, read_at, strict=True))
    keys = [(account_id, record_id, tenant_id) for record_id in gone]

    def is_missed(row: Row) -> bool:
        return row["is_live"] and row["read_at"] < gone[row["record_id"]]

    noted = await session.update(
        "observations",
        [row for row in session.get_all("observations", keys) if is_missed(row)],
        lambda row: {
            "missing_since": row["missing_since"] or gone[row["record_id"]],
            "ask_again_at": ask_again_at,
        },
        where=is_missed,
    )
    return [MISSED(row) for row in noted]


async def claim_missing(
    session: Session,
    *,
    now: datetime.datetime,
    again_at: datetime.datetime,
    limit: int,
) -> list[Row]:
    due = [
        row
        for row in session.find("observations", "missing")
        if row["ask_again_at"] <= now
    ]
    due.sort(key=lambda row: row["ask_again_at"])
    held = await session.lock("observations", due, skips=True, limit=limit)
    claimed = await session.update(
        "observations", held, lambda _: {"ask_again_at": again_at}, is_exact=True
    )
    return [PLACE(row) for row in claimed]


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
