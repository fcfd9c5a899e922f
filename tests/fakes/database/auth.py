"""auth's queries on app clients, authorisations and accounts."""

import datetime

from tests.fakes.database.locks import KEY_SHARE
from tests.fakes.database.sessions import Session
from tests.fakes.database.tables import Row, Where, only

CLIENT = only(
    "client_id",
    "key_id",
    "wrapped_key",
    "body",
    "authorise_url",
    "token_url",
    "api_url",
)
AUTHORISATION = only(
    "app",
    "account_id",
    "browser_hash",
    "redirect_uri",
    "key_id",
    "wrapped_key",
    "body",
    "expires_at",
)
ACCOUNT = only(
    "account_id",
    "app",
    "state",
    "vendor_account_id",
    "display_name",
    "base_url",
    "scopes",
    "created_at",
)
PENDING_FOR = datetime.timedelta(hours=1)


async def put_app_client(
    session: Session,
    *,
    tenant_id: str,
    app: str,
    now: datetime.datetime,
    **client: object,
) -> int:
    row = {"tenant_id": tenant_id, "app": app, "updated_at": now, **client}
    stored = await session.insert(
        "app_clients", [row], otherwise=lambda _there, new: new
    )
    return len(stored)


async def get_app_client(session: Session, *, tenant_id: str, app: str) -> list[Row]:
    row = session.get("app_clients", tenant_id, app)
    return [] if row is None else [CLIENT(row)]


async def put_authorisation(session: Session, **authorisation: object) -> int:
    return len(await session.insert("authorisations", [authorisation]))


async def take_authorisation(
    session: Session, *, tenant_id: str, state_hash: str
) -> list[Row]:
    wanted = [session.get("authorisations", tenant_id, state_hash)]
    taken = await session.delete("authorisations", wanted)
    return [AUTHORISATION(row) for row in taken]


async def drop_stale(session: Session, *, now: datetime.datetime, limit: int) -> int:
    accounts = session.scan(
        "accounts",
        lambda row: row["state"] == "pending" and row["created_at"] < now - PENDING_FOR,
    )
    accounts.sort(key=lambda row: row["created_at"])
    authorisations = session.scan("authorisations", lambda row: row["expires_at"] < now)
    authorisations.sort(key=lambda row: row["expires_at"])
    stale = session.choose("authorisations", authorisations)
    held = await session.lock("accounts", accounts, skips=True, limit=limit)
    dropped = await _delete_accounts(session, held)
    over = await session.lock("authorisations", stale, skips=True, limit=limit)
    await session.delete("authorisations", over)
    return len(dropped)


async def add_account(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    app: str,
    base_url: str,
    origin: str,
    scopes: list[str],
    now: datetime.datetime,
) -> int:
    account = {
        "tenant_id": tenant_id,
        "account_id": account_id,
        "app": app,
        "state": "pending",
        "base_url": base_url,
        "origin": origin,
        "scopes": scopes,
        "created_at": now,
    }
    return len(await session.insert("accounts", [account]))


async def get_account(
    session: Session, *, tenant_id: str, account_id: str
) -> list[Row]:
    row = session.get("accounts", tenant_id, account_id)
    return [] if row is None else [ACCOUNT(row)]


async def find_pinned_account(
    session: Session, *, tenant_id: str, app: str, origin: str, vendor_account_id: str
) -> list[Row]:
    def is_it(row: Row) -> bool:
        pin = (row["app"], row["origin"], row["vendor_account_id"])
        is_tenants = row["tenant_id"] == tenant_id
        return is_tenants and pin == (app, origin, vendor_account_id)

    key = (tenant_id, app, origin, vendor_account_id)
    found = session.find("accounts", "accounts_pinned", *key)
    held = await session.lock("accounts", found, mode=KEY_SHARE, where=is_it)
    return [ACCOUNT(row) for row in held]


async def hold_account(
    session: Session, *, tenant_id: str, account_id: str
) -> list[Row]:
    wanted = [session.get("accounts", tenant_id, account_id)]
    held = await session.lock("accounts", wanted, mode=KEY_SHARE)
    return [ACCOUNT(row) for row in held]


async def list_accounts(
    session: Session, *, tenant_id: str, after: str, limit: int
) -> list[Row]:
    found = session.scan(
        "accounts",
        lambda row: (
            row["tenant_id"] == tenant_id
            and row["state"] != "pending"
            and row["account_id"] > after
        ),
    )
    found.sort(key=lambda row: row["account_id"])
    return [ACCOUNT(row) for row in found[:limit]]


async def connect_account(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    vendor_account_id: str,
    display_name: str,
    base_url: str,
    origin: str,
    scopes: list[str],
    now: datetime.datetime,
) -> list[Row]:
    return _when_told(
        await session.update(
            "accounts",
            [session.get("accounts", tenant_id, account_id)],
            lambda row: {
                "state": "connected",
                "told_at": _after_the_word_before(row, now),
                "vendor_account_id": vendor_account_id,
                "display_name": display_name,
                "base_url": base_url,
                "origin": origin,
                "scopes": scopes,
            },
        )
    )


async def put_scopes(
    session: Session, *, tenant_id: str, account_id: str, scopes: list[str]
) -> int:
    return len(
        await session.update(
            "accounts",
            [session.get("accounts", tenant_id, account_id)],
            lambda _: {"scopes": scopes},
            where=lambda row: row["scopes"] != scopes,
        )
    )


async def lose_account(
    session: Session, *, tenant_id: str, account_id: str, now: datetime.datetime
) -> list[Row]:
    return _when_told(
        await session.update(
            "accounts",
            [session.get("accounts", tenant_id, account_id)],
            lambda row: {
                "state": "lost",
                "told_at": _after_the_word_before(row, now),
            },
            where=lambda row: row["state"] == "connected",
        )
    )


async def drop_pending(session: Session, *, tenant_id: str, account_id: str) -> int:
    wanted = [session.get("accounts", tenant_id, account_id)]
    return len(
        await _delete_accounts(
            session, wanted, where=lambda row: row["state"] == "pending"
        )
    )


async def remove_account(
    session: Session, *, tenant_id: str, account_id: str, now: datetime.datetime
) -> list[Row]:
    wanted = [session.get("accounts", tenant_id, account_id)]
    removed = await _delete_accounts(session, wanted)
    return [{"told_at": _after_the_word_before(row, now)} for row in removed]


def _after_the_word_before(row: Row, now: datetime.datetime) -> datetime.datetime:
    told_at: datetime.datetime | None = row["told_at"]
    if told_at is None:
        return now
    return max(now, told_at + datetime.timedelta(milliseconds=1))


def _when_told(changed: list[Row]) -> list[Row]:
    return [{"told_at": row["told_at"]} for row in changed]


async def _delete_accounts(
    session: Session, accounts: list[Row | None], *, where: Where | None = None
) -> list[Row]:
    """Delete accounts, and with each, at the end of the statement, its credential."""
    deleted = await session.delete("accounts", accounts, where=where)
    keys = [(row["tenant_id"], row["account_id"]) for row in deleted]
    await session.delete("credentials", session.get_all("credentials", keys))
    return deleted
