"""What a person can make of a connection: create, change, start, pause, delete."""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from proto.base import Done
from proto.connector import AccountDescription
from proto.errors import ErrorCode
from proto.fields import Role
from proto.ids import ConnectionId, TenantId
from proto.reconciler import (
    ApproveChanges,
    ChangeConnection,
    Connection,
    ConnectionAct,
    ConnectionState,
    CreateConnection,
    Linked,
    LinkRecords,
    TellConnection,
    UnlinkRecords,
)
from services.chassis.errors import CommandFailed
from services.chassis.store import Store, Work
from services.reconciler import binding, describing, following, guarding, views
from services.reconciler.describing import Asking, Described
from services.reconciler.store import connections
from services.reconciler.store.connections import StoredConnection

ALLOWED = {
    ConnectionAct.START: (ConnectionState.DRAFT,),
    ConnectionAct.PAUSE: (*following.RUNNING, ConnectionState.NEEDS_ATTENTION),
    ConnectionAct.RESUME: (ConnectionState.PAUSED, ConnectionState.NEEDS_ATTENTION),
    # Also while scanning: it ends the pause after a failed try.
    ConnectionAct.SYNC_NOW: following.RUNNING,
    ConnectionAct.DELETE: tuple(ConnectionState),
}
"""In which states each act is possible."""


_OnConnection: TypeAlias = (
    ChangeConnection | TellConnection | ApproveChanges | LinkRecords | UnlinkRecords
)


class Acting:
    """Carries out the commands that change connections."""

    def __init__(self, store: Store[Work], bus: Asking) -> None:
        self._store = store
        self._bus = bus

    async def create(self, command: CreateConnection) -> Connection:
        """Make a draft."""
        described = await describing.describe(
            self._bus, tenant_id=command.tenant_id, settings=command.settings
        )
        async with self._store.transaction(command.tenant_id) as work:
            connection_id = work.identifiers.new(ConnectionId)
            await _forget_digests(work, described, tenant_id=command.tenant_id)
            await _keep_descriptions(work, described, tenant_id=command.tenant_id)
            await connections.add(
                work.transaction,
                tenant_id=command.tenant_id,
                connection_id=connection_id,
                settings=described.settings,
                sides=(described.left, described.right),
                now=work.clock.now(),
            )
            return await _reload(
                work, tenant_id=command.tenant_id, connection_id=connection_id
            )

    async def change(self, command: ChangeConnection) -> Connection:
        """Replace the settings, and scan again if the connection runs."""
        known = await self._load(command)
        _check_change(known, command)
        described = await describing.describe(
            self._bus, tenant_id=command.tenant_id, settings=command.settings
        )
        async with self._store.transaction(command.tenant_id) as work:
            await _forget_digests(work, described, tenant_id=command.tenant_id)
            connection = await _lock(work, command)
            _check_change(connection, command)
            if connection.version != known.version:
                raise _changed_meanwhile()
            await _keep_descriptions(work, described, tenant_id=command.tenant_id)
            await connections.change_settings(
                work.transaction,
                connection,
                settings=described.settings,
                sides=(described.left, described.right),
            )
            await connections.retire_accounts(
                work.transaction,
                tenant_id=command.tenant_id,
                account_ids=connection.account_ids,
                now=work.clock.now(),
            )
            if connection.state in following.RUNNING:
                await following.scan(work, connection)
            return await _reload(
                work,
                tenant_id=command.tenant_id,
                connection_id=command.connection_id,
            )

    async def tell(self, command: TellConnection) -> Connection:
        """Start, pause, resume, sync now or delete."""
        if command.act in (ConnectionAct.START, ConnectionAct.RESUME):
            known = await self._load(command)
            _check_act(known, command.act)
            await describing.check_connected(
                self._bus, tenant_id=command.tenant_id, settings=known.settings
            )
        async with self._store.transaction(command.tenant_id) as work:
            connection = await _lock(work, command)
            _check_act(connection, command.act)
            if command.act is ConnectionAct.DELETE:
                await _delete(work, connection)
                return views.connection_view(connection)
            await _carry_out(work, connection, act=command.act)
            return await _reload(
                work,
                tenant_id=command.tenant_id,
                connection_id=command.connection_id,
            )

    async def approve(self, command: ApproveChanges) -> Connection:
        """Let everything go ahead that the guard against mass changes holds."""
        async with self._store.transaction(command.tenant_id) as work:
            connection = await _load(work, command)
            await guarding.approve(work, connection)
            return await _reload(
                work,
                tenant_id=command.tenant_id,
                connection_id=command.connection_id,
            )

    async def link(self, command: LinkRecords) -> Linked:
        """Bind two records for good."""
        async with self._store.transaction(command.tenant_id) as work:
            connection = await _load(work, command)
            link_id = await binding.link(work, connection, command=command)
            return Linked(link_id=link_id)

    async def unlink(self, command: UnlinkRecords) -> Done:
        """Take a link apart."""
        async with self._store.transaction(command.tenant_id) as work:
            connection = await _load(work, command)
            await binding.unlink(work, connection, command=command)
            return Done()

    async def _load(
        self, command: ChangeConnection | TellConnection
    ) -> StoredConnection:
        found = await connections.load(
            self._store.database.reader(command.tenant_id),
            tenant_id=command.tenant_id,
            connection_id=command.connection_id,
        )
        return _existing(found)


async def _carry_out(
    work: Work, connection: StoredConnection, *, act: ConnectionAct
) -> None:
    match act:
        case ConnectionAct.START | ConnectionAct.RESUME:
            await following.scan(work, connection)
        case ConnectionAct.PAUSE:
            await connections.set_state(
                work.transaction, connection, state=ConnectionState.PAUSED
            )
            await following.unfollow(work, connection)
            await work.send(
                following.changed_to(
                    connection, ConnectionState.PAUSED, at=work.clock.now()
                )
            )
        case ConnectionAct.SYNC_NOW:
            await following.read_now(work, connection)


async def _delete(work: Work, connection: StoredConnection) -> None:
    """Hide a connection; no contact is touched, and its accounts may go unread."""
    now = work.clock.now()
    await connections.delete(work.transaction, connection, now=now)
    await following.unfollow(work, connection)
    await connections.retire_accounts(
        work.transaction,
        tenant_id=connection.tenant_id,
        account_ids=connection.account_ids,
        now=now,
    )


async def _keep_descriptions(
    work: Work, described: Described, *, tenant_id: TenantId
) -> None:
    for description in described.descriptions:
        await connections.describe_account(
            work.transaction, tenant_id=tenant_id, description=description
        )


async def _forget_digests(
    work: Work, described: Described, *, tenant_id: TenantId
) -> None:
    """Have records stored anew whose addresses were taken from other fields."""
    for description in described.descriptions:
        account = await connections.load_account(
            work.transaction, tenant_id=tenant_id, account_id=description.account_id
        )
        if account is not None and _emails(account.description) != _emails(description):
            await connections.forget_digests(
                work.transaction,
                tenant_id=tenant_id,
                account_id=description.account_id,
            )


def _emails(description: AccountDescription) -> Sequence[str]:
    return [f.field_id for f in description.fields if f.role is Role.EMAIL]


async def _load(work: Work, command: _OnConnection) -> StoredConnection:
    """Return a connection without a lock, for what locks its contacts first.

    Links and contacts are guarded by versions and locks of their own.
    """
    found = await connections.load(
        work.transaction,
        tenant_id=command.tenant_id,
        connection_id=command.connection_id,
    )
    return _existing(found)


async def _lock(work: Work, command: _OnConnection) -> StoredConnection:
    found = await connections.lock(
        work.transaction,
        tenant_id=command.tenant_id,
        connection_id=command.connection_id,
    )
    return _existing(found)


async def _reload(
    work: Work, *, tenant_id: TenantId, connection_id: ConnectionId
) -> Connection:
    stored = await connections.load(
        work.transaction, tenant_id=tenant_id, connection_id=connection_id
    )
    assert stored is not None, "it was stored or locked in this transaction"
    return views.connection_view(stored)


def _existing(found: StoredConnection | None) -> StoredConnection:
    if found is None:
        raise CommandFailed(
            ErrorCode.NOT_FOUND, "There is no such connection.", field="connection_id"
        )
    return found


def _check_act(connection: StoredConnection, act: ConnectionAct) -> None:
    if act not in ALLOWED:
        raise CommandFailed(
            ErrorCode.INVALID, "There is no such act on a connection.", field="act"
        )
    if connection.state not in ALLOWED[act]:
        raise CommandFailed(
            ErrorCode.NOT_ALLOWED_NOW,
            f"A connection that is {connection.state} does not take {act}.",
            field="act",
        )


def _check_change(connection: StoredConnection, command: ChangeConnection) -> None:
    if command.version is not None and command.version != connection.version:
        raise _changed_meanwhile()
    if connection.state is ConnectionState.DRAFT:
        return
    for name in ("left", "right"):
        before = msgspec.structs.asdict(connection.settings)[name].account_id
        after = msgspec.structs.asdict(command.settings)[name].account_id
        if before != after:
            # Links are bonds of ids, and another account has other ids.
            raise CommandFailed(
                ErrorCode.NOT_ALLOWED_NOW,
                "A started connection keeps its accounts; make a new connection.",
                field=f"settings.{name}.account_id",
            )


def _changed_meanwhile() -> CommandFailed:
    return CommandFailed(
        ErrorCode.NOT_ALLOWED_NOW,
        "The connection was changed meanwhile. Read it again first.",
        field="version",
    )
