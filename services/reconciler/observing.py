"""Takes what accounts showed: stores what is news and marks what follows from it.

State against state, whatever the order: an older state never replaces a newer one,
and a record that a scan does not show is read again, never believed deleted.
"""

import datetime
from collections.abc import Collection, Iterable, Sequence
from itertools import groupby
from typing import Final

import structlog

from proto.base import BATCH_RECORDS_MAX, Instant
from proto.connector import ContactsObserved
from proto.ids import AccountId, ConnectionId, RecordId, ScanId, TenantId
from proto.reconciler import ConnectionChanged, ConnectionState
from proto.record import Presence, Record
from services.chassis.store import Work
from services.reconciler import comparing, guarding, missing, parking, suppressing
from services.reconciler.config import Config
from services.reconciler.engine import canon, guards, model
from services.reconciler.engine.model import Seen, SideConfig
from services.reconciler.errors import Overtaken
from services.reconciler.store import (
    claims,
    connections,
    doubts,
    observations,
    queue,
    sweeps,
)
from services.reconciler.store.connections import StoredAccount
from services.reconciler.store.observations import ScanState
from services.reconciler.store.sweeps import CompleteScan
from services.reconciler.suppressing import Screen

log = structlog.get_logger()

UNSEEN_MAX: Final = 20_000
"""Records read again after one scan; the rest has its turn after the next."""


class News:
    """What an account showed that was not known before."""

    def __init__(self, account_id: AccountId, *, scan_id: ScanId | None) -> None:
        self.account_id = account_id
        self.scan_id = scan_id
        self.changed: list[Record] = []
        self.given_up: set[str] = set()
        """Addresses that records had and have no more."""


async def observe(
    work: Work,
    message: ContactsObserved,
    *,
    config: Config,
    screen: Screen | None = None,
) -> None:
    """Store a batch of observations; complete the scan that it is the last part of."""
    tenant_id, account_id = message.tenant_id, message.account_id
    account = await connections.load_account(
        work.transaction, tenant_id=tenant_id, account_id=account_id
    )
    if account is None:
        # Left over from a connection that is gone: what nobody needs is not kept.
        log.info("observation_unwanted", account_id=account_id)
        return
    scan = message.scan
    seen = seen_of(
        message.records, read_at=message.read_at, is_listed=not message.is_by_id
    )
    after = work.clock.now() - datetime.timedelta(seconds=config.open_s)
    await parking.note(work, seen, tenant_id=tenant_id, account=account, after=after)
    news = await store(
        work,
        seen,
        tenant_id=tenant_id,
        account=account,
        scan_id=scan.scan_id if scan else None,
        screen=screen,
    )
    marked = await mark(work, news, tenant_id=tenant_id)
    if scan is not None:
        state = await observations.count_scan_part(
            work.transaction,
            scan,
            tenant_id=tenant_id,
            account_id=account_id,
            read_at=message.read_at,
        )
        if state is not None and state.is_complete:
            complete = CompleteScan(
                tenant_id=tenant_id,
                account_id=account_id,
                scan_id=scan.scan_id,
                begun_at=state.begun_at,
            )
            marked |= await _complete(work, complete, state=state)
    await claims.make_due(
        work.transaction,
        tenant_id=tenant_id,
        connection_ids=marked,
        now=work.clock.now(),
    )


def seen_of(
    records: Iterable[Record], *, read_at: Instant, is_listed: bool = False
) -> list[Seen]:
    """Return what one answer showed, each record once and only what can be stored."""
    by_id: dict[RecordId, Record] = {}
    for record in records:
        if not record.record_id or missing.NUL in record.record_id:
            log.warning("record_without_usable_id")
            continue
        known = by_id.get(record.record_id)
        if known is None or not _is_older(record, known):
            by_id[record.record_id] = record
    return [
        Seen(
            record=record,
            read_at=read_at,
            digest=model.digest_of(record),
            is_listed=is_listed,
        )
        for record in by_id.values()
    ]


async def store(
    work: Work,
    seen: Sequence[Seen],
    *,
    tenant_id: TenantId,
    account: StoredAccount,
    scan_id: ScanId | None = None,
    screen: Screen | None = None,
) -> News:
    """Store what is news; returns what there is to be marked because of it.

    Marked apart, because whoever stores for several accounts marks for none before all
    is stored: everybody locks observations before what waits to be planned.

    What in a listing may only seem to be news is asked for by id, and what that shows
    decides (hazards 18 and 22).

    Args:
        screen: Leaves out who was erased.
    """
    news = News(account.account_id, scan_id=scan_id)
    seen, heirs = await _let_in(
        work, seen, account=account, tenant_id=tenant_id, screen=screen
    )
    seen = sorted([*seen, *heirs.values()], key=lambda each: each.record.record_id)
    for start in range(0, len(seen), BATCH_RECORDS_MAX):
        batch = seen[start : start + BATCH_RECORDS_MAX]
        saved = await _save(
            work, batch, tenant_id=tenant_id, account=account, scan_id=scan_id
        )
        new = [heirs[record_id] for record_id in saved if record_id in heirs]
        await missing.expect(
            work, new, tenant_id=tenant_id, account_id=account.account_id
        )
        batch = [s for s in batch if s.record.record_id not in heirs]
        late = [s for s in batch if s.record.record_id not in saved]
        if late:
            await _note_late(work, late, tenant_id=tenant_id, news=news)
        changed = [s.record for s in batch if saved.get(s.record.record_id)]
        if changed:
            news.changed += changed
            news.given_up |= set(
                await observations.save_emails(
                    work.transaction,
                    {
                        record.record_id: emails_of(record, account)
                        for record in changed
                    },
                    tenant_id=tenant_id,
                    account_id=account.account_id,
                )
            )
    return news


async def _save(
    work: Work,
    batch: Sequence[Seen],
    *,
    tenant_id: TenantId,
    account: StoredAccount,
    scan_id: ScanId | None,
) -> dict[RecordId, bool]:
    """Store what is news; runs of one kind, for rows are locked in their order."""
    saved: dict[RecordId, bool] = {}
    for is_listed, run in groupby(batch, key=lambda each: each.is_listed):
        saved |= await observations.save(
            work.transaction,
            list(run),
            tenant_id=tenant_id,
            account_id=account.account_id,
            scan_id=scan_id,
            lag=_lag_of(account) if is_listed else observations.NO_LAG,
        )
    return saved


async def _let_in(
    work: Work,
    seen: Sequence[Seen],
    *,
    account: StoredAccount,
    tenant_id: TenantId,
    screen: Screen | None,
) -> tuple[list[Seen], dict[RecordId, Seen]]:
    """Return what may be stored of what was seen, and of whom that was merged into."""

    async def without_erased(each: Sequence[Seen]) -> Sequence[Seen]:
        if not each or not account.is_screened:
            return each
        return await suppressing.without_erased(
            work, each, screen=screen, tenant_id=tenant_id, side=side_of(account)
        )

    told = await missing.confirm(
        work,
        await without_erased(seen),
        tenant_id=tenant_id,
        account_id=account.account_id,
    )
    heirs = await without_erased(list(missing.heirs_of(told).values()))
    return told, {each.record.record_id: each for each in heirs}


async def mark(work: Work, news: News, *, tenant_id: TenantId) -> set[ConnectionId]:
    """Have planned what has changed; returns the connections to be made due."""
    marked: set[ConnectionId] = set()
    for start in range(0, len(news.changed), BATCH_RECORDS_MAX):
        marked |= await queue.mark_changed(
            work.transaction,
            news.changed[start : start + BATCH_RECORDS_MAX],
            tenant_id=tenant_id,
            account_id=news.account_id,
            scan_id=news.scan_id,
        )
    if news.given_up:
        # Whoever had to wait because of one of these addresses may have it now.
        marked |= await queue.mark_sharers(
            work.transaction,
            news.given_up,
            tenant_id=tenant_id,
            account_id=news.account_id,
        )
    return marked


async def _note_late(
    work: Work,
    late: Sequence[Seen],
    *,
    tenant_id: TenantId,
    news: News,
) -> None:
    """Note that records were shown of which we know better, or may know better."""
    listed = [each for each in late if each.is_listed]
    if listed:
        doubtful = await doubts.find_doubtful(
            work.transaction, listed, tenant_id=tenant_id, account_id=news.account_id
        )
        await missing.ask(
            work, doubtful, tenant_id=tenant_id, account_id=news.account_id
        )
    if news.scan_id is not None:
        await observations.save_sightings(
            work.transaction,
            [each.record.record_id for each in late],
            tenant_id=tenant_id,
            account_id=news.account_id,
            scan_id=news.scan_id,
        )


def _lag_of(account: StoredAccount) -> datetime.timedelta:
    return datetime.timedelta(seconds=account.description.capabilities.settle_s)


def emails_of(record: Record, account: StoredAccount) -> tuple[str, ...]:
    """Return the addresses that a record can be found by; a dead one has none."""
    if record.presence is not Presence.LIVE:
        return ()
    found = canon.emails_of(record, side_of(account))[: observations.EMAILS_MAX]
    return tuple(email for email in found if missing.NUL not in email)


def side_of(account: StoredAccount) -> SideConfig:
    """Return an account as the engine takes it, without a container."""
    description = account.description
    return SideConfig(
        account_id=account.account_id,
        app=description.app,
        fields=description.fields,
        capabilities=description.capabilities,
    )


async def _complete(
    work: Work, scan: CompleteScan, *, state: ScanState
) -> set[ConnectionId]:
    """Have unseen records read, and let connections plan that know both sides now."""
    await sweeps.complete(work.transaction, scan, now=work.clock.now())
    unseen = await _read_unseen(work, scan, first_read_at=state.first_read_at)
    # Contacts are marked before connections are locked, as whoever plans does it.
    # Both states the same record could be in are stored by now, so no create can be
    # decided in ignorance of the other side.
    likely = await sweeps.find_scanned(work.transaction, scan)
    likely = [each for each in likely if each.is_ready]
    for each in likely:
        await queue.mark_both(work.transaction, each, tenant_id=scan.tenant_id)
    compared = await comparing.note_scan(work, scan)
    await _guard_absent(work, scan, unseen=unseen)
    noted = await sweeps.note_scanned(work.transaction, scan)
    ready = {each.connection_id for each in noted if each.is_ready}
    if not ready <= {each.connection_id for each in likely}:
        raise Overtaken("a scan of the other side")
    await _begin_syncing(work, ready, tenant_id=scan.tenant_id)
    log.info(
        "scan_completed",
        account_id=scan.account_id,
        scan_id=scan.scan_id,
        part_count=state.part_count,
        count=unseen,
    )
    return compared | ready


async def _read_unseen(
    work: Work, scan: CompleteScan, *, first_read_at: Instant
) -> int:
    """Have the records read that a complete scan did not show; returns how many."""
    unseen = await observations.find_unseen(
        work.transaction,
        tenant_id=scan.tenant_id,
        account_id=scan.account_id,
        scan_id=scan.scan_id,
        first_read_at=first_read_at,
        limit=UNSEEN_MAX,
    )
    await missing.ask(
        work, unseen, tenant_id=scan.tenant_id, account_id=scan.account_id
    )
    return len(unseen)


async def _guard_absent(work: Work, scan: CompleteScan, *, unseen: int) -> None:
    """Hold what would be undone if so many records were gone (hazard 71)."""
    if unseen <= guards.DESTRUCTIVE_MIN:
        return
    live = await observations.count_live(
        work.transaction, tenant_id=scan.tenant_id, account_id=scan.account_id
    )
    if guards.misses_too_many(unseen=unseen, live=live):
        await guarding.trip_all(
            work, tenant_id=scan.tenant_id, account_id=scan.account_id, count=unseen
        )


async def _begin_syncing(
    work: Work, ready: Collection[ConnectionId], *, tenant_id: TenantId
) -> None:
    if not ready:
        return
    now = work.clock.now()
    await connections.begin_syncing(
        work.transaction, tenant_id=tenant_id, connection_ids=sorted(ready), now=now
    )
    await work.send(
        *(
            ConnectionChanged(
                tenant_id=tenant_id,
                connection_id=connection_id,
                state=ConnectionState.SYNCING,
                at=now,
            )
            for connection_id in sorted(ready)
        )
    )


def _is_older(record: Record, known: Record) -> bool:
    return (
        record.modified_at is not None
        and known.modified_at is not None
        and record.modified_at < known.modified_at
    )
