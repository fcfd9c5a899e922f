"""What a user of the reconciler's tables can do to be careful.

Guards against mass changes, questions about records that are missed, comparisons of
both sides in full, and databases that were restored.
"""

from proto.ids import ErasureId
from services.chassis.store import Work
from services.reconciler.engine.model import Seen
from services.reconciler.store import (
    claims,
    connections,
    erasures,
    guards,
    intents,
    leftovers,
    observations,
    suppressions,
    sweeps,
)
from services.reconciler.store.connections import StoredConnection
from services.reconciler.store.suppressions import Suppression
from services.reconciler.store.sweeps import CompleteScan
from tests.contract.stores.program import act, plain
from tests.contract.stores.reconciler_records import RecordsPlayer
from tests.contract.stores.reconciler_words import (
    ACCOUNTS,
    CONNECTIONS,
    DIGESTS,
    REASONS,
    RECORDS,
    SCANS,
    SIDES,
    TENANT,
)


class CarePlayer(RecordsPlayer):
    """A replica that holds back, asks again and compares."""

    claimed: StoredConnection | None = None

    def ours(self) -> StoredConnection:
        """Return the connection that is claimed, mostly."""
        return self.one([self.claimed or self.connection(), self.connection()])

    def note(self, found: StoredConnection | None) -> StoredConnection | None:
        """Go by this from now on."""
        if found is not None:
            self.known[found.tenant_id, found.connection_id] = found
        return found

    # Guards.

    @act(weight=4, is_narrow=True, group="guards")
    async def count_undone(self, work: Work) -> object:
        connection = self.ours()
        return [
            await guards.count_destructive(
                work.transaction, connection, since=self.time()
            ),
            await guards.count_two_sided(work.transaction, connection),
            await guards.count_gone(work.transaction, connection, side=self.one(SIDES)),
        ]

    @act(weight=3, group="guards")
    async def trip(self, work: Work) -> object:
        here = sorted({each for tenant_id, each in CONNECTIONS if tenant_id == TENANT})
        tripped = await guards.trip(
            work.transaction,
            self.some(here),
            tenant_id=TENANT,
            side=self.one(SIDES),
            now=self.clock.now(),
        )
        return sorted(tripped)

    @act(is_narrow=True, group="guards")
    async def approve(self, work: Work) -> None:
        await guards.approve(work.transaction, self.connection(), until=self.time())

    @act(weight=3, is_narrow=True, group="guards")
    async def mark_held(self, work: Work) -> None:
        await guards.mark_held(
            work.transaction, self.connection(), reason=self.one(REASONS)
        )

    # Records that an app does not know.

    @act(weight=4, group="missing")
    async def note_missing(self, work: Work) -> object:
        missing: list[Seen] = [self.seen(each) for each in self.some(RECORDS)]
        return await observations.note_missing(
            work.transaction,
            missing,
            tenant_id=TENANT,
            account_id=self.account(),
            now=self.time(),
        )

    @act(weight=3, group="missing")
    async def claim_missing(self, work: Work) -> object:
        return await observations.claim_missing(
            work.transaction, now=self.clock.now(), limit=100
        )

    @act(is_narrow=True, group="missing")
    async def find_controls(self, work: Work) -> object:
        # Few enough are left that all of them are found.
        assert len(RECORDS) - 1 <= observations.CONTROLS_MAX
        account_id = self.account()
        return [
            await observations.find_controls(
                work.transaction,
                self.some(RECORDS),
                tenant_id=TENANT,
                account_id=account_id,
            ),
            await observations.count_live(
                work.transaction, tenant_id=TENANT, account_id=account_id
            ),
            await observations.is_any_shown(
                work.transaction,
                tenant_id=TENANT,
                account_id=account_id,
                since=self.time(),
            ),
        ]

    @act(weight=3, is_narrow=True)
    async def lock_observations(self, work: Work) -> object:
        return await observations.lock(
            work.transaction,
            self.some(RECORDS),
            tenant_id=TENANT,
            account_id=self.account(),
        )

    # Comparisons in full.

    @act(weight=3, is_narrow=True, group="sweeps")
    async def lock_unswept(self, work: Work) -> object:
        found = await sweeps.lock_due(work.transaction, before=self.time())
        return self.note(found)

    @act(weight=3, is_narrow=True, group="sweeps")
    async def await_sweep(self, work: Work) -> None:
        await sweeps.wait_for(
            work.transaction,
            self.connection(),
            left_scan=self.one(SCANS),
            right_scan=self.one(SCANS),
            asked_at=self.time(),
        )

    @act(weight=3, group="sweeps")
    async def note_swept(self, work: Work) -> object:
        scan = CompleteScan(
            tenant_id=self.tenant(),
            account_id=self.account(),
            scan_id=self.one(SCANS),
            begun_at=self.time(),
        )
        found = await sweeps.find_waiting(work.transaction, scan)
        here = [each for tenant_id, each in CONNECTIONS if tenant_id == scan.tenant_id]
        ids = [each.connection_id for each in found] if found else self.some(here)
        noted = await sweeps.note_scan(work.transaction, scan, connection_ids=ids)
        return sorted(plain([*found, *noted]), key=repr)

    # People who were erased.

    @act(weight=3, group="erased")
    async def suppress(self, work: Work) -> None:
        digests = self.some(DIGESTS)
        await suppressions.add(
            work.transaction,
            {
                digest: Suppression(
                    digest,
                    self.one(["", *ACCOUNTS]),
                    self.one([ErasureId("eras_1"), ErasureId("eras_2")]),
                )
                for digest in digests
            },
            tenant_id=TENANT,
            key_id=self.one(["k1", "k2"]),
            now=self.clock.now(),
            is_seen=self.one([True, False]),
        )

    @act(weight=3, is_narrow=True, group="erased")
    async def find_suppressed(self, work: Work) -> object:
        found = await suppressions.find(
            work.transaction, self.some(DIGESTS), tenant_id=TENANT
        )
        count = await suppressions.count(
            work.transaction, self.some(ACCOUNTS), tenant_id=TENANT
        )
        keys = await suppressions.list_keys(work.transaction)
        return sorted(found.items()), count, sorted(keys)

    @act(weight=1, group="erased")
    async def claim_erasure(self, work: Work) -> object:
        return await erasures.claim(work.transaction, now=self.clock.now())

    @act(weight=2, group="erased")
    async def forget(self, work: Work) -> object:
        before = self.time()
        return [
            await leftovers.forget_history(work.transaction, before=before, limit=100),
            await leftovers.forget_erasures(work.transaction, before=before, limit=9),
        ]

    # Restored databases.

    @act(weight=1, group="restored")
    async def forget_epochs(self, work: Work) -> object:
        return await claims.forget_epochs(work.transaction)

    @act(weight=1, group="restored")
    async def look_at_all(self, work: Work) -> None:
        await intents.look_at_all(
            work.transaction, self.connection(), now=self.clock.now()
        )

    @act(weight=2, is_narrow=True, group="restored")
    async def lock_unverified(self, work: Work) -> object:
        """Have a connection scanned whose state comes from another database."""
        unverified = await claims.find_unverified(work.transaction)
        if unverified is None:
            return None
        found = self.note(
            await claims.lock_unverified(
                work.transaction, connection_id=unverified.connection_id
            )
        )
        if found is not None and self.source.random() < 0.7:
            await connections.await_scans(
                work.transaction,
                found,
                left_scan=self.one(SCANS),
                right_scan=self.one(SCANS),
                now=self.clock.now(),
            )
        return found
