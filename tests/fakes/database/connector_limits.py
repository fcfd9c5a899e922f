"""The connector's queries on limits that accounts share."""

import datetime

from tests.fakes.database.sessions import Session
from tests.fakes.database.tables import Row


async def note_limit(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    lease_version: int,
    limited_by: str,
) -> int:
    return len(
        await session.update(
            "accounts",
            [session.get("accounts", account_id, tenant_id)],
            lambda _: {"limited_by": limited_by},
            where=lambda row: row["lease_version"] == lease_version,
        )
    )


async def lease_limit(
    session: Session,
    *,
    limited_by: str,
    owner: str,
    until: datetime.datetime,
    now: datetime.datetime,
) -> list[Row]:
    def lease(there: Row, new: Row) -> Row | None:
        if there["lease_until"] > now and there["lease_owner"] != owner:
            return None
        return {"lease_owner": owner, "lease_until": until}

    limit = {"limited_by": limited_by, "lease_owner": owner, "lease_until": until}
    return [
        {"calls_day": row["calls_day"], "calls_today": row["calls_today"]}
        for row in await session.insert("shared_limits", [limit], otherwise=lease)
    ]


async def renew_limits(
    session: Session, *, limited_by: list[str], owner: str, until: datetime.datetime
) -> list[Row]:
    def is_ours(row: Row) -> bool:
        return bool(row["lease_owner"] == owner)

    there = session.get_all("shared_limits", [(each,) for each in sorted(limited_by)])
    held = await session.lock("shared_limits", there, where=is_ours)
    renewed = await session.update(
        "shared_limits", held, lambda _: {"lease_until": until}
    )
    return [{"limited_by": row["limited_by"]} for row in renewed]


async def release_limit(
    session: Session, *, limited_by: str, owner: str, until: datetime.datetime
) -> int:
    return len(
        await session.update(
            "shared_limits",
            [session.get("shared_limits", limited_by)],
            lambda _: {"lease_until": until},
            where=lambda row: row["lease_owner"] == owner,
        )
    )


async def add_shared_calls(
    session: Session,
    *,
    limited_by: list[str],
    days: list[datetime.date],
    counts: list[int],
) -> int:
    given = zip(limited_by, days, counts, strict=True)
    made = {key: (day, calls) for key, day, calls in given}

    def is_older(row: Row) -> bool:
        before = row["calls_day"]
        return before is None or before <= made[row["limited_by"]][0]

    def add(row: Row) -> Row:
        day, calls = made[row["limited_by"]]
        before = row["calls_today"] if row["calls_day"] == day else 0
        return {"calls_today": calls + before, "calls_day": day}

    there = session.get_all("shared_limits", [(each,) for each in sorted(made)])
    held = await session.lock("shared_limits", there, where=is_older)
    return len(await session.update("shared_limits", held, add))


async def prune_limits(session: Session, *, before: datetime.datetime) -> int:
    def is_old(row: Row) -> bool:
        return bool(row["lease_until"] < before)

    old = session.scan("shared_limits", is_old)
    return len(await session.delete("shared_limits", old, where=is_old))
