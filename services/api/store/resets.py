"""Queries of password resets: one function each, rows in, Structs out.

The caller owns the transaction. Links come in as digests only.
"""

import datetime
from pathlib import Path

import msgspec

from proto.base import Instant
from proto.ids import PersonId, TenantId
from services.api.store import statements
from services.chassis import queries
from services.chassis.database import Source, Transaction

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")


class NewReset(msgspec.Struct, frozen=True, kw_only=True):
    """A reset to be stored."""

    tenant_id: TenantId
    person_id: PersonId
    digest: bytes
    created_by: str
    expires_at: Instant


class FoundReset(msgspec.Struct, frozen=True, kw_only=True):
    """The reset that a link belongs to."""

    tenant_id: TenantId
    tenant_name: str
    person_id: PersonId
    email: str
    digest: bytes
    expires_at: Instant


async def put_reset(
    transaction: Transaction, new: NewReset, *, now: datetime.datetime
) -> None:
    """Store a person's one reset; a link of before is worth nothing."""
    await transaction.execute(Q["put_reset"](**msgspec.structs.asdict(new), now=now))


async def find_reset(source: Source, digest: bytes) -> FoundReset | None:
    """Return the reset of a link, whatever its tenant."""
    query = Q["find_reset"](digest=digest)
    return await statements.read_one(source, query, kind=FoundReset)


async def take_reset(transaction: Transaction, found: FoundReset) -> bool:
    """Use a reset up; False if it was used or replaced meanwhile."""
    query = Q["take_reset"](
        tenant_id=found.tenant_id, person_id=found.person_id, digest=found.digest
    )
    return await transaction.execute(query) > 0


async def drop_reset(
    transaction: Transaction, tenant_id: TenantId, *, person_id: PersonId
) -> None:
    """Forget a person's reset: their password is another by now."""
    await transaction.execute(Q["drop_reset"](tenant_id=tenant_id, person_id=person_id))


async def forget_resets(transaction: Transaction, *, before: datetime.datetime) -> bool:
    """Forget a batch of those that expired before; True if there may be more."""
    return await statements.forget_batch(transaction, Q["forget_resets"], before=before)
