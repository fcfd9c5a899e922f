"""Queries of second factors and enrolments: one function each, rows in, Structs out.

The caller owns the transaction. Secrets come in sealed, recovery codes as digests.
"""

import datetime
from collections.abc import Sequence

import msgspec

from proto.base import Instant
from proto.ids import PersonId, TenantId
from services.api.proofs.seals import SealedFactor
from services.api.store import statements
from services.api.store.halves import Q
from services.chassis.database import Source, Transaction


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant, and whether its people need a second factor."""

    name: str
    requires_second_factor: bool


class StoredFactor(SealedFactor, frozen=True, kw_only=True):
    """A person's second factor."""

    last_step: int
    """The last period of 30 seconds that a code of it was used in."""
    created_at: Instant


class Enrolment(SealedFactor, frozen=True, kw_only=True):
    """A second factor that its person has not confirmed yet."""

    expires_at: Instant


class OldFactor(SealedFactor, frozen=True, kw_only=True):
    """A second factor that another key or cipher sealed than seals now."""

    tenant_id: TenantId
    person_id: PersonId


async def read_policy(source: Source, tenant_id: TenantId) -> Policy:
    """Return what a tenant wants of its people."""
    row = await source.fetch_row(Q["read_policy"](tenant_id=tenant_id))
    assert row is not None, "a tenant is never removed"
    return msgspec.convert(dict(row), Policy)


async def change_policy(
    transaction: Transaction, tenant_id: TenantId, *, is_required: bool
) -> None:
    """Say whether a tenant's people need a second factor."""
    await transaction.execute(
        Q["change_policy"](tenant_id=tenant_id, is_required=is_required)
    )


async def find_factor(
    source: Source, tenant_id: TenantId, *, person_id: PersonId
) -> StoredFactor | None:
    """Return a person's second factor."""
    query = Q["find_factor"](tenant_id=tenant_id, person_id=person_id)
    return await statements.read_one(source, query, kind=StoredFactor)


async def lock_factor(
    transaction: Transaction, tenant_id: TenantId, *, person_id: PersonId
) -> StoredFactor | None:
    """Return a person's second factor, which stays so until the commit."""
    query = Q["lock_factor"](tenant_id=tenant_id, person_id=person_id)
    return await statements.read_one(transaction, query, kind=StoredFactor)


async def put_factor(
    transaction: Transaction,
    tenant_id: TenantId,
    *,
    person_id: PersonId,
    sealed: SealedFactor,
    step: int,
    now: datetime.datetime,
) -> None:
    """Store a person's one second factor, which was used in this step."""
    await transaction.execute(
        Q["put_factor"](
            tenant_id=tenant_id,
            person_id=person_id,
            key_id=sealed.key_id,
            sealed=sealed.sealed,
            last_step=step,
            now=now,
        )
    )


async def note_step(
    transaction: Transaction, tenant_id: TenantId, *, person_id: PersonId, step: int
) -> bool:
    """Store that a factor was used in a step; False if it was, then or later."""
    query = Q["note_step"](tenant_id=tenant_id, person_id=person_id, step=step)
    return await transaction.execute(query) > 0


async def remove_factor(
    transaction: Transaction, tenant_id: TenantId, *, person_id: PersonId
) -> bool:
    """Remove a person's second factor and all that belongs to it; False if none."""
    whose = {"tenant_id": tenant_id, "person_id": person_id}
    await transaction.execute(Q["drop_enrolment"](**whose))
    return await transaction.execute(Q["remove_factor"](**whose)) > 0


async def replace_recovery_codes(
    transaction: Transaction,
    tenant_id: TenantId,
    *,
    person_id: PersonId,
    digests: Sequence[bytes],
) -> None:
    """Store a person's recovery codes; those of before are worth nothing."""
    whose = {"tenant_id": tenant_id, "person_id": person_id}
    await transaction.execute(Q["drop_recovery_codes"](**whose))
    await transaction.execute(Q["add_recovery_codes"](**whose, digests=list(digests)))


async def take_recovery_code(
    transaction: Transaction,
    tenant_id: TenantId,
    *,
    person_id: PersonId,
    digest: bytes,
) -> bool:
    """Use a recovery code up; False if the person has none such."""
    query = Q["take_recovery_code"](
        tenant_id=tenant_id, person_id=person_id, digest=digest
    )
    return await transaction.execute(query) > 0


async def count_recovery_codes(
    source: Source, tenant_id: TenantId, *, person_id: PersonId
) -> int:
    """Return how many recovery codes a person has left."""
    query = Q["count_recovery_codes"](tenant_id=tenant_id, person_id=person_id)
    row = await source.fetch_row(query)
    return int(row["count"]) if row else 0


async def put_enrolment(
    transaction: Transaction,
    tenant_id: TenantId,
    *,
    person_id: PersonId,
    sealed: SealedFactor,
    cookie_digest: bytes,
    expires_at: datetime.datetime,
) -> None:
    """Store what a person is to confirm; what waited before is worth nothing."""
    await transaction.execute(
        Q["put_enrolment"](
            tenant_id=tenant_id,
            person_id=person_id,
            key_id=sealed.key_id,
            sealed=sealed.sealed,
            cookie_digest=cookie_digest,
            expires_at=expires_at,
        )
    )


async def find_enrolment(
    source: Source,
    tenant_id: TenantId,
    *,
    person_id: PersonId,
    cookie_digest: bytes,
    now: datetime.datetime,
) -> Enrolment | None:
    """Return what waits for a person to confirm it where it was begun."""
    query = Q["find_enrolment"](
        tenant_id=tenant_id,
        person_id=person_id,
        cookie_digest=cookie_digest,
        now=now,
    )
    return await statements.read_one(source, query, kind=Enrolment)


async def take_enrolment(
    transaction: Transaction,
    tenant_id: TenantId,
    *,
    person_id: PersonId,
    enrolment: Enrolment,
) -> bool:
    """Use an enrolment up; False if it was replaced or used meanwhile."""
    query = Q["take_enrolment"](
        tenant_id=tenant_id, person_id=person_id, sealed=enrolment.sealed
    )
    return await transaction.execute(query) > 0


async def forget_enrolments(
    transaction: Transaction, *, before: datetime.datetime
) -> bool:
    """Forget a batch of those that expired before; True if there may be more."""
    return await statements.forget_batch(
        transaction, Q["forget_enrolments"], before=before
    )


async def list_factor_keys(source: Source) -> list[str]:
    """Return the keys that second factors are sealed with."""
    rows = await source.fetch(Q["list_factor_keys"]())
    return sorted(row["key_id"] for row in rows)


async def page_old_factors(
    transaction: Transaction,
    *,
    active: str,
    header: bytes,
    after: tuple[TenantId, PersonId],
    limit: int,
) -> list[OldFactor]:
    """Return a page of what another key or cipher sealed than seals now."""
    rows = await transaction.fetch(
        Q["page_old_factors"](
            active=active,
            header=header,
            after_tenant_id=after[0],
            after_person_id=after[1],
            limit=limit,
        )
    )
    return [msgspec.convert(dict(row), OldFactor) for row in rows]


async def reseal_factor(
    transaction: Transaction, old: OldFactor, *, new: SealedFactor
) -> bool:
    """Store a factor that was sealed anew; False if it is another one by now."""
    query = Q["reseal_factor"](
        tenant_id=old.tenant_id,
        person_id=old.person_id,
        active=new.key_id,
        sealed=new.sealed,
        old_sealed=old.sealed,
    )
    return await transaction.execute(query) > 0
