"""Queries of people and their sessions: one function each, rows in, Structs out.

The caller owns the transaction. Cookies come in as digests only, passwords as hashes.
"""

import datetime
from pathlib import Path
from typing import TypedDict

import msgspec

from proto.base import Instant
from proto.ids import PersonId, SessionId, TenantId
from services.api.store import halves, statements
from services.chassis import queries
from services.chassis.database import Source, Transaction

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")


class Whose(TypedDict):
    """A person of a tenant, as arguments."""

    tenant_id: TenantId
    person_id: PersonId


class ListedPerson(msgspec.Struct, frozen=True, kw_only=True):
    """A person as their tenant sees them."""

    person_id: PersonId
    email: str
    role: str
    created_at: Instant
    last_signed_in_at: Instant | None
    has_second_factor: bool


class LockedPerson(ListedPerson, frozen=True, kw_only=True):
    """A person who stays as they are until the commit."""

    password_hash: str


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """Who somebody may be who signs in."""

    tenant_id: TenantId
    person_id: PersonId
    password_hash: str


class NewPerson(msgspec.Struct, frozen=True, kw_only=True):
    """A person to be stored."""

    tenant_id: TenantId
    person_id: PersonId
    email: str
    role: str
    password_hash: str


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session to be stored."""

    tenant_id: TenantId
    session_id: SessionId
    person_id: PersonId
    digest: bytes
    expires_at: Instant
    remote: str
    browser: str
    factors: int = 1
    """By how many its person has proved who they are."""


class StoredSession(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed to judge a session that a request brings."""

    tenant_id: TenantId
    session_id: SessionId
    person_id: PersonId
    created_at: Instant
    seen_at: Instant
    expires_at: Instant
    factors: int
    role: str
    email: str
    requires_second_factor: bool
    """Whether the tenant lets nobody in by one factor alone."""


class ListedSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session as its person sees it."""

    session_id: SessionId
    created_at: Instant
    seen_at: Instant
    expires_at: Instant
    remote: str
    browser: str


async def add_person(
    transaction: Transaction, new: NewPerson, *, now: datetime.datetime
) -> bool:
    """Store a person; False if the tenant has somebody of this address."""
    query = Q["add_person"](**msgspec.structs.asdict(new), now=now)
    return await transaction.fetch_row(query) is not None


async def find_people_to_sign_in(
    source: Source, email: str, *, tenant_name: str
) -> list[Candidate]:
    """Return whom an address can mean, whatever the tenant; two are two too many."""
    rows = await source.fetch(
        Q["find_people_to_sign_in"](email=email, tenant_name=tenant_name)
    )
    return [msgspec.convert(dict(row), Candidate) for row in rows]


async def lock_tenant(transaction: Transaction, tenant_id: TenantId) -> None:
    """Let nobody else change who is in a tenant until the commit."""
    await transaction.fetch_row(Q["lock_tenant"](tenant_id=tenant_id))


async def lock_person(
    transaction: Transaction, tenant_id: TenantId, *, person_id: PersonId
) -> LockedPerson | None:
    """Return a person of a tenant, who stays so until the commit."""
    query = Q["lock_person"](tenant_id=tenant_id, person_id=person_id)
    return await statements.read_one(transaction, query, kind=LockedPerson)


async def find_person(
    source: Source, tenant_id: TenantId, *, person_id: PersonId
) -> ListedPerson | None:
    """Return a person of a tenant."""
    query = Q["find_person"](tenant_id=tenant_id, person_id=person_id)
    return await statements.read_one(source, query, kind=ListedPerson)


async def list_people(
    source: Source, tenant_id: TenantId, *, after: str, limit: int
) -> list[ListedPerson]:
    """Return a page of a tenant's people, oldest first."""
    rows = await source.fetch(
        Q["list_people"](tenant_id=tenant_id, after=after, limit=limit)
    )
    return [msgspec.convert(dict(row), ListedPerson) for row in rows]


async def count_owners(transaction: Transaction, tenant_id: TenantId) -> int:
    """Return how many owners a tenant has; lock the tenant first."""
    row = await transaction.fetch_row(Q["count_owners"](tenant_id=tenant_id))
    return int(row["count"]) if row else 0


async def change_role(
    transaction: Transaction, tenant_id: TenantId, *, person_id: PersonId, role: str
) -> None:
    """Give a person another role."""
    await transaction.execute(
        Q["change_role"](tenant_id=tenant_id, person_id=person_id, role=role)
    )


async def remove_person(
    transaction: Transaction, tenant_id: TenantId, *, person_id: PersonId
) -> None:
    """Remove a person and all of their sessions."""
    await transaction.execute(
        Q["remove_person"](tenant_id=tenant_id, person_id=person_id)
    )


async def change_password(
    transaction: Transaction,
    tenant_id: TenantId,
    *,
    person_id: PersonId,
    password_hash: str,
) -> None:
    """Store the hash of a person's new password."""
    await transaction.execute(
        Q["change_password"](
            tenant_id=tenant_id, person_id=person_id, password_hash=password_hash
        )
    )


async def note_sign_in(
    transaction: Transaction,
    tenant_id: TenantId,
    *,
    person_id: PersonId,
    password_hash: str,
    now: datetime.datetime,
) -> None:
    """Store when a person signed in, and their hash by today's parameters."""
    await transaction.execute(
        Q["note_sign_in"](
            tenant_id=tenant_id,
            person_id=person_id,
            password_hash=password_hash,
            now=now,
        )
    )


async def add_session(
    transaction: Transaction, new: NewSession, *, keep: int, now: datetime.datetime
) -> None:
    """Store a session; of its person's only the newest ``keep`` go on."""
    await transaction.execute(Q["add_session"](**msgspec.structs.asdict(new), now=now))
    await transaction.execute(
        Q["end_oldest_sessions"](
            tenant_id=new.tenant_id, person_id=new.person_id, keep=keep
        )
    )


async def find_session(source: Source, digest: bytes) -> StoredSession | None:
    """Return the session of a digest, whatever its tenant."""
    query = Q["find_session"](digest=digest)
    return await statements.read_one(source, query, kind=StoredSession)


async def has_session(
    transaction: Transaction, tenant_id: TenantId, *, session_id: SessionId
) -> bool:
    """Tell whether a session goes on; lock its person first."""
    query = Q["has_session"](tenant_id=tenant_id, session_id=session_id)
    return await transaction.fetch_row(query) is not None


async def note_session_use(
    transaction: Transaction, session: StoredSession, *, now: datetime.datetime
) -> None:
    """Store when a session was last used."""
    await transaction.execute(
        Q["note_session_use"](
            tenant_id=session.tenant_id, session_id=session.session_id, now=now
        )
    )


async def list_sessions(
    source: Source,
    tenant_id: TenantId,
    *,
    person_id: PersonId,
    idle_since: datetime.datetime,
    limit: int,
    now: datetime.datetime,
) -> list[ListedSession]:
    """Return a person's sessions that have not ended, newest first."""
    rows = await source.fetch(
        Q["list_sessions"](
            tenant_id=tenant_id,
            person_id=person_id,
            idle_since=idle_since,
            limit=limit,
            now=now,
        )
    )
    return [msgspec.convert(dict(row), ListedSession) for row in rows]


async def end_session(
    transaction: Transaction,
    tenant_id: TenantId,
    *,
    person_id: PersonId,
    session_id: SessionId,
) -> bool:
    """End one session of a person; False if they have none of this id."""
    query = Q["end_session"](
        tenant_id=tenant_id, person_id=person_id, session_id=session_id
    )
    return await transaction.execute(query) > 0


async def end_sessions(
    transaction: Transaction, tenant_id: TenantId, *, person_id: PersonId
) -> None:
    """End all sessions of a person, those that are half open too."""
    await transaction.execute(
        Q["end_sessions"](tenant_id=tenant_id, person_id=person_id)
    )
    await halves.end_half_sessions(transaction, tenant_id, person_id=person_id)


async def forget_sessions(
    transaction: Transaction, *, before: datetime.datetime
) -> bool:
    """Forget a batch of those that expired before; True if there may be more."""
    return await statements.forget_batch(
        transaction, Q["forget_sessions"], before=before
    )


async def forget_invitations(
    transaction: Transaction, *, before: datetime.datetime
) -> bool:
    """Forget a batch of those that were over before; True if there may be more."""
    return await statements.forget_batch(
        transaction, Q["forget_invitations"], before=before
    )
