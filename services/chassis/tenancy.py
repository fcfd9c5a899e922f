"""Whom a transaction serves: one tenant, or all of them (ADR 14, hazard 112).

Each transaction says so when it begins, and Postgres shows it no other tenant's rows.
What serves all tenants works under a role of its own, which may do little: see the
``GRANT`` statements in the migrations.
"""

import enum
import re
from typing import Final, TypeAlias

from proto.ids import TenantId

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class AllTenants(enum.Enum):
    """The scope of work for everybody, such as claiming what is due."""

    ALL_TENANTS = enum.auto()


ALL_TENANTS: Final = AllTenants.ALL_TENANTS

Scope: TypeAlias = TenantId | AllTenants


def all_tenants_role(service: str) -> str:
    """Return the role that a service takes to work for all tenants."""
    return f"tandem_{service}_all_tenants"


def is_tenant(text: str) -> bool:
    """Say whether a text can be a tenant's identifier."""
    return _NAME.fullmatch(text) is not None


def check(tenant_id: TenantId) -> None:
    """Refuse what can be no tenant.

    Raises:
        ValueError: This is none, so nobody is served.
    """
    if not is_tenant(tenant_id):
        raise ValueError("a transaction needs a tenant, or all of them")


def beginning(scope: Scope, *, role: str) -> str:
    """Return the statement that has the rest of a transaction serve ``scope``.

    It goes out together with ``BEGIN``, and nothing can be bound there: what could end
    the literal is refused.

    Args:
        scope: Whom to serve.
        role: Who serves all tenants.

    Raises:
        ValueError: This is no tenant, so nobody is served.
    """
    if isinstance(scope, AllTenants):
        return f'SET LOCAL ROLE "{role}"'
    check(scope)
    return f"SET LOCAL tandem.tenant_id = '{scope}'"


def narrowing(tenant_id: TenantId, *, role: str) -> str:
    """Return the statements that turn a transaction of all tenants into one of one."""
    return f"SET LOCAL ROLE NONE; {beginning(tenant_id, role=role)}"
