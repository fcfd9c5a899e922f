"""The reconciler's queries on connections: their settings, states and claims."""

import datetime

from tests.fakes.database.sessions import Session
from tests.fakes.database.tables import Row, only

CONNECTION = only(
    "tenant_id",
    "connection_id",
    "settings",
    "renewed",
    "left_side",
    "right_side",
    "state",
    "attention",
    "attention_side",
    "guard_left_at",
    "guard_right_at",
    "approved_until",
    "version",
    "created_at",
    "started_at",
    "left_scanned",
    "right_scanned",
    "sync_started_at",
    "lease_version",
    "planned",
    "done",
    "failed",
    "created_left",
    "created_right",
    "updated_left",
    "updated_right",
)
IDENTITY = "memory/1"
"""Which database this is; a connection remembers where it was last scanned."""
SCANNED = only(
    "connection_id", "left_account", "right_account", "left_scanned", "right_scanned"
)


def is_running(row: Row) -> bool:
    return row["state"] in ("syncing", "live")


def is_kept(row: Row) -> bool:
    return row["deleted_at"] is None


def ended_lease(row: Row) -> Row:
    """Return what changes where whoever planned a connection no longer may."""
    return {"lease_until": None, "lease_version": row["lease_version"] + 1}


def _uses(row: Row, account_id: str) -> bool:
    return account_id in (row["left_account"], row["right_account"])


def _rank(row: Row) -> tuple[int, str]:
    return (0 if row["state"] == "needs_attention" else 1, row["connection_id"])


async def add_connection(
    session: Session,
    *,
    tenant_id: str,
    connection_id: str,
    settings: bytes,
    left_account: str,
    right_account: str,
    left_side: bytes,
    right_side: bytes,
    now: datetime.datetime,
) -> int:
    draft = {
        "tenant_id": tenant_id,
        "connection_id": connection_id,
        "settings": settings,
        "left_account": left_account,
        "right_account": right_account,
        "left_side": left_side,
        "right_side": right_side,
        "state": "draft",
        "version": 1,
        "created_at": now,
    }
    return len(await session.insert("connections", [draft]))


async def load_connection(
    session: Session, *, tenant_id: str, connection_id: str
) -> list[Row]:
    row = session.get("connections", connection_id, tenant_id)
    return [CONNECTION(row)] if row is not None and is_kept(row) else []


async def lock_connection(
    session: Session, *, tenant_id: str, connection_id: str
) -> list[Row]:
    wanted = [session.get("connections", connection_id, tenant_id)]
    held = await session.lock("connections", wanted, where=is_kept)
    return [CONNECTION(row) for row in held]


async def lock_connections_of_account(
    session: Session, *, tenant_id: str, account_id: str
) -> list[Row]:
    def is_wanted(row: Row) -> bool:
        is_ours = row["tenant_id"] == tenant_id and _uses(row, account_id)
        return is_ours and is_kept(row)

    wanted = session.scan("connections", is_wanted)
    wanted.sort(key=lambda row: row["connection_id"])
    held = await session.lock("connections", wanted, where=is_wanted)
    return [CONNECTION(row) for row in held]


async def list_connections(
    session: Session,
    *,
    tenant_id: str,
    account_id: str | None,
    rank: int,
    after: str,
    limit: int,
) -> list[Row]:
    found = session.scan(
        "connections",
        lambda row: (
            row["tenant_id"] == tenant_id
            and is_kept(row)
            and (account_id is None or _uses(row, account_id))
            and _rank(row) > (rank, after)
        ),
    )
    found.sort(key=_rank)
    return [CONNECTION(row) for row in found[:limit]]


async def change_settings(
    session: Session,
    *,
    tenant_id: str,
    connection_id: str,
    settings: bytes,
    renewed: bytes,
    left_account: str,
    right_account: str,
    left_side: bytes,
    right_side: bytes,
) -> int:
    return len(
        await session.update(
            "connections",
            [session.get("connections", connection_id, tenant_id)],
            lambda row: {
                "settings": settings,
                "renewed": renewed,
                "left_account": left_account,
                "right_account": right_account,
                "left_side": left_side,
                "right_side": right_side,
                "version": row["version"] + 1,
            },
        )
    )


async def set_connection_state(
    session: Session,
    *,
    tenant_id: str,
    connection_id: str,
    state: str,
    attention: str,
    attention_side: str | None,
) -> int:
    return len(
        await session.update(
            "connections",
            [session.get("connections", connection_id, tenant_id)],
            lambda row: {
                "state": state,
                "attention": attention,
                "attention_side": attention_side,
                "due_at": None,
                **ended_lease(row),
            },
        )
    )


async def await_scans(
    session: Session,
    *,
    tenant_id: str,
    connection_id: str,
    left_scan: str,
    right_scan: str,
    now: datetime.datetime,
) -> int:
    def change(row: Row) -> Row:
        return {
            "state": "scanning",
            "epoch": IDENTITY,
            "attention": "",
            "attention_side": None,
            "started_at": row["started_at"] or now,
            "scan_asked_at": now,
            "left_scan": left_scan,
            "right_scan": right_scan,
            "left_scanned": False,
            "right_scanned": False,
            "sync_started_at": None,
            "planned": 0,
            "done": 0,
            "failed": 0,
            "due_at": None,
            **ended_lease(row),
        }

    wanted = [session.get("connections", connection_id, tenant_id)]
    return len(await session.update("connections", wanted, change))


async def begin_syncing(
    session: Session,
    *,
    tenant_id: str,
    connection_ids: list[str],
    now: datetime.datetime,
) -> int:
    return len(
        await session.update(
            "connections",
            session.get_all("connections", [(e, tenant_id) for e in connection_ids]),
            lambda _: {"state": "syncing", "sync_started_at": now, "due_at": now},
            where=lambda row: row["state"] == "scanning",
        )
    )


async def delete_connection(
    session: Session, *, tenant_id: str, connection_id: str, now: datetime.datetime
) -> int:
    return len(
        await session.update(
            "connections",
            [session.get("connections", connection_id, tenant_id)],
            lambda row: {
                "deleted_at": now,
                "due_at": None,
                "lease_version": row["lease_version"] + 1,
            },
        )
    )


async def claim_connection(
    session: Session, *, now: datetime.datetime, lease_until: datetime.datetime
) -> list[Row]:
    def is_due(row: Row) -> bool:
        return (
            row["due_at"] is not None
            and row["due_at"] <= now
            and row["epoch"] == IDENTITY
            and is_running(row)
            and is_kept(row)
            and (row["lease_until"] is None or row["lease_until"] <= now)
        )

    due = session.scan("connections", is_due)
    due.sort(key=lambda row: row["due_at"])
    held = await session.lock("connections", due, skips=True, limit=1)
    claimed = await session.update(
        "connections",
        held,
        lambda row: {
            "lease_until": lease_until,
            "lease_version": row["lease_version"] + 1,
        },
    )
    return [CONNECTION(row) for row in claimed]


async def keep_lease(
    session: Session,
    *,
    tenant_id: str,
    connection_id: str,
    lease_version: int,
    planned: int,
    lease_until: datetime.datetime,
) -> list[Row]:
    kept = await session.update(
        "connections",
        [session.get("connections", connection_id, tenant_id)],
        lambda row: {"lease_until": lease_until, "planned": row["planned"] + planned},
        where=lambda row: _is_claimed(row, lease_version),
    )
    return [{"connection_id": row["connection_id"]} for row in kept]


async def lock_claim(
    session: Session, *, tenant_id: str, connection_id: str, lease_version: int
) -> list[Row]:
    held = await session.lock(
        "connections",
        [session.get("connections", connection_id, tenant_id)],
        where=lambda row: _is_claimed(row, lease_version),
    )
    return [{"state": row["state"]} for row in held]


def _is_claimed(row: Row, lease_version: int) -> bool:
    is_ours = row["lease_version"] == lease_version
    return is_ours and is_running(row) and is_kept(row)


async def release_connection(
    session: Session,
    *,
    tenant_id: str,
    connection_id: str,
    lease_version: int,
    state: str,
    due_at: datetime.datetime | None,
) -> int:
    return len(
        await session.update(
            "connections",
            [session.get("connections", connection_id, tenant_id)],
            lambda _: {"state": state, "due_at": due_at, "lease_until": None},
            where=lambda row: row["lease_version"] == lease_version,
        )
    )


async def make_due(
    session: Session,
    *,
    tenant_id: str,
    connection_ids: list[str],
    now: datetime.datetime,
) -> int:
    return len(
        await session.update(
            "connections",
            session.get_all("connections", [(e, tenant_id) for e in connection_ids]),
            lambda _: {"due_at": now},
            where=is_running,
        )
    )


async def count_outcomes(
    session: Session, *, tenant_id: str, connection_id: str, **counts: int
) -> int:
    return len(
        await session.update(
            "connections",
            [session.get("connections", connection_id, tenant_id)],
            lambda row: {name: row[name] + count for name, count in counts.items()},
        )
    )
