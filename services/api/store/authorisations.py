"""Queries of authorisations in a browser: one function each, rows in, Structs out.

The caller owns the transaction. Secrets come in as digests only, or sealed.
"""

import datetime
from pathlib import Path

import msgspec

from proto.base import Instant
from proto.ids import AccountId, AppId, AuthorisationId, PersonId, TenantId
from services.api.store import statements
from services.chassis import queries
from services.chassis.database import Source, Transaction

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")


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
    query = Q["open_authorisation"](link_digest=link_digest, now=now)
    return await statements.read_one(transaction, query, kind=OpenedAuthorisation)


async def find_authorisation_by_state(
    source: Source, state_digest: bytes, *, app: AppId
) -> CalledAuthorisation | None:
    """Return the authorisation that a callback belongs to."""
    query = Q["find_authorisation_by_state"](state_digest=state_digest, app=app)
    return await statements.read_one(source, query, kind=CalledAuthorisation)


async def find_authorisation(
    source: Source,
    tenant_id: TenantId,
    *,
    authorisation_id: AuthorisationId,
) -> ListedAuthorisation | None:
    """Return how one authorisation of a tenant stands."""
    query = Q["find_authorisation"](
        tenant_id=tenant_id, authorisation_id=authorisation_id
    )
    return await statements.read_one(source, query, kind=ListedAuthorisation)


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
    return await statements.forget_batch(
        transaction, Q["forget_authorisations"], before=before
    )
