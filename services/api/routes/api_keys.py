"""``/v1/api-keys``: the keys of the tenant; a key's text is shown once."""

import datetime
from typing import Annotated, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from proto.base import Instant
from proto.errors import ErrorCode
from proto.ids import ApiKeyId
from services.api.content import bodies, views
from services.api.content.problems import Code
from services.api.content.views import ApiKeyView, NewApiKeyView
from services.api.errors import Fault, Refused
from services.api.requests import access, calls, issuing, paging
from services.api.requests.calls import Call
from services.api.requests.routing import Route
from services.api.store import api_keys, ledger

Name = Annotated[str, Meta(min_length=1, max_length=200)]


class ApiKeyIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new key."""

    name: Name
    scopes: Annotated[
        tuple[Literal["read", "write", "manage"], ...], Meta(min_length=1, max_length=3)
    ] = ("read", "write")
    expires_at: Instant | None = None


async def create(call: Call) -> web.Response:
    """Make a key and show its text, this once.

    It can do no more than who asks for it, and for no longer than a key that does.
    """
    given, fields = await call.body(ApiKeyIn)
    now = call.parts.clock.now()
    for scope in given.scopes:
        access.require(call.caller, scope)
    expires_at = _expiry(given.expires_at, now=now, until=call.caller.expires_at)
    issued = issuing.make(
        call.tenant_id,
        name=given.name,
        scopes=given.scopes,
        expires_at=expires_at,
        created_by=call.caller.actor,
        identifiers=call.parts.identifiers,
    )
    entry = call.audit_entry(
        "api_key.create", outcome="done", object_id=issued.row.key_id, fields=fields
    )
    async with call.parts.store.transaction(call.tenant_id) as work:
        valid = await api_keys.count_keys(work.transaction, call.tenant_id, now=now)
        if valid >= call.parts.config.keys_max:
            raise Refused(
                ErrorCode.LIMIT_REACHED,
                f"There are {valid} valid keys. Revoke one that is not needed.",
            )
        await api_keys.add_key(work.transaction, issued.row, now=now)
        await ledger.add_audit_entry(work.transaction, entry, now=now)
    view = NewApiKeyView(
        key=issued.text,
        key_id=issued.row.key_id,
        name=issued.row.name,
        hint=issued.row.hint,
        scopes=issued.row.scopes,
        created_at=now,
        created_by=issued.row.created_by,
        expires_at=issued.row.expires_at,
        revoked_at=None,
        last_used_at=None,
    )
    return calls.respond(view, status=201)


async def list_keys(call: Call) -> web.Response:
    """Show a page of keys, oldest first, revoked and expired ones too."""
    return await paging.by_id(
        call,
        ApiKeyId,
        load=api_keys.list_keys,
        id_of=lambda key: key.key_id,
        view=lambda key: views.show(key, ApiKeyView),
    )


async def revoke(call: Call) -> web.Response:
    """Refuse a key from now on; it stays listed."""
    key_id = call.id_in_path(ApiKeyId, "key_id")
    await bodies.read_nothing(call.request)
    now = call.parts.clock.now()
    async with call.parts.store.transaction(call.tenant_id) as work:
        is_known = await api_keys.revoke_key(
            work.transaction, call.tenant_id, key_id=key_id, now=now
        )
        if not is_known:
            raise Refused(ErrorCode.NOT_FOUND)
        entry = call.audit_entry("api_key.revoke", outcome="done", object_id=key_id)
        await ledger.add_audit_entry(work.transaction, entry, now=now)
    return web.Response(status=204)


def _expiry(
    at: datetime.datetime | None,
    *,
    now: datetime.datetime,
    until: datetime.datetime | None,
) -> datetime.datetime | None:
    """Return when a new key ends, in UTC.

    Raises:
        Refused: It is over already, after ``until``, or in no calendar of ours.
    """
    try:
        ends_at = None if at is None else at.astimezone(datetime.UTC)
    except OverflowError:
        # The last day of the year 9999 is no day of it in every zone.
        raise _bad_expiry("Give a time before the year 9999.") from None
    if ends_at is not None and ends_at <= now:
        raise _bad_expiry("Give a time that is still to come.")
    if until is not None and (ends_at is None or ends_at > until):
        raise _bad_expiry(
            f"The key that asks ends at {until:%Y-%m-%dT%H:%M:%SZ}; give that time, or"
            " one before it."
        )
    return ends_at


def _bad_expiry(detail: str) -> Refused:
    return Refused(Code.BODY_INVALID, faults=(Fault("/expires_at", detail),))


ROUTES: Final = (
    Route("POST", "/v1/api-keys", create),
    Route("GET", "/v1/api-keys", list_keys, query=paging.QUERY),
    Route("DELETE", "/v1/api-keys/{key_id}", revoke),
)
