"""The chassis's queries, which run in each service's schema."""

import datetime
from itertools import islice

from tests.fakes.database.sessions import Session, keep
from tests.fakes.database.tables import Row, only

CLAIMED = only("message_id", "subject", "stream", "payload", "awaiting")
LISTED = only("message_id", "subject", "sender", "reason", "received_at", "replay_at")
TAKEN = only("message_id", "subject", "payload")


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
    session: Session, *, receiver: str, message_ids: list[str]
) -> int:
    there = session.get_all("outbox", [(each,) for each in sorted(message_ids)])
    held = await session.lock("outbox", there)
    left = {
        row["message_id"]: [each for each in row["awaiting"] if each != receiver]
        for row in held
    }
    done = [row for row in held if not left[row["message_id"]]]
    await session.delete("outbox", done)
    return len(
        await session.update(
            "outbox",
            [row for row in held if left[row["message_id"]]],
            lambda row: {"awaiting": left[row["message_id"]]},
        )
    )


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
    session: Session, *, message_id: str, now: datetime.datetime
) -> list[Row]:
    message = {"message_id": message_id, "received_at": now}
    stored = await session.insert("inbox", [message], otherwise=keep)
    return [{"message_id": message_id} for _ in stored]


async def forget_messages(
    session: Session, *, before: datetime.datetime, limit: int
) -> int:
    old = (r for r in session.scan("inbox") if r["received_at"] < before)
    return len(await session.delete("inbox", islice(old, limit)))


async def add_dead_letter(
    session: Session,
    *,
    message_id: str,
    subject: str,
    sender: str,
    payload: bytes,
    reason: str,
    now: datetime.datetime,
) -> int:
    letter = {
        "message_id": message_id,
        "subject": subject,
        "sender": sender,
        "payload": payload,
        "reason": reason,
        "received_at": now,
    }
    return len(await session.insert("dead_letters", [letter], otherwise=keep))


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


async def take_dead_letter(session: Session) -> list[Row]:
    asked = session.scan("dead_letters", lambda row: row["replay_at"] is not None)
    asked.sort(key=lambda row: (row["replay_at"], row["message_id"]))
    held = await session.lock("dead_letters", asked, skips=True, limit=1)
    return [TAKEN(row) for row in await session.delete("dead_letters", held)]


async def keep_dead_letter(session: Session, *, message_id: str, reason: str) -> int:
    return len(
        await session.update(
            "dead_letters",
            [session.get("dead_letters", message_id)],
            lambda _: {"reason": reason, "replay_at": None},
        )
    )
