"""Reads records by id that were asked for, because a scan did not show them.

A few at a time, each few stored when read: one that cannot be read is put back and
stops neither the others nor the reading of changes. What the app does not know is told
only if it shows one of the records that are known to be there.
"""

import datetime
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from proto.base import Message
from proto.record import Presence
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
UNWELL_FOR: Final = datetime.timedelta(minutes=5)
"""When an app is asked again that did not show any record known to be there."""
GIVE_UP_AFTER: Final = datetime.timedelta(hours=1)
"""Nobody is asked for any more when none of the controls is shown, and none was named
for so long: they are gone as well, and whoever asks again names others."""
CONTROLS_MAX: Final = 10
CONTROL_AGE_MAX: Final = datetime.timedelta(seconds=60)
"""How long what the controls said holds for records that are read after them."""


class _Health:
    """Whether the app is well, as far as its controls tell in this turn."""

    def __init__(self) -> None:
        self.is_well = True
        self.is_outdated = False
        """The controls were named too long ago to go by."""
        self._until: datetime.datetime | None = None

    def is_known(self, now: datetime.datetime) -> bool:
        """Tell whether the controls need not be read again yet."""
        return self._until is not None and now < self._until

    def note(
        self,
        controls: Sequence[Fresh],
        *,
        named_at: datetime.datetime,
        asked_at: datetime.datetime,
    ) -> None:
        """Take over what the controls showed that could be read."""
        self.is_well = any(_is(one, Presence.LIVE) for one in controls)
        self.is_outdated = asked_at - named_at >= GIVE_UP_AFTER
        self._until = asked_at + CONTROL_AGE_MAX


class Rereader:
    """Answers requests for single records, in an account's turn of reading."""

    def __init__(
        self, store: Store[ConnectorWork], transport: Transport, *, clock: Clock
    ) -> None:
        self._store = store
        self._transport = transport
        self._clock = clock
        self._lookups = Lookups(transport, clock, lane=Lane.POLL)

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
        health = _Health()
        at_once = self._transport.lines.calls_at_once(opened.manifest)
        limit = max(at_once, opened.manifest.capabilities.get_batch)
        while await may_go_on():
            now = self._clock.now()
            async with self._store.transaction(claim.ref.tenant_id) as work:
                reads = await work.wanted_reads(claim.ref, before=now, limit=limit)
                if not reads:
                    return count
                controls: list[WantedRead] = []
                if not health.is_known(now):
                    controls = await work.controls(claim.ref, limit=CONTROLS_MAX)
            read_count = await self._read_batch(
                claim, reads, opened=opened, controls=controls, health=health
            )
            if not read_count:
                # Nothing comes of it now, and each of them may take minutes.
                return count
            count += read_count
        return None

    async def _read_batch(
        self,
        claim: Claim,
        reads: Sequence[WantedRead],
        *,
        opened: OpenAccount,
        controls: Sequence[WantedRead],
        health: _Health,
    ) -> int:
        asked_at = self._clock.now()
        found = await self._lookups.read(
            opened, [each.record_id for each in (*controls, *reads)]
        )
        shown = (found[each.record_id] for each in controls)
        beside = [one for one in shown if isinstance(one, Fresh)]
        if controls:
            health.note(beside, named_at=controls[0].asked_at, asked_at=asked_at)
        told = [one for one in beside if _is(one, Presence.LIVE)]
        done, left, missed = list[WantedRead](), list[WantedRead](), list[WantedRead]()
        of_account: CallFailed | None = None
        for read in reads:
            one = found[read.record_id]
            if isinstance(one, CallFailed):
                if one.meaning in MAYBE_OF_ONE:
                    left.append(read)
                else:
                    of_account = one
            elif _is(one, Presence.MISSING) and not health.is_well:
                missed.append(read)
            else:
                done.append(read)
                told.append(one)
        now = self._clock.now()
        # Those just read are among them, also where another replica's clock is ahead.
        read_until = max((asked_at, *(each.asked_at for each in controls)))
        given_up = missed if health.is_outdated else []
        async with self._store.transaction(claim.ref.tenant_id) as work:
            await work.hold(claim)
            await work.forget_wanted_reads(claim.ref, [*done, *given_up])
            await work.put_back_reads(claim.ref, left, until=now + AGAIN_AFTER)
            await work.put_back_reads(claim.ref, missed, until=now + UNWELL_FOR)
            # Here, because a turn with nothing to read does not come this way again.
            await work.forget_controls(claim.ref, before=read_until)
            await work.send(*_messages(claim, told))
        if left:
            log.warning("records_not_read", count=len(left))
        if missed:
            log.warning("app_not_well", count=len(missed))
        if given_up:
            log.warning("records_given_up", count=len(given_up))
        if of_account is not None:
            raise of_account
        return len(done)


def _is(one: Fresh, presence: Presence) -> bool:
    return one.snapshot.record.presence is presence


def _messages(claim: Claim, fresh: Sequence[Fresh]) -> list[Message]:
    if not fresh:
        return []
    return observing.messages(
        claim.ref,
        trimming.fitting(one.snapshot.record for one in fresh),
        read_at=min(one.read_at for one in fresh),
        is_by_id=True,
    )
