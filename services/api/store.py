"""The api's queries: one function each, rows in, Structs out.

The caller owns the transaction. Secrets come in as digests only.
"""

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from proto.base import Instant
from proto.ids import (
    AccountId,
    ApiKeyId,
    AppId,
    AuthorisationId,
    PersonId,
    TenantId,
)
from services.chassis import queries
from services.chassis.database import Row, Source, Transaction

Q = queries.load(Path(__file__).parent / "sql" / "queries.sql")

T = TypeVar("T")

FORGET_BATCH: Final = 1_000


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


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit log."""

    tenant_id: TenantId
    actor: str
    """The id of an API key or a person, ``browser`` or ``command_line``."""
    act: str
    object_id: str = ""
    fields: tuple[str, ...] = ()
    outcome: str
    """``begun``, then ``done`` or the code of what went wrong."""
    request_id: str = ""
    remote: str = ""


class NewAuthorisation(msgspec.Struct, frozen=True, kw_only=True):
    """An authorisation to be stored."""

    tenant_id: TenantId
    authorisation_id: AuthorisationId
    app: AppId
    link_digest: bytes
    state_digest: bytes
    browser_digest: bytes
    sealed: bytes
    expires_at: Instant
    person_id: PersonId | None
    """Who began it; None where a key did."""


class OpenedAuthorisation(msgspec.Struct, frozen=True, kw_only=True):
    """An authorisation whose link was followed."""

    tenant_id: TenantId
    authorisation_id: AuthorisationId
    sealed: bytes
    browser_digest: bytes
    expires_at: Instant
    ended_at: Instant | None
    person_id: PersonId | None
    opened_before_at: Instant | None


class CalledAuthorisation(msgspec.Struct, frozen=True, kw_only=True):
    """An authorisation that a callback belongs to."""

    tenant_id: TenantId
    authorisation_id: AuthorisationId
    app: AppId
    browser_digest: bytes
    expires_at: Instant
    ended_at: Instant | None
    person_id: PersonId | None


class ListedAuthorisation(msgspec.Struct, frozen=True, kw_only=True):
    """An authorisation as its tenant sees it."""

    authorisation_id: AuthorisationId
    app: AppId
    expires_at: Instant
    opened_at: Instant | None
    ended_at: Instant | None
    outcome: str
    account_id: AccountId | None


async def take_tenant(
    transaction: Transaction,
    name: str,
    *,
    new_id: TenantId,
    requires_second_factor: bool,
    now: datetime.datetime,
) -> TenantId:
    """Return the tenant of a name, made if there is none."""
    await transaction.execute(
        Q["add_tenant"](
            tenant_id=new_id,
            name=name,
            requires_second_factor=requires_second_factor,
            now=now,
        )
    )
    row = await transaction.fetch_row(Q["find_tenant"](name=name))
    assert row is not None, "a tenant is never removed"
    return TenantId(row["tenant_id"])


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
    return _one(await source.fetch_row(Q["find_key"](digest=digest)), StoredKey)


async def list_keys(
    source: Source, tenant_id: TenantId, *, after: str, limit: int
) -> list[ListedKey]:
    """Return a page of a tenant's keys, oldest first."""
    rows = await source.fetch(
        Q["list_keys"](tenant_id=tenant_id, after=after, limit=limit)
    )
    return [_read(row, ListedKey) for row in rows]


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


async def add_audit_entry(
    transaction: Transaction, entry: AuditEntry, *, now: datetime.datetime
) -> None:
    """Write down who did what."""
    await transaction.execute(
        Q["add_audit_entry"](**msgspec.structs.asdict(entry), now=now)
    )


async def count_open_authorisations(
    transaction: Transaction, tenant_id: TenantId, *, now: datetime.datetime
) -> int:
    """Return how many wait for a person; nobody else adds one until the commit."""
    await transaction.fetch_row(Q["lock_tenant"](tenant_id=tenant_id))
    row = await transaction.fetch_row(
        Q["count_open_authorisations"](tenant_id=tenant_id, now=now)
    )
    return int(row["count"]) if row else 0


async def add_authorisation(
    transaction: Transaction, new: NewAuthorisation, *, now: datetime.datetime
) -> None:
    """Store an authorisation that waits for a browser."""
    await transaction.execute(
        Q["add_authorisation"](**msgspec.structs.asdict(new), now=now)
    )


async def open_authorisation(
    transaction: Transaction, link_digest: bytes, *, now: datetime.datetime
) -> OpenedAuthorisation | None:
    """Mark a link as opened; says whether it had been opened before."""
    row = await transaction.fetch_row(
        Q["open_authorisation"](link_digest=link_digest, now=now)
    )
    return _one(row, OpenedAuthorisation)


async def find_authorisation_by_state(
    source: Source, state_digest: bytes, *, app: AppId
) -> CalledAuthorisation | None:
    """Return the authorisation that a callback belongs to."""
    row = await source.fetch_row(
        Q["find_authorisation_by_state"](state_digest=state_digest, app=app)
    )
    return _one(row, CalledAuthorisation)


async def find_authorisation(
    source: Source,
    tenant_id: TenantId,
    *,
    authorisation_id: AuthorisationId,
) -> ListedAuthorisation | None:
    """Return how one authorisation of a tenant stands."""
    row = await source.fetch_row(
        Q["find_authorisation"](tenant_id=tenant_id, authorisation_id=authorisation_id)
    )
    return _one(row, ListedAuthorisation)


async def end_authorisation(
    transaction: Transaction,
    called: CalledAuthorisation,
    *,
    outcome: str,
    account_id: AccountId | None,
    now: datetime.datetime,
) -> None:
    """Say how an authorisation ended, unless that is said already."""
    await transaction.execute(
        Q["end_authorisation"](
            tenant_id=called.tenant_id,
            authorisation_id=called.authorisation_id,
            outcome=outcome,
            account_id=account_id,
            now=now,
        )
    )


async def forget_authorisations(
    transaction: Transaction, *, before: datetime.datetime
) -> bool:
    """Forget a batch of those that expired before; True if there may be more."""
    count = await transaction.execute(
        Q["forget_authorisations"](before=before, limit=FORGET_BATCH)
    )
    return count == FORGET_BATCH


def _one(row: Row | None, into: type[T]) -> T | None:
    return None if row is None else _read(row, into)


def _read(row: Row, into: type[T]) -> T:
    return msgspec.convert(dict(row), into)
