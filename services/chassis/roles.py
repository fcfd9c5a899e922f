"""Refuses to work as a role that row-level security does not bind (hazard 112).

Postgres shows every row to superusers, to roles with BYPASSRLS and, unless told
otherwise, to owners. It also lets whoever is a member of such a role become it.
"""

from pathlib import Path

from services.chassis import queries, tenancy
from services.chassis.database import Database, Row
from services.chassis.errors import BadConfiguration

Q = queries.load(Path(__file__).parent / "sql" / "queries.sql")


async def check(database: Database, *, service: str) -> None:
    """Make sure that we log in as a role that serves one tenant at a time.

    Raises:
        BadConfiguration: It could do more, or cannot do what it has to; each fault with
            what to do about it.
    """
    all_tenants_role = tenancy.all_tenants_role(service)
    row = await database.fetch_row(
        Q["check_role"](schema=service, all_tenants_role=all_tenants_role)
    )
    assert row is not None, "nobody logs in as a role that is not there"
    if faults := _faults(row, service=service, all_tenants_role=all_tenants_role):
        raise BadConfiguration(faults)


def _faults(row: Row, *, service: str, all_tenants_role: str) -> list[str]:
    who = f"{service.upper()}_DATABASE_URL logs in as {row['name']}, which"
    remedy = f"use the service's own role tandem_{service}"
    if row["is_too_strong"]:
        return [f"{who} may do everything, or become a role that may; {remedy}"]
    if row["is_owner"]:
        return [f"{who} owns the tables, or is a member of who does; {remedy}"]
    faults = []
    if row["is_all_tenants"]:
        faults.append(
            f"{who} has the rights of {all_tenants_role} all the time; revoke that"
            f" role from it, ALTER ROLE {row['name']} NOINHERIT, then run"
            " deploy/postgres/admin.sql as who administers the database"
        )
    elif not row["may_serve_all"]:
        faults.append(
            f"{who} is no member of {all_tenants_role}; run deploy/postgres/admin.sql"
            " as who administers the database"
        )
    if row["mixed"]:
        mixed = ", ".join(row["mixed"])
        faults.append(
            f"tables of {service} show every row to everybody: {mixed};"
            " ENABLE and FORCE ROW LEVEL SECURITY for them as their owner"
        )
    return faults
