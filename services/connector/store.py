"""The connector's queries, one method each; the caller owns the transaction.

Accounts and their reading are here, what concerns writes is in ``journal``.
"""

import datetime
from collections.abc import Sequence

import msgspec

from proto import subjects
from proto.connector import ContactsObserved
from proto.errors import ErrorCode
from proto.ids import AccountId, AppId, RecordId, TenantId
from services.chassis.database import Row
from services.connector import fencing
from services.connector.accounts import (
    Account,
    AccountRef,
    CallCount,
    Claim,
    ScanProgress,
    SharedCount,
    WantedRead,
)
from services.connector.fencing import Q
from services.connector.journal import JournalWork


class ConnectorWork(JournalWork):
    """What the connector does inside one transaction."""

    async def get_account(
        self, tenant_id: TenantId, account_id: AccountId
    ) -> Account | None:
        """Return an account as it stands."""
        query = Q["get_account"](tenant_id=tenant_id, account_id=account_id)
        row = await self.transaction.fetch_row(query)
        return None if row is None else msgspec.convert(dict(row), Account)

    async def follow(
        self,
        ref: AccountRef,
        *,
        is_wanted: bool,
        scan_id: str | None,
        asked_at: datetime.datetime,
    ) -> None:
        """Note what an account is needed for."""
        await self.transaction.execute(
            Q["follow_account"](
                **fencing.key(ref),
                app=ref.app,
                is_wanted=is_wanted,
                scan_id=scan_id,
                asked_at=asked_at,
                now=self.clock.now(),
            )
        )

    async def make_due(self, tenant_id: TenantId, account_id: AccountId) -> None:
        """Have an account read at once."""
        now = self.clock.now()
        query = Q["make_due"](tenant_id=tenant_id, account_id=account_id, now=now)
        await self.transaction.execute(query)

    async def make_due_after_push(
        self, pushed: Sequence[tuple[TenantId, AccountId]]
    ) -> set[tuple[TenantId, AccountId]]:
        """Have accounts read at once whose apps told of changes.

        Returns:
            Those that we are writing to, so that what is told is mostly our doing.
        """
        rows = await self.transaction.fetch(
            Q["make_due_after_push"](
                tenant_ids=[tenant_id for tenant_id, _ in pushed],
                account_ids=[account_id for _, account_id in pushed],
                now=self.clock.now(),
            )
        )
        return {
            (row["tenant_id"], row["account_id"])
            for row in rows
            if row["has_open_writes"]
        }

    async def want_reads(
        self,
        tenant_id: TenantId,
        account_id: AccountId,
        *,
        record_ids: Sequence[RecordId],
        control_ids: Sequence[RecordId] = (),
    ) -> None:
        """Note records that are to be read by id, and others to be read beside them."""
        wanted = dict.fromkeys(control_ids, True) | dict.fromkeys(record_ids, False)
        ordered = sorted(wanted)
        await self.transaction.execute(
            Q["want_reads"](
                tenant_id=tenant_id,
                account_id=account_id,
                record_ids=ordered,
                are_controls=[wanted[each] for each in ordered],
                now=self.clock.now(),
            )
        )

    async def wanted_reads(
        self, ref: AccountRef, *, before: datetime.datetime, limit: int
    ) -> list[WantedRead]:
        """Return records that wait to be read by id."""
        query = Q["wanted_reads"](**fencing.key(ref), before=before, limit=limit)
        rows = await self.transaction.fetch(query)
        return [WantedRead(row["record_id"], row["asked_at"]) for row in rows]

    async def controls(self, ref: AccountRef, *, limit: int) -> list[WantedRead]:
        """Return records to be read beside those that were asked for, newest first."""
        query = Q["controls"](**fencing.key(ref), limit=limit)
        rows = await self.transaction.fetch(query)
        return [WantedRead(row["record_id"], row["asked_at"]) for row in rows]

    async def forget_controls(
        self, ref: AccountRef, *, before: datetime.datetime
    ) -> None:
        """Forget controls once nothing waits any more."""
        query = Q["forget_controls"](**fencing.key(ref), before=before)
        await self.transaction.execute(query)

    async def forget_wanted_reads(
        self, ref: AccountRef, reads: Sequence[WantedRead]
    ) -> None:
        """Forget requests that are answered."""
        await self.transaction.execute(
            Q["forget_wanted_reads"](
                **fencing.key(ref),
                record_ids=[read.record_id for read in reads],
                asked_at=[read.asked_at for read in reads],
            )
        )

    async def put_back_reads(
        self, ref: AccountRef, reads: Sequence[WantedRead], *, until: datetime.datetime
    ) -> None:
        """Let requests wait that could not be answered."""
        await self.transaction.execute(
            Q["put_back_reads"](
                **fencing.key(ref),
                record_ids=[read.record_id for read in reads],
                asked_at=[read.asked_at for read in reads],
                until=until,
            )
        )

    async def set_authorised(
        self,
        tenant_id: TenantId,
        account_id: AccountId,
        *,
        is_lost: bool,
        at: datetime.datetime,
    ) -> None:
        """Note whether auth has usable credentials."""
        await self.transaction.execute(
            Q["set_authorised"](
                tenant_id=tenant_id,
                account_id=account_id,
                is_lost=is_lost,
                error_code=ErrorCode.ACCOUNT_LOST,
                at=at,
                now=self.clock.now(),
            )
        )

    async def claim(
        self,
        *,
        is_writing: bool,
        owner: str,
        until: datetime.datetime,
        busy: Sequence[AccountRef],
        limit: int,
    ) -> list[Claim]:
        """Lease accounts that are due for reading or for writing."""
        template = Q["claim_writing"] if is_writing else Q["claim_due"]
        rows = await self.transaction.fetch(
            template(
                owner=owner,
                until=until,
                now=self.clock.now(),
                busy_tenants=[ref.tenant_id for ref in busy],
                busy_accounts=[ref.account_id for ref in busy],
                limit=limit,
            )
        )
        return [_claim(row) for row in rows]

    async def claim_one(
        self, ref: AccountRef, *, owner: str, until: datetime.datetime
    ) -> Claim | None:
        """Lease an account whether or not it is due; None if another replica has it."""
        row = await self.transaction.fetch_row(
            Q["claim_one"](
                tenant_id=ref.tenant_id,
                account_id=ref.account_id,
                app=ref.app,
                owner=owner,
                until=until,
                now=self.clock.now(),
            )
        )
        return None if row is None else _claim(row)

    async def renew(
        self, claims: Sequence[Claim], *, owner: str, until: datetime.datetime
    ) -> set[tuple[str, str]]:
        """Keep leases; return the keys of those that are still ours."""
        rows = await self.transaction.fetch(
            Q["renew_leases"](
                tenant_ids=[claim.ref.tenant_id for claim in claims],
                account_ids=[claim.ref.account_id for claim in claims],
                versions=[claim.version for claim in claims],
                owner=owner,
                until=until,
            )
        )
        return {(row["tenant_id"], row["account_id"]) for row in rows}

    async def release(
        self, claim: Claim, *, owner: str, until: datetime.datetime
    ) -> None:
        """Give a lease back; until an instant only we may claim it."""
        await self.transaction.execute(
            Q["release_lease"](**fencing.fence(claim), owner=owner, until=until)
        )

    async def add_calls(self, calls: Sequence[CallCount]) -> None:
        """Count calls that were made."""
        await self.transaction.execute(
            Q["add_calls"](
                tenant_ids=[ref.tenant_id for ref, _, _ in calls],
                account_ids=[ref.account_id for ref, _, _ in calls],
                days=[day for _, day, _ in calls],
                counts=[count for _, _, count in calls],
            )
        )

    async def note_limit(self, claim: Claim, *, limited_by: str) -> None:
        """Note whose calls are counted together with an account's; empty: nobody's."""
        await self.transaction.execute(
            Q["note_limit"](**fencing.fence(claim), limited_by=limited_by)
        )

    async def lease_limit(
        self, limited_by: str, *, owner: str, until: datetime.datetime
    ) -> SharedCount | None:
        """Lease a shared limit; None if another replica has it."""
        now = self.clock.now()
        row = await self.transaction.fetch_row(
            Q["lease_limit"](limited_by=limited_by, owner=owner, until=until, now=now)
        )
        if row is None:
            return None
        return SharedCount(
            limited_by, row["calls_day"] or now.date(), row["calls_today"]
        )

    async def renew_limits(
        self, limited_by: Sequence[str], *, owner: str, until: datetime.datetime
    ) -> set[str]:
        """Keep leases of shared limits; return those that are still ours."""
        rows = await self.transaction.fetch(
            Q["renew_limits"](limited_by=list(limited_by), owner=owner, until=until)
        )
        return {row["limited_by"] for row in rows}

    async def release_limit(
        self, limited_by: str, *, owner: str, until: datetime.datetime
    ) -> None:
        """Give a shared limit back; until an instant only we may lease it."""
        await self.transaction.execute(
            Q["release_limit"](limited_by=limited_by, owner=owner, until=until)
        )

    async def add_shared_calls(self, calls: Sequence[SharedCount]) -> None:
        """Count calls that are counted together."""
        await self.transaction.execute(
            Q["add_shared_calls"](
                limited_by=[each.limited_by for each in calls],
                days=[each.day for each in calls],
                counts=[each.calls for each in calls],
            )
        )

    async def prune_limits(self, *, before: datetime.datetime) -> int:
        """Drop limits that nobody holds or has held since; return how many."""
        return await self.transaction.execute(Q["prune_limits"](before=before))

    async def save_scan(
        self, claim: Claim, progress: ScanProgress, *, read_at: datetime.datetime
    ) -> None:
        """Store how far a scan is."""
        await self.fenced(
            Q["save_scan"](
                **fencing.fence(claim),
                **msgspec.structs.asdict(progress),
                read_at=read_at,
            )
        )

    async def save_changes(
        self, claim: Claim, *, cursor: str | None, read_at: datetime.datetime
    ) -> None:
        """Store where the changes were read to."""
        await self.fenced(
            Q["save_changes"](
                **fencing.fence(claim), changes_cursor=cursor, read_at=read_at
            )
        )

    async def finish_reading(
        self,
        claim: Claim,
        *,
        read_asks: int,
        due_at: datetime.datetime,
        interval_s: float,
    ) -> None:
        """Store when an account is to be read again."""
        await self.fenced(
            Q["finish_reading"](
                **fencing.fence(claim),
                read_asks=read_asks,
                due_at=due_at,
                interval_s=interval_s,
            )
        )

    async def note_failure(
        self,
        claim: Claim,
        *,
        code: ErrorCode,
        is_lost: bool,
        failures_before: int,
        read_asks: int,
        due_at: datetime.datetime,
    ) -> None:
        """Store why reading failed and when to try again."""
        await self.fenced(
            Q["note_failure"](
                **fencing.fence(claim),
                error_code=code,
                is_lost=is_lost,
                failures_before=failures_before,
                read_asks=read_asks,
                due_at=due_at,
                now=self.clock.now(),
            )
        )

    async def count_waiting(self, ref: AccountRef, *, limit: int) -> int:
        """Return how many of the account's observations have no receipt yet."""
        subject = f"{subjects.base_subject(ContactsObserved)}.{ref.account_id}"
        query = Q["count_waiting"](
            tenant_id=ref.tenant_id, subject=subject, limit=limit
        )
        row = await self.transaction.fetch_row(query)
        return int(row["waiting"]) if row else 0


def _claim(row: Row) -> Claim:
    ref = AccountRef(row["tenant_id"], row["account_id"], AppId(row["app"]))
    return Claim(
        ref,
        row["lease_version"],
        row["calls_day"],
        row["calls_today"],
        row["limited_by"],
    )
