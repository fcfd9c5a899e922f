"""Queries on states of records of which nobody can tell whether they are news."""

from collections.abc import Sequence
from pathlib import Path

from proto.ids import AccountId, RecordId, TenantId
from services.chassis import queries
from services.chassis.database import Transaction
from services.reconciler.engine.model import Seen

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")


async def find_doubtful(
    transaction: Transaction,
    late: Sequence[Seen],
    *,
    tenant_id: TenantId,
    account_id: AccountId,
) -> list[RecordId]:
    """Return which states, just refused, may be news or may be old: nobody can tell."""
    rows = await transaction.fetch(
        Q["find_doubtful"](
            tenant_id=tenant_id,
            account_id=account_id,
            record_ids=[each.record.record_id for each in late],
            digests=[each.digest for each in late],
            read_at=[each.read_at for each in late],
            modified_at=[each.record.modified_at for each in late],
        )
    )
    return [row["record_id"] for row in rows]
