"""The connector's queries on leases of accounts, and on calls made."""

import datetime

from tests.fakes.database.locks import SHARE
from tests.fakes.database.sessions import Session
from tests.fakes.database.tables import Row, only

CLAIM = only(
    "tenant_id",
    "account_id",
    "app",
    "lease_version",
    "calls_day",
    "calls_today",
    "limited_by",
)


async def hold_lease(
    session: Session, *, tenant_id: str, account_id: str, lease_version: int
) -> list[Row]:
    held = await session.lock(
        "accounts",
        [session.get("accounts", account_id, tenant_id)],
        mode=SHARE,
        where=lambda row: row["lease_version"] == lease_version,
    )
    return [{"lease_version": row["lease_version"]} for row in held]


async def claim_due(
    session: Session,
    *,
    owner: str,
    until: datetime.datetime,
    now: datetime.datetime,
    busy_tenants: list[str],
    busy_accounts: list[str],
    limit: int,
) -> list[Row]:
    busy = set(zip(busy_tenants, busy_accounts, strict=True))
    due = [
        row
        for row in session.scan("accounts")
        if row["is_wanted"]
        and not row["is_lost"]
        and row["due_at"] <= now
        and _is_claimable(row, owner=owner, now=now)
        and not _is_limited_elsewhere(session, row, owner=owner, now=now)
        and (row["tenant_id"], row["account_id"]) not in busy
    ]
    due.sort(key=lambda row: row["due_at"])
    held = await session.lock("accounts", due, skips=True, limit=limit)
    return await _lease(session, held, owner=owner, until=until, now=now)


async def make_due_after_push(
    session: Session,
    *,
    tenant_ids: list[str],
    account_ids: list[str],
    now: datetime.datetime,
) -> list[Row]:
    pushed = set(zip(account_ids, tenant_ids, strict=True))
    told = [
        row
        for key in sorted(pushed)
        if (row := session.get("accounts", *key)) is not None and _is_well(row)
    ]
    held = await session.lock("accounts", told, where=_is_well)
    rows = await session.update(
        "accounts",
        held,
        lambda row: {
            "due_at": min(row["due_at"], now),
            "read_asks": row["read_asks"] + 1,
        },
    )
    return [
        {
            "tenant_id": row["tenant_id"],
            "account_id": row["account_id"],
            "has_open_writes": row["write_at"] is not None,
        }
        for row in rows
    ]


def _is_well(row: Row) -> bool:
    return row["is_wanted"] and not row["is_lost"] and row["failures"] == 0


async def claim_writing(
    session: Session,
    *,
    owner: str,
    until: datetime.datetime,
    now: datetime.datetime,
    busy_tenants: list[str],
    busy_accounts: list[str],
    limit: int,
) -> list[Row]:
    busy = set(zip(busy_tenants, busy_accounts, strict=True))
    due = [
        row
        for row in session.scan("accounts")
        if row["write_at"] is not None
        and row["write_at"] <= now
        and _is_claimable(row, owner=owner, now=now)
        and not _is_limited_elsewhere(session, row, owner=owner, now=now)
        and (row["tenant_id"], row["account_id"]) not in busy
    ]
    due.sort(key=lambda row: (not _has_urgent(session, row), row["write_at"]))
    held = await session.lock("accounts", due, skips=True, limit=limit)
    return await _lease(session, held, owner=owner, until=until, now=now)


async def claim_one(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    app: str,
    owner: str,
    until: datetime.datetime,
    now: datetime.datetime,
) -> list[Row]:
    def lease(there: Row, _new: Row) -> Row | None:
        if not _is_claimable(there, owner=owner, now=now):
            return None
        return _leased(there, owner=owner, until=until, now=now)

    account = {
        "tenant_id": tenant_id,
        "account_id": account_id,
        "app": app,
        "due_at": now,
        "lease_version": 1,
        "lease_owner": owner,
        "lease_until": until,
    }
    held = await session.insert("accounts", [account], otherwise=lease)
    return [CLAIM(row) for row in held]


def _has_urgent(session: Session, account: Row) -> bool:
    key = (account["account_id"], account["tenant_id"])
    return any(row["is_urgent"] for row in session.find("writes", "open", *key))


def _is_claimable(row: Row, *, owner: str, now: datetime.datetime) -> bool:
    until = row["lease_until"]
    return until is None or until <= now or row["lease_owner"] == owner


def _is_limited_elsewhere(
    session: Session, account: Row, *, owner: str, now: datetime.datetime
) -> bool:
    shared = session.get("shared_limits", account["limited_by"])
    return (
        shared is not None
        and shared["lease_until"] > now
        and shared["lease_owner"] != owner
    )


async def _lease(
    session: Session,
    held: list[Row],
    *,
    owner: str,
    until: datetime.datetime,
    now: datetime.datetime,
) -> list[Row]:
    def lease(row: Row) -> Row:
        return _leased(row, owner=owner, until=until, now=now)

    return [CLAIM(row) for row in await session.update("accounts", held, lease)]


def _leased(
    row: Row, *, owner: str, until: datetime.datetime, now: datetime.datetime
) -> Row:
    had = row["lease_until"]
    goes_on = row["lease_owner"] == owner and had is not None and had > now
    return {
        "lease_version": row["lease_version"] + (0 if goes_on else 1),
        "lease_owner": owner,
        "lease_until": until,
    }


async def renew_leases(
    session: Session,
    *,
    tenant_ids: list[str],
    account_ids: list[str],
    versions: list[int],
    owner: str,
    until: datetime.datetime,
) -> list[Row]:
    given = zip(account_ids, tenant_ids, versions, strict=True)
    held = {(account, tenant): version for account, tenant, version in given}
    renewed = await session.update(
        "accounts",
        session.get_all("accounts", held),
        lambda _: {"lease_until": until},
        where=lambda row: (
            row["lease_version"] == held[row["account_id"], row["tenant_id"]]
            and row["lease_owner"] == owner
        ),
    )
    return [
        {"tenant_id": row["tenant_id"], "account_id": row["account_id"]}
        for row in renewed
    ]


async def release_lease(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    lease_version: int,
    owner: str,
    until: datetime.datetime,
) -> int:
    return len(
        await session.update(
            "accounts",
            [session.get("accounts", account_id, tenant_id)],
            lambda _: {"lease_until": until},
            where=lambda row: (
                row["lease_version"] == lease_version and row["lease_owner"] == owner
            ),
        )
    )


async def add_calls(
    session: Session,
    *,
    tenant_ids: list[str],
    account_ids: list[str],
    days: list[datetime.date],
    counts: list[int],
) -> int:
    given = zip(account_ids, tenant_ids, days, counts, strict=True)
    made = {(account, tenant): (day, calls) for account, tenant, day, calls in given}

    def add(row: Row) -> Row:
        day, calls = made[row["account_id"], row["tenant_id"]]
        before = row["calls_today"] if row["calls_day"] == day else 0
        return {"calls_today": calls + before, "calls_day": day}

    return len(
        await session.update(
            "accounts",
            session.get_all("accounts", made),
            add,
            where=lambda row: (
                row["calls_day"] is None
                or row["calls_day"] <= made[row["account_id"], row["tenant_id"]][0]
            ),
        )
    )
