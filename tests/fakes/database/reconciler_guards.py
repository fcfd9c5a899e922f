"""The reconciler's queries of the guard against mass changes."""

import datetime

from tests.fakes.database import marking
from tests.fakes.database.reconciler_connections import ended_lease, is_kept
from tests.fakes.database.sessions import Session
from tests.fakes.database.tables import Row


async def count_destructive(
    session: Session, *, tenant_id: str, connection_id: str, since: datetime.datetime
) -> list[Row]:
    counts: dict[str, int] = {}
    for row in session.find("intents", "connection", connection_id, tenant_id):
        if row["is_destructive"] and row["decided_at"] > since:
            counts[row["side"]] = counts.get(row["side"], 0) + 1
    return [{"side": side, "decided": count} for side, count in counts.items()]


async def count_two_sided(
    session: Session, *, tenant_id: str, connection_id: str
) -> list[Row]:
    linked = [
        row
        for row in session.find("links", "connection", connection_id, tenant_id)
        if row["left_record_id"] is not None and row["right_record_id"] is not None
    ]
    return [{"linked": len(linked)}]


async def count_gone_dirty(
    session: Session, *, tenant_id: str, connection_id: str, account_id: str, side: str
) -> list[Row]:
    def is_gone(record_id: str) -> bool:
        seen = session.get("observations", account_id, record_id, tenant_id)
        return seen is not None and not seen["is_live"]

    gone = [
        row
        for row in session.find("dirty", "connection", connection_id, tenant_id)
        if row["side"] == side and is_gone(row["record_id"])
    ]
    return [{"waiting": len(gone)}]


async def trip_guards(
    session: Session,
    *,
    tenant_id: str,
    connection_ids: list[str],
    is_left: bool,
    now: datetime.datetime,
) -> list[Row]:
    column = "guard_left_at" if is_left else "guard_right_at"

    def is_news(row: Row) -> bool:
        is_approved = row["approved_until"] is not None and row["approved_until"] > now
        return row[column] is None and not is_approved and is_kept(row)

    keys = [(connection_id, tenant_id) for connection_id in connection_ids]
    tripped = await session.update(
        "connections",
        [row for row in session.get_all("connections", keys) if is_news(row)],
        lambda row: {column: now, **ended_lease(row)},
        where=is_news,
    )
    return [{"connection_id": row["connection_id"]} for row in tripped]


async def approve_changes(
    session: Session, *, tenant_id: str, connection_id: str, until: datetime.datetime
) -> int:
    return len(
        await session.update(
            "connections",
            [session.get("connections", connection_id, tenant_id)],
            lambda row: {
                "guard_left_at": None,
                "guard_right_at": None,
                "approved_until": until,
                **ended_lease(row),
            },
        )
    )


async def mark_held(
    session: Session, *, tenant_id: str, connection_id: str, reason: str
) -> int:
    places = [
        (tenant_id, connection_id, side, link[f"{side}_record_id"])
        for link in session.find("links", "connection", connection_id, tenant_id)
        if link["state"] == "held" and link["reason"] == reason
        for side in ("left", "right")
        if link[f"{side}_record_id"] is not None
    ]
    return len(await marking.mark(session, places))
