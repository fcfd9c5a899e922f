"""The reconciler's queries on what accounts showed: records, addresses, scans."""

import datetime
from collections.abc import Iterable
from functools import partial
from itertools import islice

from tests.fakes.database import marking
from tests.fakes.database.sessions import Session, keep
from tests.fakes.database.tables import Row, only

OBSERVED = only(
    "account_id", "record_id", "record", "digest", "read_at", "live_number", "is_ours"
)
NEWCOMER = only("record_id", "record", "digest", "read_at", "live_number")
ID = only("record_id")
STORED = only("record_id", "digest", "read_at")
COUNTED = only("parts_seen", "part_count", "asked_at", "first_read_at")


async def forget_digests(session: Session, *, tenant_id: str, account_id: str) -> int:
    seen = session.find("observations", "account", account_id, tenant_id)
    known = sorted(seen, key=lambda row: row["record_id"])
    return len(await session.update("observations", known, lambda _: {"digest": ""}))


async def save_observations(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    record_ids: list[str],
    records: list[bytes],
    digests: list[str],
    read_at: list[datetime.datetime],
    modified_at: list[datetime.datetime | None],
    is_live: list[bool],
    is_tight: list[bool],
    scan_id: str | None,
    lag: datetime.timedelta,
) -> list[Row]:
    given = zip(
        record_ids,
        records,
        digests,
        read_at,
        modified_at,
        is_live,
        is_tight,
        strict=True,
    )
    seen = (
        {
            "tenant_id": tenant_id,
            "account_id": account_id,
            "record_id": record_id,
            "record": record,
            "digest": digest,
            "read_at": when,
            "changed_at": when,
            "modified_at": modified,
            "is_live": lives,
            "is_tight": tight,
            "seen_scan": scan_id,
            "live_number": marking.draw_number(session),
        }
        for record_id, record, digest, when, modified, lives, tight in given
    )
    stored = await session.insert(
        "observations", seen, otherwise=partial(_newer, lag=lag)
    )
    return [
        {
            "record_id": row["record_id"],
            "is_changed": row["changed_at"] == row["read_at"],
        }
        for row in stored
    ]


async def find_doubtful(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    record_ids: list[str],
    digests: list[str],
    read_at: list[datetime.datetime],
    modified_at: list[datetime.datetime | None],
) -> list[Row]:
    given = zip(digests, read_at, modified_at, strict=True)
    seen = dict(zip(record_ids, given, strict=True))
    keys = [(account_id, record_id, tenant_id) for record_id in sorted(record_ids)]
    found = []
    for row in session.get_all("observations", keys):
        digest, when, modified = seen[row["record_id"]]
        is_other = row["digest"] != digest and row["read_at"] < when
        if is_other and not _differ(row["modified_at"], modified):
            found.append(ID(row))
    return found


def _differ(had: datetime.datetime | None, has: datetime.datetime | None) -> bool:
    return had is not None and has is not None and had != has


def _newer(there: Row, new: Row, *, lag: datetime.timedelta) -> Row | None:
    had, has = there["modified_at"], new["modified_at"]
    is_same = there["digest"] == new["digest"]
    if _differ(had, has):
        is_newer = has > had
    else:
        is_newer = new["read_at"] > there["read_at"] and (
            is_same or not new["is_live"] or new["read_at"] > there["read_at"] + lag
        )
    if not is_newer:
        return None
    is_same = is_same and there["missing_since"] is None
    return {
        "record": new["record"],
        "digest": new["digest"],
        "read_at": new["read_at"],
        "changed_at": there["changed_at"] if is_same else new["read_at"],
        "modified_at": has,
        "is_live": new["is_live"],
        "is_tight": new["is_tight"],
        "missing_since": None,
        "ask_again_at": None,
        "seen_scan": there["seen_scan"]
        if new["seen_scan"] is None
        else new["seen_scan"],
        "live_number": new["live_number"]
        if new["is_live"] and not there["is_live"]
        else there["live_number"],
    }


async def save_sightings(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    scan_id: str,
    record_ids: list[str],
) -> int:
    keys = [(account_id, record_id, tenant_id) for record_id in record_ids]
    shown = session.get_all("observations", keys)
    return len(
        await session.update(
            "observations",
            [row for row in shown if row["seen_scan"] != scan_id],
            lambda _: {"seen_scan": scan_id},
            is_exact=True,
        )
    )


async def drop_emails(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    record_ids: list[str],
    emails_max: int,
    owners: list[str],
    emails: list[str],
) -> list[Row]:
    kept = set(zip(owners, emails, strict=True))
    had = [
        row
        for record_id in record_ids
        for row in session.find("emails", "record", account_id, record_id, tenant_id)[
            :emails_max
        ]
        if (record_id, row["email"]) not in kept
    ]
    dropped = await session.delete("emails", had, is_exact=True)
    return [{"email": row["email"]} for row in dropped]


async def add_emails(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    owners: list[str],
    emails: list[str],
) -> int:
    have = [
        {
            "tenant_id": tenant_id,
            "account_id": account_id,
            "email": email,
            "record_id": record_id,
        }
        for record_id, email in zip(owners, emails, strict=True)
    ]
    return len(await session.insert("emails", have, otherwise=keep))


async def add_scans(
    session: Session,
    *,
    tenant_id: str,
    now: datetime.datetime,
    account_ids: list[str],
    scan_ids: list[str],
) -> int:
    asked = [
        {
            "tenant_id": tenant_id,
            "account_id": account_id,
            "scan_id": scan_id,
            "parts_seen": 0,
            "asked_at": now,
        }
        for account_id, scan_id in zip(account_ids, scan_ids, strict=True)
    ]
    return len(await session.insert("scans", asked))


async def add_scan_part(
    session: Session, *, tenant_id: str, account_id: str, scan_id: str, part: int
) -> list[Row]:
    seen = {
        "tenant_id": tenant_id,
        "account_id": account_id,
        "scan_id": scan_id,
        "part": part,
    }
    stored = await session.insert("scan_parts", [seen], otherwise=keep)
    return [{"part": part} for _ in stored]


async def count_scan_part(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    scan_id: str,
    part_count: int | None,
    read_at: datetime.datetime,
) -> list[Row]:
    def count(there: Row, new: Row) -> Row:
        known = new["part_count"]
        first = there["first_read_at"]
        return {
            "parts_seen": there["parts_seen"] + 1,
            "part_count": there["part_count"] if known is None else known,
            "first_read_at": read_at if first is None else min(first, read_at),
        }

    scan = {
        "tenant_id": tenant_id,
        "account_id": account_id,
        "scan_id": scan_id,
        "parts_seen": 1,
        "part_count": part_count,
        "first_read_at": read_at,
    }
    return [
        COUNTED(row) for row in await session.insert("scans", [scan], otherwise=count)
    ]


async def complete_scan(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    scan_id: str,
    begun_at: datetime.datetime,
    now: datetime.datetime,
) -> int:
    scan = session.get("scans", account_id, scan_id, tenant_id)
    over = {scan_id} | {
        row["scan_id"]
        for row in session.scan("scans")
        if _is_of(row, tenant_id=tenant_id, account_id=account_id)
        and _begun(row) < begun_at
    }
    parts = session.choose(
        "scan_parts",
        session.scan("scan_parts"),
        where=lambda row: (
            _is_of(row, tenant_id=tenant_id, account_id=account_id)
            and row["scan_id"] in over
        ),
    )
    completed = await session.update("scans", [scan], lambda _: {"completed_at": now})
    await session.delete("scan_parts", parts)
    return len(completed)


def _is_of(row: Row, *, tenant_id: str, account_id: str) -> bool:
    return row["account_id"] == account_id and row["tenant_id"] == tenant_id


def _begun(row: Row) -> datetime.datetime:
    begun: datetime.datetime = row["asked_at"] or row["first_read_at"]
    return begun


async def find_last_scans(
    session: Session, *, tenant_id: str, account_id: str
) -> list[Row]:
    scans = [
        row
        for row in session.scan("scans")
        if _is_of(row, tenant_id=tenant_id, account_id=account_id)
    ]
    complete = [_begun(row) for row in scans if row["completed_at"] is not None]
    return [
        {
            "read_through": max(complete, default=None),
            "asked_at": max(map(_begun, scans), default=None),
        }
    ]


async def find_unseen(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    scan_id: str,
    first_read_at: datetime.datetime,
    limit: int,
) -> list[Row]:
    unseen = [
        row
        for row in session.find("observations", "account", account_id, tenant_id)
        if row["is_live"]
        and row["seen_scan"] != scan_id
        and row["read_at"] < first_read_at
    ]
    unseen.sort(key=lambda row: (row["read_at"], row["record_id"]))
    return [{"record_id": row["record_id"]} for row in unseen[:limit]]


async def load_observed(
    session: Session, *, tenant_id: str, account_ids: list[str], record_ids: list[str]
) -> list[Row]:
    wanted = zip(account_ids, record_ids, strict=True)
    found = (session.get("observations", a, r, tenant_id) for a, r in wanted)
    return [
        {**OBSERVED(row), "is_missing": row["missing_since"] is not None}
        for row in found
        if row is not None
    ]


async def note_ours(
    session: Session, *, tenant_id: str, account_id: str, record_ids: list[str]
) -> int:
    keys = [(account_id, record_id, tenant_id) for record_id in record_ids]
    return len(
        await session.update(
            "observations",
            session.get_all("observations", keys),
            lambda _: {"is_ours": True},
            where=lambda row: not row["is_ours"],
        )
    )


async def find_newcomers(
    session: Session,
    *,
    tenant_id: str,
    connection_id: str,
    account_id: str,
    side: str | None,
    since: int,
    limit: int,
) -> list[Row]:
    def is_taken(row: Row) -> bool:
        place = (connection_id, row["record_id"], tenant_id)
        found = session.find("links", f"links_{side}", *place) if side else []
        return any(
            link["left_record_id"] is not None
            and link["right_record_id"] is not None
            and link["state"] != "deleted"
            for link in found
        )

    new = [
        row
        for row in session.find("observations", "account", account_id, tenant_id)
        if row["is_live"]
        and row["missing_since"] is None
        and row["live_number"] is not None
        and row["live_number"] > since
        and not is_taken(row)
    ]
    new.sort(key=lambda row: row["live_number"])
    return [NEWCOMER(row) for row in new[:limit]]


async def lock_observations(
    session: Session, *, tenant_id: str, account_id: str, record_ids: list[str]
) -> list[Row]:
    keys = [(account_id, record_id, tenant_id) for record_id in record_ids]
    held = await session.lock("observations", session.get_all("observations", keys))
    return [STORED(row) for row in held]


async def find_owners(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    emails: list[str],
    sharers_max: int,
) -> list[Row]:
    found = {
        row["record_id"]
        for email in emails
        for row in islice(
            session.find("emails", "email", account_id, email, tenant_id), sharers_max
        )
    }
    return [{"record_id": record_id} for record_id in sorted(found)]


async def find_sharers(
    session: Session,
    *,
    tenant_id: str,
    account_ids: list[str],
    record_ids: list[str],
    both_accounts: list[str],
    emails_max: int,
    sharers_max: int,
) -> list[Row]:
    def sharing(places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], None]:
        found: dict[tuple[str, str], None] = {}
        for account_id, record_id in places:
            own = session.find("emails", "record", account_id, record_id, tenant_id)
            for email in [row["email"] for row in own[:emails_max]]:
                for end in both_accounts:
                    others = session.find("emails", "email", end, email, tenant_id)
                    found.update(
                        ((end, other["record_id"]), None)
                        for other in islice(others, sharers_max)
                    )
        return found

    near = sharing(zip(account_ids, record_ids, strict=True))
    return [
        {"account_id": account_id, "record_id": record_id}
        for account_id, record_id in near | sharing(near)
    ]
