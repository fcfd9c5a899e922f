"""``/v1/connections/{connection_id}/links``: bonds that people make and take apart."""

from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from proto.ids import ConnectionId, LinkId, RecordId
from proto.reconciler import LinkRecords, UnlinkRecords
from services.api.content import bodies, views
from services.api.content.views import LinkView
from services.api.requests import calls
from services.api.requests.calls import Call
from services.api.requests.routing import Route

RecordText = Annotated[str, Meta(min_length=1, max_length=1_000)]


class LinkIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Two records that are the same person."""

    left_record_id: RecordText
    right_record_id: RecordText


async def link(call: Call) -> web.Response:
    """Bind two records for good, whatever their emails say."""
    connection_id = call.id_in_path(ConnectionId, "connection_id")
    given, fields = await call.body(LinkIn)
    async with call.acting(
        "connection.link", object_id=connection_id, fields=fields
    ) as act:
        made = await call.ask(
            LinkRecords(
                tenant_id=call.tenant_id,
                connection_id=connection_id,
                left_record_id=RecordId(given.left_record_id),
                right_record_id=RecordId(given.right_record_id),
            )
        )
        act.object_id = made.link_id
    return calls.respond(views.show(made, LinkView), status=201)


async def unlink(call: Call) -> web.Response:
    """Take a link apart; its records are then left alone."""
    connection_id = call.id_in_path(ConnectionId, "connection_id")
    link_id = call.id_in_path(LinkId, "link_id")
    await bodies.read_nothing(call.request)
    async with call.acting("connection.unlink", object_id=link_id):
        await call.ask(
            UnlinkRecords(
                tenant_id=call.tenant_id, connection_id=connection_id, link_id=link_id
            )
        )
    return web.Response(status=204)


_ALL: Final = "/v1/connections/{connection_id}/links"

ROUTES: Final = (
    Route("POST", _ALL, link),
    Route("DELETE", f"{_ALL}/{{link_id}}", unlink),
)
