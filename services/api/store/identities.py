"""Queries of identities at a provider, and of sign-ins that wait: one function each.

The caller owns the transaction. State and cookie come in as digests only.
"""

import datetime
from pathlib import Path

import msgspec

from proto.base import Instant
from proto.ids import PersonId, TenantId
from services.api.proofs.oidc import Identity
from services.api.store import statements
from services.chassis import queries
from services.chassis.database import Source, Transaction

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")


class WaitingSignIn(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in at the provider that a browser is to come back from."""

    browser_digest: bytes
    tenant_name: str
    invitation_digest: bytes | None
    session_digest: bytes | None = None
    """The session that it adds a way in to, instead of beginning one."""
    expires_at: Instant


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A person whom an identity belongs to."""

    tenant_id: TenantId
    person_id: PersonId


async def add_sign_in(
    transaction: Transaction, waiting: WaitingSignIn, *, state_digest: bytes
) -> None:
    """Store a sign-in that waits."""
    await transaction.execute(
        Q["add_oidc_sign_in"](
            **msgspec.structs.asdict(waiting), state_digest=state_digest
        )
    )


async def take_sign_in(
    transaction: Transaction, state_digest: bytes
) -> WaitingSignIn | None:
    """Return the sign-in of a state, once."""
    query = Q["take_oidc_sign_in"](state_digest=state_digest)
    return await statements.read_one(transaction, query, kind=WaitingSignIn)


async def forget_sign_ins(
    transaction: Transaction, *, before: datetime.datetime
) -> bool:
    """Forget a batch of those that expired before; True if there may be more."""
    return await statements.forget_batch(
        transaction, Q["forget_oidc_sign_ins"], before=before
    )


async def find_people(
    source: Source, identity: Identity, *, tenant_name: str
) -> list[Known]:
    """Return whom an identity can mean, whatever the tenant; two are two too many."""
    rows = await source.fetch(
        Q["find_people_of_identity"](
            issuer=identity.issuer, subject=identity.subject, tenant_name=tenant_name
        )
    )
    return [msgspec.convert(dict(row), Known) for row in rows]


async def has_identity(
    source: Source, tenant_id: TenantId, *, person_id: PersonId
) -> bool:
    """Tell whether a person can sign in at the provider."""
    query = Q["has_identity"](tenant_id=tenant_id, person_id=person_id)
    return await source.fetch_row(query) is not None


async def add_identity(
    transaction: Transaction, known: Known, *, identity: Identity
) -> bool:
    """Store who a person is at a provider; False if either is taken."""
    query = Q["add_identity"](
        tenant_id=known.tenant_id,
        person_id=known.person_id,
        issuer=identity.issuer,
        subject=identity.subject,
    )
    return await transaction.fetch_row(query) is not None
