"""Auth, connector and reconciler as the api sees them: commands answered over the bus.

They keep what is made in memory, by tenant, and do nothing else; a command's answer
can be replaced by an error.
"""

import contextlib
import datetime
from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec

from deploy.local import nats
from proto import auth, connector, erasure, export, progress, pushes, reconciler
from proto.base import Command, Done, Reply
from proto.errors import ErrorCode
from proto.fields import Field, FieldKind, Role
from proto.ids import AccountId, AppId, ConnectionId, ErasureId, LinkId
from services.chassis import bus
from services.chassis.bus import Bus
from services.chassis.clock import SystemClock
from services.chassis.errors import CommandFailed
from services.chassis.identifiers import Identifiers

AT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
VENDOR_URL = "https://vendor.example/authorise?client_id=1&state="
DAV = AppId("carddav")
MAIL = AppId("constant_contact")
CAPABILITIES = connector.Capabilities(can_tag=True)
APPS = (
    connector.App(
        app=DAV,
        name="CardDAV",
        tier="bronze",
        auth_method=connector.AuthMethod.PASSWORD,
        credential_fields=(
            connector.CredentialField(name="base_url", label="Server address"),
            connector.CredentialField(name="username", label="User name"),
            connector.CredentialField(
                name="password", label="Password", is_secret=True, help="Of this app."
            ),
        ),
        capabilities=CAPABILITIES,
    ),
    connector.App(
        app=MAIL,
        name="Constant Contact",
        tier="bronze",
        auth_method=connector.AuthMethod.OAUTH,
        capabilities=CAPABILITIES,
    ),
)
ACTS = {
    reconciler.ConnectionAct.START: reconciler.ConnectionState.SCANNING,
    reconciler.ConnectionAct.PAUSE: reconciler.ConnectionState.PAUSED,
    reconciler.ConnectionAct.RESUME: reconciler.ConnectionState.SYNCING,
    reconciler.ConnectionAct.SYNC_NOW: reconciler.ConnectionState.LIVE,
}


class Others:
    """What the three services hold and were asked."""

    def __init__(self) -> None:
        self.asked: list[Command[Any]] = []
        self.failing: dict[type[Command[Any]], CommandFailed] = {}
        self.accounts: dict[str, dict[str, auth.Account]] = {}
        self.connections: dict[str, dict[str, reconciler.Connection]] = {}
        self.links: dict[str, set[str]] = {}
        self.begun: dict[str, auth.BeginAuthorisation] = {}
        self.erasures: dict[str, dict[str, erasure.Erasure]] = {}
        self.records: tuple[reconciler.RecordView, ...] = ()
        self.findings: tuple[auth.ClientFinding, ...] = ()
        self.authorisation_age = datetime.timedelta(minutes=10)
        self.buses: dict[str, Bus] = {}
        self._new = Identifiers(SystemClock())

    @contextlib.contextmanager
    def refusing(
        self,
        command: type[Command[Any]],
        code: ErrorCode,
        detail: str = "",
        *,
        field: str = "",
    ) -> Iterator[None]:
        """Answer a command with an error for a while."""
        self.failing[command] = CommandFailed(code, detail, field=field)
        try:
            yield
        finally:
            del self.failing[command]

    def last(self, command: type[Any]) -> Any:
        """Return the last command of a class."""
        return next(c for c in reversed(self.asked) if isinstance(c, command))

    def add_account(self, tenant_id: str, app: AppId = DAV) -> auth.Account:
        account = auth.Account(
            account_id=self._new.new(AccountId),
            app=app,
            state=auth.AccountState.CONNECTED,
            display_name="Ana",
            created_at=AT,
        )
        self.accounts.setdefault(tenant_id, {})[account.account_id] = account
        return account

    def add_connection(
        self,
        tenant_id: str,
        settings: reconciler.Settings | None = None,
        *,
        guarded: tuple[reconciler.Side, ...] = (),
    ) -> reconciler.Connection:
        settings = settings or reconciler.Settings(
            name="Newsletter",
            left=reconciler.End(account_id=self.add_account(tenant_id).account_id),
            right=reconciler.End(account_id=self.add_account(tenant_id).account_id),
        )
        connection = reconciler.Connection(
            connection_id=self._new.new(ConnectionId),
            settings=settings,
            left_app=DAV,
            right_app=MAIL,
            state=reconciler.ConnectionState.DRAFT,
            guarded=guarded,
            mappings=(
                reconciler.MappingView(
                    mapping_id="email",
                    label="Email",
                    kind=FieldKind.EMAIL,
                    left=("EMAIL",),
                    right=("email",),
                    direction=reconciler.Direction.BOTH,
                ),
            ),
            version=1,
            created_at=AT,
        )
        self.connections.setdefault(tenant_id, {})[connection.connection_id] = (
            connection
        )
        return connection

    async def list_apps(self, command: connector.ListApps) -> Reply:
        return connector.Apps(apps=APPS)

    async def describe(self, command: connector.DescribeAccount) -> Reply:
        account = self._account(command)
        return connector.AccountDescription(
            account_id=account.account_id,
            app=account.app,
            fields=(
                Field(field_id="EMAIL", label="Email", kind=FieldKind.EMAIL),
                Field(
                    field_id="FN",
                    label="Name",
                    kind=FieldKind.TEXT,
                    role=Role.NAME_FULL,
                ),
            ),
            containers=(connector.Container(container_id="/a/", name="Friends"),),
            capabilities=CAPABILITIES,
        )

    async def push(self, command: pushes.ReadAccountPush) -> Reply:
        account = self._account(command)
        return pushes.AccountPush(
            url=f"https://tandem.example/push/{account.account_id}",
            signing_secret="signing",
        )

    async def set_client(self, command: auth.SetAppClient) -> Reply:
        return Done()

    async def check_client(self, command: auth.CheckAppClient) -> Reply:
        return auth.ClientChecked(client_id="id-1", findings=self.findings)

    async def begin(self, command: auth.BeginAuthorisation) -> Reply:
        if command.account_id is not None:
            self._account(command)
        state = f"state-{self._new.uuid()}"
        self.begun[state] = command
        return auth.Authorisation(
            authorise_url=VENDOR_URL + state,
            state=state,
            expires_at=datetime.datetime.now(datetime.UTC) + self.authorisation_age,
        )

    async def complete(self, command: auth.CompleteAuthorisation) -> Reply:
        begun = self.begun.pop(command.state)
        assert (begun.tenant_id, begun.browser) == (command.tenant_id, command.browser)
        if command.error:
            raise CommandFailed(ErrorCode.AUTHORISATION_DENIED)
        return self.add_account(command.tenant_id, begun.app)

    async def add(self, command: auth.AddAccount) -> Reply:
        if command.account_id is not None:
            return self._account(command)
        return self.add_account(command.tenant_id, command.app)

    async def get_account(self, command: auth.GetAccount) -> Reply:
        return self._account(command)

    async def list_accounts(self, command: auth.ListAccounts) -> Reply:
        known = sorted(self.accounts.get(command.tenant_id, {}))
        rest = [i for i in known if i > (command.after or "")]
        shown = rest[: command.limit]
        return auth.Accounts(
            accounts=tuple(self.accounts[command.tenant_id][i] for i in shown),
            next_after=shown[-1] if len(rest) > len(shown) else None,
        )

    async def remove(self, command: auth.RemoveAccount) -> Reply:
        self._account(command)
        del self.accounts[command.tenant_id][command.account_id]
        return Done()

    async def create(self, command: reconciler.CreateConnection) -> Reply:
        self._check_ends(command)
        return self.add_connection(command.tenant_id, command.settings)

    async def change(self, command: reconciler.ChangeConnection) -> Reply:
        now = self._connection(command)
        self._check_ends(command)
        return self._put(
            command, now, settings=command.settings, version=now.version + 1
        )

    async def tell(self, command: reconciler.TellConnection) -> Reply:
        now = self._connection(command)
        if command.act is reconciler.ConnectionAct.DELETE:
            del self.connections[command.tenant_id][command.connection_id]
            return now
        return self._put(command, now, state=ACTS[command.act])

    async def approve(self, command: reconciler.ApproveChanges) -> Reply:
        return self._put(command, self._connection(command), guarded=())

    async def link(self, command: reconciler.LinkRecords) -> Reply:
        self._connection(command)
        for field in ("left_record_id", "right_record_id"):
            if getattr(command, field).startswith("gone"):
                raise CommandFailed(ErrorCode.NOT_FOUND, "No such.", field=field)
        link_id = self._new.new(LinkId)
        self.links.setdefault(command.connection_id, set()).add(link_id)
        return reconciler.Linked(link_id=link_id)

    async def unlink(self, command: reconciler.UnlinkRecords) -> Reply:
        self._connection(command)
        if command.link_id not in self.links.get(command.connection_id, ()):
            raise CommandFailed(ErrorCode.NOT_FOUND, "No such.", field="link_id")
        self.links[command.connection_id].discard(command.link_id)
        return Done()

    async def get_connection(self, command: reconciler.GetConnection) -> Reply:
        return self._connection(command)

    async def list_connections(self, command: reconciler.ListConnections) -> Reply:
        known = [
            connection
            for _, connection in sorted(
                self.connections.get(command.tenant_id, {}).items()
            )
            if command.account_id
            in (
                None,
                connection.settings.left.account_id,
                connection.settings.right.account_id,
            )
        ]
        start = place_of(command.after)
        end = start + command.limit
        return reconciler.Connections(
            connections=tuple(known[start:end]),
            next_after=str(end) if len(known) > end else None,
        )

    async def status(self, command: reconciler.GetStatus) -> Reply:
        now = self._connection(command)
        return reconciler.ConnectionStatus(
            connection_id=now.connection_id,
            state=reconciler.ConnectionState.NEEDS_ATTENTION,
            attention=ErrorCode.ACCOUNT_LOST,
            attention_side=reconciler.Side.LEFT,
            counts=progress.Counts(in_sync=7),
            progress=progress.Progress(scanned_left=9, seconds_left=4),
        )

    async def list_records(self, command: reconciler.ListRecords) -> Reply:
        self._connection(command)
        start = place_of(command.after)
        end = start + command.limit
        return reconciler.Records(
            records=self.records[start:end],
            next_after=str(end) if len(self.records) > end else None,
        )

    def add_erasure(self, tenant_id: str) -> erasure.Erasure:
        made = erasure.Erasure(
            erasure_id=self._new.new(ErasureId),
            state=erasure.ErasureState.RUNNING,
            digest="ab" * 32,
            asked_at=AT,
            records=2,
            left=(
                erasure.RecordsLeft(
                    account_id=AccountId("acct_1"), app=DAV, record_ids=("481",)
                ),
            ),
        )
        self.erasures.setdefault(tenant_id, {})[made.erasure_id] = made
        return made

    async def erase(self, command: erasure.ErasePerson) -> Reply:
        return self.add_erasure(command.tenant_id)

    async def get_erasure(self, command: erasure.GetErasure) -> Reply:
        found = self.erasures.get(command.tenant_id, {}).get(command.erasure_id)
        if found is None:
            raise CommandFailed(ErrorCode.NOT_FOUND, "No such.", field="erasure_id")
        return found

    async def list_erasures(self, command: erasure.ListErasures) -> Reply:
        known = sorted(self.erasures.get(command.tenant_id, {}).items())
        found = [each for each_id, each in known if each_id > (command.after or "")]
        page = found[: command.limit]
        return erasure.Erasures(
            erasures=tuple(page),
            next_after=page[-1].erasure_id if len(found) > command.limit else None,
        )

    async def lift(self, command: erasure.LiftSuppression) -> Reply:
        return erasure.Lifted(digest="cd" * 32, count=3)

    async def export_rows(self, command: export.ExportRows) -> Reply:
        start = place_of(command.after or None)
        line = f'{{"table":"{command.table}","of":"{command.tenant_id}"}}'
        return export.ExportedRows(
            lines=(line,), next_after="1" if start == 0 else None
        )

    def _check_ends(self, command: Any) -> None:
        for name in ("left", "right"):
            account_id = getattr(command.settings, name).account_id
            if account_id not in self.accounts.get(command.tenant_id, {}):
                field = f"settings.{name}.account_id"
                raise CommandFailed(ErrorCode.NOT_FOUND, field=field)

    def _account(self, command: Any) -> auth.Account:
        found = self.accounts.get(command.tenant_id, {}).get(command.account_id)
        if found is None:
            raise CommandFailed(ErrorCode.NOT_FOUND)
        return found

    def _connection(self, command: Any) -> reconciler.Connection:
        found = self.connections.get(command.tenant_id, {}).get(command.connection_id)
        if found is None:
            raise CommandFailed(ErrorCode.NOT_FOUND)
        return found

    def _put(
        self, command: Any, now: reconciler.Connection, **changes: Any
    ) -> reconciler.Connection:
        changed = msgspec.structs.replace(now, **changes)
        self.connections[command.tenant_id][command.connection_id] = changed
        return changed


def place_of(after: str | None) -> int:
    """Return where a page begins."""
    if not (after or "0").isdecimal():
        raise CommandFailed(ErrorCode.INVALID, "No page gave this.", field="after")
    return int(after or 0)


def record(number: int) -> reconciler.RecordView:
    """Return a contact that was left out."""
    return reconciler.RecordView(
        link_id=LinkId(f"link_{number}"),
        left_record_id=f"r{number}",
        name=f"Person {number}",
        state=reconciler.RecordState.EXCLUDED,
        reason="no_email",
        changed_at=AT,
    )


def answers(others: Others) -> dict[str, dict[type[Command[Any]], Any]]:
    """Return who answers which command how."""
    return {
        "connector": {
            connector.ListApps: others.list_apps,
            connector.DescribeAccount: others.describe,
            pushes.ReadAccountPush: others.push,
        },
        "auth": {
            auth.SetAppClient: others.set_client,
            auth.CheckAppClient: others.check_client,
            auth.BeginAuthorisation: others.begin,
            auth.CompleteAuthorisation: others.complete,
            auth.AddAccount: others.add,
            auth.GetAccount: others.get_account,
            auth.ListAccounts: others.list_accounts,
            auth.RemoveAccount: others.remove,
        },
        "reconciler": {
            reconciler.CreateConnection: others.create,
            reconciler.ChangeConnection: others.change,
            reconciler.TellConnection: others.tell,
            reconciler.ApproveChanges: others.approve,
            reconciler.LinkRecords: others.link,
            reconciler.UnlinkRecords: others.unlink,
            reconciler.GetConnection: others.get_connection,
            reconciler.ListConnections: others.list_connections,
            reconciler.GetStatus: others.status,
            reconciler.ListRecords: others.list_records,
            erasure.ErasePerson: others.erase,
            erasure.GetErasure: others.get_erasure,
            erasure.ListErasures: others.list_erasures,
            erasure.LiftSuppression: others.lift,
            export.ExportRows: others.export_rows,
        },
    }


@contextlib.asynccontextmanager
async def answering(broker: nats.Server) -> AsyncIterator[Others]:
    """Answer the api's commands as the three services, each under its own key."""
    others = Others()

    def noted(answer: Any) -> Any:
        async def handle(command: Any) -> Reply:
            others.asked.append(command)
            if type(command) in others.failing:
                raise others.failing[type(command)]
            return await answer(command)

        return handle

    async with contextlib.AsyncExitStack() as stack:
        for service, commands in answers(others).items():
            connected = await stack.enter_async_context(
                bus.connect(
                    broker.url,
                    service=service,
                    seed_file=broker.seed_file(service),
                    clock=SystemClock(),
                )
            )
            others.buses[service] = connected
            for command, answer in commands.items():
                await connected.answer(command, noted(answer))
        yield others
