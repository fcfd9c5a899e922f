"""The reconciler's queries on the records that wait to be planned."""

from tests.fakes.database import marking
from tests.fakes.database.sessions import Session
from tests.fakes.database.tables import Row, only

DIRTY = only("side", "record_id", "mark", "is_check")


async def mark_changed(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    record_ids: list[str],
    is_urgent: list[bool],
    scan_id: str | None,
) -> list[Row]:
    urgent = dict(zip(record_ids, is_urgent, strict=True))
    places = {
        (tenant_id, row["connection_id"], side, record_id)
        for row in _connections(session, tenant_id=tenant_id, account_id=account_id)
        for side in ("left", "right")
        if row[f"{side}_account"] == account_id
        and (
            row["state"] in ("syncing", "live", "needs_attention")
            or (row["state"] == "scanning" and row[f"{side}_scan"] != scan_id)
        )
        for record_id in record_ids
    }
    rows = (
        {**row, "is_urgent": urgent[row["record_id"]]}
        for row in marking.rows(session, sorted(places))
    )
    stored = await session.insert(
        "dirty",
        rows,
        otherwise=lambda there, new: {
            "mark": new["mark"],
            "is_urgent": there["is_urgent"] or new["is_urgent"],
        },
    )
    return [{"connection_id": row["connection_id"]} for row in stored]


async def mark_sharers(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    emails: list[str],
    sharers_max: int,
) -> list[Row]:
    places = {
        (tenant_id, row["connection_id"], side, sharer["record_id"])
        for row in _connections(session, tenant_id=tenant_id, account_id=account_id)
        if row["state"] in ("scanning", "syncing", "live", "needs_attention")
        for side in ("left", "right")
        for email in emails
        for sharer in session.find(
            "emails", "email", row[f"{side}_account"], email, tenant_id
        )[:sharers_max]
    }
    return await marking.mark(session, places, is_check=True)


async def mark_records(
    session: Session,
    *,
    tenant_id: str,
    connection_id: str,
    sides: list[str],
    record_ids: list[str],
) -> int:
    marked = zip(sides, record_ids, strict=True)
    places = [(tenant_id, connection_id, side, record) for side, record in marked]
    return len(await marking.mark(session, places))


async def mark_all(
    session: Session,
    *,
    tenant_id: str,
    connection_id: str,
    side: str,
    account_id: str,
    is_check: bool,
) -> int:
    linked = {
        record_id
        for link in session.find("links", "connection", connection_id, tenant_id)
        for record_id in (link["left_record_id"], link["right_record_id"])
    }
    tight = {
        row["record_id"]: row["is_tight"]
        for row in session.find("observations", "account", account_id, tenant_id)
        if row["is_live"] or row["record_id"] in linked
    }
    places = [
        (tenant_id, connection_id, side, record_id) for record_id in sorted(tight)
    ]
    rows = (
        {**row, "is_urgent": tight[row["record_id"]], "is_check": is_check}
        for row in marking.rows(session, places)
    )
    return len(
        await session.insert(
            "dirty",
            rows,
            otherwise=lambda there, new: {
                "mark": new["mark"] if new["is_check"] else there["mark"],
                "is_check": there["is_check"] or new["is_check"],
            },
        )
    )


async def load_dirty(
    session: Session,
    *,
    tenant_id: str,
    connection_id: str,
    limit: int,
    only_urgent: bool,
) -> list[Row]:
    def is_free(row: Row) -> bool:
        links = session.find(
            "links", f"links_{row['side']}", connection_id, row["record_id"], tenant_id
        )
        return not links or links[0]["intent_id"] is None

    waiting = session.find("dirty", "connection", connection_id, tenant_id)
    free = [
        row for row in waiting if is_free(row) and (row["is_urgent"] or not only_urgent)
    ]
    free.sort(key=lambda row: (not row["is_urgent"], row["mark"]))
    return [DIRTY(row) for row in free[:limit]]


async def clear_dirty(
    session: Session,
    *,
    tenant_id: str,
    connection_id: str,
    sides: list[str],
    record_ids: list[str],
    marks: list[int],
) -> int:
    given = zip(sides, record_ids, marks, strict=True)
    planned = []
    for side, record_id, mark in sorted(given):
        row = session.get("dirty", connection_id, side, record_id, tenant_id)
        if row is not None and row["mark"] == mark:
            planned.append(row)
    return len(await session.delete("dirty", planned, is_exact=True))


async def count_dirty(
    session: Session, *, tenant_id: str, connection_id: str
) -> list[Row]:
    waiting = session.find("dirty", "connection", connection_id, tenant_id)
    return [{"waiting": len(waiting)}]


def _connections(session: Session, *, tenant_id: str, account_id: str) -> list[Row]:
    return session.scan(
        "connections",
        lambda row: (
            row["tenant_id"] == tenant_id
            and account_id in (row["left_account"], row["right_account"])
            and row["deleted_at"] is None
        ),
    )
