"""The smaller commands of auth, one function each."""

from typing import Final

from proto.auth import (
    Account,
    AccountLost,
    Accounts,
    GetAccount,
    ListAccounts,
    RemoveAccount,
)
from proto.base import Done
from proto.errors import ErrorCode
from services.auth.store import AuthWork
from services.chassis.errors import CommandFailed
from services.chassis.store import Store

PAGE_MAX: Final = 200


async def get_account(command: GetAccount, *, store: Store[AuthWork]) -> Account:
    """Return one account."""
    async with store.transaction(command.tenant_id) as work:
        account = await work.account(command.tenant_id, command.account_id)
    if account is None:
        raise _no_account()
    return account


async def list_accounts(command: ListAccounts, *, store: Store[AuthWork]) -> Accounts:
    """Return a page of accounts; one more is read to know whether there is a next."""
    limit = max(1, min(command.limit, PAGE_MAX))
    async with store.transaction(command.tenant_id) as work:
        found = await work.accounts(
            command.tenant_id, after=command.after or "", limit=limit + 1
        )
    page = found[:limit]
    has_more = len(found) > limit
    return Accounts(accounts=page, next_after=page[-1].account_id if has_more else None)


async def remove_account(command: RemoveAccount, *, store: Store[AuthWork]) -> Done:
    """Forget an account and its credentials, and tell whoever may use it."""
    async with store.transaction(command.tenant_id) as work:
        told_at = await work.remove_account(command.tenant_id, command.account_id)
        if told_at is None:
            raise _no_account()
        # A connection may have been made with it after the api saw that there is none.
        await work.send(
            AccountLost(
                tenant_id=command.tenant_id,
                account_id=command.account_id,
                at=told_at,
            )
        )
    return Done()


def _no_account() -> CommandFailed:
    return CommandFailed(ErrorCode.NOT_FOUND, "There is no such account.")
