"""The connector's queries, one method each; the caller owns the transaction."""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from proto import codec, subjects
from proto.connector import (
    ContactsObserved,
    ContactWrite,
    ContactWritten,
    WriteKind,
)
from proto.errors import ErrorCode
from proto.ids import AccountId, AppId, ConnectionId, IntentId, RecordId, TenantId
from services.chassis import queries
from services.chassis.database import Row
from services.chassis.queries import Query
from services.chassis.store import Work
from services.connector.accounts import (
    Account,
    AccountRef,
    Claim,
    OpenWrite,
    ScanProgress,
    WantedRead,
)
from services.connector.errors import Fenced

Q = queries.load(Path(__file__).parent / "sql" / "queries.sql")


class ConnectorWork(Work):
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
                **_key(ref),
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

    async def want_reads(
        self,
        tenant_id: TenantId,
        account_id: AccountId,
        *,
        record_ids: Sequence[RecordId],
    ) -> None:
        """Note records that are to be read by id."""
        await self.transaction.execute(
            Q["want_reads"](
                tenant_id=tenant_id,
                account_id=account_id,
                record_ids=sorted(set(record_ids)),
                now=self.clock.now(),
            )
        )

    async def wanted_reads(self, ref: AccountRef, *, limit: int) -> list[WantedRead]:
        """Return records that wait to be read by id."""
        query = Q["wanted_reads"](**_key(ref), limit=limit)
        rows = await self.transaction.fetch(query)
        return [WantedRead(row["record_id"], row["asked_at"]) for row in rows]

    async def forget_wanted_reads(
        self, ref: AccountRef, reads: Sequence[WantedRead]
    ) -> None:
        """Forget requests that are answered."""
        await self.transaction.execute(
            Q["forget_wanted_reads"](
                **_key(ref),
                record_ids=[read.record_id for read in reads],
                asked_at=[read.asked_at for read in reads],
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

    async def release(self, claim: Claim, *, owner: str) -> None:
        """Give a lease back."""
        await self.transaction.execute(Q["release_lease"](**_fence(claim), owner=owner))

    async def add_calls(
        self, calls: Sequence[tuple[AccountRef, datetime.date, int]]
    ) -> None:
        """Count calls that were made."""
        await self.transaction.execute(
            Q["add_calls"](
                tenant_ids=[ref.tenant_id for ref, _, _ in calls],
                account_ids=[ref.account_id for ref, _, _ in calls],
                days=[day for _, day, _ in calls],
                counts=[count for _, _, count in calls],
            )
        )

    async def save_scan(
        self, claim: Claim, progress: ScanProgress, *, read_at: datetime.datetime
    ) -> None:
        """Store how far a scan is."""
        await self._fenced(
            Q["save_scan"](
                **_fence(claim), **msgspec.structs.asdict(progress), read_at=read_at
            )
        )

    async def save_changes(
        self, claim: Claim, *, cursor: str | None, read_at: datetime.datetime
    ) -> None:
        """Store where the changes were read to."""
        await self._fenced(
            Q["save_changes"](**_fence(claim), changes_cursor=cursor, read_at=read_at)
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
        await self._fenced(
            Q["finish_reading"](
                **_fence(claim),
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
        await self._fenced(
            Q["note_failure"](
                **_fence(claim),
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

    async def add_writes(
        self,
        ref: AccountRef,
        connection_id: ConnectionId,
        *,
        writes: Sequence[ContactWrite],
    ) -> None:
        """Put intents into the journal and have them carried out."""
        now = self.clock.now()
        if looks := [write for write in writes if write.kind is WriteKind.LOOK]:
            await self.transaction.execute(
                Q["reopen_for_look"](
                    **_key(ref),
                    connection_id=connection_id,
                    intent_ids=[look.intent_id for look in looks],
                    payloads=[codec.encode(look) for look in looks],
                    now=now,
                )
            )
        await self.transaction.execute(
            Q["add_writes"](
                **_key(ref),
                connection_id=connection_id,
                intent_ids=[write.intent_id for write in writes],
                payloads=[codec.encode(write) for write in writes],
                now=now,
            )
        )
        await self.transaction.execute(
            Q["make_writing_due"](**_key(ref), app=ref.app, now=now)
        )

    async def done_results(
        self,
        ref: AccountRef,
        connection_id: ConnectionId,
        *,
        intent_ids: Sequence[IntentId],
    ) -> list[ContactWritten]:
        """Return the answers to intents that were carried out before."""
        rows = await self.transaction.fetch(
            Q["done_results"](
                **_key(ref), connection_id=connection_id, intent_ids=list(intent_ids)
            )
        )
        return [codec.decode(row["result"], ContactWritten) for row in rows]

    async def open_writes(
        self, ref: AccountRef, *, state: str, limit: int
    ) -> list[OpenWrite]:
        """Return intents that are ``new`` or ``sent``, oldest first."""
        rows = await self.transaction.fetch(
            Q["open_writes"](**_key(ref), state=state, limit=limit)
        )
        return [_open_write(row) for row in rows]

    async def mark_sent(self, claim: Claim, intent_ids: Sequence[IntentId]) -> None:
        """Note that these are about to be sent."""
        await self.hold(claim)
        count = await self.transaction.execute(
            Q["mark_sent"](
                **_key(claim.ref), intent_ids=list(intent_ids), now=self.clock.now()
            )
        )
        if count != len(intent_ids):
            raise Fenced(claim.ref.account_id)

    async def put_off(
        self, claim: Claim, reasons: Sequence[tuple[IntentId, ErrorCode]]
    ) -> None:
        """Have intents tried again later."""
        await self.transaction.execute(
            Q["put_off"](
                **_key(claim.ref),
                intent_ids=[intent_id for intent_id, _ in reasons],
                reasons=[reason for _, reason in reasons],
            )
        )

    async def save_results(
        self, claim: Claim, results: Sequence[ContactWritten]
    ) -> set[IntentId]:
        """Close intents; return those that were still open."""
        rows = await self.transaction.fetch(
            Q["save_results"](
                **_key(claim.ref),
                intent_ids=[result.intent_id for result in results],
                results=[codec.encode(result) for result in results],
                now=self.clock.now(),
            )
        )
        return {row["intent_id"] for row in rows}

    async def finish_writing(
        self,
        claim: Claim,
        *,
        write_asks: int,
        write_at: datetime.datetime | None,
        failures: int,
    ) -> None:
        """Store when to look at an account's writes again."""
        await self._fenced(
            Q["finish_writing"](
                **_fence(claim),
                write_asks=write_asks,
                write_at=write_at,
                write_failures=failures,
            )
        )

    async def prune_writes(self, *, before: datetime.datetime, limit: int) -> int:
        """Drop a batch of old answers; return how many."""
        query = Q["prune_writes"](before=before, limit=limit)
        return await self.transaction.execute(query)

    async def hold(self, claim: Claim) -> None:
        """Make sure that the account stays ours until the transaction ends.

        Raises:
            Fenced: It is not ours any more.
        """
        if await self.transaction.fetch_row(Q["hold_lease"](**_fence(claim))) is None:
            raise Fenced(claim.ref.account_id)

    async def _fenced(self, query: Query) -> None:
        if not await self.transaction.execute(query):
            raise Fenced(query.name)


def _key(ref: AccountRef) -> dict[str, Any]:
    return {"tenant_id": ref.tenant_id, "account_id": ref.account_id}


def _fence(claim: Claim) -> dict[str, Any]:
    return {**_key(claim.ref), "lease_version": claim.version}


def _claim(row: Row) -> Claim:
    ref = AccountRef(row["tenant_id"], row["account_id"], AppId(row["app"]))
    return Claim(ref, row["lease_version"], row["calls_day"], row["calls_today"])


def _open_write(row: Row) -> OpenWrite:
    return OpenWrite(
        row["connection_id"],
        codec.decode(row["payload"], ContactWrite),
        row["sent_at"],
        None if row["reason"] is None else ErrorCode(row["reason"]),
    )
