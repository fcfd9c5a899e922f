"""``/v1/connections``: two accounts kept in sync, what they do and how they stand."""

from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from proto.ids import ConnectionId
from proto.reconciler import (
    ApproveChanges,
    ChangeConnection,
    Connection,
    ConnectionAct,
    CreateConnection,
    GetConnection,
    GetStatus,
    ListConnections,
    ListRecords,
    RecordState,
    TellConnection,
)
from services.api.content import bodies, settings, views
from services.api.content.problems import Code
from services.api.content.settings import ConnectionChangeIn, ConnectionIn
from services.api.errors import Fault, Refused
from services.api.requests import calls, paging
from services.api.requests.calls import Call
from services.api.requests.routing import Handler, Route
from services.api.routes import accounts
from services.chassis.errors import CommandFailed

EMAIL_CHARS_MAX: Final = 320
RECORD_STATES: Final = tuple(
    state.value for state in RecordState if state is not RecordState.UNKNOWN
)


async def create(call: Call) -> web.Response:
    """Make a draft; nothing is read or written yet."""
    given, fields = await call.body(ConnectionIn)
    wanted = settings.settings_of(given)
    async with call.acting("connection.create", fields=fields) as act:
        made = await call.ask(
            CreateConnection(tenant_id=call.tenant_id, settings=wanted),
            calls_app=True,
        )
        act.object_id = made.connection_id
    location = {"Location": f"/v1/connections/{made.connection_id}"}
    return _respond(made, status=201, headers=location)


async def list_connections(call: Call) -> web.Response:
    """Show a page of connections; those that need attention come first."""
    page = paging.read(call)
    account_id = accounts.account_in_query(call)
    found = await call.ask(
        ListConnections(
            tenant_id=call.tenant_id,
            after=page.after or None,
            limit=page.limit,
            account_id=account_id,
        )
    )
    items = [settings.show_connection(connection) for connection in found.connections]
    return paging.respond(call, items, next_after=found.next_after)


async def get(call: Call) -> web.Response:
    """Show one connection; its ETag is its version."""
    connection_id = call.id_in_path(ConnectionId, "connection_id")
    return _respond(await _read(call, connection_id))


async def change(call: Call) -> web.Response:
    """Change the settings that are given; with If-Match only at that version."""
    connection_id = call.id_in_path(ConnectionId, "connection_id")
    wanted_version = _version_wanted(call.request)
    given, fields = await call.body(ConnectionChangeIn)
    now = await _read(call, connection_id)
    if wanted_version is not None and wanted_version != now.version:
        raise Refused(Code.VERSION_CONFLICT)
    wanted = settings.changed(now.settings, given)
    if wanted == now.settings:
        return _respond(now)
    async with call.acting("connection.change", object_id=connection_id, fields=fields):
        last = await _send_change(
            call,
            ChangeConnection(
                tenant_id=call.tenant_id,
                connection_id=connection_id,
                settings=wanted,
                version=now.version,
            ),
        )
    return _respond(last)


async def delete(call: Call) -> web.Response:
    """Delete a connection; the contacts in both apps stay as they are."""
    connection_id = call.id_in_path(ConnectionId, "connection_id")
    await bodies.read_nothing(call.request)
    await _tell(call, connection_id, act=ConnectionAct.DELETE)
    return web.Response(status=204)


def telling(act: ConnectionAct) -> Handler:
    """Return the route that tells a connection to do something."""

    async def tell(call: Call) -> web.Response:
        connection_id = call.id_in_path(ConnectionId, "connection_id")
        await bodies.read_nothing(call.request)
        return _respond(await _tell(call, connection_id, act=act))

    return tell


async def approve(call: Call) -> web.Response:
    """Let everything go ahead that is held because it undoes much at once."""
    connection_id = call.id_in_path(ConnectionId, "connection_id")
    await bodies.read_nothing(call.request)
    async with call.acting("connection.approve", object_id=connection_id):
        last = await call.ask(
            ApproveChanges(tenant_id=call.tenant_id, connection_id=connection_id)
        )
    return _respond(last)


async def get_status(call: Call) -> web.Response:
    """Show a connection's counts and progress."""
    connection_id = call.id_in_path(ConnectionId, "connection_id")
    status = await call.ask(
        GetStatus(tenant_id=call.tenant_id, connection_id=connection_id)
    )
    return calls.respond(views.show_status(status))


class SearchIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose contacts are looked for."""

    email: Annotated[str, Meta(min_length=1, max_length=EMAIL_CHARS_MAX)]


async def list_records(call: Call) -> web.Response:
    """Show a page of a connection's contacts: how each stands, and why."""
    connection_id = call.id_in_path(ConnectionId, "connection_id")
    state = call.query["state"]
    if state and state not in RECORD_STATES:
        fault = Fault("state", f"Give one of {', '.join(RECORD_STATES)}.")
        raise Refused(Code.QUERY_INVALID, faults=(fault,))
    return await _show_records(
        call, connection_id, state=RecordState(state) if state else None
    )


async def search_records(call: Call) -> web.Response:
    """Show the contacts with an email address, which no address of ours may hold."""
    connection_id = call.id_in_path(ConnectionId, "connection_id")
    given, _ = await call.body(SearchIn)
    if not given.email.isprintable():
        fault = Fault("/email", "Give one email address.")
        raise Refused(Code.BODY_INVALID, faults=(fault,))
    return await _show_records(call, connection_id, email=given.email)


async def _show_records(
    call: Call,
    connection_id: ConnectionId,
    *,
    state: RecordState | None = None,
    email: str = "",
) -> web.Response:
    page = paging.read(call)
    found = await call.ask(
        ListRecords(
            tenant_id=call.tenant_id,
            connection_id=connection_id,
            state=state,
            email=email,
            after=page.after or None,
            limit=page.limit,
        )
    )
    items = [views.show_record(record) for record in found.records]
    return paging.respond(
        call, items, next_after=found.next_after, is_erased=found.is_erased
    )


async def _read(call: Call, connection_id: ConnectionId) -> Connection:
    return await call.ask(
        GetConnection(tenant_id=call.tenant_id, connection_id=connection_id)
    )


async def _tell(
    call: Call, connection_id: ConnectionId, *, act: ConnectionAct
) -> Connection:
    async with call.acting(f"connection.{act}", object_id=connection_id):
        return await call.ask(
            TellConnection(
                tenant_id=call.tenant_id, connection_id=connection_id, act=act
            )
        )


async def _send_change(call: Call, command: ChangeConnection) -> Connection:
    try:
        return await call.ask(command, calls_app=True)
    except CommandFailed as err:
        if err.field == "version":
            # Somebody changed it between our reading and our sending.
            raise Refused(Code.VERSION_CONFLICT) from err
        raise


def _respond(
    connection: Connection, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    return calls.respond(
        settings.show_connection(connection),
        status=status,
        headers={"ETag": f'"{connection.version}"', **(headers or {})},
    )


def _version_wanted(request: web.Request) -> int | None:
    given = request.headers.get("If-Match", "").strip()
    if given in ("", "*"):
        return None
    text = given.removeprefix('"').removesuffix('"')
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise Refused(Code.VERSION_CONFLICT)
    return int(text)


_ONE: Final = "/v1/connections/{connection_id}"

ROUTES: Final = (
    Route("POST", "/v1/connections", create),
    Route(
        "GET",
        "/v1/connections",
        list_connections,
        query=(*paging.QUERY, "account_id"),
    ),
    Route("GET", _ONE, get),
    Route("PATCH", _ONE, change),
    Route("DELETE", _ONE, delete),
    Route("POST", f"{_ONE}/start", telling(ConnectionAct.START)),
    Route("POST", f"{_ONE}/pause", telling(ConnectionAct.PAUSE)),
    Route("POST", f"{_ONE}/resume", telling(ConnectionAct.RESUME)),
    Route("POST", f"{_ONE}/sync", telling(ConnectionAct.SYNC_NOW)),
    Route("POST", f"{_ONE}/approve", approve),
    Route("GET", f"{_ONE}/status", get_status),
    Route(
        "GET",
        f"{_ONE}/records",
        list_records,
        query=(*paging.QUERY, "state"),
    ),
    Route("POST", f"{_ONE}/records/search", search_records, query=paging.QUERY),
)
