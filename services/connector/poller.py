"""Reads accounts: complete scans, changes since a cursor, records by id.

The cursor moves in the transaction that stores what was read up to it, page by page,
so that a crash repeats a page at most. What a record means is nobody's business here.
"""

import asyncio
import datetime
import random
from typing import Final

import msgspec
import structlog

from proto.ids import ScanId
from services.chassis.clock import Clock
from services.chassis.identifiers import Identifiers
from services.chassis.store import Store
from services.connector import accounts, observing, trimming
from services.connector.accounts import (
    Account,
    AccountRef,
    Claim,
    ScanProgress,
    Step,
)
from services.connector.config import Config
from services.connector.errors import CallFailed, Fenced, Meaning, UnknownApp
from services.connector.pacing import Lane
from services.connector.port import Page
from services.connector.rereading import Rereader
from services.connector.store import ConnectorWork
from services.connector.transport import OpenAccount, Transport
from services.connector.turns import Leases, Turns

log = structlog.get_logger()

CHANGE_PAGES_MAX: Final = 10_000
PRESSURE_S: Final = 0.1
PRESSURE_TRIES_MAX: Final = 300
"""How often to look whether receipts have come before the turn ends."""


class Poller:
    """Gives followed accounts their turns of reading."""

    def __init__(
        self,
        store: Store[ConnectorWork],
        transport: Transport,
        *,
        leases: Leases,
        settings: Config,
        clock: Clock,
        identifiers: Identifiers,
    ) -> None:
        self._store = store
        self._transport = transport
        self._leases = leases
        self._settings = settings
        self._clock = clock
        self._identifiers = identifiers
        self._stopping: asyncio.Event | None = None
        self._rereader = Rereader(store, transport, clock=clock)
        self.turns = Turns(
            "poller",
            self.read,
            is_writing=False,
            leases=leases,
            at_once_max=settings.accounts_at_once_max,
            idle_s=settings.idle_s,
            clock=clock,
        )

    async def run(self, stopping: asyncio.Event) -> None:
        """Read what is due until told to stop."""
        self._stopping = stopping
        await self.turns.run(stopping)

    async def read(self, claim: Claim) -> None:
        """Give one account its turn."""
        account = await self._load(claim)
        read_asks = account.read_asks
        try:
            has_changed = await self._read(claim, account)
        except CallFailed as err:
            await self._note_failure(claim, err, account=account)
            return
        except UnknownApp as err:
            failed = CallFailed(Meaning.FORBIDDEN, str(err))
            failed.code = err.code
            await self._note_failure(claim, failed, account=account)
            return
        if has_changed is None:
            # Cut short: the account stays due.
            return
        interval_s = accounts.next_interval_s(
            account,
            interval_s=self._settings.poll_interval_s,
            has_changed=has_changed,
        )
        async with self._store.transaction(claim.ref.tenant_id) as work:
            await work.finish_reading(
                claim,
                read_asks=read_asks,
                due_at=self._in(interval_s * random.uniform(0.9, 1.0)),  # noqa: S311
                interval_s=interval_s,
            )

    async def _read(self, claim: Claim, account: Account) -> bool | None:
        """Read until nothing is left; tell whether anything had changed.

        None when the turn is cut short.
        """
        step = accounts.next_step(account)
        if step is Step.NOTHING:
            return False
        opened = await self._transport.open(claim.ref)
        if step is Step.SCAN:
            is_done = await self._scan(claim, account, opened=opened)
            return True if is_done else None
        change_count = await self._changes(claim, account, opened=opened)
        if change_count is None:
            return None
        read_count: int | None = 0
        if account.has_wanted_reads:
            # Behind the changes, which say more, and do not fail with one record.
            read_count = await self._rereader.read(
                claim, opened, may_go_on=lambda: self._may_go_on(claim.ref)
            )
        return None if read_count is None else bool(read_count or change_count)

    async def _scan(
        self, claim: Claim, account: Account, *, opened: OpenAccount
    ) -> bool:
        """Go on with a scan to its end; False when it was cut short."""
        seen: set[str] = set()
        while True:
            if not await self._may_go_on(claim.ref):
                return False
            progress = observing.progress_of(
                account, own_scan_id=self._identifiers.new(ScanId)
            )
            read_at = self._clock.now()
            try:
                page = await self._transport.drive(
                    opened, opened.app.scan(progress.scan_cursor), lane=Lane.SCAN
                )
                observing.check_scan(progress, page, seen=seen)
                page = _fitting(page)
            except CallFailed as err:
                if err.meaning is Meaning.CURSOR_EXPIRED or isinstance(
                    err, observing.BadListing
                ):
                    await self._restart_scan(claim, progress, account=account)
                raise
            await self._save_scan_page(
                claim, account, progress=progress, page=page, read_at=read_at
            )
            if page.next is None:
                return True
            account = await self._load(claim)
            if accounts.next_step(account) is not Step.SCAN:
                return False

    async def _save_scan_page(
        self,
        claim: Claim,
        account: Account,
        *,
        progress: ScanProgress,
        page: Page,
        read_at: datetime.datetime,
    ) -> None:
        is_last = page.next is None
        messages = observing.scan_messages(
            claim.ref, page, progress=progress, read_at=read_at
        )
        after = observing.after_page(
            account, progress, page=page, message_count=len(messages)
        )
        async with self._store.transaction(claim.ref.tenant_id) as work:
            await work.save_scan(claim, after, read_at=read_at)
            await work.send(*messages)
        if is_last:
            log.info(
                "scan_done",
                scan_id=progress.scan_id,
                record_count=after.scan_record_count,
                part_count=after.scan_part,
            )

    async def _restart_scan(
        self, claim: Claim, progress: ScanProgress, *, account: Account
    ) -> None:
        """Begin again at the first page, because the place in the listing is lost.

        The parts told so far stay told, so that numbering goes on.
        """
        if progress.scan_cursor is None:
            return
        again = msgspec.structs.replace(
            progress,
            scan_cursor=None,
            scan_page_count=0,
            scan_record_count=0,
            scan_expected_count=None,
        )
        async with self._store.transaction(claim.ref.tenant_id) as work:
            await work.save_scan(
                claim, again, read_at=account.last_read_at or self._clock.now()
            )

    async def _changes(
        self, claim: Claim, account: Account, *, opened: OpenAccount
    ) -> int | None:
        """Read what changed; return how many records did, None when cut short."""
        cursor = account.changes_cursor
        assert cursor is not None
        seen: set[str] = set()
        count = 0
        while True:
            if not await self._may_go_on(claim.ref):
                return None
            read_at = self._clock.now()
            try:
                page = await self._transport.drive(
                    opened, opened.app.changes(cursor), lane=Lane.POLL
                )
            except CallFailed as err:
                if err.meaning is Meaning.CURSOR_EXPIRED:
                    await self._scan_instead(claim, account)
                    return None
                raise
            seen.add(cursor)
            if page.next is not None and (
                page.next in seen or len(seen) >= CHANGE_PAGES_MAX
            ):
                raise CallFailed(Meaning.BROKEN, "the changes do not end")
            cursor = page.next or page.resume or cursor
            page = _fitting(page)
            messages = observing.messages(claim.ref, page.records, read_at=read_at)
            async with self._store.transaction(claim.ref.tenant_id) as work:
                await work.save_changes(claim, cursor=cursor, read_at=read_at)
                await work.send(*messages)
            count += 0 if page.is_reread else len(page.records)
            if page.next is None:
                return count

    async def _scan_instead(self, claim: Claim, account: Account) -> None:
        """Forget a cursor that the app no longer knows; a scan comes next."""
        log.info("cursor_expired")
        async with self._store.transaction(claim.ref.tenant_id) as work:
            await work.save_changes(
                claim,
                cursor=None,
                read_at=account.last_read_at or self._clock.now(),
            )

    async def _may_go_on(self, ref: AccountRef) -> bool:
        """Wait while too much of the account is told and not receipted."""
        limit = self._settings.observations_waiting_max
        for _ in range(PRESSURE_TRIES_MAX):
            if self._stopping is not None and self._stopping.is_set():
                return False
            async with self._store.transaction(ref.tenant_id) as work:
                waiting = await work.count_waiting(ref, limit=limit)
            if waiting < limit:
                return True
            await self._clock.sleep(PRESSURE_S)
        log.warning("observations_waiting", count=limit)
        return False

    async def _load(self, claim: Claim) -> Account:
        async with self._store.transaction(claim.ref.tenant_id) as work:
            account = await work.get_account(claim.ref.tenant_id, claim.ref.account_id)
        if account is None or account.lease_version != claim.version:
            raise Fenced(claim.ref.account_id)
        return account

    async def _note_failure(
        self, claim: Claim, err: CallFailed, *, account: Account
    ) -> None:
        # Only auth can say so, because only then does everybody else hear of it.
        is_lost = err.meaning is Meaning.LOST
        delay_s = accounts.back_off_s(account.failures, retry_after_s=err.retry_after_s)
        if not account.failures or account.error_code != err.code:
            # One line when it starts: the next tries would only repeat it.
            log.warning(
                "reading_failed", meaning=err.meaning.name.lower(), reason=err.detail
            )
        async with self._store.transaction(claim.ref.tenant_id) as work:
            await work.note_failure(
                claim,
                code=err.code,
                is_lost=is_lost,
                failures_before=(
                    account.failures if isinstance(err, observing.BadListing) else 0
                ),
                read_asks=account.read_asks,
                due_at=self._in(delay_s * random.uniform(0.8, 1.0)),  # noqa: S311
            )

    def _in(self, seconds: float) -> datetime.datetime:
        return self._clock.now() + datetime.timedelta(seconds=seconds)


def _fitting(page: Page) -> Page:
    return msgspec.structs.replace(page, records=trimming.fitting(page.records))
