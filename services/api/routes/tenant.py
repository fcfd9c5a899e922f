"""``/v1/tenant``: the tenant itself, and whether its people need a second factor."""

from typing import Final

import msgspec
from aiohttp import web

from services.api.content import views
from services.api.content.views import View
from services.api.requests import access, calls
from services.api.requests.calls import Call
from services.api.requests.routing import Route
from services.api.store import factors, ledger, roster


class TenantChangeIn(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """What is to be different about a tenant."""

    requires_second_factor: bool


class TenantView(View, frozen=True, kw_only=True):
    """A tenant."""

    name: str
    requires_second_factor: bool
    """Whether people need a second factor; keys never do."""


async def get_tenant(call: Call) -> web.Response:
    """Show the tenant."""
    found = await factors.read_policy(
        call.parts.store.database.reader(call.tenant_id), call.tenant_id
    )
    return calls.respond(views.show(found, TenantView))


async def change_tenant(call: Call) -> web.Response:
    """Say whether people need a second factor; sessions without one are over then."""
    given, fields = await call.body(TenantChangeIn)
    now = call.parts.clock.now()
    access.require_fresh(call.caller, now=now)
    verb = "require" if given.requires_second_factor else "waive"
    entry = call.audit_entry(
        f"tenant.{verb}_second_factor",
        outcome="done",
        object_id=call.tenant_id,
        fields=fields,
    )
    async with call.parts.store.transaction(call.tenant_id) as work:
        await roster.lock_tenant(work.transaction, call.tenant_id)
        await factors.change_policy(
            work.transaction, call.tenant_id, is_required=given.requires_second_factor
        )
        changed = await factors.read_policy(work.transaction, call.tenant_id)
        await ledger.add_audit_entry(work.transaction, entry, now=now)
    return calls.respond(views.show(changed, TenantView))


_ONE: Final = "/v1/tenant"

ROUTES: Final = (
    Route("GET", _ONE, get_tenant),
    Route("PATCH", _ONE, change_tenant),
)
