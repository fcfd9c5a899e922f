"""Queries of API keys: one function each, rows in, Structs out.

The caller owns the transaction. Keys come in as digests only.
"""

import datetime
from collections.abc import Mapping
from pathlib import Path

import msgspec

from proto.base import Instant
from proto.ids import ApiKeyId, TenantId
from services.api.store import statements
from services.chassis import queries
from services.chassis.database import Source, Transaction

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed to judge a key that a request brings."""

    tenant_id: TenantId
    key_id: ApiKeyId
    scopes: tuple[str, ...]
    expires_at: Instant | None
    revoked_at: Instant | None


class ListedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as its tenant sees it."""

    key_id: ApiKeyId
    name: str
    hint: str
    scopes: tuple[str, ...]
    created_at: Instant
    created_by: str
    expires_at: Instant | None
    revoked_at: Instant | None
    last_used_at: Instant | None


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key to be stored."""

    tenant_id: TenantId
    key_id: ApiKeyId
    name: str
    digest: bytes
    hint: str
    scopes: tuple[str, ...]
    expires_at: Instant | None = None
    created_by: str
    """Who made it, as the audit log names them."""


async def count_keys(
    transaction: Transaction, tenant_id: TenantId, *, now: datetime.datetime
) -> int:
    """Return how many keys are valid; nobody else adds one until the commit."""
    await transaction.fetch_row(Q["lock_tenant"](tenant_id=tenant_id))
    row = await transaction.fetch_row(Q["count_keys"](tenant_id=tenant_id, now=now))
    return int(row["count"]) if row else 0


async def add_key(
    transaction: Transaction, key: NewKey, *, now: datetime.datetime
) -> None:
    """Store a new key."""
    await transaction.execute(Q["add_key"](**msgspec.structs.asdict(key), now=now))


async def find_key(source: Source, digest: bytes) -> StoredKey | None:
    """Return the key of a digest, whatever its tenant."""
    query = Q["find_key"](digest=digest)
    return await statements.read_one(source, query, kind=StoredKey)


async def list_keys(
    source: Source, tenant_id: TenantId, *, after: str, limit: int
) -> list[ListedKey]:
    """Return a page of a tenant's keys, oldest first."""
    rows = await source.fetch(
        Q["list_keys"](tenant_id=tenant_id, after=after, limit=limit)
    )
    return [msgspec.convert(dict(row), ListedKey) for row in rows]


async def revoke_key(
    transaction: Transaction,
    tenant_id: TenantId,
    *,
    key_id: ApiKeyId,
    now: datetime.datetime,
) -> bool:
    """Refuse a key from now on; False if the tenant has none of this id."""
    query = Q["revoke_key"](tenant_id=tenant_id, key_id=key_id, now=now)
    return await transaction.execute(query) > 0


async def note_key_use(
    transaction: Transaction,
    used: Mapping[tuple[TenantId, ApiKeyId], datetime.datetime],
) -> None:
    """Store when keys were last used."""
    await transaction.execute(
        Q["note_key_use"](
            tenant_ids=[tenant_id for tenant_id, _ in used],
            key_ids=[key_id for _, key_id in used],
            ats=list(used.values()),
        )
    )
