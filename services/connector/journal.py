"""The journal of writes: each intent as new, sent or done, with its answer."""

import datetime
from collections.abc import Sequence

from proto import codec
from proto.connector import ContactWrite, ContactWritten, WriteKind
from proto.errors import ErrorCode
from proto.ids import ConnectionId, IntentId
from services.chassis.database import Row
from services.connector import fencing
from services.connector.accounts import AccountRef, Claim, OpenWrite
from services.connector.errors import Fenced
from services.connector.fencing import FencedWork, Q


class JournalWork(FencedWork):
    """What the connector does with its journal inside one transaction."""

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
                    **fencing.key(ref),
                    connection_id=connection_id,
                    intent_ids=[look.intent_id for look in looks],
                    payloads=[codec.encode(look) for look in looks],
                    now=now,
                )
            )
        await self.transaction.execute(
            Q["add_writes"](
                **fencing.key(ref),
                connection_id=connection_id,
                intent_ids=[write.intent_id for write in writes],
                payloads=[codec.encode(write) for write in writes],
                are_urgent=[write.is_urgent for write in writes],
                now=now,
            )
        )
        await self.transaction.execute(
            Q["make_writing_due"](**fencing.key(ref), app=ref.app, now=now)
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
                **fencing.key(ref),
                connection_id=connection_id,
                intent_ids=list(intent_ids),
            )
        )
        return [codec.decode(row["result"], ContactWritten) for row in rows]

    async def open_writes(
        self, ref: AccountRef, *, state: str, but: Sequence[IntentId], limit: int
    ) -> list[OpenWrite]:
        """Return intents that are ``new`` or ``sent``, urgent and oldest first."""
        rows = await self.transaction.fetch(
            Q["open_writes"](
                **fencing.key(ref), state=state, but=list(but), limit=limit
            )
        )
        return [_open_write(row) for row in rows]

    async def mark_sent(self, claim: Claim, intent_ids: Sequence[IntentId]) -> None:
        """Note that these are about to be sent."""
        await self.hold(claim)
        count = await self.transaction.execute(
            Q["mark_sent"](
                **fencing.key(claim.ref),
                intent_ids=list(intent_ids),
                now=self.clock.now(),
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
                **fencing.key(claim.ref),
                intent_ids=[intent_id for intent_id, _ in reasons],
                reasons=[reason for _, reason in reasons],
                now=self.clock.now(),
            )
        )

    async def save_results(
        self, claim: Claim, results: Sequence[ContactWritten]
    ) -> set[IntentId]:
        """Close intents; return those that were still open."""
        rows = await self.transaction.fetch(
            Q["save_results"](
                **fencing.key(claim.ref),
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
        code: ErrorCode | None,
    ) -> None:
        """Store when to look at an account's writes again, and what holds them up."""
        await self.fenced(
            Q["finish_writing"](
                **fencing.fence(claim),
                write_asks=write_asks,
                write_at=write_at,
                write_failures=failures,
                write_error_code=code,
            )
        )

    async def step_back(self, claim: Claim) -> None:
        """Let others have their turn before an account's writes go on."""
        now = self.clock.now()
        await self.fenced(Q["step_back"](**fencing.fence(claim), now=now))

    async def prune_writes(self, *, before: datetime.datetime, limit: int) -> int:
        """Drop a batch of old answers; return how many."""
        query = Q["prune_writes"](before=before, limit=limit)
        return await self.transaction.execute(query)


def _open_write(row: Row) -> OpenWrite:
    return OpenWrite(
        row["connection_id"],
        codec.decode(row["payload"], ContactWrite),
        row["sent_at"],
        None if row["reason"] is None else ErrorCode(row["reason"]),
        row["is_urgent"],
    )
