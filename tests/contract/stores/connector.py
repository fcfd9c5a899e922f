"""What a user of the connector's tables can do."""

import datetime
from typing import ClassVar

from proto.base import Message
from proto.connector import (
    ContactsObserved,
    ContactWrite,
    ContactWritten,
    WriteKind,
    WriteOutcome,
)
from proto.errors import ErrorCode
from proto.ids import (
    AccountId,
    AppId,
    ConnectionId,
    IntentId,
    RecordId,
    ScanId,
    TenantId,
)
from services.chassis.store import Work
from services.connector.accounts import (
    Account,
    AccountRef,
    CallCount,
    Claim,
    ScanProgress,
    SharedCount,
    WantedRead,
)
from services.connector.store import ConnectorWork
from tests.contract.stores.chassis import ChassisPlayer
from tests.contract.stores.program import act, plain
from tests.contract.stores.stage import SOMEBODY

REFS = [
    AccountRef(TenantId(tenant), AccountId(account), AppId("app"))
    for tenant, account in (
        ("tnt_1", "acct_1"),
        ("tnt_1", "acct_2"),
        ("tnt_2", "acct_1"),
    )
]
CONNECTIONS = [ConnectionId("conn_1"), ConnectionId("conn_2")]
INTENTS = [IntentId(f"int_{number}") for number in range(5)]
RECORDS = [RecordId(f"rec_{number}") for number in range(4)]
SCANS = [ScanId("scan_1"), ScanId("scan_2")]
LIMITS = ["app/one", "app/two"]
OWNERS = ("replica_1", "replica_2")


class ConnectorPlayer(ChassisPlayer):
    """A replica of the connector."""

    work_class: ClassVar[type[Work]] = ConnectorWork
    claims: tuple[Claim, ...] = ()
    reads: tuple[WantedRead, ...] = ()
    account: Account | None = None

    async def prepare(self) -> None:
        if self.number != 0:
            return
        async with self.store.transaction(SOMEBODY) as work:
            for ref in REFS:
                # Each at a time of its own: what is due first must be plain.
                self.clock.passed_s -= 1
                await work.follow(
                    ref, is_wanted=True, scan_id=None, asked_at=self.clock.now()
                )
                await work.add_writes(ref, CONNECTIONS[0], writes=[self.write()])

    def message(self) -> Message:
        ref = self.one(REFS)
        return ContactsObserved(
            tenant_id=ref.tenant_id,
            account_id=ref.account_id,
            records=(),
            read_at=self.clock.now(),
        )

    def claim(self) -> Claim:
        """Return a claim of ours, or one that is nobody's."""
        return self.one([*self.claims, Claim(self.one(REFS), 1, None, 0)])

    def write(self) -> ContactWrite:
        return ContactWrite(
            intent_id=self.one(INTENTS),
            kind=self.one([WriteKind.UPDATE, WriteKind.LOOK]),
            record_id=self.one(RECORDS),
            is_urgent=self.source.random() < 0.2,
            not_after=self.clock.now(),
        )

    @act(is_narrow=True)
    async def get_account(self, work: ConnectorWork) -> object:
        ref = self.one(REFS)
        self.account = await work.get_account(ref.tenant_id, ref.account_id)
        return self.account

    @act(weight=5, is_narrow=True)
    async def follow(self, work: ConnectorWork) -> None:
        await work.follow(
            self.one(REFS),
            is_wanted=self.source.random() < 0.8,
            scan_id=self.maybe(self.one(SCANS)),
            asked_at=self.time(),
        )

    @act(is_narrow=True)
    async def make_due(self, work: ConnectorWork) -> None:
        ref = self.one(REFS)
        await work.make_due(ref.tenant_id, ref.account_id)

    @act()
    async def make_due_after_push(self, work: ConnectorWork) -> object:
        pushed = [(ref.tenant_id, ref.account_id) for ref in self.some(REFS)]
        return await work.make_due_after_push(pushed)

    @act(is_narrow=True)
    async def want_reads(self, work: ConnectorWork) -> None:
        ref = self.one(REFS)
        await work.want_reads(
            ref.tenant_id,
            ref.account_id,
            record_ids=self.some(RECORDS),
            control_ids=self.some(RECORDS) if self.source.random() < 0.5 else [],
        )

    @act(is_narrow=True)
    async def wanted_reads(self, work: ConnectorWork) -> object:
        found = await work.wanted_reads(self.one(REFS), before=self.time(), limit=2)
        self.reads = tuple(found)
        return found

    @act(is_narrow=True)
    async def controls(self, work: ConnectorWork) -> object:
        return plain(await work.controls(self.one(REFS), limit=2))

    @act()
    async def forget_controls(self, work: ConnectorWork) -> None:
        await work.forget_controls(self.one(REFS), before=self.time())

    @act()
    async def forget_wanted_reads(self, work: ConnectorWork) -> None:
        await work.forget_wanted_reads(self.one(REFS), self.reads)

    @act()
    async def put_back_reads(self, work: ConnectorWork) -> None:
        until = self.clock.now() + datetime.timedelta(seconds=20)
        await work.put_back_reads(self.one(REFS), self.reads, until=until)

    @act(is_narrow=True)
    async def set_authorised(self, work: ConnectorWork) -> None:
        ref = self.one(REFS)
        await work.set_authorised(
            ref.tenant_id,
            ref.account_id,
            is_lost=self.source.random() < 0.3,
            at=self.time(),
        )

    @act(weight=6, is_narrow=True)
    async def take(self, work: ConnectorWork) -> object:
        claims = await work.claim(
            is_writing=self.source.random() < 0.5,
            owner=OWNERS[self.number],
            until=self.clock.now() + datetime.timedelta(seconds=20),
            busy=self.some(REFS) if self.source.random() < 0.2 else [],
            limit=self.one([1, 2, 9]),
        )
        # Sorted, because what comes next depends on it and not on the database.
        self.claims += tuple(sorted(claims, key=lambda claim: claim.ref))
        return sorted(plain(claims), key=repr)

    @act(weight=3, is_narrow=True)
    async def borrow(self, work: ConnectorWork) -> object:
        claim = await work.claim_one(
            self.one(REFS),
            owner=OWNERS[self.number],
            until=self.clock.now() + datetime.timedelta(seconds=20),
        )
        self.claims += () if claim is None else (claim,)
        return plain(claim)

    @act()
    async def renew(self, work: ConnectorWork) -> object:
        held = {claim.ref: claim for claim in (self.claim(), self.claim())}
        until = self.clock.now() + datetime.timedelta(seconds=20)
        owner = OWNERS[self.number]
        return await work.renew(list(held.values()), owner=owner, until=until)

    @act(is_narrow=True)
    async def release(self, work: ConnectorWork) -> None:
        until = self.clock.now() + datetime.timedelta(seconds=self.one([0, 3]))
        await work.release(self.claim(), owner=OWNERS[self.number], until=until)

    @act()
    async def add_calls(self, work: ConnectorWork) -> None:
        day = (self.clock.now() - datetime.timedelta(days=self.one([0, 1]))).date()
        await work.add_calls(
            [CallCount(ref, day, self.source.randint(1, 5)) for ref in self.some(REFS)]
        )

    @act(is_narrow=True)
    async def note_limit(self, work: ConnectorWork) -> None:
        await work.note_limit(self.claim(), limited_by=self.one(["", *LIMITS]))

    @act(weight=3, is_narrow=True)
    async def lease_limit(self, work: ConnectorWork) -> object:
        until = self.clock.now() + datetime.timedelta(seconds=20)
        owner = OWNERS[self.number]
        return await work.lease_limit(self.one(LIMITS), owner=owner, until=until)

    @act()
    async def renew_limits(self, work: ConnectorWork) -> object:
        until = self.clock.now() + datetime.timedelta(seconds=20)
        return await work.renew_limits(LIMITS, owner=OWNERS[self.number], until=until)

    @act(is_narrow=True)
    async def release_limit(self, work: ConnectorWork) -> None:
        until = self.clock.now() + datetime.timedelta(seconds=self.one([0, 3]))
        owner = OWNERS[self.number]
        await work.release_limit(self.one(LIMITS), owner=owner, until=until)

    @act()
    async def add_shared_calls(self, work: ConnectorWork) -> None:
        day = (self.clock.now() - datetime.timedelta(days=self.one([0, 1]))).date()
        counts = [SharedCount(each, day, 3) for each in self.some(LIMITS)]
        await work.add_shared_calls(counts)

    @act(weight=1)
    async def prune_limits(self, work: ConnectorWork) -> object:
        return await work.prune_limits(before=self.time())

    @act(is_narrow=True)
    async def save_scan(self, work: ConnectorWork) -> None:
        progress = ScanProgress(
            scan_id=self.maybe(self.one(SCANS)),
            scan_cursor=self.maybe("cursor"),
            scan_part=self.source.randint(0, 3),
            scan_page_count=1,
            scan_record_count=self.source.randint(0, 9),
            scan_expected_count=None,
            done_scan_id=self.maybe(self.one(SCANS)),
            changes_cursor="since",
        )
        await work.save_scan(self.claim(), progress, read_at=self.clock.now())

    @act(is_narrow=True)
    async def save_changes(self, work: ConnectorWork) -> None:
        await work.save_changes(
            self.claim(), cursor=self.maybe("cursor"), read_at=self.clock.now()
        )

    @act(is_narrow=True)
    async def finish_reading(self, work: ConnectorWork) -> None:
        await work.finish_reading(
            self.claim(),
            read_asks=self.account.read_asks if self.account else 1,
            due_at=self.time(),
            interval_s=300.0,
        )

    @act(is_narrow=True)
    async def note_failure(self, work: ConnectorWork) -> None:
        await work.note_failure(
            self.claim(),
            code=ErrorCode.APP_UNREACHABLE,
            is_lost=self.source.random() < 0.2,
            failures_before=self.source.randint(0, 2),
            read_asks=self.account.read_asks if self.account else 1,
            due_at=self.time(),
        )

    @act(is_narrow=True)
    async def count_waiting(self, work: ConnectorWork) -> object:
        return await work.count_waiting(self.one(REFS), limit=2)

    @act(weight=5)
    async def add_writes(self, work: ConnectorWork) -> None:
        writes = {write.intent_id: write for write in (self.write(), self.write())}
        await work.add_writes(
            self.one(REFS), self.one(CONNECTIONS), writes=list(writes.values())
        )

    @act(is_narrow=True)
    async def done_results(self, work: ConnectorWork) -> object:
        results = await work.done_results(
            self.one(REFS), self.one(CONNECTIONS), intent_ids=self.some(INTENTS, most=5)
        )
        return sorted(plain(results), key=repr)

    @act(weight=3, is_narrow=True)
    async def open_writes(self, work: ConnectorWork) -> object:
        state = self.one(["new", "sent"])
        but = self.some(INTENTS) if self.source.random() < 0.3 else []
        return await work.open_writes(self.one(REFS), state=state, but=but, limit=3)

    @act(weight=3)
    async def mark_sent(self, work: ConnectorWork) -> None:
        await work.mark_sent(self.claim(), self.some(INTENTS, most=2))

    @act()
    async def put_off(self, work: ConnectorWork) -> None:
        await work.put_off(
            self.claim(),
            [(each, ErrorCode.RATE_LIMITED) for each in self.some(INTENTS, most=2)],
        )

    @act(weight=3)
    async def save_results(self, work: ConnectorWork) -> object:
        results = [
            ContactWritten(
                intent_id=intent_id,
                kind=WriteKind.UPDATE,
                outcome=WriteOutcome.WRITTEN,
                read_at=self.clock.now(),
            )
            for intent_id in self.some(INTENTS, most=2)
        ]
        return await work.save_results(self.claim(), results)

    @act(is_narrow=True)
    async def finish_writing(self, work: ConnectorWork) -> None:
        await work.finish_writing(
            self.claim(),
            write_asks=self.account.write_asks if self.account else 1,
            write_at=self.maybe(self.time()),
            failures=self.source.randint(0, 2),
            code=self.maybe(ErrorCode.RATE_LIMITED),
        )

    @act(is_narrow=True)
    async def step_back(self, work: ConnectorWork) -> None:
        await work.step_back(self.claim())

    @act(weight=1)
    async def prune_writes(self, work: ConnectorWork) -> object:
        return await work.prune_writes(before=self.time(), limit=100)

    @act(is_narrow=True)
    async def hold(self, work: ConnectorWork) -> None:
        await work.hold(self.claim())
