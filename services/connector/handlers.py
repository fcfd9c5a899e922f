"""What the connector answers and receives: one function per subject."""

import functools
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from proto.auth import AccountConnected, AccountLost, GetAccount
from proto.base import BATCH_RECORDS_MAX, Message
from proto.connector import (
    AccountDescription,
    AccountReading,
    Apps,
    ContactsWritten,
    DescribeAccount,
    FollowAccount,
    ListApps,
    ReadAccountProgress,
    ReadNow,
    ReadRecords,
    VerifiedAccount,
    VerifyAccount,
    WriteContacts,
    WriteKind,
)
from proto.erasure import EraseTraces
from proto.errors import ErrorCode, Retry
from proto.ids import AccountId, TenantId
from proto.pushes import AccountPush, ReadAccountPush
from services.chassis.answering import CommandHandler
from services.chassis.bus import Bus
from services.chassis.clock import Clock
from services.chassis.errors import CommandFailed
from services.chassis.inbox import Handler
from services.chassis.loops import Wake
from services.chassis.store import Store
from services.connector import accounts, batches, erasing, pushing
from services.connector.accounts import AccountRef, Step
from services.connector.credentials import Credentials
from services.connector.errors import BadMessage, CallFailed, Meaning, UnknownApp
from services.connector.pacing import Lane
from services.connector.pushing import Site
from services.connector.registry import Registry
from services.connector.store import ConnectorWork
from services.connector.transport import Transport

DESCRIPTIONS_MAX: Final = 1_000

_REMEDIES: Final = {
    ErrorCode.APP_UNREACHABLE: "The app cannot be reached."
    " Check its address; if it is right, try again in a few minutes.",
    ErrorCode.ADDRESS_REFUSED: "The app's address is not listed, is in a private"
    " network or is not https. If it is meant, whoever runs Tandem can list its host in"
    " CONNECTOR_ALLOWED_HOSTS if it is public, or in CONNECTOR_PRIVATE_ADDRESSES.",
    ErrorCode.RATE_LIMITED: "The app asks for a pause. Try again in a few minutes.",
    ErrorCode.QUOTA_EXHAUSTED: "The app's calls for today are spent."
    " Try again tomorrow.",
    ErrorCode.ACCOUNT_LOST: "The app no longer accepts the authorisation."
    " Authorise the account again.",
    ErrorCode.CREDENTIALS_REFUSED: "The app refuses these credentials."
    " Check the address, the user name and the password, or authorise again.",
    ErrorCode.APP_REFUSED: "The app refuses this."
    " Check its address, and what the account may do there.",
    ErrorCode.APP_BROKEN: "The app's answer is not what it documents."
    " Check its address; if it is right, try again later.",
    ErrorCode.SERVICE_UNAVAILABLE: "A part of the system is away for the moment."
    " Try again shortly.",
}


class Desk(NamedTuple):
    """What the handlers work with."""

    bus: Bus
    store: Store[ConnectorWork]
    registry: Registry
    transport: Transport
    credentials: Credentials
    clock: Clock
    reading: Wake
    writing: Wake
    site: Site | None = None
    """None where nobody can push."""


class Descriptions:
    """Descriptions of accounts, kept for a minute."""

    def __init__(self, clock: Clock, *, age_s_max: float) -> None:
        self._clock = clock
        self._age_s_max = age_s_max
        self._kept: OrderedDict[
            tuple[TenantId, AccountId], tuple[float, AccountDescription]
        ] = OrderedDict()

    def get(self, command: DescribeAccount) -> AccountDescription | None:
        """Return one that is fresh enough."""
        until_s, description = self._kept.get(
            (command.tenant_id, command.account_id), (0.0, None)
        )
        return description if self._clock.monotonic() < until_s else None

    def keep(self, command: DescribeAccount, description: AccountDescription) -> None:
        """Remember one for a while."""
        key = (command.tenant_id, command.account_id)
        self._kept[key] = (self._clock.monotonic() + self._age_s_max, description)
        self._kept.move_to_end(key)
        if len(self._kept) > DESCRIPTIONS_MAX:
            self._kept.popitem(last=False)


def commands(desk: Desk, descriptions: Descriptions) -> Mapping[Any, CommandHandler]:
    """Return who answers which command."""
    return {
        ListApps: functools.partial(list_apps, desk),
        VerifyAccount: functools.partial(verify_account, desk),
        DescribeAccount: functools.partial(
            describe_account, desk, descriptions=descriptions
        ),
        ReadAccountPush: functools.partial(read_account_push, desk),
        ReadAccountProgress: functools.partial(read_account_progress, desk),
    }


def messages(desk: Desk) -> Mapping[type[Message], Handler]:
    """Return who handles which job and event."""
    return {
        FollowAccount: functools.partial(follow_account, desk=desk),
        ReadNow: functools.partial(read_now, desk=desk),
        ReadRecords: functools.partial(read_records, desk=desk),
        WriteContacts: functools.partial(write_contacts, desk=desk),
        AccountConnected: functools.partial(account_connected, desk=desk),
        AccountLost: account_lost,
        EraseTraces: functools.partial(erasing.erase_traces, bus=desk.bus),
    }


async def list_apps(desk: Desk, _command: ListApps) -> Apps:
    """Answer with the catalogue."""
    return Apps(apps=tuple(entry.manifest.as_app() for entry in desk.registry))


async def verify_account(desk: Desk, command: VerifyAccount) -> VerifiedAccount:
    """Prove an account's credentials with one call."""
    ref = AccountRef(command.tenant_id, command.account_id, command.app)
    # A person has just given new credentials: older ones must not answer for them.
    desk.credentials.forget(ref)
    try:
        opened = await desk.transport.open(ref, is_fresh=True)
        identity = await desk.transport.drive(
            opened, opened.app.verify(), lane=Lane.WRITE
        )
    except CallFailed as err:
        if err.meaning in (Meaning.UNAUTHORISED, Meaning.LOST):
            # A person has just given them, and waits for an answer.
            err.code, err.retry = ErrorCode.CREDENTIALS_REFUSED, Retry.AFTER_REAUTH
        raise _told(err) from err
    except UnknownApp as err:
        raise _unknown_app(err) from err
    return VerifiedAccount(
        vendor_account_id=identity.vendor_account_id,
        display_name=identity.display_name,
    )


async def describe_account(
    desk: Desk, command: DescribeAccount, *, descriptions: Descriptions
) -> AccountDescription:
    """Answer with an account's fields and containers."""
    if kept := descriptions.get(command):
        return kept
    ref = await _ref_of(desk, command)
    try:
        opened = await desk.transport.open(ref, is_fresh=True)
        fields = await desk.transport.drive(
            opened, opened.app.describe_fields(), lane=Lane.WRITE
        )
        containers = await desk.transport.drive(
            opened, opened.app.list_containers(), lane=Lane.WRITE
        )
    except CallFailed as err:
        raise _told(err) from err
    except UnknownApp as err:
        raise _unknown_app(err) from err
    description = AccountDescription(
        account_id=ref.account_id,
        app=ref.app,
        fields=fields,
        containers=containers,
        capabilities=opened.manifest.capabilities,
    )
    descriptions.keep(command, description)
    return description


async def read_account_push(desk: Desk, command: ReadAccountPush) -> AccountPush:
    """Answer where an account's app is to push to."""
    ref = await _ref_of(desk, command)
    try:
        manifest = desk.registry.entry(ref.app).manifest
    except UnknownApp as err:
        raise _unknown_app(err) from err
    target = pushing.target_of(
        manifest, tenant_id=ref.tenant_id, account_id=ref.account_id
    )
    if desk.site is None or target is None:
        return AccountPush()
    keys, url = desk.site
    return AccountPush(
        url=url + keys.path(target),
        signing_secret=(
            keys.signing_secrets(target)[0].decode()
            if pushing.gives_secret(manifest)
            else ""
        ),
    )


async def read_account_progress(
    desk: Desk, command: ReadAccountProgress
) -> AccountReading:
    """Answer how far an account has been read."""
    async with desk.store.transaction(command.tenant_id) as work:
        account = await work.get_account(command.tenant_id, command.account_id)
    if account is None:
        raise CommandFailed(
            ErrorCode.NOT_FOUND,
            "No connection that was started uses this account.",
            field="account_id",
        )
    error = account.error_code or account.write_error_code
    is_today = account.calls_day == desk.clock.now().date()
    return AccountReading(
        account_id=account.account_id,
        scan_id=account.scan_id or account.done_scan_id,
        is_scanning=accounts.next_step(account) is Step.SCAN,
        record_count=account.scan_record_count,
        expected_count=account.scan_expected_count,
        calls_today=account.calls_today if is_today else 0,
        last_read_at=account.last_read_at,
        error=None if error is None else ErrorCode(error),
    )


async def follow_account(
    work: ConnectorWork, message: FollowAccount, *, desk: Desk
) -> None:
    """Note what an account is needed for."""
    await work.follow(
        AccountRef(message.tenant_id, message.account_id, message.app),
        is_wanted=message.is_wanted,
        scan_id=message.scan_id,
        asked_at=message.asked_at,
    )
    work.transaction.after_commit(desk.reading.ring)


async def read_now(work: ConnectorWork, message: ReadNow, *, desk: Desk) -> None:
    """Have an account read at once."""
    await work.make_due(message.tenant_id, message.account_id)
    work.transaction.after_commit(desk.reading.ring)


async def read_records(
    work: ConnectorWork, message: ReadRecords, *, desk: Desk
) -> None:
    """Have records read by id in the account's next turn, which is now."""
    if max(len(message.record_ids), len(message.control_ids)) > BATCH_RECORDS_MAX:
        raise BadMessage(f"more than {BATCH_RECORDS_MAX} records")
    await work.want_reads(
        message.tenant_id,
        message.account_id,
        record_ids=message.record_ids,
        control_ids=message.control_ids,
    )
    await work.make_due(message.tenant_id, message.account_id)
    work.transaction.after_commit(desk.reading.ring)


async def write_contacts(
    work: ConnectorWork, message: WriteContacts, *, desk: Desk
) -> None:
    """Put intents into the journal; answer again those that were answered before."""
    if len(message.writes) > BATCH_RECORDS_MAX:
        raise BadMessage(f"more than {BATCH_RECORDS_MAX} writes")
    ref = AccountRef(message.tenant_id, message.account_id, message.app)
    done = await work.done_results(
        ref,
        message.connection_id,
        intent_ids=[
            write.intent_id
            for write in message.writes
            # A look asks what is so by now, not what was answered before.
            if write.kind is not WriteKind.LOOK
        ],
    )
    await work.add_writes(ref, message.connection_id, writes=message.writes)
    await work.send(
        *(
            ContactsWritten(
                tenant_id=ref.tenant_id,
                account_id=ref.account_id,
                connection_id=message.connection_id,
                results=batch,
            )
            for batch in batches.split(done)
        )
    )
    work.transaction.after_commit(desk.writing.ring)


async def account_connected(
    work: ConnectorWork, message: AccountConnected, *, desk: Desk
) -> None:
    """Read an account again that has new credentials."""
    await work.set_authorised(
        message.tenant_id, message.account_id, is_lost=False, at=message.at
    )
    account = await work.get_account(message.tenant_id, message.account_id)
    if account is not None:
        desk.credentials.forget(account.ref)
    work.transaction.after_commit(desk.reading.ring)


async def account_lost(work: ConnectorWork, message: AccountLost) -> None:
    """Leave an account alone whose credentials are refused."""
    await work.set_authorised(
        message.tenant_id, message.account_id, is_lost=True, at=message.at
    )


async def _ref_of(desk: Desk, command: DescribeAccount | ReadAccountPush) -> AccountRef:
    """Return which app an account is of; auth knows it from the start."""
    account = await desk.bus.request(
        GetAccount(tenant_id=command.tenant_id, account_id=command.account_id)
    )
    return AccountRef(command.tenant_id, command.account_id, account.app)


def _told(err: CallFailed) -> CommandFailed:
    detail = _REMEDIES.get(err.code, "The app could not be asked. Try again later.")
    return CommandFailed(err.code, detail, retry=err.retry)


def _unknown_app(err: UnknownApp) -> CommandFailed:
    return CommandFailed(
        err.code,
        "This app is not in the catalogue. Ask for the catalogue to see which are.",
        retry=Retry.NEVER,
        field="app",
    )
