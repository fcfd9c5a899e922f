"""Carries out a chunk of intents at an app: checks each one's conditions, then sends.

Conditions are checked mechanically, exactly as they came; nothing is decided about
what to write. Two phases, so that the journal can note in between what is sent.
"""

import asyncio
import datetime
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from proto.connector import ContactWrite, ContactWritten, WriteKind, WriteOutcome
from proto.errors import ErrorCode
from proto.ids import RecordId
from proto.record import Presence
from services.chassis.clock import Clock
from services.connector import batches, lookups
from services.connector.accounts import AccountRef, OpenWrite
from services.connector.answers import Answers, Outcome
from services.connector.errors import CallFailed, Meaning, UnknownApp
from services.connector.lookups import Fresh, Lookups, Read
from services.connector.pacing import Lane
from services.connector.port import (
    Call,
    CreateResult,
    Exists,
    Missing,
    Moved,
    NewRecord,
    Operation,
    Refused,
    Snapshot,
    UpdateResult,
    Written,
)
from services.connector.transport import OpenAccount, Transport

SOURCE_AGE_MAX: Final = datetime.timedelta(seconds=10)
"""A create whose source was seen longer ago has it read again first."""


class _NotBegun(CallFailed):
    """Waiting for its turn took so long that a write must not be sent any more."""

    def __init__(self) -> None:
        super().__init__(Meaning.UNREACHABLE, "its turn came too late")
        self.code = ErrorCode.SERVICE_UNAVAILABLE


class Carrier:
    """One chunk of one account. Use: ``check``, note ``ready`` as sent, ``send``."""

    def __init__(
        self,
        transport: Transport,
        opened: OpenAccount,
        *,
        is_ours: Callable[[], bool],
        clock: Clock,
    ) -> None:
        self._transport = transport
        self._opened = opened
        self._is_ours = is_ours
        self._clock = clock
        self._capabilities = opened.manifest.capabilities
        at_once = transport.calls_at_once(opened.manifest)
        batch = max(1, self._capabilities.get_batch)
        # Without conditional writes the time between reading a record and writing it
        # must stay short, so that no more is read ahead than is written at once.
        self._group = (
            batch if self._capabilities.writes_conditionally else min(batch, at_once)
        )
        self._groups = asyncio.Semaphore(max(1, at_once // self._group))
        self._places = asyncio.Semaphore(at_once)
        self._lookups = Lookups(transport, clock)
        self._answers = Answers(clock)
        self.ready: list[OpenWrite] = []

    async def check(self, writes: Sequence[OpenWrite]) -> list[Outcome]:
        """Answer what needs no writing; leave the rest in ``ready``."""
        now = self._clock.now()
        answers, looks, creates = list[Outcome](), list[OpenWrite](), list[OpenWrite]()
        for item in writes:
            write = item.write
            if now > write.not_after:
                answers.append(self._answers.stale(item))
            elif write.kind is WriteKind.LOOK:
                looks.append(item)
            elif write.kind is WriteKind.CREATE:
                creates.append(item)
            elif write.kind is WriteKind.UPDATE and write.record_id is not None:
                self.ready.append(item)
            else:
                answers.append(
                    self._answers.answer(
                        item, WriteOutcome.REFUSED, reason=ErrorCode.MALFORMED
                    )
                )
        answers += await self._look(looks)
        for step in (self._check_sources, self._check_emails):
            found = await step(creates)
            answered = {answer.intent_id for answer in found}
            creates = [item for item in creates if item.intent_id not in answered]
            answers += found
        self.ready += creates
        return answers

    async def send(self) -> list[Outcome]:
        """Carry out what is ready."""
        updates = [item for item in self.ready if item.write.kind is WriteKind.UPDATE]
        creates = [item for item in self.ready if item.write.kind is WriteKind.CREATE]
        groups = [
            updates[start : start + self._group]
            for start in range(0, len(updates), self._group)
        ]
        found = await asyncio.gather(
            *(self._update_group(group) for group in groups),
            *(self._each([item], self._create) for item in creates),
        )
        return [answer for answers in found for answer in answers]

    async def _update_group(self, group: Sequence[OpenWrite]) -> list[Outcome]:
        async with self._groups:
            fresh = await self._lookups.read(
                self._opened, [_record_id(item.write) for item in group]
            )

            async def update(item: OpenWrite) -> Outcome:
                return await self._update(item, fresh[_record_id(item.write)])

            return await self._each(group, update)

    async def _update(self, item: OpenWrite, fresh: Fresh | CallFailed) -> Outcome:
        if isinstance(fresh, CallFailed):
            return self._answers.failed(item, fresh)
        record = fresh.snapshot.record
        if record.presence is not Presence.LIVE:
            return self._answers.answer(item, WriteOutcome.MISSING, fresh=fresh)
        if lookups.has_moved(item.write.seen, record.fields):
            return self._answers.answer(item, WriteOutcome.CHANGED, fresh=fresh)
        operation = self._opened.app.update(fresh.snapshot, item.write.fields)
        return await self._carry(item, operation)

    async def _create(self, item: OpenWrite) -> Outcome:
        write = item.write
        new = NewRecord(
            fields=write.fields,
            containers=write.containers,
            consent=write.consent,
            marker=write.marker,
        )
        return await self._carry(item, self._opened.app.create(new))

    async def _carry(
        self, item: OpenWrite, operation: Operation[CreateResult | UpdateResult]
    ) -> Outcome:
        sent_at: datetime.datetime | None = None

        def begin(call: Call) -> None:
            nonlocal sent_at
            if not call.is_write:
                return
            now = self._clock.now()
            if not self._is_ours() or now > item.write.not_after:
                raise _NotBegun
            sent_at = now

        async with self._places:
            try:
                result = await self._transport.drive(
                    self._opened, operation, lane=Lane.WRITE, before_call=begin
                )
            except CallFailed as err:
                return self._answers.failed(item, err, sent_at=sent_at)
            return await self._of_result(item, result, sent_at=sent_at)

    async def _of_result(
        self,
        item: OpenWrite,
        result: CreateResult | UpdateResult,
        *,
        sent_at: datetime.datetime | None,
    ) -> Outcome:
        match result:
            case Written(record=record):
                # The answer shows what is true once the write is applied. The time
                # before the call would lose against a page read while it was under
                # way, which may show the record as it was.
                return self._answers.answer(
                    item,
                    WriteOutcome.WRITTEN,
                    fresh=Fresh(Snapshot(record=record), self._clock.now()),
                    sent_at=sent_at,
                )
            case Refused(code=code, field_id=field_id):
                return self._answers.answer(
                    item,
                    WriteOutcome.REFUSED,
                    reason=code,
                    field=field_id or "",
                    sent_at=sent_at,
                )
            case Missing():
                return self._answers.answer(item, WriteOutcome.MISSING, sent_at=sent_at)
            case Exists(record_id=record_id):
                return await self._reread(
                    item, record_id, outcome=WriteOutcome.EXISTS, sent_at=sent_at
                )
            case Moved():
                return await self._reread(
                    item,
                    _record_id(item.write),
                    outcome=WriteOutcome.CHANGED,
                    sent_at=sent_at,
                )

    async def _reread(
        self,
        item: OpenWrite,
        record_id: RecordId,
        *,
        outcome: WriteOutcome,
        sent_at: datetime.datetime | None,
    ) -> Outcome:
        """Answer with the record that stood in the way."""
        fresh = (await self._lookups.read(self._opened, [record_id]))[record_id]
        if isinstance(fresh, CallFailed):
            # Nothing was written, so that it may be tried again from the start.
            return self._answers.failed(item, fresh)
        if outcome is WriteOutcome.CHANGED and (
            fresh.snapshot.record.presence is not Presence.LIVE
        ):
            outcome = WriteOutcome.MISSING
        return self._answers.answer(item, outcome, fresh=fresh, sent_at=sent_at)

    async def _look(self, looks: Sequence[OpenWrite]) -> list[Outcome]:
        """Find out what became of earlier writes."""
        known = [item for item in looks if item.write.record_id is not None]
        fresh = await self._lookups.read(
            self._opened, [_record_id(item.write) for item in known]
        )
        answers = [self._looked(item, fresh[_record_id(item.write)]) for item in known]
        others = [item for item in looks if item.write.record_id is None]
        return answers + await self._search(others)

    async def _search(self, looks: Sequence[OpenWrite]) -> list[Outcome]:
        """Look for records by our marker, and by email where none carries it."""
        can_find = self._capabilities.can_find_by_email
        found = await self._lookups.find_marked(
            self._opened, {item.intent_id: item.write.marker for item in looks}
        )
        if can_find:
            found |= await self._lookups.find_each(
                self._opened,
                {
                    item.intent_id: item.write.emails
                    for item in looks
                    if item.intent_id not in found
                },
            )
        answers: list[Outcome] = []
        for item in looks:
            fresh = found.get(item.intent_id)
            if fresh is not None:
                answers.append(self._looked(item, fresh))
            elif item.write.marker or (item.write.emails and can_find):
                answers.append(self._answers.answer(item, WriteOutcome.MISSING))
            else:
                # Nothing can be looked for, so that nothing can be said.
                answers.append(self._answers.answer(item, WriteOutcome.UNKNOWN))
        return answers

    def _looked(self, item: OpenWrite, fresh: Fresh | CallFailed) -> Outcome:
        if isinstance(fresh, CallFailed):
            return self._answers.failed(item, fresh)
        is_live = fresh.snapshot.record.presence is Presence.LIVE
        outcome = WriteOutcome.EXISTS if is_live else WriteOutcome.MISSING
        return self._answers.answer(item, outcome, fresh=fresh)

    async def _check_sources(self, creates: Sequence[OpenWrite]) -> list[Outcome]:
        """Answer creates whose source is no longer as seen."""
        oldest = self._clock.now() - SOURCE_AGE_MAX
        by_account: dict[AccountRef, list[OpenWrite]] = {}
        for item in creates:
            source = item.write.source
            if source is not None and source.seen_at < oldest:
                ref = AccountRef(
                    self._opened.ref.tenant_id, source.account_id, source.app
                )
                by_account.setdefault(ref, []).append(item)
        answers: list[Outcome] = []
        for ref, items in by_account.items():
            fresh = await self._read_sources(ref, items)
            found = (self._of_source(item, fresh) for item in items)
            answers += [answer for answer in found if answer is not None]
        return answers

    async def _read_sources(self, ref: AccountRef, items: Sequence[OpenWrite]) -> Read:
        ids = [item.write.source.record_id for item in items if item.write.source]
        try:
            opened = await self._transport.open(ref)
        except CallFailed as err:
            return dict.fromkeys(ids, err)
        except UnknownApp as err:
            return dict.fromkeys(ids, CallFailed(Meaning.FORBIDDEN, str(err)))
        return await self._lookups.read(opened, ids)

    def _of_source(self, item: OpenWrite, found: Read) -> Outcome | None:
        source = item.write.source
        assert source is not None
        fresh = found[source.record_id]
        if isinstance(fresh, CallFailed):
            return self._answers.failed(item, fresh)
        record = fresh.snapshot.record
        is_same = record.presence is Presence.LIVE and (
            (source.version != "" and record.version == source.version)
            or not lookups.has_moved(source.fields, record.fields)
        )
        if is_same:
            return None
        return ContactWritten(
            intent_id=item.intent_id,
            kind=item.write.kind,
            outcome=WriteOutcome.SOURCE_CHANGED,
            source_record=batches.fitting(record),
            read_at=fresh.read_at,
        )

    async def _check_emails(self, creates: Sequence[OpenWrite]) -> list[Outcome]:
        """Answer creates for emails that the app has, where it does not check."""
        if (
            self._capabilities.refuses_duplicate_emails
            or not self._capabilities.can_find_by_email
        ):
            return []
        asked = {item.intent_id: item.write.emails for item in creates}
        found = await self._lookups.find_each(self._opened, asked)
        answers: list[Outcome] = []
        for item in creates:
            fresh = found.get(item.intent_id)
            if isinstance(fresh, CallFailed):
                answers.append(self._answers.failed(item, fresh))
            elif fresh is not None:
                answers.append(
                    self._answers.answer(item, WriteOutcome.EXISTS, fresh=fresh)
                )
        return answers

    async def _each(
        self,
        items: Sequence[OpenWrite],
        carry: Callable[[OpenWrite], Awaitable[Outcome]],
    ) -> list[Outcome]:
        return list(await asyncio.gather(*(carry(item) for item in items)))


def _record_id(write: ContactWrite) -> RecordId:
    assert write.record_id is not None
    return write.record_id
