"""What statements on all these tables have in common: one row, one batch forgotten."""

import datetime
from typing import Final, TypeVar

import msgspec

from services.chassis.database import Source, Transaction
from services.chassis.queries import Query, Template

FORGET_BATCH: Final = 1_000
S = TypeVar("S", bound=msgspec.Struct)


async def read_one(source: Source, query: Query, *, kind: type[S]) -> S | None:
    """Return the row that a query finds as a Struct; None where it finds none."""
    row = await source.fetch_row(query)
    return None if row is None else msgspec.convert(dict(row), kind)


async def forget_batch(
    transaction: Transaction, template: Template, *, before: datetime.datetime
) -> bool:
    """Forget a batch of what was over before; True if there may be more."""
    query = template(before=before, limit=FORGET_BATCH)
    return await transaction.execute(query) == FORGET_BATCH
