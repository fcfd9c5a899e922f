"""What a user of the reconciler's tables can do with records and what waits."""

from msgspec import structs

from proto.connector import ScanPart
from proto.ids import AccountId, ConnectionId, IntentId, LinkId, RecordId, TenantId
from proto.reconciler import ConnectionState, RecordState
from proto.record import Consent, Presence, Record
from services.chassis.store import Work
from services.reconciler.engine.model import Intent, Link, Reason, Seen
from services.reconciler.store import (
    arrivals,
    asking,
    connections,
    doubts,
    intents,
    links,
    observations,
    queue,
    sweeps,
)
from services.reconciler.store.connections import StoredConnection
from services.reconciler.store.links import NamedLink
from services.reconciler.store.queue import Dirty
from services.reconciler.store.sweeps import CompleteScan
from tests.contract.stores.chassis import ChassisPlayer
from tests.contract.stores.program import act
from tests.contract.stores.reconciler_words import (
    ACCOUNTS,
    CONNECTIONS,
    EMAILS,
    ENDS,
    INTENTS,
    LEASE,
    LINKS,
    RECORDS,
    SCANS,
    SIDES,
    TENANT,
    description_of,
    intent_of,
    settings_of,
    side_of,
)
from tests.contract.stores.stage import SOMEBODY

GONE = Record(record_id=RECORDS[2], presence=Presence.DELETED)


class RecordsPlayer(ChassisPlayer):
    """A replica that takes observations and marks what follows from them."""

    receivers = ("api", "connector")

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.known: dict[tuple[TenantId, ConnectionId], StoredConnection] = {}
        self.links: dict[LinkId, Link] = {}
        self.intents: dict[IntentId, Intent] = {
            each: intent_of(each, LINKS[0], side=SIDES[0], now=self.clock.now())
            for each in INTENTS[:2]
        }
        self.dirty: list[Dirty] = []
        self.scan: observations.ScanState | None = None

    async def prepare(self) -> None:
        """Have three connections that are synced, and know them."""
        async with self.store.transaction(SOMEBODY) as work:
            if self.number == 0:
                await self._store_connections(work)
            for tenant_id, connection_id in CONNECTIONS:
                found = await connections.load(
                    work.transaction, tenant_id=tenant_id, connection_id=connection_id
                )
                assert found is not None
                self.known[tenant_id, connection_id] = found
                stored = await links.load(work.transaction, found, link_ids=LINKS)
                self.links |= {link.link_id: link for link in stored}

    async def _store_connections(self, work: Work) -> None:
        for tenant_id, connection_id in CONNECTIONS:
            # Each at a time of its own: what is due first must be plain.
            self.clock.passed_s -= 1
            for account_id in ENDS:
                await connections.describe_account(
                    work.transaction,
                    tenant_id=tenant_id,
                    description=description_of(account_id),
                )
            await connections.add(
                work.transaction,
                tenant_id=tenant_id,
                connection_id=connection_id,
                settings=settings_of("one", *ENDS),
                sides=(side_of(ENDS[0]), side_of(ENDS[1])),
                now=self.clock.now(),
            )
            made = await connections.load(
                work.transaction, tenant_id=tenant_id, connection_id=connection_id
            )
            await connections.await_scans(
                work.transaction,
                made,
                left_scan=SCANS[0],
                right_scan=SCANS[1],
                now=self.clock.now(),
            )
            await connections.begin_syncing(
                work.transaction,
                tenant_id=tenant_id,
                connection_ids=[connection_id],
                now=self.clock.now(),
            )
            if (tenant_id, connection_id) == CONNECTIONS[1]:
                await connections.set_state(
                    work.transaction, made, state=ConnectionState.LIVE
                )
                await sweeps.wait_for(
                    work.transaction,
                    made,
                    left_scan=SCANS[0],
                    right_scan=SCANS[1],
                    asked_at=self.clock.now(),
                )
            await self._store_contacts(work, made)

    async def _store_contacts(self, work: Work, connection: StoredConnection) -> None:
        """Have records on both sides, one gone, a link held, a write that undoes."""
        now = self.clock.now() - 2 * LEASE
        at = {"tenant_id": connection.tenant_id}
        for account_id in ENDS:
            there = [
                Seen(record=Record(record_id=each), read_at=now, digest="same")
                for each in RECORDS
            ]
            there[2] = Seen(record=GONE, read_at=now, digest="gone")
            await observations.save(
                work.transaction, there, account_id=account_id, scan_id=None, **at
            )
        await queue.mark_records(
            work.transaction,
            [(side, GONE.record_id) for side in SIDES],
            connection_id=connection.connection_id,
            **at,
        )
        first, last = RECORDS[0], RECORDS[-1]
        pair = Link(link_id=LINKS[0], left_id=first, right_id=first)
        held = structs.replace(
            pair, state=RecordState.HELD, reason=Reason.MASS_CHANGE.value
        )
        alone = Link(link_id=LINKS[1], left_id=last)
        named = [NamedLink(link=each) for each in (held, alone)]
        await links.save(work.transaction, connection, links=named, now=now)
        undoing = intent_of(INTENTS[-1], LINKS[-1], side=SIDES[0], now=now)
        await intents.add(
            work.transaction,
            connection,
            intents=[structs.replace(undoing, is_destructive=True)],
            now=now,
            look_at=now,
        )

    def tenant(self) -> TenantId:
        """Draw a tenant."""
        return self.place()[0]

    def place(self) -> tuple[TenantId, ConnectionId]:
        """Draw a connection, one more often than the others."""
        return self.one([*CONNECTIONS, CONNECTIONS[0], CONNECTIONS[0]])

    def connection(self) -> StoredConnection:
        """Draw a connection as it was when we saw it last."""
        return self.known[self.place()]

    def account(self) -> AccountId:
        """Draw an account, mostly one that is in use."""
        return self.one([*ENDS, *ENDS, ACCOUNTS[2]])

    def seen(self, record_id: RecordId) -> Seen:
        """Return a record as it may be seen now."""
        record = Record(
            record_id=record_id,
            modified_at=self.maybe(self.time()),
            presence=self.one([Presence.LIVE, Presence.LIVE, Presence.DELETED]),
            consent=self.one([Consent.SUBSCRIBED, Consent.UNSUBSCRIBED]),
        )
        digest = self.one(["same", "other", f"own {self.source.random()}"])
        return Seen(record=record, read_at=self.time(), digest=digest)

    # Observations.

    @act(weight=6, is_narrow=True)
    async def save_observations(self, work: Work) -> object:
        seen = [self.seen(record_id) for record_id in self.some(RECORDS)]
        account_id, lag = self.account(), self.one([observations.NO_LAG, LEASE])
        saved = await observations.save(
            work.transaction,
            seen,
            tenant_id=TENANT,
            account_id=account_id,
            scan_id=self.maybe(self.one(SCANS)),
            lag=lag,
        )
        late = [each for each in seen if each.record.record_id not in saved]
        doubtful = await doubts.find_doubtful(
            work.transaction, late, tenant_id=TENANT, account_id=account_id
        )
        return saved, doubtful

    @act(weight=3)
    async def save_sightings(self, work: Work) -> None:
        await observations.save_sightings(
            work.transaction,
            self.some(RECORDS, most=2),
            tenant_id=TENANT,
            account_id=self.account(),
            scan_id=self.one(SCANS),
        )

    @act(weight=4)
    async def save_emails(self, work: Work) -> object:
        emails = {
            record_id: tuple(self.some(EMAILS)) if self.source.random() < 0.7 else ()
            for record_id in self.some(RECORDS, most=2)
        }
        return await observations.save_emails(
            work.transaction, emails, tenant_id=TENANT, account_id=self.account()
        )

    @act(weight=1)
    async def forget_digests(self, work: Work) -> None:
        await connections.forget_digests(
            work.transaction, tenant_id=TENANT, account_id=self.account()
        )

    @act(weight=1, is_narrow=True)
    async def add_scans(self, work: Work) -> None:
        await observations.add_scans(
            work.transaction,
            {self.account(): self.one(SCANS)},
            tenant_id=TENANT,
            now=self.clock.now(),
        )

    @act(is_narrow=True)
    async def ask_for_scans(self, work: Work) -> object:
        asked = self.some(ENDS)
        return await asking.for_scans(
            work.transaction, asked, tenant_id=TENANT, now=self.clock.now()
        )

    @act(weight=4, is_narrow=True)
    async def count_scan_part(self, work: Work) -> object:
        part = self.source.randint(0, 3)
        scan = ScanPart(
            scan_id=self.one(SCANS), part=part, part_count=4 if part == 3 else None
        )
        counted = await observations.count_scan_part(
            work.transaction,
            scan,
            tenant_id=TENANT,
            account_id=self.account(),
            read_at=self.time(),
        )
        self.scan = counted or self.scan
        return counted

    @act()
    async def complete_scan(self, work: Work) -> object:
        scan = CompleteScan(
            tenant_id=TENANT,
            account_id=self.account(),
            scan_id=self.one(SCANS),
            begun_at=self.scan.begun_at if self.scan else self.time(),
        )
        await sweeps.complete(work.transaction, scan, now=self.clock.now())
        return await observations.find_unseen(
            work.transaction,
            tenant_id=TENANT,
            account_id=scan.account_id,
            scan_id=scan.scan_id,
            first_read_at=self.time(),
            limit=2,
        )

    @act(weight=3)
    async def find_newcomers(self, work: Work) -> object:
        return await arrivals.find_newcomers(
            work.transaction,
            tenant_id=TENANT,
            connection_id=CONNECTIONS[0][1],
            account_id=self.account(),
            side=self.one([*SIDES, None]),
            since=self.source.randint(0, 20),
            limit=2,
        )

    @act()
    async def note_ours(self, work: Work) -> None:
        await arrivals.note_ours(
            work.transaction,
            self.some(RECORDS, most=2),
            tenant_id=TENANT,
            account_id=self.account(),
        )

    @act()
    async def find_last_scans(self, work: Work) -> object:
        return await sweeps.find_last_scans(
            work.transaction, tenant_id=TENANT, account_id=self.account()
        )

    @act(weight=3, is_narrow=True)
    async def load_observed(self, work: Work) -> object:
        places = [(self.account(), record_id) for record_id in self.some(RECORDS)]
        return await observations.load(work.transaction, places, tenant_id=TENANT)

    @act(is_narrow=True)
    async def find_sharers(self, work: Work) -> object:
        places = [(self.account(), record_id) for record_id in self.some(RECORDS)]
        return await observations.find_sharers(
            work.transaction, places, tenant_id=TENANT, account_ids=ENDS
        )

    @act(is_narrow=True)
    async def find_owners(self, work: Work) -> object:
        return await observations.find_owners(
            work.transaction,
            self.some(EMAILS),
            tenant_id=TENANT,
            account_id=self.account(),
        )

    # What waits to be planned.

    @act(weight=5, is_narrow=True, group="queue")
    async def mark_changed(self, work: Work) -> object:
        return await queue.mark_changed(
            work.transaction,
            [self.seen(record_id).record for record_id in self.some(RECORDS)],
            tenant_id=self.tenant(),
            account_id=self.account(),
            scan_id=self.maybe(self.one(SCANS)),
        )

    @act(is_narrow=True)
    async def mark_sharers(self, work: Work) -> object:
        return await queue.mark_sharers(
            work.transaction,
            self.some(EMAILS),
            tenant_id=TENANT,
            account_id=self.account(),
        )

    @act(weight=3, is_narrow=True, group="queue")
    async def mark_records(self, work: Work) -> None:
        connection = self.connection()
        await queue.mark_records(
            work.transaction,
            [(self.one(SIDES), record_id) for record_id in self.some(RECORDS)],
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
        )

    @act(weight=1, is_narrow=True, group="queue")
    async def mark_all(self, work: Work) -> None:
        await queue.mark_all(
            work.transaction,
            tenant_id=TENANT,
            connection_id=CONNECTIONS[0][1],
            side=self.one(SIDES),
            account_id=self.account(),
            is_check=self.source.random() < 0.5,
        )

    @act(weight=4, is_narrow=True, group="queue")
    async def load_dirty(self, work: Work) -> object:
        self.dirty = await queue.load(
            work.transaction,
            self.connection(),
            limit=self.one([1, 9]),
            only_urgent=self.source.random() < 0.3,
        )
        return self.dirty

    @act(weight=3, group="queue")
    async def clear_dirty(self, work: Work) -> None:
        await queue.clear(work.transaction, self.connection(), planned=self.dirty)

    @act(is_narrow=True)
    async def count_dirty(self, work: Work) -> object:
        connection = self.connection()
        return await queue.count(
            work.transaction,
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
        )
