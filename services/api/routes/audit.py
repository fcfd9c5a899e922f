"""``/v1/audit``: who did what in the tenant, newest first. It only grows."""

import datetime
from typing import Final

from aiohttp import web

from services.api.content.problems import Code
from services.api.content.views import AuditEntryView
from services.api.errors import Fault, Refused
from services.api.requests import paging
from services.api.requests.calls import Call
from services.api.requests.routing import Route
from services.api.store import ledger
from services.api.store.ledger import Filter

FILTER_CHARS_MAX: Final = 200
_DIGITS_MAX: Final = 18
_FILTERS: Final = ("actor", "act", "object_id", "from", "until")


async def list_entries(call: Call) -> web.Response:
    """Show a page of entries that match all filters."""
    page = paging.read(call)
    if page.after and not _is_number(page.after):
        raise paging.bad_cursor()
    found = await ledger.list_entries(
        call.parts.store.database.reader(call.tenant_id),
        call.tenant_id,
        before=int(page.after) if page.after else None,
        matching=_filter_of(call),
        # One more than is shown tells whether there is a next page.
        limit=page.limit + 1,
    )
    shown = found[: page.limit]
    items = [
        AuditEntryView(
            number=entry.number,
            at=entry.at,
            actor=entry.actor,
            act=entry.act,
            object_id=entry.object_id,
            fields=entry.fields,
            outcome=entry.outcome,
            request_id=entry.request_id,
            remote=entry.remote,
            digest=entry.digest.hex(),
        )
        for entry in shown
    ]
    return paging.respond(
        call,
        items,
        next_after=str(shown[-1].number) if len(found) > page.limit else None,
    )


def _filter_of(call: Call) -> Filter:
    texts = {name: call.query[name] for name in ("actor", "act", "object_id")}
    faults = [
        Fault(name, f"Give {FILTER_CHARS_MAX} plain characters at most.")
        for name, text in texts.items()
        if len(text) > FILTER_CHARS_MAX or not text.isprintable()
    ]
    if faults:
        raise Refused(Code.QUERY_INVALID, faults=tuple(faults))
    return Filter(**texts, since=_time_of(call, "from"), until=_time_of(call, "until"))


def _time_of(call: Call, name: str) -> datetime.datetime | None:
    text = call.query[name]
    if not text:
        return None
    try:
        found = datetime.datetime.fromisoformat(text)
        if found.tzinfo is not None:
            return found.astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        pass
    fault = Fault(name, "Give a time such as 2026-01-31T00:00:00Z.")
    raise Refused(Code.QUERY_INVALID, faults=(fault,))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX


ROUTES: Final = (
    Route("GET", "/v1/audit", list_entries, query=(*paging.QUERY, *_FILTERS)),
)
