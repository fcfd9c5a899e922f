"""A new API key: its text for the person, its row for the database."""

import datetime
from typing import NamedTuple

from proto.ids import ApiKeyId, TenantId
from services.api.proofs import keys
from services.api.store.api_keys import NewKey
from services.chassis.identifiers import Identifiers


class Issued(NamedTuple):
    """A key that is not stored yet."""

    text: str
    row: NewKey


def make(
    tenant_id: TenantId,
    *,
    name: str,
    scopes: tuple[str, ...],
    expires_at: datetime.datetime | None,
    created_by: str,
    identifiers: Identifiers,
) -> Issued:
    """Return a new key of a tenant."""
    text = keys.generate()
    row = NewKey(
        tenant_id=tenant_id,
        key_id=identifiers.new(ApiKeyId),
        name=name,
        digest=keys.digest(text),
        hint=keys.hint(text),
        scopes=tuple(sorted(set(scopes))),
        expires_at=expires_at,
        created_by=created_by,
    )
    return Issued(text, row)
