"""The audit log: an entry added, and a tenant's chain read and followed to its head.

The caller owns the transaction.
"""

import asyncio
import datetime
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from proto.ids import TenantId
from services.api.store import chain
from services.api.store.chain import ChainedEntry, Head
from services.chassis import queries
from services.chassis.database import Source, Transaction

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")

BATCH: Final = 1_000


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


async def add_audit_entry(
    transaction: Transaction, entry: AuditEntry, *, now: datetime.datetime
) -> None:
    """Write down who did what."""
    await transaction.execute(
        Q["add_audit_entry"](**msgspec.structs.asdict(entry), now=now)
    )


class Filter(NamedTuple):
    """Which entries of an audit log are wanted; empty is any."""

    actor: str = ""
    act: str = ""
    object_id: str = ""
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None


async def list_entries(
    source: Source,
    tenant_id: TenantId,
    *,
    before: int | None,
    matching: Filter,
    limit: int,
) -> list[ChainedEntry]:
    """Return a page of a tenant's audit log, newest first."""
    rows = await source.fetch(
        Q["list_audit_entries"](
            tenant_id=tenant_id, before=before, limit=limit, **matching._asdict()
        )
    )
    return [msgspec.convert(dict(row), ChainedEntry) for row in rows]


async def head_of(source: Source, tenant_id: TenantId) -> Head:
    """Return how far a tenant's chain goes."""
    row = await source.fetch_row(Q["find_audit_head"](tenant_id=tenant_id))
    return Head(row["number"], row["digest"]) if row else chain.BEGINNING


async def check(
    source: Source, tenant_id: TenantId, *, known: Head | None = None
) -> tuple[Head, str]:
    """Follow a tenant's chain to its head, a batch at a time.

    Returns:
        How far it holds, and a sentence about what is wrong, empty if nothing is.
        ``known`` is a head that was noted down before: the chain has to lead through
        it, which a log that was written anew as a whole does not.
    """
    # What is written meanwhile is beyond this head, and left for the next time.
    until = await head_of(source, tenant_id)
    head, reason, is_passed = chain.BEGINNING, "", known is None
    while head.number < until.number and not reason:
        entries = await _read(source, tenant_id, after=head, until=until)
        if known is not None:
            is_passed = is_passed or any(_is(entry, known) for entry in entries)
        # Hashing is quick; others get their turn between batches.
        await asyncio.sleep(0)
        head, reason = chain.fault_of(entries, after=head)
        if not entries:
            reason = f"entry {head.number + 1} is missing"
    if not reason and head != until:
        reason = f"the chain does not end at entry {until.number} as it should"
    if not reason and not is_passed:
        reason = "the chain does not lead through the head that was noted"
    return head, reason


def _is(entry: ChainedEntry, known: Head) -> bool:
    return (entry.number, entry.digest) == known


async def _read(
    source: Source, tenant_id: TenantId, *, after: Head, until: Head
) -> list[ChainedEntry]:
    rows = await source.fetch(
        Q["list_chain"](
            tenant_id=tenant_id, after=after.number, until=until.number, limit=BATCH
        )
    )
    return [msgspec.convert(dict(row), ChainedEntry) for row in rows]
