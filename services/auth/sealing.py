"""What is inside the vault's envelopes, and which row each is bound to."""

import datetime

import msgspec

from proto.auth import CredentialKind
from proto.ids import AccountId, AppId, TenantId
from services.auth.vault import Sealed, Vault


class AccountSecret(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An account's tokens, or its password."""

    access_token: str = ""
    refresh_token: str = ""
    password: str = ""
    limited_by: str = ""
    """Which client the app gave the tokens to; nobody can claim to be another."""


class GivenCredential(msgspec.Struct, frozen=True, kw_only=True):
    """An account's credential as it came, not yet sealed."""

    kind: CredentialKind
    secret: AccountSecret
    username: str = ""
    expires_at: datetime.datetime | None = None
    renew_at: datetime.datetime | None = None


Place = tuple[str, ...]
"""Which row and purpose a secret is bound to."""


def of_account(tenant_id: TenantId, account_id: AccountId, *, version: int) -> Place:
    """Return the place of one version of an account's credential."""
    return (tenant_id, account_id, "account", str(version))


def of_client(tenant_id: TenantId, app: AppId) -> Place:
    """Return the place of a client secret."""
    return (tenant_id, app, "client")


def of_verifier(tenant_id: TenantId, state_hash: str) -> Place:
    """Return the place of a PKCE verifier."""
    return (tenant_id, state_hash, "verifier")


def seal_account(
    vault: Vault,
    secret: AccountSecret,
    *,
    tenant_id: TenantId,
    account_id: AccountId,
    version: int,
) -> Sealed:
    """Seal an account's secret for one version of its credential."""
    return vault.seal(
        msgspec.json.encode(secret),
        bound_to=of_account(tenant_id, account_id, version=version),
    )


def open_account(
    vault: Vault,
    sealed: Sealed,
    *,
    tenant_id: TenantId,
    account_id: AccountId,
    version: int,
) -> AccountSecret:
    """Open what ``seal_account`` sealed.

    Raises:
        CannotOpen: Altered, of another row, or its key is not in the ring.
    """
    plain = vault.open(
        sealed, bound_to=of_account(tenant_id, account_id, version=version)
    )
    return msgspec.json.decode(plain, type=AccountSecret)


def seal_client(
    vault: Vault, secret: str, *, tenant_id: TenantId, app: AppId
) -> Sealed:
    """Seal a client secret."""
    return vault.seal(secret.encode(), bound_to=of_client(tenant_id, app))


def open_client(
    vault: Vault, sealed: Sealed, *, tenant_id: TenantId, app: AppId
) -> str:
    """Open a client secret."""
    return vault.open(sealed, bound_to=of_client(tenant_id, app)).decode()


def seal_verifier(
    vault: Vault, verifier: str, *, tenant_id: TenantId, state_hash: str
) -> Sealed:
    """Seal a PKCE verifier until the callback."""
    return vault.seal(verifier.encode(), bound_to=of_verifier(tenant_id, state_hash))


def open_verifier(
    vault: Vault, sealed: Sealed, *, tenant_id: TenantId, state_hash: str
) -> str:
    """Open a PKCE verifier."""
    return vault.open(sealed, bound_to=of_verifier(tenant_id, state_hash)).decode()
