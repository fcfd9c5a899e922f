"""Reads records by id that were asked for, because a scan did not show them.

A few at a time, each few stored when read: one that cannot be read is put back and
stops neither the others nor the reading of changes.
"""

import datetime
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from proto.base import Message
from services.chassis.clock import Clock
from services.chassis.store import Store
from services.connector import observing, trimming
from services.connector.accounts import Claim, WantedRead
from services.connector.errors import MAYBE_OF_ONE, CallFailed
from services.connector.lookups import Fresh, Lookups
from services.connector.pacing import Lane
from services.connector.store import ConnectorWork
from services.connector.transport import OpenAccount, Transport

log = structlog.get_logger()

AGAIN_AFTER: Final = datetime.timedelta(minutes=5)
"""When a record is tried again that could not be read."""


class Rereader:
    """Answers requests for single records, in an account's turn of reading."""

    def __init__(
        self, store: Store[ConnectorWork], transport: Transport, *, clock: Clock
    ) -> None:
        self._store = store
        self._transport = transport
        self._clock = clock
        self._lookups = Lookups(transport, clock)

    async def read(
        self,
        claim: Claim,
        opened: OpenAccount,
        *,
        may_go_on: Callable[[], Awaitable[bool]],
    ) -> int | None:
        """Read what waits; return how many records, None when cut short.

        Raises:
            CallFailed: The account cannot be called now.
        """
        count = 0
        at_once = self._transport.calls_at_once(opened.manifest)
        limit = max(at_once, opened.manifest.capabilities.get_batch)
        while await may_go_on():
            async with self._store.transaction() as work:
                reads = await work.wanted_reads(
                    claim.ref, before=self._clock.now(), limit=limit
                )
            if not reads:
                return count
            read_count = await self._read_batch(claim, reads, opened=opened)
            if not read_count:
                # Nothing comes of it now, and each of them may take minutes.
                return count
            count += read_count
        return None

    async def _read_batch(
        self, claim: Claim, reads: Sequence[WantedRead], *, opened: OpenAccount
    ) -> int:
        found = await self._lookups.read(
            opened, [read.record_id for read in reads], lane=Lane.POLL
        )
        fresh = [one for one in found.values() if isinstance(one, Fresh)]
        done, left = list[WantedRead](), list[WantedRead]()
        of_account: CallFailed | None = None
        for read in reads:
            one = found[read.record_id]
            if isinstance(one, Fresh):
                done.append(read)
            elif one.meaning in MAYBE_OF_ONE:
                left.append(read)
            else:
                of_account = one
        again_at = self._clock.now() + AGAIN_AFTER
        async with self._store.transaction() as work:
            await work.hold(claim)
            await work.forget_wanted_reads(claim.ref, done)
            await work.put_back_reads(claim.ref, left, until=again_at)
            await work.send(*_messages(claim, fresh))
        if left:
            log.warning("records_not_read", count=len(left))
        if of_account is not None:
            raise of_account
        return len(fresh)


def _messages(claim: Claim, fresh: Sequence[Fresh]) -> list[Message]:
    if not fresh:
        return []
    return observing.messages(
        claim.ref,
        trimming.fitting(one.snapshot.record for one in fresh),
        read_at=min(one.read_at for one in fresh),
    )
