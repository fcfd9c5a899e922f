"""Queries of invitations: one function each, rows in, Structs out.

The caller owns the transaction. Links come in as digests only.
"""

import datetime
from pathlib import Path

import msgspec

from proto.base import Instant
from proto.ids import InvitationId, TenantId
from services.api.store import statements
from services.chassis import queries
from services.chassis.database import Source, Transaction

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")


class ListedInvitation(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation as its tenant sees it."""

    invitation_id: InvitationId
    email: str
    role: str
    created_at: Instant
    created_by: str
    expires_at: Instant
    ended_at: Instant | None
    outcome: str


class NewInvitation(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation to be stored."""

    tenant_id: TenantId
    invitation_id: InvitationId
    email: str
    role: str
    digest: bytes
    created_by: str
    expires_at: Instant


class FoundInvitation(msgspec.Struct, frozen=True, kw_only=True):
    """The invitation that a link belongs to."""

    tenant_id: TenantId
    tenant_name: str
    invitation_id: InvitationId
    digest: bytes
    email: str
    role: str
    expires_at: Instant
    ended_at: Instant | None


async def count_people(
    transaction: Transaction, tenant_id: TenantId, *, now: datetime.datetime
) -> int:
    """Return how many people there are or may come; lock the tenant first."""
    row = await transaction.fetch_row(Q["count_people"](tenant_id=tenant_id, now=now))
    return int(row["count"]) if row else 0


async def has_person(
    transaction: Transaction, tenant_id: TenantId, *, email: str
) -> bool:
    """Tell whether a tenant has somebody of an address."""
    query = Q["has_person"](tenant_id=tenant_id, email=email)
    return await transaction.fetch_row(query) is not None


async def add_invitation(
    transaction: Transaction, new: NewInvitation, *, now: datetime.datetime
) -> None:
    """Store an invitation; what was open for its address is over."""
    await transaction.execute(
        Q["end_invitations_of_email"](tenant_id=new.tenant_id, email=new.email, now=now)
    )
    await transaction.execute(
        Q["add_invitation"](**msgspec.structs.asdict(new), now=now)
    )


async def lock_invitation(
    transaction: Transaction, tenant_id: TenantId, *, invitation_id: InvitationId
) -> ListedInvitation | None:
    """Return an invitation of a tenant, which stays so until the commit."""
    query = Q["lock_invitation"](tenant_id=tenant_id, invitation_id=invitation_id)
    return await statements.read_one(transaction, query, kind=ListedInvitation)


async def find_invitation(source: Source, digest: bytes) -> FoundInvitation | None:
    """Return the invitation of a link, whatever its tenant."""
    query = Q["find_invitation"](digest=digest)
    return await statements.read_one(source, query, kind=FoundInvitation)


async def list_invitations(
    source: Source, tenant_id: TenantId, *, after: str, limit: int
) -> list[ListedInvitation]:
    """Return a page of a tenant's invitations, oldest first."""
    rows = await source.fetch(
        Q["list_invitations"](tenant_id=tenant_id, after=after, limit=limit)
    )
    return [msgspec.convert(dict(row), ListedInvitation) for row in rows]


async def renew_invitation(
    transaction: Transaction,
    tenant_id: TenantId,
    *,
    invitation_id: InvitationId,
    digest: bytes,
    expires_at: datetime.datetime,
) -> None:
    """Put another link in place of the one before."""
    await transaction.execute(
        Q["renew_invitation"](
            tenant_id=tenant_id,
            invitation_id=invitation_id,
            digest=digest,
            expires_at=expires_at,
        )
    )


async def end_invitation(
    transaction: Transaction,
    tenant_id: TenantId,
    *,
    invitation_id: InvitationId,
    outcome: str,
    digest: bytes | None = None,
    now: datetime.datetime,
) -> bool:
    """End an invitation; False if it was over, or has another link by now."""
    query = Q["end_invitation"](
        tenant_id=tenant_id,
        invitation_id=invitation_id,
        outcome=outcome,
        digest=digest,
        now=now,
    )
    return await transaction.execute(query) > 0
