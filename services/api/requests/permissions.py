"""Who may do what: roles of people, scopes of keys, and what each route needs.

``NEEDED`` is the one table of it; ``routing`` enforces it, and a route without an entry
does not start. A role is the same set of scopes that a key can have.
"""

import enum
from collections.abc import Mapping
from typing import Final


class Scope(enum.StrEnum):
    """What a caller may do."""

    READ = "read"
    WRITE = "write"
    """Accounts and connections, and approvals."""
    MANAGE = "manage"
    """Who gets in: people, invitations, API keys, clients of apps; the audit log; and
    who is erased."""


class Role(enum.StrEnum):
    """What a person is in their tenant."""

    OWNER = "owner"
    EDITOR = "editor"
    VIEWER = "viewer"


SCOPES: Final = tuple(scope.value for scope in Scope)
ROLES: Final = tuple(role.value for role in Role)

SCOPES_OF: Final[Mapping[str, tuple[str, ...]]] = {
    Role.OWNER: (Scope.READ, Scope.WRITE, Scope.MANAGE),
    Role.EDITOR: (Scope.READ, Scope.WRITE),
    Role.VIEWER: (Scope.READ,),
}

NEEDED: Final[Mapping[str, Scope]] = {
    "GET /v1/apps": Scope.READ,
    "PUT /v1/apps/{app}/client": Scope.MANAGE,
    "POST /v1/apps/{app}/client/check": Scope.MANAGE,
    "POST /v1/accounts/authorisations": Scope.WRITE,
    "GET /v1/accounts/authorisations/{authorisation_id}": Scope.READ,
    "POST /v1/accounts": Scope.WRITE,
    "GET /v1/accounts": Scope.READ,
    "GET /v1/accounts/{account_id}": Scope.READ,
    "GET /v1/accounts/{account_id}/description": Scope.READ,
    "GET /v1/accounts/{account_id}/push": Scope.WRITE,
    "DELETE /v1/accounts/{account_id}": Scope.WRITE,
    "POST /v1/connections": Scope.WRITE,
    "GET /v1/connections": Scope.READ,
    "GET /v1/connections/{connection_id}": Scope.READ,
    "PATCH /v1/connections/{connection_id}": Scope.WRITE,
    "DELETE /v1/connections/{connection_id}": Scope.WRITE,
    "POST /v1/connections/{connection_id}/start": Scope.WRITE,
    "POST /v1/connections/{connection_id}/pause": Scope.WRITE,
    "POST /v1/connections/{connection_id}/resume": Scope.WRITE,
    "POST /v1/connections/{connection_id}/sync": Scope.WRITE,
    "POST /v1/connections/{connection_id}/approve": Scope.WRITE,
    "GET /v1/connections/{connection_id}/status": Scope.READ,
    "GET /v1/connections/{connection_id}/records": Scope.READ,
    "POST /v1/connections/{connection_id}/records/search": Scope.READ,
    "POST /v1/connections/{connection_id}/links": Scope.WRITE,
    "DELETE /v1/connections/{connection_id}/links/{link_id}": Scope.WRITE,
    "POST /v1/api-keys": Scope.MANAGE,
    "GET /v1/api-keys": Scope.MANAGE,
    "DELETE /v1/api-keys/{key_id}": Scope.MANAGE,
    "POST /v1/invitations": Scope.MANAGE,
    "GET /v1/invitations": Scope.MANAGE,
    "DELETE /v1/invitations/{invitation_id}": Scope.MANAGE,
    "POST /v1/invitations/{invitation_id}/resend": Scope.MANAGE,
    "GET /v1/audit": Scope.MANAGE,
    "GET /v1/export/{part}": Scope.MANAGE,
    "POST /v1/erasures": Scope.MANAGE,
    "GET /v1/erasures": Scope.MANAGE,
    "GET /v1/erasures/{erasure_id}": Scope.MANAGE,
    "POST /v1/suppressions/lift": Scope.MANAGE,
    "GET /v1/session": Scope.READ,
    "DELETE /v1/session": Scope.READ,
    "GET /v1/sessions": Scope.READ,
    "DELETE /v1/sessions/{session_id}": Scope.READ,
    "PUT /v1/password": Scope.READ,
    "GET /v1/people": Scope.MANAGE,
    "GET /v1/people/{person_id}": Scope.MANAGE,
    "PATCH /v1/people/{person_id}": Scope.MANAGE,
    "DELETE /v1/people/{person_id}": Scope.MANAGE,
    "DELETE /v1/people/{person_id}/sessions": Scope.MANAGE,
    "POST /v1/people/{person_id}/password-reset": Scope.MANAGE,
    "DELETE /v1/people/{person_id}/second-factor": Scope.MANAGE,
    "GET /v1/tenant": Scope.READ,
    "PATCH /v1/tenant": Scope.MANAGE,
}

SEARCHES: Final = frozenset({"POST /v1/connections/{connection_id}/records/search"})
"""What changes nothing although it is no GET: what is looked for is in a body, because
addresses are in logs and histories."""

PERSONAL: Final = frozenset(
    {
        "GET /v1/session",
        "DELETE /v1/session",
        "GET /v1/sessions",
        "DELETE /v1/sessions/{session_id}",
        "PUT /v1/password",
    }
)
"""What people do about themselves: of no use to a key, and no right over others."""
