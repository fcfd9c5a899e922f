"""What a user of the reconciler's tables can do with connections, links, intents."""

import msgspec

from proto.base import Message
from proto.connector import WriteKind
from proto.ids import ConnectionId, IntentId, LinkId, TenantId
from proto.reconciler import ConnectionChanged, ConnectionState, RecordState, Side
from services.chassis.store import Work
from services.reconciler.engine.model import Link, Loss
from services.reconciler.store import (
    arrivals,
    claims,
    connections,
    intents,
    leftovers,
    links,
    sweeps,
)
from services.reconciler.store.connections import Tally
from services.reconciler.store.intents import Told
from services.reconciler.store.links import NamedLink
from services.reconciler.store.sweeps import CompleteScan
from tests.contract.stores.program import act, plain
from tests.contract.stores.reconciler_care import CarePlayer
from tests.contract.stores.reconciler_words import (
    ACCOUNTS,
    EMAILS,
    ENDS,
    INTENTS,
    LEASE,
    LINKS,
    REASONS,
    RECORDS,
    SCANS,
    SIDES,
    TENANT,
    description_of,
    intent_of,
    settings_of,
    side_of,
)

Where = tuple[TenantId, ConnectionId]
STATES = [ConnectionState.PAUSED, ConnectionState.LIVE, ConnectionState.NEEDS_ATTENTION]


class ReconcilerPlayer(CarePlayer):
    """A replica of the reconciler, and people who change connections."""

    def message(self) -> Message:
        connection = self.connection()
        return ConnectionChanged(
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            state=ConnectionState.LIVE,
            at=self.clock.now(),
        )

    def link(self, link_id: LinkId) -> NamedLink:
        """Return a link as it could be after what is known of it."""
        known = self.links.get(link_id, Link(link_id=link_id))
        link = msgspec.structs.replace(
            known,
            left_id=known.left_id or self.maybe(self.one(RECORDS)),
            right_id=self.maybe(self.one(RECORDS)),
            state=self.one(
                [RecordState.IN_SYNC, RecordState.PENDING, RecordState.HELD]
            ),
            reason=self.one(REASONS),
            intent_id=self.maybe(self.one(INTENTS), chance=0.3),
            retry_at=self.maybe(self.time(), chance=0.4),
        )
        name = self.one(["", "Ann", "Bo"])
        return NamedLink(link=link, name=name, email=self.one(["", *EMAILS]))

    # Accounts and connections.

    @act(is_narrow=True)
    async def describe_account(self, work: Work) -> None:
        description = description_of(self.one(ACCOUNTS), self.one(["app", "app2"]))
        await connections.describe_account(
            work.transaction, tenant_id=self.tenant(), description=description
        )

    @act(is_narrow=True)
    async def load_account(self, work: Work) -> object:
        return await connections.load_account(
            work.transaction, tenant_id=self.tenant(), account_id=self.one(ACCOUNTS)
        )

    @act(is_narrow=True)
    async def set_account_state(self, work: Work) -> object:
        return await connections.set_account_state(
            work.transaction,
            tenant_id=self.tenant(),
            account_id=self.one(ACCOUNTS),
            is_lost=self.source.random() < 0.5,
            at=self.time(),
        )

    @act()
    async def accounts(self, work: Work) -> object:
        tenant_id, account_ids = self.tenant(), self.some(ACCOUNTS)
        lost = await connections.find_lost_accounts(
            work.transaction, tenant_id=tenant_id, account_ids=account_ids
        )
        needed = await connections.find_needed_accounts(
            work.transaction, tenant_id=tenant_id, account_ids=account_ids
        )
        return [lost, needed]

    @act()
    async def retire_accounts(self, work: Work) -> None:
        await connections.retire_accounts(
            work.transaction,
            tenant_id=self.tenant(),
            account_ids=self.some(ACCOUNTS),
            now=self.clock.now(),
        )

    @act(weight=1, is_narrow=True)
    async def add_connection(self, work: Work) -> None:
        await self.add(work, *self.place())

    async def add(
        self, work: Work, tenant_id: TenantId, connection_id: ConnectionId
    ) -> None:
        left, right = ACCOUNTS[0], ACCOUNTS[1]
        await connections.add(
            work.transaction,
            tenant_id=tenant_id,
            connection_id=connection_id,
            settings=settings_of("one", left, right),
            sides=(side_of(left), side_of(right)),
            now=self.clock.now(),
        )

    @act(weight=4, is_narrow=True)
    async def load_connection(self, work: Work) -> object:
        tenant_id, connection_id = self.place()
        found = await self.one([connections.load, connections.lock])(
            work.transaction, tenant_id=tenant_id, connection_id=connection_id
        )
        return self.note(found)

    @act()
    async def lock_of_account(self, work: Work) -> object:
        return await connections.lock_of_account(
            work.transaction, tenant_id=self.tenant(), account_id=self.one(ACCOUNTS)
        )

    @act(is_narrow=True)
    async def list_connections(self, work: Work) -> object:
        return await connections.list_page(
            work.transaction,
            tenant_id=self.tenant(),
            account_id=self.maybe(self.one(ACCOUNTS)),
            rank=self.one([0, 1]),
            after=self.one(["", "conn_1"]),
            limit=self.one([1, 9]),
        )

    @act(weight=1, is_narrow=True)
    async def change_settings(self, work: Work) -> None:
        left, right = self.one([(0, 1), (0, 2), (1, 0)])
        ends = ACCOUNTS[left], ACCOUNTS[right]
        await connections.change_settings(
            work.transaction,
            self.connection(),
            settings=settings_of("two", *ends),
            sides=(side_of(ends[0]), side_of(ends[1])),
        )

    @act(weight=1, is_narrow=True)
    async def set_state(self, work: Work) -> None:
        await connections.set_state(
            work.transaction,
            self.connection(),
            state=self.one(STATES),
            attention=self.one(["", "lost"]),
            attention_side=self.maybe(Side.LEFT),
        )

    @act(is_narrow=True)
    async def await_scans(self, work: Work) -> None:
        await connections.await_scans(
            work.transaction,
            self.connection(),
            left_scan=self.one(SCANS),
            right_scan=self.one(SCANS),
            now=self.clock.now(),
        )

    @act(weight=3)
    async def note_scanned(self, work: Work) -> object:
        scan = CompleteScan(
            tenant_id=TENANT,
            account_id=self.one(ACCOUNTS),
            scan_id=self.one(SCANS),
            begun_at=self.time(),
        )
        found = await sweeps.find_scanned(work.transaction, scan)
        scanned = await sweeps.note_scanned(work.transaction, scan)
        return [sorted(plain(each), key=repr) for each in (found, scanned)]

    @act(weight=3, is_narrow=True)
    async def begin_syncing(self, work: Work) -> None:
        tenant_id, connection_id = self.place()
        await connections.begin_syncing(
            work.transaction,
            tenant_id=tenant_id,
            connection_ids=[connection_id],
            now=self.clock.now(),
        )

    @act(weight=1, is_narrow=True)
    async def delete_connection(self, work: Work) -> None:
        await connections.delete(
            work.transaction, self.connection(), now=self.clock.now()
        )

    @act(weight=1)
    async def purge(self, work: Work) -> object:
        return await leftovers.purge(
            work.transaction, limit=1000, scans_before=self.time()
        )

    # Claims.

    @act(weight=4, is_narrow=True)
    async def claim(self, work: Work) -> object:
        now = self.clock.now()
        found = await claims.claim(work.transaction, now=now, lease_until=now + LEASE)
        self.claimed = found or self.claimed
        return self.note(found)

    @act(is_narrow=True)
    async def keep_claim(self, work: Work) -> object:
        return await claims.keep(
            work.transaction,
            self.ours(),
            planned=self.source.randint(0, 5),
            lease_until=self.clock.now() + LEASE,
        )

    @act(is_narrow=True)
    async def lock_claim(self, work: Work) -> object:
        return await claims.lock(work.transaction, self.ours())

    @act(is_narrow=True)
    async def release_claim(self, work: Work) -> None:
        await claims.release(
            work.transaction,
            self.ours(),
            state=ConnectionState.LIVE,
            due_at=self.maybe(self.time()),
        )

    @act(is_narrow=True)
    async def make_due(self, work: Work) -> None:
        tenant_id, connection_id = self.place()
        await claims.make_due(
            work.transaction,
            tenant_id=tenant_id,
            connection_ids={connection_id},
            now=self.clock.now(),
        )

    @act(weight=1, is_narrow=True)
    async def count_outcomes(self, work: Work) -> None:
        tally = Tally(done=self.source.randint(0, 3), created_left=1, updated_right=2)
        await claims.count_outcomes(work.transaction, self.ours(), tally=tally)

    # Links.

    @act(weight=6, is_narrow=True)
    async def save_links(self, work: Work) -> object:
        return await links.save(
            work.transaction,
            self.ours(),
            links=[self.link(link_id) for link_id in self.some(LINKS, most=2)],
            now=self.clock.now(),
        )

    @act(weight=4, is_narrow=True)
    async def lock_links(self, work: Work) -> object:
        found = await links.lock(
            work.transaction, self.ours(), link_ids=self.some(LINKS)
        )
        self.links.update(found)
        return found

    @act()
    async def drop_links(self, work: Work) -> object:
        return await links.drop(
            work.transaction, self.ours(), link_ids=self.some(LINKS)
        )

    @act(weight=3, is_narrow=True)
    async def load_links_of_records(self, work: Work) -> object:
        found = await links.load_of_records(
            work.transaction,
            self.ours(),
            left_ids=self.some(RECORDS),
            right_ids=self.some(RECORDS),
        )
        self.links.update({link.link_id: link for link in found})
        return sorted(plain(found), key=repr)

    @act(is_narrow=True)
    async def load_links(self, work: Work) -> object:
        return await links.load(
            work.transaction, self.ours(), link_ids=self.some(LINKS)
        )

    @act()
    async def retry_links(self, work: Work) -> object:
        # One at a time: connections that become due at once are claimed in any order.
        return await links.retry(work.transaction, now=self.clock.now(), limit=1)

    @act(is_narrow=True)
    async def list_links(self, work: Work) -> object:
        connection = self.connection()
        state = self.maybe(RecordState.PENDING)
        counts = await links.count_by_state(
            work.transaction,
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
        )
        page = {"state": state, "after": self.one(["", LINKS[0]]), "limit": 3}
        listed = await links.list_page(work.transaction, connection, **page)
        named = await links.list_with_email(
            work.transaction, connection, email=self.one(EMAILS), **page
        )
        return [counts, listed, named]

    # Intents.

    @act(weight=3, is_narrow=True)
    async def add_intents(self, work: Work) -> None:
        now = self.clock.now()
        made = intent_of(
            self.one(INTENTS), self.one(LINKS), side=self.one(SIDES), now=now
        )
        made = msgspec.structs.replace(
            made,
            kind=self.one([WriteKind.CREATE, WriteKind.UPDATE]),
            is_destructive=self.source.random() < 0.5,
        )
        await intents.add(
            work.transaction,
            self.ours(),
            intents=[made],
            now=now,
            look_at=self.time(),
        )

    @act(weight=3, is_narrow=True)
    async def lock_open_intents(self, work: Work) -> object:
        connection = self.ours()
        found = await intents.lock_open(
            work.transaction,
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            intent_ids=self.some(INTENTS),
        )
        self.intents.update({key: each.intent for key, each in found.items()})
        return found

    @act(weight=3)
    async def save_intents(self, work: Work) -> None:
        told = [self._told(each) for each in self.some(self.intents)]
        await intents.save(
            work.transaction, self.ours(), told=told, now=self.clock.now()
        )

    def _told(self, intent_id: IntentId) -> Told:
        return Told(
            intent=self.intents[intent_id],
            state=self.one(["open", "unknown", "done", "dead"]),
            sent_at=self.maybe(self.time()),
            look_at=self.maybe(self.time()),
            outcome=self.one(["", "written"]),
            reason="",
        )

    @act(weight=1)
    async def add_losses(self, work: Work) -> None:
        losses = [
            Loss(intent_id=each, mapping_id="email", side=Side.LEFT, values={})
            for each in self.some(INTENTS)
        ]
        await intents.add_losses(
            work.transaction, self.ours(), losses=losses, now=self.clock.now()
        )

    @act()
    async def claim_looks(self, work: Work) -> object:
        now = self.clock.now()
        due = await intents.claim_looks(
            work.transaction, now=now, again_at=now + LEASE, limit=100
        )
        return sorted(plain(due), key=repr)

    @act(weight=3)
    async def find_open_creates(self, work: Work) -> object:
        return await arrivals.find_open_creates(
            work.transaction,
            ENDS,
            tenant_id=TENANT,
            after=self.time(),
            but=self.some(INTENTS) if self.source.random() < 0.3 else (),
        )

    @act(weight=3)
    async def find_creating(self, work: Work) -> object:
        return await arrivals.find_creating(
            work.transaction,
            tenant_id=TENANT,
            account_id=self.source.choice(ENDS),
            after=self.time(),
        )

    @act(weight=3)
    async def find_links_around(self, work: Work) -> object:
        found = await links.find_around(
            work.transaction,
            self.connection(),
            left_ids=self.some(RECORDS),
            right_ids=self.some(RECORDS),
        )
        return sorted(found)

    @act(weight=3)
    async def load_open_creates(self, work: Work) -> object:
        connection = self.connection()
        return await arrivals.load_open_creates(
            work.transaction,
            ENDS,
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            after=self.time(),
        )

    @act(is_narrow=True)
    async def count_open(self, work: Work) -> object:
        connection = self.connection()
        return await claims.count_open(
            work.transaction,
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
        )
