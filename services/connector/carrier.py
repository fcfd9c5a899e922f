"""Carries out a chunk of intents at an app: checks each one's conditions, then sends.

Conditions are checked mechanically, exactly as they came; nothing is decided about
what to write. Two phases, so that the journal can note in between what is sent.
"""

import asyncio
import datetime
from collections.abc import Callable, Sequence
from typing import Final

from proto.connector import ContactWrite, ContactWritten, WriteKind, WriteOutcome
from proto.errors import ErrorCode
from proto.ids import RecordId
from proto.record import Presence
from services.chassis.clock import Clock
from services.connector import checking, grouping, lookups, remainder
from services.connector.accounts import OpenWrite
from services.connector.answers import Answers, Outcome, Unclear
from services.connector.checking import Borrow, Checked, Checks
from services.connector.errors import CallFailed
from services.connector.lookups import Fresh, Lookups
from services.connector.pacing import Lane
from services.connector.port import NewRecord, Update
from services.connector.sending import Done, Ready, Sender
from services.connector.transport import OpenAccount, Transport

READ_AGE_MAX: Final = datetime.timedelta(seconds=5)
"""An update is not sent on the strength of an older read, unless the app checks."""
CALLS_BETWEEN: Final = 2
"""Calls that may go ahead of a write after its read, however slow their pace is."""


class Carrier:
    """One chunk of one account. Use: ``check``, note ``ready`` as sent, ``send``."""

    def __init__(
        self,
        transport: Transport,
        opened: OpenAccount,
        *,
        is_ours: Callable[[], bool],
        borrow: Borrow,
        clock: Clock,
        lane: Lane = Lane.WRITE,
    ) -> None:
        self._opened = opened
        self._clock = clock
        self._capabilities = opened.manifest.capabilities
        self._is_conditional = self._capabilities.writes_conditionally
        at_once = transport.lines.calls_at_once(opened.manifest)
        spacing_s = transport.lines.spacing_s(opened.manifest)
        self._patience = datetime.timedelta(seconds=CALLS_BETWEEN * spacing_s)
        self._update_batch = max(1, self._capabilities.update_batch)
        get_batch = max(1, self._capabilities.get_batch)
        # Without conditional writes the time between reading a record and writing it
        # must stay short, so that no more is read ahead than is written at once.
        held = at_once
        self._group = max(get_batch, self._update_batch)
        if not self._is_conditional:
            if spacing_s:
                held = int(READ_AGE_MAX.total_seconds() / (CALLS_BETWEEN * spacing_s))
                held = max(1, min(at_once, held))
            self._group = min(self._group, held * get_batch, held * self._update_batch)
        calls = -(-self._group // self._update_batch)
        self._groups = asyncio.Semaphore(max(1, held // calls))
        self._lookups = Lookups(transport, clock, lane=lane)
        self._checks = Checks(transport, opened, borrow=borrow, clock=clock, lane=lane)
        self._answers = Answers(clock)
        self._sender = Sender(
            transport,
            opened,
            is_ours=is_ours,
            lookups=self._lookups,
            clock=clock,
            lane=lane,
        )
        self._checked: Checked = {}
        self._unclear: list[Unclear] = []
        self._is_served = False
        """The app has done something for the account, so that its faults are not all
        of the account."""
        self.ready: list[OpenWrite] = []

    async def check(self, writes: Sequence[OpenWrite]) -> list[Outcome]:
        """Answer what needs no writing; leave the rest in ``ready``."""
        now = self._clock.now()
        answers, looks, waiting = list[Done](), list[OpenWrite](), list[OpenWrite]()
        for item in writes:
            write = item.write
            if now > write.not_after:
                answers.append(self._answers.stale(item))
            elif write.kind is WriteKind.LOOK:
                looks.append(item)
            elif write.kind is WriteKind.CREATE:
                waiting.append(item)
            elif write.kind is WriteKind.UPDATE and write.record_id is not None:
                hangs = write.source is not None
                (waiting if hangs else self.ready).append(item)
            else:
                answers.append(
                    self._answers.answer(
                        item, WriteOutcome.REFUSED, reason=ErrorCode.MALFORMED
                    )
                )
        looked = await self._checks.look(looks)
        found, self._checked = await self._checks.check(waiting)
        self.ready += [item for item in waiting if item.intent_id in self._checked]
        self._is_served = any(
            isinstance(one, ContactWritten) and one.record is not None
            for one in (*looked, *found)
        )
        return self._clear([*answers, *looked, *found])

    async def send(self) -> list[Outcome]:
        """Carry out what is ready, and answer what only its fellows can explain."""
        updates = [item for item in self.ready if item.write.kind is WriteKind.UPDATE]
        creates = [item for item in self.ready if item.write.kind is WriteKind.CREATE]
        # One after the other: a create that waits for its place behind updates grows
        # old, and so does what was read for an update.
        done = await self._send_all(
            [self._of_create(item) for item in creates], cut=self._cut_creates
        )
        for wave in _in_waves(updates):
            groups = [
                self._update_group(wave[start : start + self._group])
                for start in range(0, len(wave), self._group)
            ]
            for group in await asyncio.gather(*groups):
                done += group
        answers = self._clear(done)
        return answers + [
            self._answers.failed(
                one, is_served=self._is_served or self._sender.has_served
            )
            for one in self._unclear
        ]

    @property
    def waited_s(self) -> float:
        """How long the app had it wait, whatever the number of writes."""
        return self._sender.waited_s

    def _clear(self, done: Sequence[Done]) -> list[Outcome]:
        """Return what is answered; put aside what is not."""
        self._unclear += [one for one in done if isinstance(one, Unclear)]
        return [one for one in done if not isinstance(one, Unclear)]

    async def _update_group(self, group: Sequence[OpenWrite]) -> list[Done]:
        async with self._groups:
            fresh = await self._lookups.read(
                self._opened, [_record_id(item.write) for item in group]
            )
            found = [
                self._of_update(item, fresh[_record_id(item.write)]) for item in group
            ]
            return await self._send_all(found, cut=self._cut_updates)

    async def _send_all(
        self,
        found: Sequence[Ready | Done],
        *,
        cut: Callable[[Sequence[Ready]], Sequence[Sequence[Ready]]],
    ) -> list[Done]:
        """Send what is ready, in the batches that the app takes; add what is done."""
        ready = [one for one in found if isinstance(one, Ready)]
        sent = await asyncio.gather(*map(self._sender.send, cut(ready)))
        return [
            *(one for one in found if not isinstance(one, Ready)),
            *(done for each in sent for done in each),
        ]

    def _cut_creates(self, ready: Sequence[Ready]) -> list[list[Ready]]:
        news = [one.body for one in ready if isinstance(one.body, NewRecord)]
        batches = grouping.batches(self._opened, news)
        return [[ready[place] for place in batch] for batch in batches]

    def _cut_updates(self, ready: Sequence[Ready]) -> list[Sequence[Ready]]:
        return grouping.cut(ready, size=self._update_batch)

    def _of_update(self, item: OpenWrite, fresh: Fresh | CallFailed) -> Ready | Done:
        """Return an update as it may be sent, or why it is not, by its record."""
        if isinstance(fresh, CallFailed):
            return Unclear(item, fresh)
        self._is_served = True
        record = fresh.snapshot.record
        if record.presence is not Presence.LIVE:
            return self._answers.answer(item, WriteOutcome.MISSING, fresh=fresh)
        is_another = lookups.is_another(item.write, record)
        if is_another or lookups.has_moved(item.write.seen, record.fields):
            return self._answers.answer(item, WriteOutcome.CHANGED, fresh=fresh)
        change = remainder.of_update(item.write, record)
        if not change:
            return self._answers.answer(item, WriteOutcome.WRITTEN, fresh=fresh)
        if not remainder.is_possible(change, self._capabilities):
            return self._impossible(item)
        until = item.write.not_after
        if not self._is_conditional:
            until = min(until, fresh.read_at + READ_AGE_MAX + self._patience)
        if item.intent_id in self._checked:
            until = min(until, self._fit_until(item))
        update = Update(snapshot=fresh.snapshot, change=change)
        return Ready(item, update, until=until, read_at=fresh.read_at)

    def _of_create(self, item: OpenWrite) -> Ready | Done:
        """Return a create as it may be sent, or why it may not."""
        write = item.write
        if not remainder.is_creatable(write, self._capabilities):
            return self._impossible(item)
        return Ready(
            item,
            remainder.of_create(write),
            until=min(write.not_after, self._fit_until(item)),
            read_at=self._checked[item.intent_id],
        )

    def _fit_until(self, item: OpenWrite) -> datetime.datetime:
        """Return until when what was checked for a write counts."""
        checked_at = self._checked[item.intent_id]
        return checked_at + checking.CHECK_AGE_MAX + self._patience

    def _impossible(self, item: OpenWrite) -> Outcome:
        """Answer what the app cannot do; nobody is told that it was done."""
        return self._answers.answer(
            item, WriteOutcome.REFUSED, reason=ErrorCode.APP_REFUSED
        )


def _in_waves(updates: Sequence[OpenWrite]) -> list[list[OpenWrite]]:
    """Part updates so that each record is written once a wave, in their order.

    Two connections of an account may write to one record at a time. The second write
    begins with a read that shows the first: where an app takes whole records alone, it
    would take that back, and nobody could say why (hazard 40).
    """
    waves: list[list[OpenWrite]] = []
    counts: dict[RecordId, int] = {}
    for item in updates:
        record_id = _record_id(item.write)
        number = counts[record_id] = counts.get(record_id, -1) + 1
        if number == len(waves):
            waves.append([])
        waves[number].append(item)
    return waves


def _record_id(write: ContactWrite) -> RecordId:
    assert write.record_id is not None
    return write.record_id
