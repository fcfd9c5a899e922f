"""The reconciler's queries on who was erased, as far as everybody runs them."""

import datetime

from tests.fakes.database.sessions import Session
from tests.fakes.database.tables import Row, only

FOUND = only("digest", "erasure_id")
CLAIMED = only("tenant_id", "erasure_id")


async def find_suppressed(
    session: Session, *, tenant_id: str, digests: list[bytes]
) -> list[Row]:
    keys = [(tenant_id, digest) for digest in digests]
    return [FOUND(row) for row in session.get_all("suppressions", keys)]


async def add_suppressions(
    session: Session,
    *,
    tenant_id: str,
    key_id: str,
    digests: list[bytes],
    account_ids: list[str],
    erasure_ids: list[str],
    now: datetime.datetime,
    seen_at: datetime.datetime | None,
) -> int:
    def know_anew(there: Row, new: Row) -> Row:
        seen = there["seen_at"] if new["seen_at"] is None else new["seen_at"]
        return {"erasure_id": new["erasure_id"], "seen_at": seen}

    given = sorted(zip(digests, account_ids, erasure_ids, strict=True))
    kept = [
        {
            "tenant_id": tenant_id,
            "digest": digest,
            "key_id": key_id,
            "account_id": account_id,
            "erasure_id": erasure_id,
            "created_at": now,
            "seen_at": seen_at,
        }
        for digest, account_id, erasure_id in given
    ]
    return len(await session.insert("suppressions", kept, otherwise=know_anew))


async def count_suppressed(
    session: Session, *, tenant_id: str, account_ids: list[str]
) -> list[Row]:
    seen = session.scan(
        "suppressions",
        lambda row: (
            row["tenant_id"] == tenant_id
            and row["account_id"] in account_ids
            and row["account_id"] != ""
            and row["seen_at"] is not None
        ),
    )
    return [{"suppressed": len(seen)}]


async def claim_erasure(session: Session, *, now: datetime.datetime) -> list[Row]:
    due = session.scan(
        "erasures", lambda row: row["next_at"] is not None and row["next_at"] <= now
    )
    due.sort(key=lambda row: row["next_at"])
    held = await session.lock("erasures", due, skips=True, limit=1)
    return [CLAIMED(row) for row in held]


async def list_suppression_keys(session: Session) -> list[Row]:
    used = {
        row["key_id"]
        for table in ("suppressions", "erasures")
        for row in session.scan(table)
    }
    return [{"key_id": key_id} for key_id in sorted(used)]
