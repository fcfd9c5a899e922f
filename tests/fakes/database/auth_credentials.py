"""auth's queries on credentials, their refresh and the keys that seal them."""

import datetime
from collections import Counter
from collections.abc import Callable

import asyncpg

from tests.fakes.database.locks import KEY_SHARE
from tests.fakes.database.sessions import Change, Session
from tests.fakes.database.tables import Key, Row, Where, only

SEALED = only("tenant_id", "own_id", "version", "key_id", "wrapped_key")
SEALED_WHOLE = only("tenant_id", "own_id", "version", "key_id", "wrapped_key", "body")
CREDENTIAL = only(
    "kind",
    "username",
    "version",
    "key_id",
    "wrapped_key",
    "body",
    "expires_at",
    "renew_at",
    "lease_id",
    "lease_until",
    "renewed_at",
    "refused_at",
)
FRESH = {"lease_id": None, "lease_until": None, "uses": 0}


async def put_credential(session: Session, **credential: object) -> int:
    key = credential["tenant_id"], credential["account_id"]
    replaced = []

    def replace(there: Row, _new: Row) -> Row:
        replaced.append(there)
        return {**credential, **FRESH, "renewed_at": None, "refused_at": None}

    is_ours = session.has_drafted("credentials", *key)
    stored = await session.insert("credentials", [credential], otherwise=replace)
    if is_ours or not replaced:
        await _hold_account(session, *key)
    return len(stored)


async def _update(
    session: Session, key: tuple[str, str], change: Change, *, where: Where
) -> list[Row]:
    """Change a credential."""
    is_ours = session.has_drafted("credentials", *key)
    wanted = [session.get("credentials", *key)]
    changed = await session.update("credentials", wanted, change, where=where)
    if changed and is_ours:
        await _hold_account(session, *key)
    return changed


async def _hold_account(session: Session, tenant_id: str, account_id: str) -> None:
    """Keep the account that a credential refers to from being removed.

    Postgres does it for a row that is new, and for a change of one that the same
    transaction has written before.
    """
    account = session.get("accounts", tenant_id, account_id)
    if not await session.lock("accounts", [account], mode=KEY_SHARE):
        raise asyncpg.ForeignKeyViolationError("a credential of no account")


async def get_credential(
    session: Session, *, tenant_id: str, account_id: str
) -> list[Row]:
    row = session.get("credentials", tenant_id, account_id)
    account = session.get("accounts", tenant_id, account_id)
    if row is None or account is None:
        return []
    of_account = {name: account[name] for name in ("app", "state", "base_url")}
    return [{**CREDENTIAL(row), **of_account}]


async def lease_credential(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    version: int,
    lease_id: str,
    lease_until: datetime.datetime,
    now: datetime.datetime,
) -> list[Row]:
    leased = await _update(
        session,
        (tenant_id, account_id),
        lambda row: {
            "lease_id": lease_id,
            "lease_until": lease_until,
            "uses": row["uses"] + (row["lease_id"] is not None),
        },
        where=lambda row: (
            row["version"] == version
            and (row["lease_until"] is None or row["lease_until"] < now)
        ),
    )
    return [{"uses": row["uses"]} for row in leased]


async def renew_credential(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    version: int,
    now: datetime.datetime,
    **given: object,
) -> list[Row]:
    changed = {**given, **FRESH, "version": version, "renewed_at": now}
    renewed = await _update(
        session,
        (tenant_id, account_id),
        lambda _: changed,
        where=lambda row: row["version"] < version,
    )
    return [{"version": row["version"]} for row in renewed]


async def end_lease(
    session: Session,
    *,
    tenant_id: str,
    account_id: str,
    lease_id: str,
    rests_until: datetime.datetime | None,
    is_use: bool,
    is_refusal: bool,
    now: datetime.datetime,
) -> int:
    def end(row: Row) -> Row:
        refused_at = row["refused_at"]
        return {
            "lease_id": None,
            "lease_until": rests_until,
            "uses": row["uses"] + is_use,
            "refused_at": (refused_at or now) if is_refusal else refused_at,
        }

    return len(
        await _update(
            session,
            (tenant_id, account_id),
            end,
            where=lambda row: row["lease_id"] == lease_id,
        )
    )


async def forget_refusal(
    session: Session, *, tenant_id: str, account_id: str, accepted_at: datetime.datetime
) -> int:
    return len(
        await _update(
            session,
            (tenant_id, account_id),
            lambda _: {"refused_at": None},
            where=lambda row: (
                row["refused_at"] is not None and row["refused_at"] < accepted_at
            ),
        )
    )


async def count_sealed(session: Session, *, now: datetime.datetime) -> list[Row]:
    waiting = session.scan("authorisations", lambda row: row["expires_at"] >= now)
    everything = session.scan("credentials") + session.scan("app_clients") + waiting
    counts = Counter(row["key_id"] for row in everything)
    return [{"key_id": key, "count": counts[key]} for key in sorted(counts)]


async def page_old_credentials(session: Session, **page: object) -> list[Row]:
    return _page_old(session, "credentials", _credential, **page)


async def page_old_app_clients(session: Session, **page: object) -> list[Row]:
    return _page_old(session, "app_clients", _app_client, **page)


async def page_old_authorisations(session: Session, **page: object) -> list[Row]:
    return _page_old(session, "authorisations", _authorisation, **page)


async def rewrap_credentials(session: Session, **given: object) -> int:
    return await _rewrap(session, "credentials", **given)


async def rewrap_app_clients(session: Session, **given: object) -> int:
    return await _rewrap(session, "app_clients", **given)


async def rewrap_authorisations(session: Session, **given: object) -> int:
    return await _rewrap(session, "authorisations", **given)


async def read_sealed_credentials(session: Session, **whose: object) -> list[Row]:
    return _read_sealed(session, "credentials", _credential, **whose)


async def read_sealed_app_clients(session: Session, **whose: object) -> list[Row]:
    return _read_sealed(session, "app_clients", _app_client, **whose)


async def read_sealed_authorisations(session: Session, **whose: object) -> list[Row]:
    return _read_sealed(session, "authorisations", _authorisation, **whose)


async def reseal_credentials(session: Session, **given: object) -> int:
    return await _reseal(session, "credentials", **given)


async def reseal_app_clients(session: Session, **given: object) -> int:
    return await _reseal(session, "app_clients", **given)


async def reseal_authorisations(session: Session, **given: object) -> int:
    return await _reseal(session, "authorisations", **given)


def _credential(row: Row) -> Row:
    return {"own_id": row["account_id"], "version": row["version"]}


def _app_client(row: Row) -> Row:
    return {"own_id": row["app"], "version": 0}


def _authorisation(row: Row) -> Row:
    return {"own_id": row["state_hash"], "version": 0}


def _page_old(
    session: Session,
    table: str,
    own: Callable[[Row], Row],
    *,
    active: str,
    header: bytes,
    after_tenant_id: str,
    after_own_id: str,
    limit: int,
) -> list[Row]:
    old = [
        {**row, **own(row)}
        for row in session.scan(table)
        if row["key_id"] != active or not row["wrapped_key"].startswith(header)
    ]
    after = (after_tenant_id, after_own_id)
    rest = [row for row in old if (row["tenant_id"], row["own_id"]) > after]
    rest.sort(key=lambda row: (row["tenant_id"], row["own_id"]))
    return [SEALED(row) for row in rest[:limit]]


async def _rewrap(
    session: Session,
    table: str,
    *,
    active: str,
    tenant_ids: list[str],
    own_ids: list[str],
    old_key_ids: list[str],
    old_wrapped_keys: list[bytes],
    wrapped_keys: list[bytes],
) -> int:
    key_of: Callable[[Row], Key] = session.tables[table].key_of
    given = zip(old_key_ids, old_wrapped_keys, wrapped_keys, strict=True)
    new = dict(zip(zip(tenant_ids, own_ids, strict=True), given, strict=True))
    ours = {key for key in new if session.has_drafted(table, *key)}
    changed = await session.update(
        table,
        session.get_all(table, new),
        lambda row: {"key_id": active, "wrapped_key": new[key_of(row)][2]},
        where=lambda row: (row["key_id"], row["wrapped_key"]) == new[key_of(row)][:2],
    )
    for key in [key_of(row) for row in changed if table == "credentials"]:
        if key in ours:
            await _hold_account(session, *key)
    return len(changed)


def _read_sealed(
    session: Session,
    table: str,
    own: Callable[[Row], Row],
    *,
    tenant_id: str,
    own_ids: list[str],
) -> list[Row]:
    there = [{**row, **own(row)} for row in session.scan(table)]
    found = [
        row
        for row in there
        if row["tenant_id"] == tenant_id and row["own_id"] in own_ids
    ]
    found.sort(key=lambda row: row["own_id"])
    return [SEALED_WHOLE(row) for row in found]


async def _reseal(
    session: Session,
    table: str,
    *,
    active: str,
    tenant_id: str,
    own_ids: list[str],
    old_wrapped_keys: list[bytes],
    wrapped_keys: list[bytes],
    bodies: list[bytes],
) -> int:
    key_of: Callable[[Row], Key] = session.tables[table].key_of
    given = zip(old_wrapped_keys, wrapped_keys, bodies, strict=True)
    keys = [(tenant_id, own_id) for own_id in own_ids]
    new = dict(zip(keys, given, strict=True))
    ours = {key for key in new if session.has_drafted(table, *key)}

    def sealed(row: Row) -> Row:
        _, wrapped_key, body = new[key_of(row)]
        return {"key_id": active, "wrapped_key": wrapped_key, "body": body}

    changed = await session.update(
        table,
        session.get_all(table, new),
        sealed,
        where=lambda row: row["wrapped_key"] == new[key_of(row)][0],
    )
    for key in [key_of(row) for row in changed if table == "credentials"]:
        if key in ours:
            await _hold_account(session, *key)
    return len(changed)
