"""The chassis's queries, which run in each service's schema."""

import datetime
from itertools import islice

from tests.fakes.database.sessions import Session, keep
from tests.fakes.database.tables import Row, only

CLAIMED = only(
    "tenant_id", "message_id", "subject", "stream", "payload", "awaiting", "tries"
)
LISTED = only(
    "tenant_id", "message_id", "subject", "sender", "reason", "received_at", "replay_at"
)
TAKEN = only("tenant_id", "message_id", "subject", "payload")


async def add_to_outbox(
    session: Session,
    *,
    message_ids: list[str],
    tenant_ids: list[str],
    subjects: list[str],
    streams: list[str],
    payloads: list[bytes],
    awaiting: list[str],
    now: datetime.datetime,
) -> int:
    given = zip(
        message_ids, tenant_ids, subjects, streams, payloads, awaiting, strict=True
    )
    messages = [
        {
            "message_id": message_id,
            "tenant_id": tenant_id,
            "subject": subject,
            "stream": stream,
            "payload": payload,
            "awaiting": receivers.split(",") if receivers else [],
            "created_at": now,
            "next_at": now,
        }
        for message_id, tenant_id, subject, stream, payload, receivers in given
    ]
    return len(await session.insert("outbox", messages))


async def claim_outbox(
    session: Session,
    *,
    now: datetime.datetime,
    limit: int,
    again_s: float,
    again_s_max: float,
) -> list[Row]:
    def put_off(row: Row) -> Row:
        delay_s = min(again_s * 2 ** min(row["tries"], 16), again_s_max)
        return {
            "tries": row["tries"] + 1,
            "next_at": now + datetime.timedelta(seconds=delay_s),
        }

    due = session.scan("outbox", lambda row: row["next_at"] <= now)
    due.sort(key=lambda row: row["next_at"])
    held = await session.lock("outbox", due, skips=True, limit=limit)
    return [CLAIMED(row) for row in await session.update("outbox", held, put_off)]


async def close_outbox(
    session: Session, *, receiver: str, tenant_ids: list[str], message_ids: list[str]
) -> int:
    keys = sorted(zip(tenant_ids, message_ids, strict=True))
    held = await session.lock("outbox", session.get_all("outbox", keys))
    left = {
        _key(row): [each for each in row["awaiting"] if each != receiver]
        for row in held
    }
    awaited = await session.update(
        "outbox",
        [row for row in held if left[_key(row)]],
        lambda row: {"awaiting": left[_key(row)]},
    )
    await session.delete("outbox", [row for row in held if not left[_key(row)]])
    return len(awaited)


def _key(row: Row) -> tuple[str, str]:
    return row["tenant_id"], row["message_id"]


async def hasten_outbox(session: Session, *, now: datetime.datetime) -> int:
    return len(
        await session.update(
            "outbox",
            session.scan("outbox"),
            lambda _: {"next_at": now, "tries": 0},
            where=lambda row: row["tries"] > 0,
        )
    )


async def count_outbox(session: Session, *, now: datetime.datetime) -> list[Row]:
    created = [row["created_at"] for row in session.scan("outbox")]
    oldest_s = (now - min(created)).total_seconds() if created else 0.0
    return [{"waiting": len(created), "oldest_s": oldest_s}]


async def remember_message(
    session: Session, *, tenant_id: str, message_id: str, now: datetime.datetime
) -> list[Row]:
    message = {"tenant_id": tenant_id, "message_id": message_id, "received_at": now}
    stored = await session.insert("inbox", [message], otherwise=keep)
    return [{"message_id": message_id} for _ in stored]


async def forget_messages(
    session: Session, *, before: datetime.datetime, limit: int
) -> int:
    old = (r for r in session.scan("inbox") if r["received_at"] < before)
    return len(await session.delete("inbox", islice(old, limit)))


async def count_attempt(
    session: Session, *, tenant_id: str, message_id: str, now: datetime.datetime
) -> list[Row]:
    def count(there: Row, _new: Row) -> Row:
        return {"begun": there["begun"] + 1, "last_at": now}

    attempt = {
        "tenant_id": tenant_id,
        "message_id": message_id,
        "begun": 1,
        "last_at": now,
    }
    counted = await session.insert("attempts", [attempt], otherwise=count)
    return [{"begun": row["begun"]} for row in counted]


async def spare_attempts(
    session: Session,
    *,
    tenant_ids: list[str],
    message_ids: list[str],
    counts: list[int],
) -> int:
    keys = zip(tenant_ids, message_ids, strict=True)
    spared = dict(zip(keys, counts, strict=True))
    return len(
        await session.update(
            "attempts",
            session.get_all("attempts", spared),
            lambda row: {"begun": max(row["begun"] - spared[_key(row)], 0)},
        )
    )


async def end_attempts(session: Session, *, tenant_id: str, message_id: str) -> int:
    ended = [session.get("attempts", tenant_id, message_id)]
    return len(await session.delete("attempts", ended))


async def forget_attempts(session: Session, *, before: datetime.datetime) -> int:
    return len(
        await session.delete(
            "attempts",
            session.scan("attempts"),
            where=lambda row: row["last_at"] < before,
        )
    )


async def add_dead_letter(
    session: Session,
    *,
    tenant_id: str,
    message_id: str,
    subject: str,
    sender: str,
    payload: bytes,
    reason: str,
    now: datetime.datetime,
) -> int:
    letter = {
        "tenant_id": tenant_id,
        "message_id": message_id,
        "subject": subject,
        "sender": sender,
        "payload": payload,
        "reason": reason,
        "received_at": now,
    }
    return len(await session.insert("dead_letters", [letter], otherwise=keep))


async def forget_dead_letters(
    session: Session, *, before: datetime.datetime, limit: int
) -> int:
    old = [
        row
        for row in session.scan("dead_letters")
        if row["received_at"] < before and row["replay_at"] is None
    ]
    old.sort(key=lambda row: row["received_at"])
    return len(
        await session.delete(
            "dead_letters", old[:limit], where=lambda row: row["replay_at"] is None
        )
    )


async def check_database(_session: Session) -> list[Row]:
    return [{"answer": 1}]


async def count_dead_letters(session: Session) -> list[Row]:
    return [{"waiting": len(session.scan("dead_letters"))}]


async def list_dead_letters(session: Session, *, limit: int) -> list[Row]:
    letters = session.scan("dead_letters")
    letters.sort(key=lambda row: (row["received_at"], row["message_id"]))
    return [LISTED(row) for row in letters[:limit]]


async def replay_dead_letters(
    session: Session, *, chosen: str | None, now: datetime.datetime
) -> int:
    return len(
        await session.update(
            "dead_letters",
            session.scan("dead_letters"),
            lambda _: {"replay_at": now},
            where=lambda row: chosen in (None, row["message_id"]),
        )
    )


async def take_dead_letter(session: Session, *, reason: str) -> list[Row]:
    asked = session.scan("dead_letters", lambda row: row["replay_at"] is not None)
    asked.sort(key=lambda row: (row["replay_at"], row["message_id"]))
    held = await session.lock("dead_letters", asked, skips=True, limit=1)
    taken = await session.update(
        "dead_letters", held, lambda _: {"reason": reason, "replay_at": None}
    )
    return [TAKEN(row) for row in taken]


async def drop_dead_letter(session: Session, *, tenant_id: str, message_id: str) -> int:
    dropped = [session.get("dead_letters", tenant_id, message_id)]
    return len(await session.delete("dead_letters", dropped))


async def keep_dead_letter(
    session: Session,
    *,
    tenant_id: str,
    message_id: str,
    reason: str,
    replay_at: datetime.datetime | None,
) -> int:
    return len(
        await session.update(
            "dead_letters",
            [session.get("dead_letters", tenant_id, message_id)],
            lambda _: {"reason": reason, "replay_at": replay_at},
        )
    )
