"""The connector's queries on accounts: what is wanted, cursors, failures."""

import datetime

from tests.fakes.database.sessions import Change, Session
from tests.fakes.database.tables import Row, only

WANTED = only("record_id", "asked_at")
ACCOUNT = only(
    "tenant_id",
    "account_id",
    "app",
    "is_wanted",
    "is_lost",
    "wanted_scan_id",
    "done_scan_id",
    "scan_id",
    "scan_cursor",
    "scan_part",
    "scan_page_count",
    "scan_record_count",
    "scan_expected_count",
    "changes_cursor",
    "read_asks",
    "interval_s",
    "failures",
    "error_code",
    "last_read_at",
    "write_asks",
    "write_failures",
    "write_error_code",
    "lease_version",
    "calls_day",
    "calls_today",
)
READ_WELL = {"failures": 0, "error_code": None, "error_since": None}


async def follow_account(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    app: str,
    is_wanted: bool,
    asked_at: datetime.datetime,
    scan_id: str | None,
    now: datetime.datetime,
) -> int:
    def take_note(there: Row, new: Row) -> Row | None:
        if there["asked_at"] is not None and there["asked_at"] > asked_at:
            return None
        is_due = not there["is_wanted"] or (
            scan_id is not None and scan_id != there["done_scan_id"]
        )
        return {
            "app": app,
            "is_wanted": is_wanted,
            "asked_at": asked_at,
            "wanted_scan_id": there["wanted_scan_id"] if scan_id is None else scan_id,
            "failures": 0,
            "due_at": new["due_at"] if is_due else there["due_at"],
            "read_asks": there["read_asks"] + 1,
        }

    account = {
        "tenant_id": tenant_id,
        "account_id": account_id,
        "app": app,
        "is_wanted": is_wanted,
        "asked_at": asked_at,
        "wanted_scan_id": scan_id,
        "due_at": now,
        "read_asks": 1,
    }
    return len(await session.insert("accounts", [account], otherwise=take_note))


async def make_due(
    session: Session, *, tenant_id: str, account_id: str, now: datetime.datetime
) -> int:
    return len(
        await session.update(
            "accounts",
            [session.get("accounts", account_id, tenant_id)],
            lambda row: {"due_at": now, "read_asks": row["read_asks"] + 1},
        )
    )


async def want_reads(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    record_ids: list[str],
    are_controls: list[bool],
    now: datetime.datetime,
) -> int:
    wanted = [
        {
            "tenant_id": tenant_id,
            "account_id": account_id,
            "record_id": record_id,
            "asked_at": now,
            "is_control": is_control,
        }
        for record_id, is_control in zip(record_ids, are_controls, strict=True)
    ]

    def ask_again(there: Row, new: Row) -> Row:
        is_control = there["is_control"] and new["is_control"]
        return {"asked_at": now, "is_control": is_control}

    return len(await session.insert("wanted_reads", wanted, otherwise=ask_again))


async def wanted_reads(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    before: datetime.datetime,
    limit: int,
) -> list[Row]:
    wanted = [
        row
        for row in session.find("wanted_reads", "account", account_id, tenant_id)
        if not row["is_control"] and row["asked_at"] <= before
    ]
    wanted.sort(key=lambda row: (row["asked_at"], row["record_id"]))
    return [WANTED(row) for row in wanted[:limit]]


async def controls(
    session: Session, *, tenant_id: str, account_id: str, limit: int
) -> list[Row]:
    found = [
        row
        for row in session.find("wanted_reads", "account", account_id, tenant_id)
        if row["is_control"]
    ]
    found.sort(key=lambda row: row["record_id"])
    found.sort(key=lambda row: row["asked_at"], reverse=True)
    return [WANTED(row) for row in found[:limit]]


async def forget_controls(
    session: Session, *, tenant_id: str, account_id: str, before: datetime.datetime
) -> int:
    wanted = session.find("wanted_reads", "account", account_id, tenant_id)
    if any(not row["is_control"] for row in wanted):
        return 0
    return len(
        await session.delete(
            "wanted_reads",
            wanted,
            where=lambda row: row["is_control"] and row["asked_at"] <= before,
        )
    )


async def forget_wanted_reads(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    record_ids: list[str],
    asked_at: list[datetime.datetime],
) -> int:
    read = dict(zip(record_ids, asked_at, strict=True))
    return len(
        await session.delete(
            "wanted_reads",
            session.get_all("wanted_reads", [(account_id, r, tenant_id) for r in read]),
            where=lambda row: row["asked_at"] == read[row["record_id"]],
        )
    )


async def put_back_reads(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    record_ids: list[str],
    asked_at: list[datetime.datetime],
    until: datetime.datetime,
) -> int:
    left_over = dict(zip(record_ids, asked_at, strict=True))
    keys = [(account_id, record_id, tenant_id) for record_id in left_over]
    return len(
        await session.update(
            "wanted_reads",
            session.get_all("wanted_reads", keys),
            lambda _: {"asked_at": until},
            where=lambda row: row["asked_at"] == left_over[row["record_id"]],
        )
    )


async def set_authorised(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    is_lost: bool,
    at: datetime.datetime,
    error_code: str,
    now: datetime.datetime,
) -> int:
    return len(
        await session.update(
            "accounts",
            [session.get("accounts", account_id, tenant_id)],
            lambda row: {
                "is_lost": is_lost,
                "authorised_at": at,
                "failures": 0,
                "write_failures": 0,
                "write_error_code": None,
                "write_at": _soonest(row["write_at"], now),
                "write_asks": row["write_asks"] + 1,
                "error_code": error_code if is_lost else None,
                "error_since": at if is_lost else None,
                "due_at": now,
                "read_asks": row["read_asks"] + 1,
            },
            where=lambda row: (
                row["authorised_at"] is None or row["authorised_at"] <= at
            ),
        )
    )


def _soonest(
    at: datetime.datetime | None, now: datetime.datetime
) -> datetime.datetime | None:
    return None if at is None else min(at, now)


async def get_account(
    session: Session, *, tenant_id: str, account_id: str
) -> list[Row]:
    row = session.get("accounts", account_id, tenant_id)
    if row is None:
        return []
    wanted = session.find("wanted_reads", "account", account_id, tenant_id)
    return [
        {
            **ACCOUNT(row),
            "has_open_writes": row["write_at"] is not None,
            "has_wanted_reads": any(not row["is_control"] for row in wanted),
        }
    ]


async def save_scan(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    lease_version: int,
    read_at: datetime.datetime,
    **progress: object,
) -> int:
    changed = {**READ_WELL, **progress, "last_read_at": read_at}
    key = (account_id, tenant_id)
    return await _change(session, key, lease_version, lambda _: changed)


async def save_changes(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    lease_version: int,
    changes_cursor: str | None,
    read_at: datetime.datetime,
) -> int:
    changed = {**READ_WELL, "changes_cursor": changes_cursor, "last_read_at": read_at}
    key = (account_id, tenant_id)
    return await _change(session, key, lease_version, lambda _: changed)


async def finish_reading(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    lease_version: int,
    read_asks: int,
    due_at: datetime.datetime,
    interval_s: float,
) -> int:
    def finish(row: Row) -> Row:
        is_as_was = row["read_asks"] == read_asks
        return {
            "due_at": due_at if is_as_was else row["due_at"],
            "interval_s": interval_s,
        }

    return await _change(session, (account_id, tenant_id), lease_version, finish)


async def note_failure(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    lease_version: int,
    error_code: str,
    is_lost: bool,
    failures_before: int,
    read_asks: int,
    due_at: datetime.datetime,
    now: datetime.datetime,
) -> int:
    def note(row: Row) -> Row:
        is_as_was = row["read_asks"] == read_asks
        return {
            "failures": max(row["failures"], failures_before) + 1,
            "error_code": error_code,
            "error_since": row["error_since"] or now,
            "is_lost": row["is_lost"] or is_lost,
            "due_at": due_at if is_as_was else row["due_at"],
        }

    return await _change(session, (account_id, tenant_id), lease_version, note)


async def finish_writing(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    lease_version: int,
    write_asks: int,
    write_at: datetime.datetime | None,
    write_failures: int,
    write_error_code: str | None,
) -> int:
    def finish(row: Row) -> Row:
        must_wait = row["write_asks"] == write_asks or write_failures > 0
        return {
            "write_at": write_at if must_wait else row["write_at"],
            "write_failures": write_failures,
            "write_error_code": write_error_code,
        }

    return await _change(session, (account_id, tenant_id), lease_version, finish)


async def _change(
    session: Session, key: tuple[str, str], lease_version: int, change: Change
) -> int:
    """Change an account if it is still the claim's."""
    return len(
        await session.update(
            "accounts",
            [session.get("accounts", *key)],
            change,
            where=lambda row: row["lease_version"] == lease_version,
        )
    )
