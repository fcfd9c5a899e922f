"""The connector's queries on the journal of writes, and on what waits to be told."""

import datetime
from itertools import islice

from tests.fakes.database.sessions import Session, keep
from tests.fakes.database.tables import Row, only

OPEN = only("connection_id", "payload", "sent_at", "reason", "is_urgent")


async def count_waiting(
    session: Session, *, tenant_id: str, subject: str, limit: int
) -> list[Row]:
    waiting = session.scan(
        "outbox",
        lambda row: row["tenant_id"] == tenant_id and row["subject"] == subject,
    )
    return [{"waiting": min(len(waiting), limit)}]


async def add_writes(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    connection_id: str,
    intent_ids: list[str],
    payloads: list[bytes],
    are_urgent: list[bool],
    now: datetime.datetime,
) -> int:
    new = [
        {
            "tenant_id": tenant_id,
            "intent_id": intent_id,
            "account_id": account_id,
            "connection_id": connection_id,
            "payload": payload,
            "created_at": now,
            "is_urgent": is_urgent,
        }
        for intent_id, payload, is_urgent in zip(
            intent_ids, payloads, are_urgent, strict=True
        )
    ]
    return len(await session.insert("writes", new, otherwise=keep))


async def reopen_for_look(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    connection_id: str,
    intent_ids: list[str],
    payloads: list[bytes],
    now: datetime.datetime,
) -> int:
    looks = dict(zip(intent_ids, payloads, strict=True))
    return len(
        await session.update(
            "writes",
            session.get_all("writes", [(each, tenant_id) for each in looks]),
            lambda row: {
                "payload": looks[row["intent_id"]],
                "state": "new",
                "reason": None,
                "created_at": now,
                "sent_at": None,
                "done_at": None,
                "result": None,
            },
            where=lambda row: (
                row["account_id"] == account_id
                and row["connection_id"] == connection_id
                and row["state"] == "done"
            ),
        )
    )


async def make_writing_due(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    app: str,
    now: datetime.datetime,
) -> int:
    def ask(there: Row, _new: Row) -> Row:
        at = there["write_at"] or now
        return {
            "write_at": at if there["write_failures"] > 0 else min(at, now),
            "write_asks": there["write_asks"] + 1,
        }

    account = {
        "tenant_id": tenant_id,
        "account_id": account_id,
        "app": app,
        "due_at": now,
        "write_at": now,
        "write_asks": 1,
    }
    return len(await session.insert("accounts", [account], otherwise=ask))


async def done_results(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    connection_id: str,
    intent_ids: list[str],
) -> list[Row]:
    found = session.get_all("writes", [(each, tenant_id) for each in intent_ids])
    return [
        {"result": row["result"]}
        for row in found
        if row["account_id"] == account_id
        and row["connection_id"] == connection_id
        and row["state"] == "done"
    ]


async def open_writes(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    state: str,
    but: list[str],
    limit: int,
) -> list[Row]:
    waiting = [
        row
        for row in session.find("writes", "open", account_id, tenant_id)
        if row["state"] == state and row["intent_id"] not in but
    ]
    waiting.sort(
        key=lambda row: (not row["is_urgent"], row["created_at"], row["intent_id"])
    )
    return [OPEN(row) for row in waiting[:limit]]


async def mark_sent(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    intent_ids: list[str],
    now: datetime.datetime,
) -> int:
    return len(
        await session.update(
            "writes",
            session.get_all("writes", [(each, tenant_id) for each in intent_ids]),
            lambda _: {"state": "sent", "sent_at": now},
            where=lambda row: row["account_id"] == account_id and row["state"] == "new",
        )
    )


async def put_off(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    intent_ids: list[str],
    reasons: list[str],
    now: datetime.datetime,
) -> int:
    why = dict(zip(intent_ids, reasons, strict=True))
    return len(
        await session.update(
            "writes",
            session.get_all("writes", [(each, tenant_id) for each in why]),
            lambda row: {
                "state": "new",
                "sent_at": None,
                "reason": why[row["intent_id"]],
                "created_at": now,
            },
            where=lambda row: _is_open(row, account_id),
        )
    )


async def save_results(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    intent_ids: list[str],
    results: list[bytes],
    now: datetime.datetime,
) -> list[Row]:
    answers = dict(zip(intent_ids, results, strict=True))
    saved = await session.update(
        "writes",
        session.get_all("writes", [(each, tenant_id) for each in answers]),
        lambda row: {
            "state": "done",
            "result": answers[row["intent_id"]],
            "done_at": now,
        },
        where=lambda row: _is_open(row, account_id),
    )
    return [{"intent_id": row["intent_id"]} for row in saved]


def _is_open(row: Row, account_id: str) -> bool:
    return row["account_id"] == account_id and row["state"] != "done"


async def step_back(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    lease_version: int,
    now: datetime.datetime,
) -> int:
    return len(
        await session.update(
            "accounts",
            [session.get("accounts", account_id, tenant_id)],
            lambda _: {"write_at": now},
            where=lambda row: row["lease_version"] == lease_version,
        )
    )


async def prune_writes(
    session: Session, *, before: datetime.datetime, limit: int
) -> int:
    old = (
        row
        for row in session.scan("writes")
        if row["state"] == "done" and row["done_at"] < before
    )
    return len(
        await session.delete(
            "writes", islice(old, limit), where=lambda row: row["state"] == "done"
        )
    )
