"""``/v1/accounts``: authorised logins at apps, listed, described and removed."""

from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from proto.auth import AddAccount, GetAccount, ListAccounts, RemoveAccount
from proto.connector import DescribeAccount
from proto.ids import AccountId, AppId
from proto.pushes import ReadAccountPush
from proto.reconciler import ListConnections
from services.api.content import bodies, views
from services.api.content.problems import Code
from services.api.content.views import AccountView, DescriptionView, View
from services.api.errors import Fault, Refused
from services.api.requests import calls, paging
from services.api.requests.calls import Call
from services.api.requests.routing import Route
from services.api.routes import apps
from services.chassis import identifiers

AppText = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,63}$")]
Url = Annotated[str, Meta(min_length=1, max_length=2_000)]
Login = Annotated[str, Meta(min_length=1, max_length=1_000)]
Secret = Annotated[str, Meta(min_length=1, max_length=2_000)]
FORM: Final = ("base_url", "username", "password", "api_key", "token")
"""All that forms ask for; which of it an app does, auth knows by its manifest."""


class AccountPushView(View, frozen=True, kw_only=True):
    """Where an account's app pushes changes to."""

    url: str
    signing_secret: str


class AccountIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account of an app that takes what a person gives, by the app's form."""

    app: AppText
    base_url: Url | UnsetType = UNSET
    username: Login | UnsetType = UNSET
    password: Login | UnsetType = UNSET
    api_key: Secret | UnsetType = UNSET
    token: Secret | UnsetType = UNSET
    account_id: str | None = None
    """An account of before, whose credential is to be replaced."""


async def add_account(call: Call) -> web.Response:
    """Add an account with what a person gave, which is tried before it is stored."""
    given, fields = await call.body(AccountIn)
    if given.base_url is not UNSET:
        apps.check_urls(base_url=given.base_url)
    account_id = bodies.account(given.account_id)
    values = msgspec.structs.asdict(given)
    async with call.acting(
        "account.add", object_id=account_id or "", fields=fields
    ) as act:
        account = await call.ask(
            AddAccount(
                tenant_id=call.tenant_id,
                app=AppId(given.app),
                values={
                    name: values[name] for name in FORM if values[name] is not UNSET
                },
                account_id=account_id,
            ),
            calls_app=True,
        )
        act.object_id = account.account_id
    return calls.respond(
        views.show(account, AccountView), status=200 if account_id else 201
    )


async def list_accounts(call: Call) -> web.Response:
    """Show a page of accounts, oldest first."""
    page = paging.read(call)
    if page.after and not identifiers.is_id(AccountId, page.after):
        raise paging.bad_cursor()
    found = await call.ask(
        ListAccounts(
            tenant_id=call.tenant_id,
            after=AccountId(page.after) if page.after else None,
            limit=page.limit,
        )
    )
    items = [views.show(account, AccountView) for account in found.accounts]
    return paging.respond(call, items, next_after=found.next_after)


async def get_account(call: Call) -> web.Response:
    """Show one account."""
    account_id = call.id_in_path(AccountId, "account_id")
    account = await call.ask(
        GetAccount(tenant_id=call.tenant_id, account_id=account_id)
    )
    return calls.respond(views.show(account, AccountView))


async def describe_account(call: Call) -> web.Response:
    """Show an account's fields and containers, as the app describes them now."""
    account_id = call.id_in_path(AccountId, "account_id")
    description = await call.ask(
        DescribeAccount(tenant_id=call.tenant_id, account_id=account_id),
        calls_app=True,
    )
    return calls.respond(views.show(description, DescriptionView))


async def show_push(call: Call) -> web.Response:
    """Show where an account's app is to push changes to."""
    account_id = call.id_in_path(AccountId, "account_id")
    push = await call.ask(
        ReadAccountPush(tenant_id=call.tenant_id, account_id=account_id)
    )
    return calls.respond(views.show(push, AccountPushView))


async def remove_account(call: Call) -> web.Response:
    """Forget an account and its credentials, unless a connection uses it."""
    account_id = call.id_in_path(AccountId, "account_id")
    await bodies.read_nothing(call.request)
    users = await call.ask(
        ListConnections(tenant_id=call.tenant_id, account_id=account_id, limit=1)
    )
    if users.connections:
        used_by = users.connections[0].connection_id
        raise Refused(
            Code.ACCOUNT_IN_USE,
            f"The connection {used_by} uses this account. Delete the connection first.",
        )
    async with call.acting("account.remove", object_id=account_id):
        await call.ask(RemoveAccount(tenant_id=call.tenant_id, account_id=account_id))
    return web.Response(status=204)


def account_in_query(call: Call) -> AccountId | None:
    """Return the account that a list is about, if it is about one."""
    text = call.query["account_id"]
    if text and not identifiers.is_id(AccountId, text):
        fault = Fault("account_id", "Give the id of an account.")
        raise Refused(Code.QUERY_INVALID, faults=(fault,))
    return AccountId(text) if text else None


ROUTES: Final = (
    Route("POST", "/v1/accounts", add_account),
    Route("GET", "/v1/accounts", list_accounts, query=paging.QUERY),
    Route("GET", "/v1/accounts/{account_id}", get_account),
    Route("GET", "/v1/accounts/{account_id}/description", describe_account),
    Route("GET", "/v1/accounts/{account_id}/push", show_push),
    Route("DELETE", "/v1/accounts/{account_id}", remove_account),
)
