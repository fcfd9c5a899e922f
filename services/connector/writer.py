"""Carries out what the journal holds, account by account, in chunks.

Intents are marked as sent just before they are, in one statement, and never sent
twice: what a crash left marked is answered with an unknown outcome. Answers and the
messages that tell them share a transaction.
"""

import asyncio
import datetime
from collections.abc import Sequence
from typing import Final

import structlog

from proto.base import Message
from proto.connector import ContactsWritten, ContactWritten, WriteOutcome
from proto.errors import ErrorCode
from proto.ids import ConnectionId, IntentId
from services.chassis.clock import Clock
from services.chassis.store import Store
from services.chassis.tenancy import ALL_TENANTS
from services.connector import accounts, batches, grouping, kept, pacing
from services.connector.accounts import Account, AccountRef, Claim, OpenWrite
from services.connector.answers import Outcome, PutOff
from services.connector.carrier import Carrier
from services.connector.config import Config
from services.connector.errors import CallFailed, Fenced, UnknownApp
from services.connector.pacing import Lane
from services.connector.store import ConnectorWork
from services.connector.transport import OpenAccount, Transport
from services.connector.turns import Leases, Turns

log = structlog.get_logger()

RECOVER_MAX: Final = 500
PRUNE_BATCH: Final = 5_000
PUT_OFF_S: Final = 5.0
"""When to try again what others did not have to wait for."""
PUT_OFF_MAX: Final = 500
"""So much that has to be tried again ends a turn."""
TURN_S: Final = 15.0
"""A turn that is longer ends where other accounts wait for one."""


class Writer:
    """Gives accounts with open intents their turns of writing."""

    def __init__(
        self,
        store: Store[ConnectorWork],
        transport: Transport,
        *,
        leases: Leases,
        settings: Config,
        clock: Clock,
    ) -> None:
        self._store = store
        self._transport = transport
        self._leases = leases
        self._clock = clock
        self._stopping: asyncio.Event | None = None
        self.turns = Turns(
            "writer",
            self.write,
            is_writing=True,
            leases=leases,
            at_once_max=settings.accounts_at_once_max,
            idle_s=settings.idle_s,
            clock=clock,
        )

    async def run(self, stopping: asyncio.Event) -> None:
        """Write what is due until told to stop."""
        self._stopping = stopping
        await self.turns.run(stopping)

    async def prune(self) -> bool:
        """Drop a batch of old answers."""
        async with self._store.transaction(ALL_TENANTS) as work:
            count = await work.prune_writes(
                before=self._clock.now() - kept.ANSWERS, limit=PRUNE_BATCH
            )
        return count == PRUNE_BATCH

    async def write(self, claim: Claim) -> None:
        """Give one account its turn."""
        async with self._store.transaction(claim.ref.tenant_id) as work:
            account = await work.get_account(claim.ref.tenant_id, claim.ref.account_id)
        if account is None or account.lease_version != claim.version:
            raise Fenced(claim.ref.account_id)
        await self._recover(claim)
        put_off: list[PutOff] = []
        began_s = self._clock.monotonic()
        while len(put_off) < PUT_OFF_MAX:
            if self._stopping is not None and self._stopping.is_set():
                # It stays due.
                return
            if self._is_long(began_s) and not self.turns.has_room:
                # It stays due as well, but behind those that wait for a turn.
                async with self._store.transaction(claim.ref.tenant_id) as work:
                    await work.step_back(claim)
                return
            found = await self._write_chunk(claim, account, put_off=put_off)
            if found is None:
                break
            put_off += found
            if any(item.is_of_account for item in found):
                break
        await self._finish(claim, account, put_off=put_off)

    async def _finish(
        self, claim: Claim, account: Account, *, put_off: Sequence[PutOff]
    ) -> None:
        """Store when to go on; only what concerns the whole account holds it up."""
        of_account = [item for item in put_off if item.is_of_account]
        failures, write_at, lasting = 0, None, None
        if of_account:
            failures = account.write_failures + 1
            retry_after_s = max(item.retry_after_s for item in of_account)
            delay_s = accounts.write_back_off_s(failures, retry_after_s=retry_after_s)
            write_at = self._in(delay_s)
            reasons = (item.reason for item in of_account)
            lasting = next((one for one in reasons if one not in _PASSING), None)
        elif put_off:
            write_at = self._in(PUT_OFF_S)
        async with self._store.transaction(claim.ref.tenant_id) as work:
            await work.finish_writing(
                claim,
                write_asks=account.write_asks,
                write_at=write_at,
                failures=failures,
                code=lasting,
            )

    def _in(self, seconds: float) -> datetime.datetime:
        return self._clock.now() + datetime.timedelta(seconds=seconds)

    def _is_long(self, began_s: float) -> bool:
        return self._clock.monotonic() - began_s >= TURN_S

    async def _write_chunk(
        self, claim: Claim, account: Account, *, put_off: Sequence[PutOff]
    ) -> list[PutOff] | None:
        """Carry out the oldest intents but those put off; None when there are none.

        What carries an unsubscribe goes first and alone, so that it waits for nothing
        that others have to be checked for.
        """
        size, opened = await self._prepare(claim, account)
        async with self._store.transaction(claim.ref.tenant_id) as work:
            writes = await work.open_writes(
                claim.ref,
                state="new",
                but=[item.intent_id for item in put_off],
                limit=size,
            )
        if not writes:
            return None
        is_full = len(writes) == size
        writes = [item for item in writes if item.is_urgent] or writes
        if isinstance(opened, ErrorCode):
            answers = self._unusable(writes, opened)
        else:
            costs = pacing.costs(
                [item.write.kind for item in writes],
                capabilities=opened.manifest.capabilities,
                alone=grouping.alone(opened, writes),
            )
            room = self._transport.lines.chunk_room(claim.ref)
            count = pacing.affordable(costs, room=room)
            is_full = is_full or count < len(writes)
            writes = writes[:count]
            began_s = self._clock.monotonic()
            answers, waited_s = await self._carry_out(claim, writes, opened=opened)
            # With fewer writes the app would have it wait just as long.
            took_s = max(0.0, self._clock.monotonic() - began_s - waited_s)
            self._transport.lines.note_chunk(
                claim.ref, cost=sum(costs[:count]), is_full=is_full, took_s=took_s
            )
        results = [answer for answer in answers if isinstance(answer, ContactWritten)]
        later = [answer for answer in answers if isinstance(answer, PutOff)]
        await self._tell(claim, writes, results=results, put_off=later)
        _log_chunk(results, later)
        return later

    async def _carry_out(
        self, claim: Claim, writes: Sequence[OpenWrite], *, opened: OpenAccount
    ) -> tuple[list[Outcome], float]:
        """Check intents, note what is about to be sent, and send it.

        Returns:
            What became of them, and how long the app had all wait.
        """
        is_urgent = all(item.is_urgent for item in writes)
        carrier = Carrier(
            self._transport,
            opened,
            is_ours=lambda: self._leases.is_ours(claim),
            borrow=self._leases.borrowed,
            clock=self._clock,
            lane=Lane.CONSENT if is_urgent else Lane.WRITE,
        )
        answers = await carrier.check(writes)
        if ready := carrier.ready:
            async with self._store.transaction(claim.ref.tenant_id) as work:
                await work.mark_sent(claim, [write.intent_id for write in ready])
        answers += await carrier.send()
        return answers, carrier.waited_s

    async def _prepare(
        self, claim: Claim, account: Account
    ) -> tuple[int, OpenAccount | ErrorCode]:
        """Return how much to take in hand, and where to or why nowhere."""
        if account.is_lost:
            return RECOVER_MAX, ErrorCode.ACCOUNT_LOST
        try:
            opened = await self._transport.open(claim.ref)
        except UnknownApp as err:
            return RECOVER_MAX, err.code
        except CallFailed as err:
            return RECOVER_MAX, err.code
        room = self._transport.lines.chunk_room(claim.ref)
        size = pacing.chunk_size(room, capabilities=opened.manifest.capabilities)
        return size, opened

    def _unusable(
        self, writes: Sequence[OpenWrite], code: ErrorCode
    ) -> list[ContactWritten | PutOff]:
        """Answer intents of an account that cannot be used now."""
        now = self._clock.now()
        return [
            PutOff(item.intent_id, code)
            if code in _PASSING and now <= item.write.not_after
            else ContactWritten(
                intent_id=item.intent_id,
                kind=item.write.kind,
                outcome=WriteOutcome.STALE,
                reason=code,
                read_at=now,
            )
            for item in writes
        ]

    async def _recover(self, claim: Claim) -> None:
        """Answer what an earlier turn had marked as sent and did not end.

        The lease is ours alone, so nobody is still at it.
        """
        while True:
            async with self._store.transaction(claim.ref.tenant_id) as work:
                left = await work.open_writes(
                    claim.ref, state="sent", but=(), limit=RECOVER_MAX
                )
            if not left:
                return
            log.warning("outcomes_unknown", count=len(left))
            results = [
                ContactWritten(
                    intent_id=item.intent_id,
                    kind=item.write.kind,
                    outcome=WriteOutcome.UNKNOWN,
                    sent_at=item.sent_at,
                    read_at=self._clock.now(),
                )
                for item in left
            ]
            await self._tell(claim, left, results=results, put_off=[])

    async def _tell(
        self,
        claim: Claim,
        writes: Sequence[OpenWrite],
        *,
        results: Sequence[ContactWritten],
        put_off: Sequence[PutOff],
    ) -> None:
        """Store what became of intents, and tell it, in one transaction."""
        connections = {item.intent_id: item.connection_id for item in writes}
        async with self._store.transaction(claim.ref.tenant_id) as work:
            await work.hold(claim)
            if put_off:
                await work.put_off(
                    claim, [(item.intent_id, item.reason) for item in put_off]
                )
            if not results:
                return
            closed = await work.save_results(claim, results)
            told = [result for result in results if result.intent_id in closed]
            await work.send(*messages(claim.ref, told, connections=connections))


_PASSING: Final = frozenset(
    {
        ErrorCode.ADDRESS_REFUSED,
        ErrorCode.APP_UNREACHABLE,
        ErrorCode.CREDENTIALS_REFUSED,
        ErrorCode.RATE_LIMITED,
        ErrorCode.SERVICE_UNAVAILABLE,
    }
)
"""Reasons that may be gone before the intent is too old."""


def messages(
    ref: AccountRef,
    results: Sequence[ContactWritten],
    *,
    connections: dict[IntentId, ConnectionId],
) -> list[Message]:
    """Return what tells outcomes, by connection, within the bounds of the bus."""
    by_connection: dict[ConnectionId, list[ContactWritten]] = {}
    for result in results:
        by_connection.setdefault(connections[result.intent_id], []).append(result)
    return [
        ContactsWritten(
            tenant_id=ref.tenant_id,
            account_id=ref.account_id,
            connection_id=connection_id,
            results=batch,
        )
        for connection_id, found in by_connection.items()
        for batch in batches.split(found)
    ]


def _log_chunk(results: Sequence[ContactWritten], put_off: Sequence[PutOff]) -> None:
    outcomes: dict[str, int] = {}
    for result in results:
        outcomes[result.outcome] = outcomes.get(result.outcome, 0) + 1
    if put_off:
        outcomes["put_off"] = len(put_off)
    log.info("writes_carried_out", count=len(results), outcomes=outcomes)
