"""The reconciler's queries on intents and losses."""

import datetime

from tests.fakes.database import marking
from tests.fakes.database.reconciler_connections import is_kept, is_running
from tests.fakes.database.sessions import Session, keep
from tests.fakes.database.tables import Row, only

OPEN = only("intent_id", "link_id", "body", "number", "sent_at")
CREATE = only("body", "number")


async def count_open_intents(
    session: Session, *, tenant_id: str, connection_id: str, untold: str
) -> list[Row]:
    def is_held(link_id: str) -> bool:
        link = session.get("links", connection_id, link_id, tenant_id)
        return link is not None and link["reason"] == untold

    found = session.find("intents", "open", connection_id, tenant_id)
    waiting = [
        row for row in found if row["state"] == "open" or not is_held(row["link_id"])
    ]
    return [{"waiting": len(waiting)}]


async def add_intents(
    session: Session,
    *,
    tenant_id: str,
    connection_id: str,
    now: datetime.datetime,
    look_at: datetime.datetime,
    intent_ids: list[str],
    link_ids: list[str],
    account_ids: list[str],
    sides: list[str],
    kinds: list[str],
    bodies: list[bytes],
    is_destructive: list[bool],
    source_ids: list[str],
) -> int:
    given = zip(
        intent_ids,
        link_ids,
        account_ids,
        sides,
        kinds,
        bodies,
        is_destructive,
        source_ids,
        strict=True,
    )
    made = (
        {
            "tenant_id": tenant_id,
            "connection_id": connection_id,
            "intent_id": intent_id,
            "link_id": link_id,
            "account_id": account_id,
            "side": side,
            "kind": kind,
            "state": "open",
            "body": body,
            "is_destructive": undoes,
            "decided_at": now,
            "look_at": look_at,
            "number": marking.draw_number(session),
            "source_id": source_id,
        }
        for intent_id, link_id, account_id, side, kind, body, undoes, source_id in given
    )
    return len(await session.insert("intents", made))


async def lock_open_intents(
    session: Session, *, tenant_id: str, connection_id: str, intent_ids: list[str]
) -> list[Row]:
    keys = [(connection_id, intent_id, tenant_id) for intent_id in intent_ids]
    held = await session.lock("intents", session.get_all("intents", keys))
    return [OPEN(row) for row in held if _is_open(row)]


async def look_at_all(
    session: Session, *, tenant_id: str, connection_id: str, now: datetime.datetime
) -> int:
    sent = session.find("intents", "open", connection_id, tenant_id)
    return len(
        await session.update(
            "intents",
            sorted(sent, key=lambda row: row["intent_id"]),
            lambda _: {"look_at": now},
            where=_is_open,
        )
    )


async def save_intents(
    session: Session,
    *,
    tenant_id: str,
    connection_id: str,
    now: datetime.datetime,
    intent_ids: list[str],
    link_ids: list[str],
    account_ids: list[str],
    sides: list[str],
    kinds: list[str],
    states: list[str],
    bodies: list[bytes],
    sent_at: list[datetime.datetime | None],
    look_at: list[datetime.datetime | None],
    outcomes: list[str],
    reasons: list[str],
) -> int:
    first = zip(intent_ids, link_ids, account_ids, sides, kinds, states, strict=True)
    second = zip(bodies, sent_at, look_at, outcomes, reasons, strict=True)
    told = (
        {
            "tenant_id": tenant_id,
            "connection_id": connection_id,
            "intent_id": intent_id,
            "link_id": link_id,
            "account_id": account_id,
            "side": side,
            "kind": kind,
            "state": state,
            "body": body,
            "decided_at": now,
            "sent_at": sent,
            "look_at": look,
            "closed_at": now if state in ("done", "dead") else None,
            "outcome": outcome,
            "reason": reason,
            "number": marking.draw_number(session),
        }
        for (intent_id, link_id, account_id, side, kind, state), (
            body,
            sent,
            look,
            outcome,
            reason,
        ) in zip(first, second, strict=True)
    )
    return len(await session.insert("intents", told, otherwise=_told))


def _is_open(row: Row) -> bool:
    return row["state"] in ("open", "unknown")


def _told(there: Row, new: Row) -> Row:
    changed = ("state", "body", "look_at", "closed_at", "outcome", "reason")
    return {
        **{name: new[name] for name in changed},
        "sent_at": new["sent_at"] or there["sent_at"],
    }


async def find_open_creates(
    session: Session,
    *,
    tenant_id: str,
    account_ids: list[str],
    after: datetime.datetime,
    but: list[str],
) -> list[Row]:
    found = []
    for account_id in account_ids:
        numbers = [
            row["number"]
            for row in session.find("intents", "creates", account_id, tenant_id)
            if row["intent_id"] not in but and _is_waited_for(session, row, after=after)
        ]
        if numbers:
            found.append({"account_id": account_id, "number": min(numbers)})
    return found


async def find_creating(
    session: Session, *, tenant_id: str, account_id: str, after: datetime.datetime
) -> list[Row]:
    found = {
        row["connection_id"]
        for row in session.find("intents", "creates", account_id, tenant_id)
        if _is_waited_for(session, row, after=after)
    }
    return [{"connection_id": each} for each in sorted(found)]


async def load_open_creates(
    session: Session,
    *,
    tenant_id: str,
    connection_id: str,
    account_ids: list[str],
    after: datetime.datetime,
    limit: int,
) -> list[Row]:
    creates = [
        row
        for account_id in account_ids
        for row in session.find("intents", "creates", account_id, tenant_id)
        if row["connection_id"] == connection_id
        and row["state"] in ("open", "unknown")
        and _is_waited_for(session, row, after=after)
    ]
    creates.sort(
        key=lambda row: (row["state"] == "open", row["decided_at"], row["intent_id"])
    )
    return [CREATE(row) for row in creates[:limit]]


def _is_waited_for(session: Session, row: Row, *, after: datetime.datetime) -> bool:
    """Say whether a create's connection still waits for it."""
    owner = session.get("connections", row["connection_id"], row["tenant_id"])
    if owner is None or not is_kept(owner):
        return False
    started = owner["sync_started_at"]
    begun: datetime.datetime = max(row["decided_at"], started or row["decided_at"])
    return begun > after


async def add_losses(
    session: Session,
    *,
    tenant_id: str,
    connection_id: str,
    now: datetime.datetime,
    intent_ids: list[str],
    mapping_ids: list[str],
    sides: list[str],
    fields: list[bytes],
) -> int:
    lost = [
        {
            "tenant_id": tenant_id,
            "connection_id": connection_id,
            "intent_id": intent_id,
            "mapping_id": mapping_id,
            "side": side,
            "fields": values,
            "lost_at": now,
        }
        for intent_id, mapping_id, side, values in zip(
            intent_ids, mapping_ids, sides, fields, strict=True
        )
    ]
    return len(await session.insert("losses", lost, otherwise=keep))


async def claim_looks(
    session: Session,
    *,
    now: datetime.datetime,
    again_at: datetime.datetime,
    limit: int,
) -> list[Row]:
    running = {
        (row["connection_id"], row["tenant_id"]): row
        for row in session.scan("connections")
        if is_running(row) and is_kept(row)
    }
    due = [
        row
        for row in session.find("intents", "look")
        if row["look_at"] <= now
        and _is_open(row)
        and (row["connection_id"], row["tenant_id"]) in running
    ]
    due.sort(key=lambda row: row["look_at"])
    held = await session.lock("intents", due, skips=True, limit=limit)
    claimed = await session.update("intents", held, lambda _: {"look_at": again_at})
    found = []
    for row in claimed:
        connection = running[row["connection_id"], row["tenant_id"]]
        found.append(
            {
                "tenant_id": row["tenant_id"],
                "connection_id": row["connection_id"],
                "account_id": row["account_id"],
                "side": row["side"],
                "body": row["body"],
                "left_side": connection["left_side"],
                "right_side": connection["right_side"],
            }
        )
    return found
