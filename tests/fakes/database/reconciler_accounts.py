"""The reconciler's queries on the accounts that connections use."""

import datetime

from tests.fakes.database.sessions import Session
from tests.fakes.database.tables import Row, only

ACCOUNT = only("account_id", "app", "description", "is_lost")


async def describe_account(
    session: Session, *, tenant_id: str, account_id: str, app: str, description: bytes
) -> int:
    def take_note(_there: Row, new: Row) -> Row:
        return {"description": new["description"], "unused_since": None}

    account = {
        "tenant_id": tenant_id,
        "account_id": account_id,
        "app": app,
        "description": description,
    }
    return len(await session.insert("accounts", [account], otherwise=take_note))


async def load_account(
    session: Session, *, tenant_id: str, account_id: str
) -> list[Row]:
    row = session.get("accounts", account_id, tenant_id)
    if row is None or row["unused_since"] is not None:
        return []
    erased = session.scan("suppressions", lambda each: each["tenant_id"] == tenant_id)
    creates = session.find("intents", "creates", account_id, tenant_id)
    told = {"is_screened": bool(erased), "is_creating": bool(creates)}
    return [{**ACCOUNT(row), **told}]


async def set_account_state(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    is_lost: bool,
    at: datetime.datetime,
) -> list[Row]:
    changed = await session.update(
        "accounts",
        [session.get("accounts", account_id, tenant_id)],
        lambda _: {"is_lost": is_lost, "state_at": at},
        where=lambda row: row["state_at"] is None or row["state_at"] < at,
    )
    return [{"account_id": row["account_id"]} for row in changed]


async def find_lost_accounts(
    session: Session, *, tenant_id: str, account_ids: list[str]
) -> list[Row]:
    found = session.get_all("accounts", [(each, tenant_id) for each in account_ids])
    return [{"account_id": row["account_id"]} for row in found if row["is_lost"]]


async def retire_accounts(
    session: Session, *, tenant_id: str, account_ids: list[str], now: datetime.datetime
) -> int:
    used = {
        account_id
        for row in session.scan("connections")
        if row["tenant_id"] == tenant_id and row["deleted_at"] is None
        for account_id in (row["left_account"], row["right_account"])
    }
    candidates = [(each, tenant_id) for each in account_ids if each not in used]
    return len(
        await session.update(
            "accounts",
            session.get_all("accounts", candidates),
            lambda _: {"unused_since": now},
            where=lambda row: row["unused_since"] is None,
        )
    )


async def find_needed_accounts(
    session: Session, *, tenant_id: str, account_ids: list[str]
) -> list[Row]:
    read = {
        account_id
        for row in session.scan("connections")
        if row["tenant_id"] == tenant_id
        and row["deleted_at"] is None
        and row["state"] in ("scanning", "syncing", "live", "needs_attention")
        for account_id in (row["left_account"], row["right_account"])
    }
    return [{"account_id": e} for e in dict.fromkeys(account_ids) if e in read]
