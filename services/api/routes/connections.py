"""``/v1/connections``: two accounts kept in sync, what they do and how they stand."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from proto.ids import AccountId, ConnectionId, ContainerId
from proto.reconciler import (
    ChangeConnection,
    Connection,
    ConnectionAct,
    CreateConnection,
    Direction,
    End,
    GetConnection,
    GetStatus,
    ListConnections,
    ListRecords,
    RecordState,
    Settings,
    Side,
    TellConnection,
)
from services.api import bodies, calls, paging, views
from services.api.calls import Call
from services.api.errors import Fault, Refused
from services.api.problems import Code
from services.api.routes import accounts
from services.api.routing import Handler, Route
from services.chassis.errors import CommandFailed

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Container = Annotated[str, Meta(min_length=1, max_length=1_000)]
DirectionIn = Literal["both", "to_left", "to_right"]
WinnerIn = Literal["left", "right"]
MappingId = Annotated[str, Meta(min_length=1, max_length=200)]
MappingIds = Annotated[tuple[MappingId, ...], Meta(max_length=500)]
EMAIL_CHARS_MAX: Final = 320
RECORD_STATES: Final = tuple(
    state.value for state in RecordState if state is not RecordState.UNKNOWN
)


class EndIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One end: an account, or one container of it."""

    account_id: str
    container_id: Container | None = None


class ConnectionIn(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """A new connection."""

    name: Name
    left: EndIn
    right: EndIn
    direction: DirectionIn = "both"
    winner: WinnerIn = "left"
    mappings_off: MappingIds = ()
    avoids_duplicates: bool = True


class ConnectionChangeIn(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """What is to change; what is absent stays."""

    name: Name | UnsetType = UNSET
    left: EndIn | UnsetType = UNSET
    right: EndIn | UnsetType = UNSET
    direction: DirectionIn | UnsetType = UNSET
    winner: WinnerIn | UnsetType = UNSET
    mappings_off: MappingIds | UnsetType = UNSET
    avoids_duplicates: bool | UnsetType = UNSET


async def create(call: Call) -> web.Response:
    """Make a draft; nothing is read or written yet."""
    given, fields = await call.body(ConnectionIn)
    settings = settings_of(given)
    async with call.acting("connection.create", fields=fields) as act:
        made = await call.ask(
            CreateConnection(tenant_id=call.tenant_id, settings=settings),
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
    items = [views.show_connection(connection) for connection in found.connections]
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
    settings = changed(now.settings, given)
    if settings == now.settings:
        return _respond(now)
    async with call.acting("connection.change", object_id=connection_id, fields=fields):
        last = await _send_change(
            call,
            ChangeConnection(
                tenant_id=call.tenant_id,
                connection_id=connection_id,
                settings=settings,
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


async def get_status(call: Call) -> web.Response:
    """Show a connection's counts and progress."""
    connection_id = call.id_in_path(ConnectionId, "connection_id")
    status = await call.ask(
        GetStatus(tenant_id=call.tenant_id, connection_id=connection_id)
    )
    return calls.respond(views.show_status(status))


async def list_records(call: Call) -> web.Response:
    """Show a page of a connection's contacts: how each stands, and why."""
    connection_id = call.id_in_path(ConnectionId, "connection_id")
    page = paging.read(call)
    state, email = call.query["state"], call.query["email"]
    faults = []
    if state and state not in RECORD_STATES:
        faults.append(Fault("state", f"Give one of {', '.join(RECORD_STATES)}."))
    if len(email) > EMAIL_CHARS_MAX or not email.isprintable():
        faults.append(Fault("email", "Give one email address."))
    if faults:
        raise Refused(Code.QUERY_INVALID, faults=tuple(faults))
    found = await call.ask(
        ListRecords(
            tenant_id=call.tenant_id,
            connection_id=connection_id,
            state=RecordState(state) if state else None,
            email=email,
            after=page.after or None,
            limit=page.limit,
        )
    )
    items = [views.show_record(record) for record in found.records]
    return paging.respond(call, items, next_after=found.next_after)


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
        views.show_connection(connection),
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


def settings_of(given: ConnectionIn) -> Settings:
    """Return the settings of a new connection."""
    return Settings(
        name=given.name,
        left=_end(given.left, "left"),
        right=_end(given.right, "right"),
        direction=Direction(given.direction),
        winner=Side(given.winner),
        mappings_off=given.mappings_off,
        avoids_duplicates=given.avoids_duplicates,
    )


def changed(now: Settings, given: ConnectionChangeIn) -> Settings:
    """Return the settings with what was given in the place of what was."""
    wanted = {
        name: _READ[name](value) if name in _READ else value
        for name, value in msgspec.structs.asdict(given).items()
        if value is not UNSET
    }
    return msgspec.structs.replace(now, **wanted)


def _end(given: EndIn, name: str) -> End:
    account_id = accounts.account_in_body(given.account_id, f"/{name}/account_id")
    container = given.container_id
    return End(
        account_id=AccountId(account_id or ""),
        container_id=None if container is None else ContainerId(container),
    )


_READ: Final[Mapping[str, Callable[[Any], object]]] = {
    "left": lambda end: _end(end, "left"),
    "right": lambda end: _end(end, "right"),
    "direction": Direction,
    "winner": Side,
}
"""How a given setting becomes the message's."""

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
    Route("GET", f"{_ONE}/status", get_status),
    Route(
        "GET",
        f"{_ONE}/records",
        list_records,
        query=(*paging.QUERY, "state", "email"),
    ),
)
