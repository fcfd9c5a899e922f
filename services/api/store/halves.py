"""Queries of half-open sessions: one function each, rows in, Structs out.

The caller owns the transaction. Cookies come in as digests only.
"""

import datetime
from pathlib import Path

import msgspec

from proto.base import Instant
from proto.ids import PersonId, TenantId
from services.api.store import statements
from services.chassis import queries
from services.chassis.database import Source, Transaction

Q = queries.load(Path(__file__).parent.parent / "sql" / "factor_queries.sql")


class NewHalf(msgspec.Struct, frozen=True, kw_only=True):
    """A half-open session to be stored."""

    tenant_id: TenantId
    person_id: PersonId
    digest: bytes
    kind: str
    """What was proved first: `password` or `provider`."""
    expires_at: Instant
    session_ends_at: Instant | None
    """When the session ends at the latest that it becomes, if that is known."""


class FoundHalf(NewHalf, frozen=True, kw_only=True):
    """A half-open session that a request brings."""

    email: str


async def add_half_session(
    transaction: Transaction, new: NewHalf, *, keep: int
) -> None:
    """Store a half-open session; of its person's only the newest ``keep`` go on."""
    await transaction.execute(Q["add_half_session"](**msgspec.structs.asdict(new)))
    await transaction.execute(
        Q["end_oldest_half_sessions"](
            tenant_id=new.tenant_id, person_id=new.person_id, keep=keep
        )
    )


async def find_half_session(source: Source, digest: bytes) -> FoundHalf | None:
    """Return the half-open session of a digest, whatever its tenant."""
    query = Q["find_half_session"](digest=digest)
    return await statements.read_one(source, query, kind=FoundHalf)


async def take_half_session(transaction: Transaction, half: FoundHalf) -> bool:
    """Use a half-open session up; False if it has ended meanwhile."""
    query = Q["take_half_session"](
        tenant_id=half.tenant_id, person_id=half.person_id, digest=half.digest
    )
    return await transaction.execute(query) > 0


async def end_half_sessions(
    transaction: Transaction, tenant_id: TenantId, *, person_id: PersonId
) -> None:
    """End all half-open sessions of a person."""
    await transaction.execute(
        Q["end_half_sessions"](tenant_id=tenant_id, person_id=person_id)
    )


async def forget_half_sessions(
    transaction: Transaction, *, before: datetime.datetime
) -> bool:
    """Forget a batch of those that expired before; True if there may be more."""
    return await statements.forget_batch(
        transaction, Q["forget_half_sessions"], before=before
    )
