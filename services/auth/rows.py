"""Rows of auth's tables as what they stand for, and secrets as columns."""

from proto.auth import Account, AccountState
from services.auth.vault import Sealed
from services.chassis.database import Row


def columns(secret: Sealed) -> dict[str, object]:
    """Return the columns of a secret."""
    return {
        "key_id": secret.key_id,
        "wrapped_key": secret.wrapped_key,
        "body": secret.body,
    }


def sealed(row: Row) -> Sealed:
    """Return the secret in a row."""
    return Sealed(
        key_id=row["key_id"], wrapped_key=row["wrapped_key"], body=row["body"]
    )


def account(row: Row) -> Account:
    """Return the account that a row is about."""
    return Account(
        account_id=row["account_id"],
        app=row["app"],
        state=AccountState(row["state"]),
        vendor_account_id=row["vendor_account_id"],
        display_name=row["display_name"],
        base_url=row["base_url"],
        scopes=tuple(row["scopes"]),
        created_at=row["created_at"],
    )
