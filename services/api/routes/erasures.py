"""``/v1/erasures``: people who are removed from everything, and kept out from then on.

The audit log knows them by a keyed hash. Addresses are in bodies alone, not in paths.
"""

from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from proto.base import Instant
from proto.erasure import (
    ErasePerson,
    Erasure,
    ErasureState,
    GetErasure,
    LiftSuppression,
    ListErasures,
    Whom,
)
from proto.ids import AccountId, ConnectionId, ErasureId, LinkId, RecordId
from services.api.content import views
from services.api.content.problems import Code
from services.api.content.views import View
from services.api.errors import Fault, Refused
from services.api.requests import calls, paging
from services.api.requests.calls import Call
from services.api.requests.routing import Route
from services.chassis import identifiers

Email = Annotated[str, Meta(min_length=1, max_length=320)]
Id = Annotated[str, Meta(min_length=1, max_length=100)]
VendorId = Annotated[str, Meta(min_length=1, max_length=2_000)]

_WAYS: Final = ({"email"}, {"account_id", "record_id"}, {"connection_id", "link_id"})
"""What names a person, each by itself."""


class ErasureIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to erase: by an address, a record or a link."""

    email: Email = ""
    account_id: Id = ""
    record_id: VendorId = ""
    connection_id: Id = ""
    link_id: Id = ""


class LiftIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may come back."""

    email: Email


class RecordsLeftView(View, frozen=True, kw_only=True):
    """Records that an app still has."""

    account_id: str
    app: str
    record_ids: tuple[str, ...]


class ErasureView(View, frozen=True, kw_only=True):
    """How an erasure stands."""

    erasure_id: str
    state: ErasureState
    digest: str
    asked_at: Instant
    finished_at: Instant | None
    records: int
    links: int
    writes: int
    shared_emails: int
    left: tuple[RecordsLeftView, ...]


class LiftedView(View, frozen=True, kw_only=True):
    """What was lifted."""

    digest: str
    count: int


async def create(call: Call) -> web.Response:
    """Begin to erase a person; the answer tells where to ask how far it is."""
    given, fields = await call.body(ErasureIn)
    named = {name for name, text in msgspec.structs.asdict(given).items() if text}
    if named not in _WAYS:
        fault = Fault("", "Give an email, a record of an account, or a link.")
        raise Refused(Code.BODY_INVALID, faults=(fault,))
    whom = Whom(
        email=given.email,
        account_id=AccountId(given.account_id) or None,
        record_id=RecordId(given.record_id) or None,
        connection_id=ConnectionId(given.connection_id) or None,
        link_id=LinkId(given.link_id) or None,
    )
    async with call.acting("person.erase", fields=fields) as act:
        begun = await call.ask(ErasePerson(tenant_id=call.tenant_id, whom=whom))
        act.object_id = begun.erasure_id
        act.fields = (*fields, _named(begun.digest))
    location = {"Location": f"/v1/erasures/{begun.erasure_id}"}
    return calls.respond(_view(begun), status=202, headers=location)


async def get(call: Call) -> web.Response:
    """Show how an erasure stands, and what the apps still have."""
    erasure_id = call.id_in_path(ErasureId, "erasure_id")
    found = await call.ask(GetErasure(tenant_id=call.tenant_id, erasure_id=erasure_id))
    return calls.respond(_view(found))


async def list_erasures(call: Call) -> web.Response:
    """Show a page of erasures, oldest first."""
    page = paging.read(call)
    if page.after and not identifiers.is_id(ErasureId, page.after):
        raise paging.bad_cursor()
    found = await call.ask(
        ListErasures(
            tenant_id=call.tenant_id, after=page.after or None, limit=page.limit
        )
    )
    return paging.respond(
        call,
        [_view(each) for each in found.erasures],
        next_after=found.next_after,
    )


async def lift(call: Call) -> web.Response:
    """Let somebody who was erased be imported again."""
    given, fields = await call.body(LiftIn)
    async with call.acting("person.lift_suppression", fields=fields) as act:
        lifted = await call.ask(
            LiftSuppression(tenant_id=call.tenant_id, email=given.email)
        )
        act.fields = (*fields, _named(lifted.digest))
    return calls.respond(views.show(lifted, LiftedView))


def _view(erasure: Erasure) -> ErasureView:
    return views.show(erasure, ErasureView)


def _named(digest: str) -> str:
    """Return what the audit log calls a person."""
    return f"hmac-sha256:{digest}"


ROUTES: Final = (
    Route("POST", "/v1/erasures", create),
    Route("GET", "/v1/erasures", list_erasures, query=paging.QUERY),
    Route("GET", "/v1/erasures/{erasure_id}", get),
    Route("POST", "/v1/suppressions/lift", lift),
)
