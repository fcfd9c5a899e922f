"""Queries on who was erased. What is stored of them is keyed hashes."""

import datetime
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from proto.ids import AccountId, ErasureId, TenantId
from services.chassis import queries
from services.chassis.database import Source, Transaction

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")


class Suppression(NamedTuple):
    """An address, or a record of an account, that is not to be imported."""

    digest: bytes
    account_id: str
    """Empty for an address."""
    erasure_id: ErasureId


async def find(
    source: Source, digests: Iterable[bytes], *, tenant_id: TenantId
) -> dict[bytes, ErasureId]:
    """Return which of these hashes are of somebody who was erased."""
    rows = await source.fetch(
        Q["find_suppressed"](tenant_id=tenant_id, digests=sorted(set(digests)))
    )
    return {bytes(row["digest"]): row["erasure_id"] for row in rows}


async def add(
    transaction: Transaction,
    new: Mapping[bytes, Suppression],
    *,
    tenant_id: TenantId,
    key_id: str,
    now: datetime.datetime,
    is_seen: bool = False,
) -> None:
    """Keep hashes, each once, in the order in which everybody locks them."""
    ordered = [new[digest] for digest in sorted(new)]
    await transaction.execute(
        Q["add_suppressions"](
            tenant_id=tenant_id,
            key_id=key_id,
            digests=[each.digest for each in ordered],
            account_ids=[each.account_id for each in ordered],
            erasure_ids=[each.erasure_id for each in ordered],
            now=now,
            seen_at=now if is_seen else None,
        )
    )


async def count(
    source: Source, account_ids: Sequence[AccountId], *, tenant_id: TenantId
) -> int:
    """Return how many records of accounts are left out."""
    row = await source.fetch_row(
        Q["count_suppressed"](tenant_id=tenant_id, account_ids=list(account_ids))
    )
    return int(row["suppressed"]) if row else 0


async def list_keys(source: Source) -> list[str]:
    """Return which keys of the ring are needed."""
    return [row["key_id"] for row in await source.fetch(Q["list_suppression_keys"]())]
