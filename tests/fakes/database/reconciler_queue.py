"""The reconciler's queries on the records that wait to be planned."""

from collections.abc import Iterable

from tests.fakes.database.sessions import Session, keep
from tests.fakes.database.tables import Row, only

DIRTY = only("side", "record_id", "mark")

Place = tuple[str, str, str, str]
"""Tenant, connection, side and record."""


async def mark_changed(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    record_ids: list[str],
    scan_id: str | None,
) -> list[Row]:
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
    return await _mark(session, places)


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
    return await _mark(session, places)


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
    return len(await _mark(session, places))


async def mark_all(
    session: Session, *, tenant_id: str, connection_id: str, side: str, account_id: str
) -> int:
    linked = {
        record_id
        for link in session.find("links", "connection", connection_id, tenant_id)
        for record_id in (link["left_record_id"], link["right_record_id"])
    }
    places = [
        (tenant_id, connection_id, side, row["record_id"])
        for row in session.find("observations", "account", account_id, tenant_id)
        if row["is_live"] or row["record_id"] in linked
    ]
    rows = _rows(session, sorted(places))
    return len(await session.insert("dirty", rows, otherwise=keep))


async def load_dirty(
    session: Session, *, tenant_id: str, connection_id: str, limit: int
) -> list[Row]:
    def is_free(row: Row) -> bool:
        links = session.find(
            "links", f"links_{row['side']}", connection_id, row["record_id"], tenant_id
        )
        return not links or links[0]["intent_id"] is None

    waiting = session.find("dirty", "connection", connection_id, tenant_id)
    free = [row for row in waiting if is_free(row)]
    free.sort(key=lambda row: row["mark"])
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
    planned = []
    for side, record_id, mark in zip(sides, record_ids, marks, strict=True):
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


async def _mark(session: Session, places: Iterable[Place]) -> list[Row]:
    """Mark records under new marks; returns the connection of each."""
    stored = await session.insert(
        "dirty",
        _rows(session, sorted(places)),
        otherwise=lambda _there, new: {"mark": new["mark"]},
    )
    return [{"connection_id": row["connection_id"]} for row in stored]


def _rows(session: Session, places: Iterable[Place]) -> Iterable[Row]:
    """Return rows whose marks are drawn one by one, as they are stored."""
    table = session.tables["dirty"]
    for tenant_id, connection_id, side, record_id in places:
        yield {
            "tenant_id": tenant_id,
            "connection_id": connection_id,
            "side": side,
            "record_id": record_id,
            "mark": table.next_value(),
        }
