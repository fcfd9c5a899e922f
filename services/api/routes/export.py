"""``/v1/export``: everything that a tenant owns, part by part and page by page.

Secrets and what is made of them are in no part.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from aiohttp import web

from proto.auth import ListAccounts
from proto.export import ExportRows
from proto.ids import AccountId
from services.api.content.problems import Code
from services.api.errors import Refused
from services.api.requests import paging
from services.api.requests.calls import Call
from services.api.requests.routing import Route
from services.chassis import queries
from services.chassis.queries import Template

Q = queries.load(Path(__file__).parent.parent / "sql" / "export_queries.sql")

_OWN: Final[Mapping[str, Template]] = {
    "tenant": Q["export_tenant"],
    "people": Q["export_people"],
    "api_keys": Q["export_api_keys"],
    "invitations": Q["export_invitations"],
    "audit_entries": Q["export_audit_entries"],
}
_RECONCILERS: Final[Mapping[str, str]] = {
    "connections": "connections",
    "descriptions": "accounts",
    "records": "observations",
    "links": "links",
    "history": "intents",
    "conflicts": "losses",
}
PARTS: Final = (*_OWN, "accounts", *_RECONCILERS)
"""Every part, in the order in which they refer to each other."""
_NUMBER: Final = re.compile("[0-9]{18}")

EXPORTED: Final[Mapping[str, str]] = {
    "api.tenants": "tenant",
    "api.people": "people",
    "api.identities": "people",
    "api.api_keys": "api_keys",
    "api.invitations": "invitations",
    "api.audit_entries": "audit_entries",
    "auth.accounts": "accounts",
    **{f"reconciler.{table}": part for part, table in _RECONCILERS.items()},
}
"""In which part each table is."""


async def show_part(call: Call) -> web.Response:
    """Show a page of a part; the begin of each part is written down."""
    part = call.request.match_info["part"]
    page = paging.read(call)
    if part not in PARTS:
        raise Refused(Code.NO_SUCH_ROUTE)
    if part == "audit_entries" and page.after and not _NUMBER.fullmatch(page.after):
        raise paging.bad_cursor()
    if not page.after:
        await call.parts.write_down(
            call.audit_entry("tenant.export", outcome="begun", object_id=part)
        )
    lines, next_after = await _read(call, part, page=page)
    return paging.respond(
        call, [msgspec.Raw(line.encode()) for line in lines], next_after=next_after
    )


async def _read(
    call: Call, part: str, *, page: paging.Page
) -> tuple[list[str], str | None]:
    if part in _RECONCILERS:
        found = await call.ask(
            ExportRows(
                tenant_id=call.tenant_id,
                table=_RECONCILERS[part],
                after=page.after,
                limit=page.limit,
            )
        )
        return list(found.lines), found.next_after
    if part == "accounts":
        accounts = await call.ask(
            ListAccounts(
                tenant_id=call.tenant_id,
                after=AccountId(page.after) if page.after else None,
                limit=page.limit,
            )
        )
        shown = [msgspec.json.encode(each).decode() for each in accounts.accounts]
        return shown, accounts.next_after
    reader = call.parts.store.database.reader(call.tenant_id)
    rows = await reader.fetch(
        _OWN[part](tenant_id=call.tenant_id, after=page.after, limit=page.limit + 1)
    )
    shown = [row["line"] for row in rows[: page.limit]]
    more = len(rows) > page.limit
    return shown, rows[page.limit - 1]["key"] if more else None


ROUTES: Final = (Route("GET", "/v1/export/{part}", show_part, query=paging.QUERY),)
