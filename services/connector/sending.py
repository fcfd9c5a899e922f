"""Sends writes that were checked, several in one call where the app takes them so.

Each is answered for itself. A call for several that the app refuses as a whole is made
again for one half and the other: what was refused was not done, and one bad record must
not hold up its fellows.
"""

import asyncio
import datetime
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias, cast

from proto.connector import WriteOutcome
from proto.errors import ErrorCode
from proto.ids import RecordId
from proto.record import Presence
from services.chassis.clock import Clock
from services.connector.accounts import OpenWrite
from services.connector.answers import Answers, Outcome, PutOff, Unclear
from services.connector.errors import CallFailed, Meaning
from services.connector.lookups import Fresh, Lookups, Read
from services.connector.pacing import Lane
from services.connector.port import (
    Alone,
    BatchApp,
    BatchResult,
    Call,
    CreateResult,
    Exists,
    Missing,
    Moved,
    NewRecord,
    Operation,
    Refused,
    Snapshot,
    Unsure,
    Update,
    UpdateResult,
    Written,
)
from services.connector.transport import OpenAccount, Transport

Done: TypeAlias = Outcome | Unclear
Result: TypeAlias = BatchResult | UpdateResult
_UNANSWERED: Final = Unsure()


class Ready(NamedTuple):
    """A write that may be sent, with what it rests on."""

    item: OpenWrite
    body: NewRecord | Update
    until: datetime.datetime
    """Later than this it is not begun: what it rests on may be over."""
    read_at: datetime.datetime


class _NotBegun(CallFailed):
    """The account is somebody else's by now."""

    def __init__(self) -> None:
        super().__init__(Meaning.UNREACHABLE, "its turn came too late")
        self.code = ErrorCode.SERVICE_UNAVAILABLE


class _TooLate(CallFailed):
    """A write waited so long for its turn that what it is built on may be over."""

    def __init__(self) -> None:
        super().__init__(Meaning.RATE_LIMITED, "its turn came too late")


class Sender:
    """Sends the writes of one account's chunk."""

    def __init__(
        self,
        transport: Transport,
        opened: OpenAccount,
        *,
        is_ours: Callable[[], bool],
        lookups: Lookups,
        clock: Clock,
        lane: Lane,
    ) -> None:
        self._transport = transport
        self._opened = opened
        self._is_ours = is_ours
        self._lookups = lookups
        self._clock = clock
        self._lane = lane
        self._answers = Answers(clock)
        self._places = asyncio.Semaphore(transport.lines.calls_at_once(opened.manifest))
        self.has_served = False
        """The app has taken something: not every fault of it is the account's."""
        self.waited_s = 0.0
        """The longest that an app let an operation wait for what it does later."""

    async def send(self, batch: Sequence[Ready]) -> list[Done]:
        """Send writes of one kind in one call, and answer each."""
        sent_at: datetime.datetime | None = None
        waited_s = 0.0
        until = min(ready.until for ready in batch)

        def begin(call: Call) -> None:
            nonlocal sent_at, waited_s
            waited_s += call.wait_s
            self.waited_s = max(self.waited_s, waited_s)
            if not call.is_write:
                return
            if not self._is_ours():
                raise _NotBegun
            now = self._clock.now()
            if now > until:
                raise _TooLate
            sent_at = now

        try:
            async with self._places:
                if self._clock.now() > until:
                    # Before it takes a turn from what is still in time.
                    raise _TooLate
                results = await self._transport.drive(
                    self._opened,
                    _operation(self._opened, batch),
                    lane=self._lane,
                    before_call=begin,
                )
        except _TooLate as err:
            return [
                PutOff(ready.item.intent_id, err.code, is_of_account=False)
                for ready in batch
            ]
        except CallFailed as err:
            return await self._of_failure(batch, err, sent_at=sent_at)
        self.has_served |= any(not isinstance(one, Alone) for one in results)
        done = await self._of_results(batch, results, sent_at=sent_at)
        alone = [
            ready
            for ready, result in zip(batch, results, strict=False)
            if isinstance(result, Alone)
        ]
        assert not alone or len(batch) > 1, "alone already"
        for each in await asyncio.gather(*(self.send([ready]) for ready in alone)):
            done += each
        return done

    async def _of_failure(
        self,
        batch: Sequence[Ready],
        err: CallFailed,
        *,
        sent_at: datetime.datetime | None,
    ) -> list[Done]:
        if sent_at is None:
            return [Unclear(ready.item, err) for ready in batch]
        if len(batch) > 1 and err.meaning is Meaning.REFUSED:
            middle = len(batch) // 2
            return [
                *await self.send(batch[:middle]),
                *await self.send(batch[middle:]),
            ]
        return [self._answers.sent(ready.item, err, sent_at=sent_at) for ready in batch]

    async def _of_results(
        self,
        batch: Sequence[Ready],
        results: Sequence[Result],
        *,
        sent_at: datetime.datetime | None,
    ) -> list[Done]:
        """Answer each write by its result; one without a result may be done or not."""
        missing = (_UNANSWERED,) * (len(batch) - len(results))
        pairs = [
            (ready, result)
            for ready, result in zip(batch, (*results, *missing), strict=True)
            if not isinstance(result, Alone)
        ]
        # An answer shows what is true once the write is applied. The time before the
        # call would lose against a page read while it was under way, which may show
        # the record as it was.
        now = self._clock.now()
        in_the_way = [
            record_id
            for ready, result in pairs
            if (record_id := _in_the_way(ready, result)) is not None
        ]
        fresh = await self._lookups.read(self._opened, in_the_way)
        return [
            self._of_result(
                ready.item,
                result,
                fresh=fresh,
                read_at=ready.read_at if sent_at is None else now,
                sent_at=sent_at,
            )
            for ready, result in pairs
        ]

    def _of_result(
        self,
        item: OpenWrite,
        result: CreateResult | UpdateResult,
        *,
        fresh: Read,
        read_at: datetime.datetime,
        sent_at: datetime.datetime | None,
    ) -> Done:
        answer = self._answers.answer
        match result:
            case Written(record=record, is_read_after=is_read_after):
                return answer(
                    item,
                    WriteOutcome.WRITTEN,
                    fresh=Fresh(Snapshot(record=record), read_at),
                    sent_at=sent_at,
                    is_read_after=is_read_after,
                )
            case Refused(code=code, field_id=field_id):
                return answer(
                    item,
                    WriteOutcome.REFUSED,
                    reason=code,
                    field=field_id or "",
                    sent_at=sent_at,
                )
            case Missing():
                return answer(item, WriteOutcome.MISSING, sent_at=sent_at)
            case Unsure():
                return answer(item, WriteOutcome.UNKNOWN, sent_at=sent_at)
            case Exists(record_id=record_id):
                return self._stopped(
                    item, fresh[record_id], outcome=WriteOutcome.EXISTS, sent_at=sent_at
                )
            case Moved():
                assert item.write.record_id is not None
                return self._stopped(
                    item,
                    fresh[item.write.record_id],
                    outcome=WriteOutcome.CHANGED,
                    sent_at=sent_at,
                )

    def _stopped(
        self,
        item: OpenWrite,
        fresh: Fresh | CallFailed,
        *,
        outcome: WriteOutcome,
        sent_at: datetime.datetime | None,
    ) -> Done:
        """Answer with the record that stood in the way."""
        if isinstance(fresh, CallFailed):
            # Nothing was written, so that it may be tried again from the start.
            return Unclear(item, fresh)
        if outcome is WriteOutcome.CHANGED and (
            fresh.snapshot.record.presence is not Presence.LIVE
        ):
            outcome = WriteOutcome.MISSING
        return self._answers.answer(item, outcome, fresh=fresh, sent_at=sent_at)


def _operation(
    opened: OpenAccount, batch: Sequence[Ready]
) -> Operation[tuple[Result, ...]]:
    """Return the app's operation for some writes of one kind."""
    news = [ready.body for ready in batch if isinstance(ready.body, NewRecord)]
    updates = [ready.body for ready in batch if isinstance(ready.body, Update)]
    assert not (news and updates)
    if len(batch) > 1:
        app = cast(BatchApp, opened.app)
        if news:
            return app.create_many(news)
        return app.update_many(updates)
    if news:
        return _alone(opened.app.create(news[0]))
    return _alone(opened.app.update(updates[0].snapshot, updates[0].change))


def _alone(operation: Operation[Result]) -> Operation[tuple[Result, ...]]:
    return ((yield from operation),)


def _in_the_way(ready: Ready, result: Result) -> RecordId | None:
    """Return the record that has to be read to say why nothing was written."""
    match result:
        case Exists(record_id=record_id):
            return record_id
        case Moved():
            return ready.item.write.record_id
        case _:
            return None
