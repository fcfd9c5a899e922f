"""Answers what a person asks about connections and their contacts."""

import asyncio
import contextlib
from typing import Final

import structlog

from proto.connector import AccountReading, ReadAccountProgress
from proto.errors import ErrorCode
from proto.ids import AccountId, ConnectionId, TenantId
from proto.reconciler import (
    Connection,
    Connections,
    ConnectionState,
    ConnectionStatus,
    GetConnection,
    GetStatus,
    ListConnections,
    ListRecords,
    Records,
    RecordState,
)
from services.chassis.clock import Clock
from services.chassis.database import Database, Reader
from services.chassis.errors import BusUnavailable, CommandFailed
from services.reconciler import views
from services.reconciler.describing import Asking
from services.reconciler.engine import canon
from services.reconciler.store import (
    claims,
    connections,
    links,
    queue,
    suppressions,
)
from services.reconciler.store.connections import StoredConnection
from services.reconciler.suppressing import Screen

log = structlog.get_logger()

PAGE_MAX: Final = 500
PROGRESS_TIMEOUT_S: Final = 2.0
NUL: Final = "\x00"
"""The one character that Postgres cannot hold in a text."""


class Showing:
    """Carries out the commands that only read."""

    def __init__(
        self,
        database: Database,
        bus: Asking,
        *,
        clock: Clock,
        screen: Screen | None = None,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._screen = screen

    async def get(self, command: GetConnection) -> Connection:
        """Return one connection."""
        found = await self._load(command.tenant_id, command.connection_id)
        return views.connection_view(found)

    async def list_connections(self, command: ListConnections) -> Connections:
        """Return a page of connections, those that need attention first."""
        limit = _checked(command.limit)
        rank, after = _position(command.after)
        found = await connections.list_page(
            self._database.reader(command.tenant_id),
            tenant_id=command.tenant_id,
            account_id=command.account_id,
            rank=rank,
            after=after,
            limit=limit + 1,
        )
        page = found[:limit]
        return Connections(
            connections=tuple(views.connection_view(each) for each in page),
            next_after=_cursor(page[-1]) if len(found) > limit else None,
        )

    async def status(self, command: GetStatus) -> ConnectionStatus:
        """Return a connection's counts and progress."""
        connection = await self._load(command.tenant_id, command.connection_id)
        tenant_id, connection_id = connection.tenant_id, connection.connection_id
        reader = self._database.reader(tenant_id)
        counts, to_plan, to_write, erased, readings = await asyncio.gather(
            links.count_by_state(
                reader, tenant_id=tenant_id, connection_id=connection_id
            ),
            queue.count(reader, tenant_id=tenant_id, connection_id=connection_id),
            claims.count_open(reader, tenant_id=tenant_id, connection_id=connection_id),
            suppressions.count(reader, connection.account_ids, tenant_id=tenant_id),
            self._readings(connection),
        )
        return ConnectionStatus(
            connection_id=connection.connection_id,
            state=connection.state,
            attention=connection.attention,
            attention_side=connection.attention_side,
            counts=views.counts_of(connection, counts, erased=erased),
            progress=views.progress_of(
                connection,
                readings=readings,
                to_plan=to_plan,
                to_write=to_write,
                now=self._clock.now(),
            ),
            left_error=readings[0].error if readings[0] else None,
            right_error=readings[1].error if readings[1] else None,
        )

    async def list_records(self, command: ListRecords) -> Records:
        """Return a page of contacts, by state or by address."""
        limit = _checked(command.limit)
        if command.state is RecordState.UNKNOWN:
            raise _invalid("state", "There is no such state of a contact.")
        connection = await self._load(command.tenant_id, command.connection_id)
        reader = self._database.reader(command.tenant_id)
        after = command.after or ""
        if NUL in after:
            raise _invalid("after", "This is not a position that a page has told.")
        if command.email:
            found = await links.list_with_email(
                reader,
                connection,
                email=_address(command.email),
                state=command.state,
                after=after,
                limit=limit + 1,
            )
        else:
            found = await links.list_page(
                reader,
                connection,
                state=command.state,
                after=after,
                limit=limit + 1,
            )
        page = found[:limit]
        return Records(
            records=tuple(page),
            next_after=page[-1].link_id if len(found) > limit else None,
            is_erased=await self._is_erased(command, reader),
        )

    async def _is_erased(self, command: ListRecords, reader: Reader) -> bool:
        if self._screen is None or not command.email:
            return False
        email = _address(command.email)
        digests = self._screen.all_of_email(command.tenant_id, email)
        return bool(
            await suppressions.find(reader, digests, tenant_id=command.tenant_id)
        )

    async def _load(
        self, tenant_id: TenantId, connection_id: ConnectionId
    ) -> StoredConnection:
        found = await connections.load(
            self._database.reader(tenant_id),
            tenant_id=tenant_id,
            connection_id=connection_id,
        )
        if found is None:
            raise CommandFailed(
                ErrorCode.NOT_FOUND,
                "There is no such connection.",
                field="connection_id",
            )
        return found

    async def _readings(
        self, connection: StoredConnection
    ) -> tuple[AccountReading | None, AccountReading | None]:
        if connection.state is ConnectionState.DRAFT:
            return None, None
        left, right = await asyncio.gather(
            self._reading(connection.tenant_id, connection.left.account_id),
            self._reading(connection.tenant_id, connection.right.account_id),
        )
        return left, right

    async def _reading(
        self, tenant_id: TenantId, account_id: AccountId
    ) -> AccountReading | None:
        """Ask how far an account is read; the rest of the status does without."""
        with contextlib.suppress(BusUnavailable, CommandFailed):
            return await self._bus.request(
                ReadAccountProgress(tenant_id=tenant_id, account_id=account_id),
                timeout_s=PROGRESS_TIMEOUT_S,
            )
        return None


def _checked(limit: int) -> int:
    if not 1 <= limit <= PAGE_MAX:
        raise _invalid("limit", f"A page has 1 to {PAGE_MAX} entries.")
    return limit


def _address(text: str) -> str:
    email = canon.email(text)
    if email is None or NUL in email:
        raise _invalid("email", "This is not an email address.")
    return email


def _cursor(connection: StoredConnection) -> str:
    is_first = connection.state is ConnectionState.NEEDS_ATTENTION
    return f"{0 if is_first else 1}.{connection.connection_id}"


def _position(after: str | None) -> tuple[int, str]:
    """Return the rank and the id after which a page begins."""
    if after is None:
        return 0, ""
    rank, dot, connection_id = after.partition(".")
    if rank not in ("0", "1") or not dot or NUL in connection_id:
        raise _invalid("after", "This is not a position that a page has told.")
    return int(rank), connection_id


def _invalid(field: str, detail: str) -> CommandFailed:
    return CommandFailed(ErrorCode.INVALID, detail, field=field)
