"""The reconciler's queries that take away what no connection is left for."""

import datetime
from itertools import islice

from tests.fakes.database.sessions import Session
from tests.fakes.database.tables import Row


async def purge_links(session: Session, *, limit: int) -> int:
    return await _purge_of_connections(session, "links", limit)


async def purge_dirty(session: Session, *, limit: int) -> int:
    return await _purge_of_connections(session, "dirty", limit)


async def purge_intents(session: Session, *, limit: int) -> int:
    return await _purge_of_connections(session, "intents", limit)


async def purge_losses(session: Session, *, limit: int) -> int:
    return await _purge_of_connections(session, "losses", limit)


async def purge_connections(session: Session) -> int:
    def is_empty(row: Row) -> bool:
        at = (row["connection_id"], row["tenant_id"])
        kinds = ("links", "dirty", "intents", "losses")
        return not any(session.find(kind, "connection", *at) for kind in kinds)

    over = [row for row in _deleted(session) if is_empty(row)]
    return len(
        await session.delete(
            "connections", over, where=lambda row: row["deleted_at"] is not None
        )
    )


async def purge_observations(session: Session, *, limit: int) -> int:
    return await _purge_of_accounts(session, "observations", limit)


async def purge_emails(session: Session, *, limit: int) -> int:
    return await _purge_of_accounts(session, "emails", limit)


async def purge_scan_parts(session: Session, *, limit: int) -> int:
    unused = {(row["account_id"], row["tenant_id"]) for row in _unused(session)}
    left = (
        row
        for row in (session.scan("scan_parts") if unused else ())
        if (row["account_id"], row["tenant_id"]) in unused
    )
    return len(await session.delete("scan_parts", islice(left, limit), is_exact=True))


async def purge_scans(
    session: Session, *, limit: int, before: datetime.datetime
) -> int:
    def is_over(row: Row) -> bool:
        account = session.get("accounts", row["account_id"], row["tenant_id"])
        return (
            account is None
            or account["unused_since"] is not None
            or (row["asked_at"] or row["first_read_at"]) < before
        )

    over = (row for row in session.scan("scans") if is_over(row))
    return len(await session.delete("scans", islice(over, limit), is_exact=True))


async def forget_history(
    session: Session, *, before: datetime.datetime, limit: int
) -> int:
    over = session.scan(
        "intents",
        lambda row: row["closed_at"] is not None and row["closed_at"] < before,
    )
    over.sort(key=lambda row: row["closed_at"])
    held = await session.lock("intents", over, skips=True, limit=limit)
    keys = {(r["connection_id"], r["intent_id"], r["tenant_id"]) for r in held}
    lost = [
        row
        for row in session.scan("losses")
        if (row["connection_id"], row["intent_id"], row["tenant_id"]) in keys
    ]
    count = len(await session.delete("intents", held))
    await session.delete("losses", lost)
    return count


async def forget_erasures(
    session: Session, *, before: datetime.datetime, limit: int
) -> int:
    over = session.scan(
        "erasures",
        lambda row: row["finished_at"] is not None and row["finished_at"] < before,
    )
    over.sort(key=lambda row: row["finished_at"])
    held = await session.lock("erasures", over, skips=True, limit=limit)
    return len(await session.delete("erasures", held))


async def purge_accounts(session: Session) -> int:
    def is_empty(row: Row) -> bool:
        at = (row["account_id"], row["tenant_id"])
        kinds = ("observations", "emails")
        return not any(session.find(kind, "account", *at) for kind in kinds)

    over = [row for row in _unused(session) if is_empty(row)]
    return len(
        await session.delete(
            "accounts", over, where=lambda row: row["unused_since"] is not None
        )
    )


def _deleted(session: Session) -> list[Row]:
    return session.scan("connections", lambda row: row["deleted_at"] is not None)


def _unused(session: Session) -> list[Row]:
    return session.scan("accounts", lambda row: row["unused_since"] is not None)


async def _purge_of_connections(session: Session, table: str, limit: int) -> int:
    left = (
        row
        for owner in _deleted(session)
        for row in session.find(
            table, "connection", owner["connection_id"], owner["tenant_id"]
        )
    )
    return len(await session.delete(table, islice(left, limit), is_exact=True))


async def _purge_of_accounts(session: Session, table: str, limit: int) -> int:
    left = (
        row
        for owner in _unused(session)
        for row in session.find(
            table, "account", owner["account_id"], owner["tenant_id"]
        )
    )
    return len(await session.delete(table, islice(left, limit), is_exact=True))
