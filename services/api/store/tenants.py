"""Queries of tenants: one function each. The caller owns the transaction."""

import datetime
from pathlib import Path
from typing import NamedTuple

from proto.ids import TenantId
from services.chassis import queries
from services.chassis.database import Source, Transaction

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")


class Tenant(NamedTuple):
    """A tenant and what it is called."""

    tenant_id: TenantId
    name: str


async def list_tenants(source: Source) -> list[Tenant]:
    """Return every tenant, by name."""
    rows = await source.fetch(Q["list_tenants"]())
    return [Tenant(TenantId(row["tenant_id"]), row["name"]) for row in rows]


async def take_tenant(
    transaction: Transaction,
    name: str,
    *,
    new_id: TenantId,
    requires_second_factor: bool,
    now: datetime.datetime,
) -> TenantId:
    """Return the tenant of a name, made if there is none."""
    await transaction.execute(
        Q["add_tenant"](
            tenant_id=new_id,
            name=name,
            requires_second_factor=requires_second_factor,
            now=now,
        )
    )
    row = await transaction.fetch_row(Q["find_tenant"](name=name))
    assert row is not None, "a tenant is never removed"
    return TenantId(row["tenant_id"])
